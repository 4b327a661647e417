package rbac_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

var _ evidence.Source = (*rbac.Authorizer)(nil)

// stated returns a house's controls by ID, as a packet would have them.
func (h *house) stated(t *testing.T) map[string]evidence.Control {
	t.Helper()
	list, err := h.z.Controls(t.Context(), clinic)
	require.NoError(t, err)
	p := evidence.Collect(t.Context(), clinic, h.now, []evidence.Section{{Name: "Access", From: h.z}}, nil)
	require.Equal(t, list, p.Sections[0].Controls, "a packet takes them as they are")
	all := map[string]evidence.Control{}
	for _, c := range list {
		require.NotEmpty(t, c.Citations, c.ID)
		all[c.ID] = c
	}
	return all
}

// hold puts grants into the store.
func (h *house) hold(t *testing.T, person audit.ActorID, roles ...rbac.RoleName) {
	t.Helper()
	for _, r := range roles {
		v, err := h.store.Version(t.Context(), clinic)
		require.NoError(t, err)
		g := rbac.Grant{ID: string(person) + "-" + string(r), Tenant: clinic, Person: person, Role: r, Practices: []rbac.PracticeID{"p"}, By: "p-root", Source: rbac.SourceDirect}
		require.NoError(t, h.store.Apply(t.Context(), clinic, v, rbac.Change{Add: []rbac.Grant{g}}))
	}
}

// with compiles other rules and options.
func (h *house) with(t *testing.T, change func(*rbac.Rules, *rbac.Options)) {
	t.Helper()
	r, o := h.rules(), &rbac.Options{Now: func() time.Time { return h.now }}
	change(&r, o)
	p, err := rbac.Compile(r)
	require.NoError(t, err)
	h.policy = p
	h.z, err = rbac.New(p, h.store, h.rec, o)
	require.NoError(t, err)
}

// TestControlsOfThePolicy: each control's state is that of the policy in force.
func TestControlsOfThePolicy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.hold(t, "ada", "admin")
	h.hold(t, "bob", "admin")
	c := h.stated(t)
	require.Equal(t, evidence.InForce, c["rbac.default_deny"].State)
	require.Contains(t, c["rbac.default_deny"].Detail, h.policy.Digest()[:12])
	require.Contains(t, c["rbac.default_deny"].Warning, "second look", "something cannot be undone and asks for little")
	require.Equal(t, evidence.NotUsed, c["rbac.forbids"].State)
	require.Equal(t, evidence.NotUsed, c["rbac.step_up"].State)
	require.Contains(t, c["rbac.step_up"].Warning, "1 actions")
	require.Equal(t, evidence.InForce, c["rbac.assurance"].State)
	require.Equal(t, evidence.InForce, c["rbac.care_team"].State)
	require.Contains(t, c["rbac.care_team"].Detail, "1")
	require.Equal(t, evidence.InForce, c["rbac.recheck"].State)
	require.Contains(t, c["rbac.recheck"].Detail, "30s")
	require.Equal(t, evidence.Partly, c["rbac.separation"].State, "no roles exclude each other")

	h.labels = "labels"
	h.with(t, func(r *rbac.Rules, o *rbac.Options) {
		r.Forbid = []rbac.Forbid{{Name: "psychotherapy_notes", Labels: rbac.LabelPsychotherapy, Actions: []rbac.AnyAction{h.NoteRead}, Why: "45 CFR 164.508(a)(2)"}}
		o.Grants.Exclusive = []rbac.Exclusive{{Name: "billing_apart", One: []rbac.RoleName{"biller"}, Other: []rbac.RoleName{"admin"}}}
		o.PHIAssurance = audit.AAL1
		fresh := rbac.Define[rbac.InTenant]("users.end", rbac.Columns{}, rbac.StepUp(time.Minute))
		r.Actions = append(r.Actions, fresh)
		r.Roles[0].Allow = append(r.Roles[0].Allow, rbac.In(rbac.Tenant, fresh))
		o.StepUps = never{}
	})
	c = h.stated(t)
	require.Equal(t, evidence.InForce, c["rbac.forbids"].State)
	require.Contains(t, c["rbac.forbids"].Detail, "psychotherapy_notes")
	require.Equal(t, evidence.InForce, c["rbac.separation"].State)
	require.Contains(t, c["rbac.separation"].Detail, "billing_apart")
	require.Equal(t, evidence.Partly, c["rbac.assurance"].State)
	require.Contains(t, c["rbac.assurance"].Warning, "One factor")
	require.Equal(t, evidence.Partly, c["rbac.step_up"].State, "one asks for a proof, and one that cannot be undone does not")

	h.with(t, func(r *rbac.Rules, o *rbac.Options) {
		o.Grants.SelfGrants = true
		o.Grants.Exclusive = []rbac.Exclusive{{Name: "billing_apart", One: []rbac.RoleName{"biller"}, Other: []rbac.RoleName{"admin"}}}
		r.Roles = slices.Delete(r.Roles, 1, 2)
		r.Roles[0].Allow = append(r.Roles[0].Allow, rbac.In(rbac.Tenant, h.PatientUpdate, h.PatientReveal, h.NoteRead, h.NoteWrite))
	})
	c = h.stated(t)
	require.Equal(t, evidence.Partly, c["rbac.separation"].State)
	require.Contains(t, c["rbac.separation"].Warning, "themselves")
	require.Equal(t, evidence.NotUsed, c["rbac.care_team"].State)
	require.NotEmpty(t, c["rbac.care_team"].Warning)
}

// never asks nobody for a proof.
type never struct{}

func (never) StepUp(context.Context, audit.Action, audit.Object, time.Duration) (bool, error) {
	return false, nil
}

