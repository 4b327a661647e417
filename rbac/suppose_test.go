package rbac_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

func TestSupposedGrantsChangeNothing(t *testing.T) {
	t.Parallel()
	h := ruled(t, billerIsNoAdmin())
	h.own.Link(clinic, "ana", "p1", time.Time{})
	h.grant(t, "boss", "admin")
	therapist := h.grant(t, "ana", "therapist")
	h.rec.take()
	before, err := h.store.Version(t.Context(), clinic)
	require.NoError(t, err)
	boss := audit.WithActor(t.Context(), staff("boss"))
	ana := staff("ana")

	toFinance := rbac.Draft{
		Grant:  []rbac.Grant{{Person: "ana", Role: "biller", Practices: []rbac.PracticeID{"north"}}},
		Revoke: []rbac.Ref{{Person: "ana", ID: therapist.ID}},
	}
	then, err := h.z.Suppose(boss, rbac.Supposition{Draft: &toFinance})
	require.NoError(t, err)
	effects, err := then.Effects(boss, ana, staff("boss"))
	require.NoError(t, err)
	require.Equal(t, []rbac.RightsChange{
		{Person: "ana", Action: "note.read", Effect: rbac.Loses, Before: []string{"own"}},
		{Person: "ana", Action: "note.write", Effect: rbac.Loses, Before: []string{"self"}},
		{Person: "ana", Action: "patient.read", Effect: rbac.Changes, Before: []string{"own"}, After: []string{`practice ["north"]`}},
		{Person: "ana", Action: "patient.reveal_ssn", Effect: rbac.Loses, Before: []string{"own"}},
		{Person: "ana", Action: "patient.update", Effect: rbac.Loses, Before: []string{"own"}},
	}, effects)
	for e, want := range map[rbac.Explainer]bool{h.z: true, then: false} {
		x, err := rbac.Explain(boss, e, ana, h.PatientRead, patient{"p1", clinic, "south"})
		require.NoError(t, err)
		require.Equal(t, want, x.Allowed)
	}
	after, err := h.store.Version(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Empty(t, h.rec.take())
}

func TestWhatWouldBeRefusedIsNotSupposed(t *testing.T) {
	t.Parallel()
	h := ruled(t, billerIsNoAdmin())
	h.grant(t, "boss", "admin")
	h.grant(t, "ana", "therapist")
	h.rec.take()
	suppose := func(who audit.Actor, d rbac.Draft) error {
		_, err := h.z.Suppose(audit.WithActor(t.Context(), who), rbac.Supposition{Draft: &d})
		return err
	}
	both := rbac.Draft{Grant: []rbac.Grant{{Person: "bo", Role: "admin"}, {Person: "bo", Role: "biller", Practices: []rbac.PracticeID{"north"}}}}
	require.ErrorIs(t, suppose(staff("boss"), both), rbac.ErrExclusive)
	require.ErrorIs(t, suppose(staff("ana"), one(rbac.Grant{Person: "bo", Role: "admin"})), rbac.ErrDenied)
	require.ErrorIs(t, suppose(staff("boss"), one(rbac.Grant{Person: "bo", Role: "amdin"})), rbac.ErrBadGrant)
	require.ErrorIs(t, suppose(staff("boss"), rbac.Draft{Revoke: []rbac.Ref{{Person: "bo", ID: "none"}}}), rbac.ErrNoGrant)
	require.Empty(t, h.rec.take(), "nobody tried anything")
	down := errors.New("connection refused")
	z, err := rbac.New(h.policy, &faulty{Store: h.store, err: down, on: "Grants"}, h.rec, nil)
	require.NoError(t, err)
	d := one(rbac.Grant{Person: "bo", Role: "therapist"})
	_, err = z.Suppose(system(t), rbac.Supposition{Draft: &d})
	require.ErrorIs(t, err, down)
}

func TestSupposedPolicyAndToggles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rules := h.rules()
	rules.Roles[0].Allow = append(rules.Roles[0].Allow, rbac.In(rbac.Tenant, h.NoteRead).OptIn())
	next, err := rbac.Compile(rules)
	require.NoError(t, err)
	old := rules
	old.Roles = append([]rbac.Role{}, rules.Roles...)
	old.Roles[0].Allow = old.Roles[0].Allow[:1]
	was, err := rbac.Compile(old)
	require.NoError(t, err)
	z, err := rbac.New(was, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
	require.NoError(t, err)
	h.z = z
	h.grant(t, "boss", "admin")
	boss := audit.WithActor(t.Context(), staff("boss"))

	then, err := z.Suppose(boss, rbac.Supposition{Policy: next})
	require.NoError(t, err)
	effects, err := then.Effects(boss, staff("boss"))
	require.NoError(t, err)
	require.Empty(t, effects, "off until the tenant says so")
	on := rbac.Toggles{Choices: []rbac.Choice{{Role: "admin", Action: "note.read", On: true}}}
	then, err = z.Suppose(boss, rbac.Supposition{Policy: next, Toggles: &on})
	require.NoError(t, err)
	effects, err = then.Effects(boss, staff("boss"))
	require.NoError(t, err)
	require.Equal(t, []rbac.RightsChange{
		{Person: "boss", Action: "note.read", Effect: rbac.Gains, After: []string{"tenant"}},
	}, effects)
	_, err = z.Suppose(boss, rbac.Supposition{Toggles: &on})
	require.ErrorContains(t, err, "not left to the tenant")

	old.Roles = old.Roles[1:]
	gone, err := rbac.Compile(rbac.Rules{Actions: []rbac.AnyAction{h.NoteRead}, Relations: rules.Relations, Roles: []rbac.Role{
		{Name: "therapist", Label: "Therapist", Rank: 1, Allow: []rbac.Allow{rbac.In(rbac.Own, h.NoteRead)}},
	}})
	require.NoError(t, err)
	_, err = z.Suppose(boss, rbac.Supposition{Policy: gone})
	require.ErrorIs(t, err, rbac.ErrLockout)
	require.Equal(t, was.Digest(), z.Policy().Digest())
}
