package rbac_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

func TestGrantIsRecordedAndStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	h.rec.take()
	ctx := audit.WithActor(t.Context(), staff("adam"))
	g, err := h.z.Grant(ctx, rbac.Grant{
		ID: "", Tenant: "forged", Person: "bill", Role: "biller", By: "forged", Why: "joins the office",
		Practices: []rbac.PracticeID{"south", "north", "south"}, Until: h.now.Add(time.Hour),
		Ended: h.now, EndedBy: "forged",
	})
	require.NoError(t, err)
	require.NotEmpty(t, g.ID)
	require.Equal(t, clinic, g.Tenant)
	require.Equal(t, audit.ActorID("adam"), g.By)
	require.Equal(t, []rbac.PracticeID{"north", "south"}, g.Practices)
	require.Equal(t, h.now, g.Created)
	require.True(t, g.Ended.IsZero())
	stored, err := h.store.Grants(ctx, clinic, "bill")
	require.NoError(t, err)
	require.Equal(t, []rbac.Grant{g}, stored)

	events := h.rec.take()
	require.Len(t, events, 1)
	e := events[0]
	require.Equal(t, rbac.ActionGrant, e.Action)
	require.Equal(t, audit.ActorID("adam"), e.Actor.ID)
	require.Equal(t, clinic, e.Tenant)
	require.Equal(t, map[string]string{"role": "biller", "until": "2026-05-04T11:00:00Z"}, e.Detail)
	require.Equal(t, g.ID, e.Objects[0].ID)
	require.Equal(t, audit.Object{Type: "person", ID: "bill"}, e.Objects[1])
	why, _ := e.Why.Reveal()
	require.Equal(t, "joins the office", why)

	require.NoError(t, h.z.Revoke(ctx, "bill", g.ID))
	events = h.rec.take()
	require.Len(t, events, 1)
	require.Equal(t, rbac.ActionRevoke, events[0].Action)
	require.ErrorIs(t, h.z.Revoke(ctx, "bill", g.ID), rbac.ErrNoGrant)
	require.Empty(t, h.rec.take())
}

func TestSenselessGrantsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	for name, g := range map[string]rbac.Grant{
		"unknown role":            {Person: "bill", Role: "therapsit"},
		"no role":                 {Person: "bill"},
		"no person":               {Role: "admin"},
		"person not printable":    {Person: "bi\nll", Role: "admin"},
		"person too long":         {Person: audit.ActorID(strings.Repeat("x", 257)), Role: "admin"},
		"no practice":             {Person: "bill", Role: "biller"},
		"empty practice":          {Person: "bill", Role: "biller", Practices: []rbac.PracticeID{""}},
		"practices of no use":     {Person: "bill", Role: "admin", Practices: []rbac.PracticeID{"north"}},
		"over before it begins":   {Person: "bill", Role: "admin", From: h.now.Add(2 * time.Hour), Until: h.now.Add(time.Hour)},
		"over already":            {Person: "bill", Role: "admin", Until: h.now},
		"too many practices":      {Person: "bill", Role: "biller", Practices: manyPractices(201)},
		"a very long explanation": {Person: "bill", Role: "admin", Why: strings.Repeat("x", 501)},
	} {
		_, err := h.z.Grant(system, g)
		require.ErrorIs(t, err, rbac.ErrBadGrant, name)
	}
	_, err := h.z.Grant(t.Context(), rbac.Grant{Person: "bill", Role: "admin"})
	require.ErrorIs(t, err, rbac.ErrBadGrant, "nobody grants")
	require.Empty(t, h.rec.take())
}

func manyPractices(n int) (out []rbac.PracticeID) {
	for i := range n {
		out = append(out, rbac.PracticeID(strings.Repeat("p", i+1)))
	}
	return out
}

