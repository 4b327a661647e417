package emergency_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// asked is a relation that does something before it answers.
type asked struct {
	rbac.EmergencyRelation
	before func() error
}

func (a *asked) Grant(ctx context.Context, t audit.Tenant, who audit.ActorID, p audit.Patient, now time.Time) (string, error) {
	if a.before != nil {
		if err := a.before(); err != nil {
			return "", err
		}
	}
	return a.EmergencyRelation.Grant(ctx, t, who, p, now)
}

// newAskedHouse is a house whose relation can be disturbed.
func newAskedHouse(t testing.TB) (*house, *asked) {
	m := emergency.NewMemory()
	a := &asked{EmergencyRelation: m.Relation()}
	return newHouseOver(t, backing{m, a}), a
}

// withdrawn expects that the one opening of ana is over, and on record as not made.
func (h *house) withdrawn(code string) {
	h.t.Helper()
	var all []emergency.Grant
	for g, err := range h.wire.Store.List(h.t.Context(), clinic, false, "") {
		require.NoError(h.t, err)
		all = append(all, g)
	}
	require.Len(h.t, all, 1)
	events := h.rec.of(emergency.ActionOpen)
	require.Len(h.t, events, 2)
	require.Equal(h.t, audit.MajorFailure, events[1].Outcome)
	require.Equal(h.t, code, events[1].Code)
	require.Empty(h.t, h.rec.told(emergency.Opened), "nobody hears of an opening that opened nothing as if it had")
	if code == "not_applied" {
		require.Equal(h.t, all[0].Opened, all[0].Ended)
		require.Empty(h.t, all[0].By)
		ended := h.rec.of(emergency.ActionEnd)
		require.Len(h.t, ended, 1)
		require.Equal(h.t, "system", ended[0].Detail["by"])
		require.Equal(h.t, audit.KindSystem, ended[0].Actor.Kind)
	}
}

// TestARelationOfAnotherStore: an opening that lets nobody in is an error and no opening, and costs none
// of those of the day.
func TestARelationOfAnotherStore(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, open func(testing.TB) backing) {
		b := open(t)
		b.relation = emergency.NewMemory().Relation()
		h := newHouseOver(t, b)
		h.set.PerDay = 1
		ctx := h.by("ana")
		_, err := h.desks[0].Open(ctx, h.proof(ctx, patient("p1")), request())
		require.ErrorIs(t, err, emergency.ErrRelation)
		require.ErrorIs(t, err, emergency.ErrUnavailable)
		require.ErrorContains(t, err, "Relations.Emergency")
		h.withdrawn("not_applied")
		_, err = h.desks[1].Open(ctx, h.proof(ctx, patient("p1")), request())
		require.ErrorIs(t, err, emergency.ErrRelation)
		form, err := h.desks[0].Form(ctx, "p1")
		require.NoError(t, err)
		require.Equal(t, 1, form.Left)
		require.True(t, form.Words)
	})
}

// TestARelationThatFails opens nothing, and an opening after that is like the first.
func TestARelationThatFails(t *testing.T) {
	t.Parallel()
	h, a := newAskedHouse(t)
	h.set.PerDay = 1
	ctx := h.by("ana")
	proof := h.proof(ctx, patient("p1"))
	a.before = func() error { return errors.New("no answer") }
	_, err := h.desks[0].Open(ctx, proof, request())
	require.ErrorIs(t, err, emergency.ErrUnavailable)
	require.NotErrorIs(t, err, emergency.ErrRelation)
	h.withdrawn("not_applied")
	a.before = nil
	may, _ := h.may("ana", h.notes, patient("p1"))
	require.False(t, may)
	h.opens("ana", "p1")
	may, _ = h.may("ana", h.notes, patient("p1"))
	require.True(t, may)
}

// TestAWithdrawalThatFails says that nobody knows.
func TestAWithdrawalThatFails(t *testing.T) {
	t.Parallel()
	h, a := newAskedHouse(t)
	ctx := h.by("ana")
	proof := h.proof(ctx, patient("p1"))
	a.before = func() error {
		h.wire.arm(1, "fails")
		return errors.New("no answer")
	}
	_, err := h.desks[0].Open(ctx, proof, request())
	require.ErrorIs(t, err, emergency.ErrUnavailable)
	h.withdrawn("unconfirmed")
}

// TestEndedBeforeItWasAsked: who is stopped in that instant had it open.
func TestEndedBeforeItWasAsked(t *testing.T) {
	t.Parallel()
	h, a := newAskedHouse(t)
	ctx := h.by("ana")
	proof := h.proof(ctx, patient("p1"))
	a.before = func() error {
		a.before = nil
		open, _, err := h.desks[1].Current(h.by("ana"), "p1")
		require.NoError(t, err)
		_, err = h.desks[1].Stop(h.by("officer"), open.ID, "Wrong patient.")
		require.NoError(t, err)
		return nil
	}
	g, err := h.desks[0].Open(ctx, proof, request())
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("officer"), h.stored(g.ID).By)
	require.Len(t, h.rec.of(emergency.ActionOpen), 1)
	require.Len(t, h.rec.told(emergency.Opened), 1)
}

// TestToldBeforeItWasAsked: another server's step does not keep an opening that opens nothing.
func TestToldBeforeItWasAsked(t *testing.T) {
	t.Parallel()
	h, a := newAskedHouse(t)
	ctx := h.by("ana")
	proof := h.proof(ctx, patient("p1"))
	a.before = func() error {
		require.NoError(t, h.desks[1].Tick(t.Context()))
		return errors.New("no answer")
	}
	_, err := h.desks[0].Open(ctx, proof, request())
	require.ErrorIs(t, err, emergency.ErrUnavailable)
	a.before = nil
	may, _ := h.may("ana", h.notes, patient("p1"))
	require.False(t, may)
}
