package rbac_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// ruled returns a house whose grants follow rules.
func ruled(t testing.TB, rules rbac.GrantRules) *house {
	t.Helper()
	h := newHouse(t)
	z, err := rbac.New(h.policy, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }, Grants: rules})
	require.NoError(t, err)
	h.z = z
	return h
}

func system(t testing.TB) context.Context {
	return audit.WithActor(t.Context(), audit.System(clinic, "setup"))
}

// refuse asserts that a change is refused by a rule, that the error names it, and that the
// attempt is on record.
func (h *house) refuse(t testing.TB, ctx context.Context, d rbac.Draft, sentinel error, code rbac.Code, rule string) {
	t.Helper()
	h.rec.take()
	before, err := h.store.Version(ctx, clinic)
	require.NoError(t, err)
	_, err = h.z.Change(ctx, d)
	require.ErrorIs(t, err, sentinel)
	require.ErrorIs(t, err, rbac.ErrRefused)
	var r *rbac.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, &rbac.Refusal{Code: code, Rule: rule}, r)
	for _, e := range h.rec.take() {
		require.Equal(t, audit.Failure, e.Outcome)
		require.Equal(t, string(code), e.Code)
		require.Equal(t, rule, e.Detail["rule"])
	}
	after, err := h.store.Version(ctx, clinic)
	require.NoError(t, err)
	require.Equal(t, before, after, "nothing was written")
}

func one(g rbac.Grant) rbac.Draft { return rbac.Draft{Grant: []rbac.Grant{g}} }

func ending(g rbac.Grant) rbac.Draft {
	return rbac.Draft{Revoke: []rbac.Ref{{Person: g.Person, ID: g.ID}}}
}

func billerIsNoAdmin() rbac.GrantRules {
	return rbac.GrantRules{Exclusive: []rbac.Exclusive{
		{Name: "who_bills_adds_no_users", One: []rbac.RoleName{"biller"}, Other: []rbac.RoleName{"admin"}},
	}}
}

func TestSeparationOfDutiesIsCheckedOnWrite(t *testing.T) {
	t.Parallel()
	const rule = "who_bills_adds_no_users"
	biller := rbac.Grant{Person: "ana", Role: "biller", Practices: []rbac.PracticeID{"north"}}
	admin := rbac.Grant{Person: "ana", Role: "admin"}
	both := map[string][2]rbac.Grant{"biller first": {biller, admin}, "admin first": {admin, biller}}
	for name, order := range both {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := ruled(t, billerIsNoAdmin())
			first := h.grantIn(t, clinic, order[0])
			h.refuse(t, system(t), one(order[1]), rbac.ErrExclusive, rbac.CodeExclusive, rule)
			h.refuse(t, system(t), rbac.Draft{Grant: []rbac.Grant{{Person: "zoe", Role: "therapist"}, order[1]}},
				rbac.ErrExclusive, rbac.CodeExclusive, rule)
			_, err := h.z.Change(system(t), rbac.Draft{Grant: order[1:], Revoke: ending(first).Revoke})
			require.NoError(t, err, "one for the other")
		})
	}
	t.Run("both in one draft", func(t *testing.T) {
		t.Parallel()
		h := ruled(t, billerIsNoAdmin())
		h.refuse(t, system(t), rbac.Draft{Grant: []rbac.Grant{biller, admin}}, rbac.ErrExclusive, rbac.CodeExclusive, rule)
	})
	t.Run("one after the other in time", func(t *testing.T) {
		t.Parallel()
		h := ruled(t, billerIsNoAdmin())
		early, late := biller, admin
		early.Until, late.From = h.now.Add(time.Hour), h.now.Add(time.Hour)
		_, err := h.z.Change(system(t), rbac.Draft{Grant: []rbac.Grant{early, late}})
		require.NoError(t, err)
		late.From = h.now.Add(time.Hour - time.Microsecond)
		h.refuse(t, system(t), one(late), rbac.ErrExclusive, rbac.CodeExclusive, rule)
	})
	t.Run("another person", func(t *testing.T) {
		t.Parallel()
		h := ruled(t, billerIsNoAdmin())
		h.grantIn(t, clinic, biller)
		h.grant(t, "adam", "admin")
	})
}

