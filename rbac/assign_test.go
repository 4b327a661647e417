package rbac_test

import (
	"context"
	"errors"
	"fmt"
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
	ctx := rbac.WithReason(audit.WithActor(t.Context(), staff("adam")), "joins the office")
	g, err := h.z.Grant(ctx, rbac.Grant{
		ID: "", Tenant: "forged", Person: "bill", Role: "biller", By: "forged", Why: "new_hire",
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
	require.Equal(t, map[string]string{
		"role": "biller", "until": "2026-05-04T11:00:00Z", "why": "new_hire", "source": "direct",
	}, e.Detail)
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
		"words in clear":          {Person: "bill", Role: "admin", Why: "covers for Maria"},
		"words as the source":     {Person: "bill", Role: "admin", Source: "the old system"},
		"locations of no use":     {Person: "bill", Role: "admin", Locations: []rbac.LocationID{"east"}},
		"suspended in a practice": {Person: "bill", Role: rbac.Suspended, Practices: []rbac.PracticeID{"north"}},
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
	g, err := h.z.Grant(ctx, rbac.Grant{Tenant: other, Person: "alba", Role: "admin"})
	require.NoError(t, err)
	require.Equal(t, clinic, g.Tenant, "a forged tenant is not used")
	var team []audit.ActorID
	for g, err := range h.z.Team(ctx) {
		require.NoError(t, err)
		team = append(team, g.Person)
	}
	require.ElementsMatch(t, []audit.ActorID{"adam", "alba"}, team)
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
	for _, method := range []string{"Grants", "Holders", "Version", "Apply"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			g := h.grant(t, "ana", "therapist")
			h.grant(t, "adam", "admin")
			h.rec.take()
			z, err := rbac.New(h.policy, &faulty{Store: h.store, err: down, on: method}, h.rec, &rbac.Options{Grants: rbac.GrantRules{Seats: rbac.SeatLimit(9)}})
			require.NoError(t, err)
			system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
			d := rbac.Draft{Grant: []rbac.Grant{{Person: "bo", Role: "admin"}}, Revoke: []rbac.Ref{{Person: "ana", ID: g.ID}}}
			_, err = z.Change(system, d)
			require.ErrorIs(t, err, down)
			require.NotErrorIs(t, err, rbac.ErrDenied, "a failure is no answer")
			require.NotErrorIs(t, err, rbac.ErrRefused)
			if events := h.rec.take(); method == "Apply" {
				require.Len(t, events, 4, "a grant and a revocation, and that neither was made")
				for _, e := range events[2:] {
					require.Equal(t, audit.MajorFailure, e.Outcome)
					require.Equal(t, "not_applied", e.Code)
				}
			} else {
				require.Empty(t, events, "nothing was about to be done")
			}
			_, err = z.Grant(audit.WithActor(t.Context(), staff("adam")), rbac.Grant{Person: "tom", Role: "therapist"})
			require.ErrorIs(t, err, down)
		})
	}
	t.Run("the team", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		z, err := rbac.New(h.policy, &faulty{Store: h.store, err: down}, h.rec, nil)
		require.NoError(t, err)
		ctx := audit.WithActor(t.Context(), staff("ana"))
		_, err = z.Seats(ctx)
		require.ErrorIs(t, err, down)
		_, err = z.Seats(context.Background())
		require.ErrorIs(t, err, rbac.ErrUndecided, "nobody's team")
		for _, err := range z.Team(ctx) {
			require.ErrorIs(t, err, down)
		}
	})
}

// wavering is a store whose Apply fails after it has written, or before, and which may not be
// able to tell afterwards.
type wavering struct {
	rbac.Store
	writes, mute bool
	failed       bool
}

func (w *wavering) Apply(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
	if w.writes {
		if err := w.Store.Apply(ctx, t, v, c); err != nil {
			return err
		}
	}
	w.failed = true
	return errors.New("connection lost")
}

func (w *wavering) Grants(ctx context.Context, t audit.Tenant, p audit.ActorID) ([]rbac.Grant, error) {
	if w.failed && w.mute {
		return nil, errors.New("connection lost")
	}
	return w.Store.Grants(ctx, t, p)
}