func TestNobodyGrantsAboveTheirRank(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "ana", "therapist")
	admin := h.grant(t, "adam", "admin")
	h.grant(t, "pat", "patient")
	patientActor := audit.Actor{ID: "pat", Kind: audit.KindPatient, Tenant: clinic}
	h.rec.take()
	for name, a := range map[string]audit.Actor{"therapist": staff("ana"), "nobody": staff("zoe"), "patient": patientActor} {
		ctx := audit.WithActor(t.Context(), a)
		_, err := h.z.Grant(ctx, rbac.Grant{Person: a.ID, Role: "admin"})
		require.ErrorIs(t, err, rbac.ErrDenied, name)
		require.ErrorIs(t, h.z.Revoke(ctx, "adam", admin.ID), rbac.ErrDenied, name)
		events := h.rec.take()
		require.Len(t, events, 2, "the attempts are on record")
		require.Equal(t, audit.Failure, events[0].Outcome)
		require.Equal(t, string(rbac.CodeRank), events[1].Code)
		require.Equal(t, a.ID, events[1].Actor.ID)
	}
	h.rec.fail(errors.New("disk full"))
	_, err := h.z.Grant(audit.WithActor(t.Context(), staff("ana")), rbac.Grant{Person: "ana", Role: "admin"})
	require.ErrorIs(t, err, rbac.ErrUndecided)
	h.rec.fail(nil)
	_, err = h.z.Grant(audit.WithActor(t.Context(), patientActor), rbac.Grant{Person: "pal", Role: "patient"})
	require.ErrorIs(t, err, rbac.ErrDenied, "patients grant nothing")
	_, err = h.z.Grant(audit.WithActor(t.Context(), staff("ana")), rbac.Grant{Person: "tom", Role: "therapist"})
	require.NoError(t, err)
}

func TestAdminOfOneTenantCannotReachAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	foreign := h.grantIn(t, other, rbac.Grant{Person: "fay", Role: "admin"})
	ctx := audit.WithActor(t.Context(), staff("adam"))
	require.ErrorIs(t, h.z.Revoke(ctx, "fay", foreign.ID), rbac.ErrNoGrant)
	g, err := h.z.Grant(ctx, rbac.Grant{Tenant: other, Person: "adam", Role: "admin"})
	require.NoError(t, err)
	require.Equal(t, clinic, g.Tenant, "a forged tenant is not used")
	var team []audit.ActorID
	for g, err := range h.z.Team(ctx) {
		require.NoError(t, err)
		team = append(team, g.Person)
	}
	require.Equal(t, []audit.ActorID{"adam", "adam"}, team)
}

func TestUnrecordedChangesDoNotHappen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.grant(t, "ana", "therapist")
	h.rec.fail(errors.New("disk full"))
	system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	_, err := h.z.Grant(system, rbac.Grant{Person: "bill", Role: "admin"})
	require.ErrorIs(t, err, rbac.ErrUndecided)
	require.ErrorIs(t, h.z.Revoke(system, "ana", g.ID), rbac.ErrUndecided)
	v, err := h.store.Version(t.Context(), clinic)
	require.NoError(t, err)
	require.EqualValues(t, 1, v)
}

func TestFailedChangesSaySo(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	for _, method := range []string{"Grants", "Version", "Apply"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			g := h.grant(t, "ana", "therapist")
			h.rec.take()
			z, err := rbac.New(h.policy, &faulty{Store: h.store, err: down, on: method}, h.rec, nil)
			require.NoError(t, err)
			system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
			require.ErrorIs(t, z.Revoke(system, "ana", g.ID), down)
			if events := h.rec.take(); method != "Grants" {
				require.Len(t, events, 2)
				require.Equal(t, audit.MajorFailure, events[1].Outcome)
				require.Equal(t, "not_applied", events[1].Code)
			} else {
				require.Empty(t, events, "nothing was about to be done")
			}
			_, err = z.Grant(audit.WithActor(t.Context(), staff("ana")), rbac.Grant{Person: "tom", Role: "therapist"})
			require.ErrorIs(t, err, down)
		})
	}
	t.Run("List", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		z, err := rbac.New(h.policy, &faulty{Store: h.store, err: down, on: "List"}, h.rec, nil)
		require.NoError(t, err)
		ctx := audit.WithActor(t.Context(), staff("ana"))
		_, err = z.Seats(ctx)
		require.ErrorIs(t, err, down)
		_, err = z.Seats(context.Background())
		require.ErrorIs(t, err, rbac.ErrUndecided, "nobody's team")
	})
}

func TestChangesAtOnceAllTakeEffect(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = h.z.Grant(system, rbac.Grant{Person: "ana", Role: "therapist"}) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	got, err := h.store.Grants(t.Context(), clinic, "ana")
	require.NoError(t, err)
	require.Len(t, got, len(errs))
}