// Two changes at once, each allowed on its own.
func TestSeparationOfDutiesHoldsInARace(t *testing.T) {
	t.Parallel()
	for range 20 {
		h := ruled(t, billerIsNoAdmin())
		drafts := []rbac.Grant{
			{Person: "ana", Role: "biller", Practices: []rbac.PracticeID{"north"}}, {Person: "ana", Role: "admin"},
		}
		errs := atOnce(len(drafts), func(i int) error { _, err := h.z.Grant(system(t), drafts[i]); return err })
		require.ErrorIs(t, errors.Join(errs...), rbac.ErrExclusive)
		got, err := h.store.Grants(t.Context(), clinic, "ana")
		require.NoError(t, err)
		require.Len(t, got, 1)
	}
}

// atOnce calls f n times at the same time.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = f(i)
		})
	}
	done.Wait()
	return errs
}

func TestSingleRoleHasOneHolder(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{Single: []rbac.RoleName{"admin"}})
	first := h.grant(t, "ana", "admin")
	h.refuse(t, system(t), one(rbac.Grant{Person: "bo", Role: "admin"}), rbac.ErrSingle, rbac.CodeSingle, "admin")
	h.grant(t, "bo", "therapist")
	h.grant(t, "ana", "admin") // hers already
	got, err := h.z.Change(system(t), rbac.Draft{
		Grant: []rbac.Grant{{Person: "cy", Role: "admin", From: h.now.Add(time.Hour)}},
	})
	require.ErrorIs(t, err, rbac.ErrSingle, "hers has no end")
	require.Empty(t, got)
	require.NoError(t, h.z.Revoke(system(t), "ana", first.ID))
	h.refuse(t, system(t), one(rbac.Grant{Person: "bo", Role: "admin"}), rbac.ErrSingle, rbac.CodeSingle, "admin")
}

func TestNobodyGrantsThemselves(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{})
	h.grant(t, "adam", "admin")
	adam := audit.WithActor(t.Context(), staff("adam"))
	h.refuse(t, adam, one(rbac.Grant{Person: "adam", Role: "therapist"}), rbac.ErrSelfGrant, rbac.CodeSelfGrant, "")

	h = ruled(t, rbac.GrantRules{SelfGrants: true})
	h.grant(t, "adam", "admin")
	_, err := h.z.Grant(adam, rbac.Grant{Person: "adam", Role: "therapist"})
	require.NoError(t, err)
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{})
	adam, bea := h.grant(t, "adam", "admin"), h.grant(t, "bea", "admin")
	h.grantIn(t, clinic, rbac.Grant{Person: "tim", Role: "admin", Until: h.now.Add(time.Hour)})
	ctx := audit.WithActor(t.Context(), staff("adam"))
	require.NoError(t, h.z.Revoke(ctx, "bea", bea.ID))
	h.refuse(t, ctx, ending(adam), rbac.ErrLastAdmin, rbac.CodeLastAdmin, "")
	h.refuse(t, audit.WithActor(t.Context(), staff("tim")), one(rbac.Grant{Person: "adam", Role: rbac.Suspended}),
		rbac.ErrLastAdmin, rbac.CodeLastAdmin, "") // tim's time is up in an hour
	got, err := h.z.Change(ctx, rbac.Draft{Grant: []rbac.Grant{{Person: "cy", Role: "admin"}}, Revoke: ending(adam).Revoke})
	require.NoError(t, err, "a successor in the same change")
	require.NoError(t, h.z.Revoke(system(t), "cy", got[0].ID), "the end of a tenant is the system's business")
}

func TestAdminsWhoRemoveEachOtherAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		h := ruled(t, rbac.GrantRules{})
		grants := []rbac.Grant{h.grant(t, "adam", "admin"), h.grant(t, "bea", "admin")}
		errs := atOnce(2, func(i int) error {
			ctx := audit.WithActor(t.Context(), staff(grants[i].Person))
			return h.z.Revoke(ctx, grants[1-i].Person, grants[1-i].ID)
		})
		require.Error(t, errors.Join(errs...))
		left, err := h.store.Holders(t.Context(), clinic, []rbac.RoleName{"admin"})
		require.NoError(t, err)
		require.Len(t, left, 1)
	}
}

func TestSuspendedTakesEverythingAway(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{})
	h.grant(t, "ana", "admin")
	h.grant(t, "bea", "admin")
	h.grant(t, "tom", "therapist")
	may := func() bool {
		ok, err := rbac.Holds(h.as(t, staff("ana")), h.z, h.TeamManage)
		require.NoError(t, err)
		return ok
	}
	require.True(t, may())
	tom := audit.WithActor(t.Context(), staff("tom"))
	_, err := h.z.Grant(tom, rbac.Grant{Person: "ana", Role: rbac.Suspended})
	require.ErrorIs(t, err, rbac.ErrDenied, "nobody suspends who stands above them")
	bea := audit.WithActor(t.Context(), staff("bea"))
	s, err := h.z.Grant(bea, rbac.Grant{Person: "ana", Role: rbac.Suspended, Why: "leave"})
	require.NoError(t, err)
	require.False(t, may())
	require.ErrorIs(t, h.z.Revoke(tom, "ana", s.ID), rbac.ErrDenied)
	require.ErrorIs(t, h.z.Revoke(audit.WithActor(t.Context(), staff("ana")), "ana", s.ID), rbac.ErrDenied, "nor lifts it themselves")
	require.NoError(t, h.z.Revoke(bea, "ana", s.ID))
	require.True(t, may())
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := func(names ...rbac.RoleName) []rbac.RoleName { return names }
	for name, rules := range map[string]rbac.GrantRules{
		"unknown role":    {Exclusive: []rbac.Exclusive{{Name: "a", One: r("biler"), Other: r("admin")}}},
		"unknown other":   {Exclusive: []rbac.Exclusive{{Name: "a", One: r("biller"), Other: r("amdin")}}},
		"one side":        {Exclusive: []rbac.Exclusive{{Name: "a", One: r("biller")}}},
		"no name":         {Exclusive: []rbac.Exclusive{{One: r("biller"), Other: r("admin")}}},
		"itself":          {Exclusive: []rbac.Exclusive{{Name: "a", One: r("biller", "admin"), Other: r("admin")}}},
		"twice":           {Exclusive: []rbac.Exclusive{{Name: "a", One: r("biller"), Other: r("admin")}, {Name: "a", One: r("biller"), Other: r("therapist")}}},
		"unknown single":  {Single: r("owner")},
		"unknown admin":   {Admins: r("root")},
		"empty role name": {Admins: r("")},
	} {
		_, err := rbac.New(h.policy, h.store, h.rec, &rbac.Options{Grants: rules})
		require.Error(t, err, name)
	}
}

// seats of the tests are those of a limit that may fail.
type seats struct{ err error }

func (s seats) Seats(context.Context, audit.Tenant) (int, error) { return 1, s.err }

