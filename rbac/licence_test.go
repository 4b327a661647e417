package rbac_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// register holds licences until a time, or fails.
type register struct {
	until map[audit.ActorID]time.Time
	err   error
}

func (r *register) Licensed(_ context.Context, t audit.Tenant, person audit.ActorID, l rbac.Licence, now time.Time) (bool, error) {
	until, ok := r.until[person]
	return ok && t == clinic && l == rbac.NPI && now.Before(until), r.err
}

func TestALicenceIsAskedWithEveryDecision(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "patient", Owner: "author"}
	read := rbac.Define[note]("note.read", cols, rbac.Verb(audit.Read))
	sign := rbac.Define[note]("note.sign", cols, rbac.Verb(audit.Update), rbac.NeedLicence(rbac.NPI))
	own := rbac.NewMemoryRelation()
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{read, sign},
		Roles:     []rbac.Role{{Name: "clinician", Label: "Clinician", Allow: []rbac.Allow{rbac.In(rbac.Own, read, sign)}}},
		Relations: rbac.Relations{Own: own},
	})
	require.NoError(t, err)
	_, err = rbac.New(policy, rbac.NewMemory(), audit.Discard{}, nil)
	require.ErrorContains(t, err, "Licences")

	reg := &register{until: map[audit.ActorID]time.Time{"ana": now.Add(time.Hour)}}
	z, err := rbac.New(policy, rbac.NewMemory(), audit.Discard{}, &rbac.Options{Now: func() time.Time { return now }, Licences: reg})
	require.NoError(t, err)
	for _, p := range []audit.ActorID{"ana", "bo"} {
		_, err := z.Grant(system(t), rbac.Grant{Person: p, Role: "clinician"})
		require.NoError(t, err)
		own.Link(clinic, p, "p1", time.Time{})
	}
	n := note{id: "n1", tenant: clinic, patient: "p1"}
	ana, bo := audit.WithActor(t.Context(), staff("ana")), audit.WithActor(t.Context(), staff("bo"))

	for ctx, want := range map[context.Context]rbac.Code{ana: rbac.CodeAllowed, bo: rbac.CodeLicence} {
		dec, err := rbac.Check(ctx, z, sign, n)
		require.NoError(t, err)
		require.Equal(t, want, dec.Code)
		require.Equal(t, want == rbac.CodeAllowed, dec.Allowed)
		require.Equal(t, want == rbac.CodeAllowed, dec.Grant != "", "a denial names no grant")
		may, err := rbac.May(ctx, z, n)
		require.NoError(t, err)
		require.True(t, may.Allows(read), "reading needs none")
		require.Equal(t, dec.Allowed, may.Allows(sign))
	}
	trail, _ := audit.WithTrail(bo, audit.Discard{}, audit.Event{})
	_, err = rbac.Authorize(trail, z, sign, n)
	require.ErrorIs(t, err, rbac.ErrDenied)
	_, err = rbac.Visible(trail, z, sign)
	require.ErrorIs(t, err, rbac.ErrDenied)

	now = now.Add(time.Hour)
	dec, err := rbac.Check(ana, z, sign, n)
	require.NoError(t, err)
	require.Equal(t, rbac.CodeLicence, dec.Code, "it has run out")
	reg.err = errors.New("register down")
	dec, err = rbac.Check(ana, z, sign, n)
	require.ErrorIs(t, err, rbac.ErrUndecided)
	require.False(t, dec.Allowed)
	require.Equal(t, rbac.CodeUndecided, dec.Code)
	_, err = rbac.Visible(trail, z, sign)
	require.ErrorIs(t, err, rbac.ErrUndecided)
	dec, err = rbac.Check(ana, z, sign, note{id: "n2", tenant: clinic, patient: "p2"})
	require.NoError(t, err, "what is denied anyway asks nobody")
	require.Equal(t, rbac.CodeOutOfScope, dec.Code)
}
