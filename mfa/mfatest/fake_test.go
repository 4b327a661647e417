package mfatest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfatest"
)

const (
	town = audit.Tenant("town")
	ann  = audit.ActorID("p-ann")
)

func asAnn(t *testing.T, id audit.ActorID) context.Context {
	t.Helper()
	return audit.WithActor(t.Context(), audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: town, Session: "s-1"})
}

func TestFakeIsARealFactor(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, nil)
	on, err := f.Enrolled(t.Context(), town, ann)
	require.NoError(t, err)
	require.False(t, on)
	f.Enrol(t, town, ann)
	code := f.Code(t, town, ann)
	methods, err := f.Verify(t.Context(), town, ann, code)
	require.NoError(t, err)
	require.Equal(t, []string{mfa.Method}, methods)
	methods, err = f.Verify(t.Context(), town, ann, code)
	require.NoError(t, err)
	require.Nil(t, methods, "each code once")
	f.Pass(time.Hour)
	methods, err = f.Verify(t.Context(), town, ann, f.Code(t, town, ann))
	require.NoError(t, err)
	require.Equal(t, []string{mfa.Method}, methods)
	require.Len(t, f.Events.Find(mfa.ActionVerified), 2)
	require.Len(t, f.Events.Find(mfa.ActionReplayed), 1)
}

func TestFakeHearsWhoIsToldAndWhoseSessionsEnd(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, nil)
	f.Enrol(t, town, ann)
	require.Empty(t, f.Ended())
	_, _, ok, err := f.Replace(asAnn(t, ann), town, ann, f.Code(t, town, ann), "ann@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = f.ConfirmReplacement(asAnn(t, ann), town, ann, f.Code(t, town, ann))
	require.NoError(t, err)
	require.True(t, ok, "the code is of the new phone")
	require.NoError(t, f.Reset(asAnn(t, "p-admin"), town, ann, "lost"))
	var topics []string
	for _, m := range f.Told() {
		require.Equal(t, ann, m.Person)
		topics = append(topics, m.Topic)
	}
	require.Equal(t, []string{string(mfa.ActionEnrolled), string(mfa.ActionReplaced), string(mfa.ActionReset)}, topics)
	require.Equal(t, []audit.ActorID{ann, ann, ann, ann}, f.Ended())
}

func TestFakeTakesTheHostsRules(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, &mfa.Options{
		MaxFailures: 2,
		Required:    func(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return false, nil },
	})
	f.Enrol(t, town, ann)
	ok, err := f.Disable(asAnn(t, ann), town, ann, f.Code(t, town, ann))
	require.NoError(t, err)
	require.True(t, ok)
	f.Enrol(t, town, ann)
	for range 2 {
		_, err = f.Verify(t.Context(), town, ann, "wrong")
	}
	require.ErrorIs(t, err, mfa.ErrLocked)
}

func TestFakeFailsWhenToldTo(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, nil)
	f.Enrol(t, town, ann)
	f.Events.FailWith(errors.New("out of order"))
	methods, err := f.Verify(t.Context(), town, ann, f.Code(t, town, ann))
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	require.Nil(t, methods)
}