func TestSeatsCountPeople(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{Seats: rbac.SeatLimit(3)})
	taken := func(want int) {
		t.Helper()
		use, err := h.z.Seats(system(t))
		require.NoError(t, err)
		require.Equal(t, rbac.SeatUse{Taken: want, Limit: 3, Limited: true}, use)
	}
	ana := h.grant(t, "ana", "admin")
	h.grant(t, "ana", "therapist")
	h.grant(t, "pat", "patient")
	taken(1) // people, not roles, and no patients
	h.grantIn(t, clinic, rbac.Grant{Person: "fin", Role: "biller", Practices: []rbac.PracticeID{"north"}})
	h.grantIn(t, clinic, rbac.Grant{Person: "ivy", Role: "therapist", From: h.now.Add(time.Hour), Until: h.now.Add(2 * time.Hour), Source: rbac.SourceInvite})
	taken(3) // who bills, and who is to come
	late := one(rbac.Grant{Person: "leo", Role: "therapist"})
	h.refuse(t, system(t), late, rbac.ErrSeats, rbac.CodeSeats, "")
	h.grant(t, "ana", "therapist") // has a seat
	h.grant(t, "zoe", "patient")   // needs none

	s := h.grant(t, "fin", rbac.Suspended)
	taken(2)
	leo := h.grant(t, "leo", "therapist")
	h.refuse(t, system(t), ending(s), rbac.ErrSeats, rbac.CodeSeats, "") // fin's seat is gone
	require.NoError(t, h.z.Revoke(system(t), "leo", leo.ID))
	require.NoError(t, h.z.Revoke(system(t), "fin", s.ID))
	taken(3)
	h.grantIn(t, clinic, rbac.Grant{Person: "fin", Role: rbac.Suspended, Until: h.now.Add(time.Hour)})
	taken(3) // keeps the seat to come back to

	_, err := h.z.Change(system(t), rbac.Draft{
		Grant: []rbac.Grant{{Person: "leo", Role: "therapist"}}, Revoke: []rbac.Ref{{Person: "ana", ID: ana.ID}},
	})
	require.ErrorIs(t, err, rbac.ErrSeats, "ana is still a therapist")
	h.now = h.now.Add(2 * time.Hour)
	taken(2) // the invitation is over
	h.grant(t, "leo", "therapist")
}

func TestSeatsThatCannotBeCountedAreNotTaken(t *testing.T) {
	t.Parallel()
	down := errors.New("no contract service")
	h := ruled(t, rbac.GrantRules{Seats: seats{down}})
	_, err := h.z.Grant(system(t), rbac.Grant{Person: "ana", Role: "therapist"})
	require.ErrorIs(t, err, down)
	_, err = h.z.Seats(system(t))
	require.ErrorIs(t, err, down)
	h.grant(t, "pat", "patient")
	for limit, want := range map[int]error{0: rbac.ErrSeats, -1: rbac.ErrSeats, 1: nil} {
		h := ruled(t, rbac.GrantRules{Seats: rbac.SeatLimit(limit)})
		_, err := h.z.Grant(system(t), rbac.Grant{Person: "ana", Role: "therapist"})
		require.ErrorIs(t, err, want)
	}
}

func TestWhoIsOverTheLimitMayShrink(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{})
	a, b := h.grant(t, "ana", "admin"), h.grant(t, "bea", "therapist")
	z, err := rbac.New(h.policy, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }, Grants: rbac.GrantRules{Seats: rbac.SeatLimit(1)}})
	require.NoError(t, err)
	_, err = z.Change(system(t), rbac.Draft{Grant: []rbac.Grant{{Person: "ana", Role: "therapist"}}, Revoke: ending(a).Revoke})
	require.NoError(t, err, "another role for who has a seat")
	require.NoError(t, z.Revoke(system(t), "bea", b.ID))
	_, err = z.Grant(system(t), rbac.Grant{Person: "bea", Role: "therapist"})
	require.ErrorIs(t, err, rbac.ErrSeats)
}

// Sixty-four administrators at once, five seats: five get one.
func TestSeatsAreExactAtOnce(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{Seats: rbac.SeatLimit(5)})
	errs := atOnce(64, func(i int) error {
		_, err := h.z.Grant(system(t), rbac.Grant{Person: audit.ActorID(fmt.Sprintf("p%d", i)), Role: "therapist"})
		return err
	})
	seated := 0
	for _, err := range errs {
		if err == nil {
			seated++
			continue
		}
		require.ErrorIs(t, err, rbac.ErrSeats)
	}
	require.Equal(t, 5, seated)
	use, err := h.z.Seats(system(t))
	require.NoError(t, err)
	require.Equal(t, 5, use.Taken)
}