// TestControlsOfGrants: who holds what is counted as it is now; who is suspended holds nothing.
func TestControlsOfGrants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.stated(t)
	require.Equal(t, evidence.Failing, c["rbac.administrators"].State)
	require.Contains(t, c["rbac.grants"].Detail, "roles that nobody holds: admin, therapist, biller, patient")

	h.hold(t, "ada", "admin")
	c = h.stated(t)
	require.Equal(t, evidence.InForce, c["rbac.administrators"].State)
	require.Contains(t, c["rbac.administrators"].Warning, "One person alone")
	h.hold(t, "bob", "admin", "therapist")
	c = h.stated(t)
	require.Empty(t, c["rbac.administrators"].Warning)
	require.Contains(t, c["rbac.grants"].Detail, "people: 2, grants: 3, of staff without an end: 3; roles that nobody holds: biller, patient")
	require.Equal(t, evidence.InForce, c["rbac.grants"].State)

	h.hold(t, "bob", rbac.Suspended)
	c = h.stated(t)
	require.Contains(t, c["rbac.administrators"].Warning, "One person alone")
	require.Contains(t, c["rbac.grants"].Detail, "people: 1, grants: 1")
	h.hold(t, "cyd", "wizard")
	c = h.stated(t)
	require.Equal(t, evidence.Partly, c["rbac.grants"].State)
	require.Contains(t, c["rbac.grants"].Warning, "1 grants")
	for _, one := range c {
		for _, name := range []string{"ada", "bob", "cyd"} {
			require.NotContains(t, one.Detail+one.Warning, name, "it names nobody")
		}
	}
}

// TestControlsOfWideRoles: a role with everything is told, with how many hold it, and so is who
// reads everybody's clinical records.
func TestControlsOfWideRoles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wide := func(scope rbac.Scope, optIn bool) {
		h.with(t, func(r *rbac.Rules, o *rbac.Options) {
			chart := rbac.Define[note]("chart.read", rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "patient", Owner: "author"}, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Notes))
			r.Actions = append(r.Actions, chart)
			allow := rbac.In(scope, h.PatientRead, h.PatientUpdate, h.PatientReveal, h.PatientPurge, h.NoteRead, h.NoteWrite, chart)
			if optIn {
				allow = allow.OptIn()
				o.Toggles = h.store
			}
			r.Roles = append(r.Roles, rbac.Role{
				Name: "boss", Label: "Boss", Rank: 200, Allow: []rbac.Allow{allow, rbac.In(rbac.Tenant, h.TeamManage)}, Sight: map[phi.Class]phi.Level{},
			})
		})
	}
	wide(rbac.Own, false)
	h.hold(t, "ada", "admin")
	h.hold(t, "bob", "boss")
	require.Equal(t, evidence.InForce, h.stated(t)["rbac.no_superuser"].State, "not in the whole tenant")
	require.Contains(t, h.stated(t)["rbac.clinical_reach"].Detail, "roles: none; people: 0")

	wide(rbac.Tenant, false)
	c := h.stated(t)
	require.Equal(t, evidence.Partly, c["rbac.no_superuser"].State)
	require.Contains(t, c["rbac.no_superuser"].Warning, "boss; people who hold one: 1")
	require.Contains(t, c["rbac.clinical_reach"].Detail, "roles: boss; people: 1")
	require.Equal(t, evidence.InForce, c["rbac.clinical_reach"].State, "half of the people")
	h.hold(t, "cyd", "boss")
	require.Equal(t, evidence.Partly, h.stated(t)["rbac.clinical_reach"].State)

	wide(rbac.Tenant, true)
	require.Equal(t, evidence.InForce, h.stated(t)["rbac.no_superuser"].State, "the tenant has not switched it on")
	require.NoError(t, h.store.SaveToggles(t.Context(), clinic, all(h.policy)))
	require.Equal(t, evidence.Partly, h.stated(t)["rbac.no_superuser"].State)
}

// all switches everything on.
func all(p *rbac.Policy) rbac.Toggles {
	list := p.Choices()
	for i := range list {
		list[i].On = true
	}
	return rbac.Toggles{Choices: list}
}

// TestControlsThatCannotBeAsked: what the store does not tell is unknown in the packet, and the
// rest is there.
func TestControlsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	broken := errors.New("secret words of a driver")
	for name, o := range map[string]struct {
		store rbac.Store
		o     *rbac.Options
	}{
		"grants":  {&faulty{Store: h.store, err: broken, on: "List"}, nil},
		"choices": {h.store, &rbac.Options{Toggles: deaf{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z, err := rbac.New(h.policy, o.store, h.rec, o.o)
			require.NoError(t, err)
			p := evidence.Collect(t.Context(), clinic, h.now, []evidence.Section{{Name: "Access", From: z}}, nil)
			list := p.Sections[0].Controls
			require.Equal(t, evidence.Unknown, list[len(list)-1].State)
			require.Equal(t, "evidence.unknown", list[len(list)-1].ID)
			require.Equal(t, "rbac.default_deny", list[0].ID)
			for _, c := range list {
				require.NotContains(t, []string{"rbac.administrators", "rbac.grants", "rbac.no_superuser"}, c.ID, "nothing is stated that was not read")
			}
		})
	}
	var none *rbac.Authorizer
	_, err := none.Controls(t.Context(), clinic)
	require.ErrorIs(t, err, rbac.ErrUndecided)
}

// deaf tells no choices.
type deaf struct{}

func (deaf) Toggles(context.Context, audit.Tenant) (rbac.Toggles, error) {
	return rbac.Toggles{}, errors.New("secret words of a driver")
}