// A store that fails after it has written has written: the record stays right.
func TestAFailureAfterTheWriteIsFoundOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store wavering
		fails bool
		code  string
	}{
		"written":                  {wavering{writes: true}, false, ""},
		"not written":              {wavering{}, true, "not_applied"},
		"written, cannot tell":     {wavering{writes: true, mute: true}, true, "unconfirmed"},
		"not written, cannot tell": {wavering{mute: true}, true, "unconfirmed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			old := h.grant(t, "ana", "therapist")
			h.rec.take()
			c.store.Store = h.store
			z, err := rbac.New(h.policy, &c.store, h.rec, nil)
			require.NoError(t, err)
			_, err = z.Change(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Draft{
				Grant: []rbac.Grant{{Person: "ana", Role: "admin"}}, Revoke: []rbac.Ref{{Person: "ana", ID: old.ID}},
			})
			require.Equal(t, c.fails, err != nil)
			events := h.rec.take()
			if !c.fails {
				require.Len(t, events, 2)
				return
			}
			require.Len(t, events, 4)
			require.Equal(t, c.code, events[3].Code)
		})
	}
}

func TestChangesAtOnceAllTakeEffect(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	errs := make([]error, 64)
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

// TestNobodyGrantsBeyondTheirReach: who manages some practices gives and takes away in these, and
// who is bound to none in all of them.
func TestNobodyGrantsBeyondTheirReach(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rules := h.rules()
	rules.Roles = append(rules.Roles, rbac.Role{Name: "lead", Label: "Lead", Rank: 60, Allow: []rbac.Allow{rbac.In(rbac.Practice, h.PatientRead)}})
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	z, err := rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
	require.NoError(t, err)
	setup := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	south, err := z.Grant(setup, rbac.Grant{Person: "sue", Role: "biller", Practices: []rbac.PracticeID{"south"}})
	require.NoError(t, err)
	for _, g := range []rbac.Grant{
		{Person: "lea", Role: "lead", Practices: []rbac.PracticeID{"north", "east"}},
		{Person: "adam", Role: "admin"},
		{Person: "both", Role: "lead", Practices: []rbac.PracticeID{"north"}},
		{Person: "both", Role: "therapist"}, // which binds to no practice, and stands above a biller
	} {
		_, err := z.Grant(setup, g)
		require.NoError(t, err)
	}
	h.rec.take()
	for i, c := range []struct {
		who       audit.ActorID
		practices []rbac.PracticeID
		ok        bool
	}{
		{"lea", []rbac.PracticeID{"north"}, true},
		{"lea", []rbac.PracticeID{"north", "east"}, true},
		{"lea", []rbac.PracticeID{"south"}, false},
		{"lea", []rbac.PracticeID{"north", "south"}, false},
		{"adam", []rbac.PracticeID{"south", "west"}, true},
		{"both", []rbac.PracticeID{"south"}, true},
	} {
		_, err := z.Grant(h.as(t, staff(c.who)), rbac.Grant{Person: audit.ActorID(fmt.Sprintf("new%d", i)), Role: "biller", Practices: c.practices})
		if c.ok {
			require.NoError(t, err, c)
			h.rec.take()
			continue
		}
		require.ErrorIs(t, err, rbac.ErrDenied, c)
		require.Equal(t, string(rbac.CodeReach), h.rec.take()[0].Code)
	}
	require.ErrorIs(t, z.Revoke(h.as(t, staff("lea")), "sue", south.ID), rbac.ErrDenied)
	require.NoError(t, z.Revoke(h.as(t, staff("adam")), "sue", south.ID))
}

// TestOldRolesAreRevokedByAdministrators: a role that the policy does not know gives nothing, and
// who administers the tenant can clear it away. Nobody else can: another server may know it.
func TestOldRolesAreRevokedByAdministrators(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	h.grant(t, "ana", "therapist")
	v, err := h.store.Version(t.Context(), clinic)
	require.NoError(t, err)
	require.NoError(t, h.store.Apply(t.Context(), clinic, v, rbac.Change{Add: []rbac.Grant{{ID: "old", Tenant: clinic, Person: "olga", Role: "matron", By: "x"}}}))
	require.ErrorIs(t, h.z.Revoke(h.as(t, staff("ana")), "olga", "old"), rbac.ErrDenied)
	require.NoError(t, h.z.Revoke(h.as(t, staff("adam")), "olga", "old"))
	_, err = h.z.Grant(h.as(t, staff("adam")), rbac.Grant{Person: "olga", Role: "matron"})
	require.ErrorIs(t, err, rbac.ErrBadGrant)
}
