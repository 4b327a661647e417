package recert_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// slipping is a store of grants on which something happens right after somebody was looked at.
type slipping struct {
	rbac.Store
	mu   sync.Mutex
	then func()
}

func (s *slipping) Grants(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
	out, err := s.Store.Grants(ctx, t, person)
	s.mu.Lock()
	then := s.then
	s.then = nil
	s.mu.Unlock()
	if then != nil {
		then()
	}
	return out, err
}

func (h *house) system() context.Context {
	return audit.WithActor(context.Background(), audit.System(clinic, "recert"))
}

// order is an order about a grant.
func order(h *house, g rbac.Grant, do recert.Change) recert.Order {
	return recert.Order{
		ID: audit.NewID(h.clock()), Tenant: clinic, Do: do, All: []string{g.ID}, At: h.clock(), There: g.ID,
		Access: recert.Access{Kind: recert.KindGrant, ID: g.ID, Subject: g.Person, Role: string(g.Role), Source: "direct", By: "founder"},
	}
}

// The grant ends between looking and changing: that is what was wanted, and nothing is given instead.
func TestAGrantEndsMeanwhile(t *testing.T) {
	t.Parallel()
	for _, do := range []recert.Change{recert.ChangeRevoke, recert.ChangeLimit} {
		h := newHouse(t)
		h.staffed(t)
		g := h.give(t, "lena", "desk")
		store := &slipping{Store: h.grants}
		desk, err := recert.NewGrants(h.z, store, &recert.GrantOptions{Now: h.clock})
		require.NoError(t, err)
		end := func() { require.NoError(t, h.z.Revoke(h.system(), "lena", g.ID)) }
		o := order(h, g, do)
		o.Until = h.clock().AddDate(0, 1, 0)
		store.then = end
		require.NoError(t, desk.Allowed(h.system(), o))
		g = h.give(t, "lena", "desk")
		o.All = append(o.All, g.ID)
		store.then = end
		err = desk.Apply(h.system(), o)
		require.Equal(t, do == recert.ChangeLimit, errors.Is(err, recert.ErrGone))
		require.False(t, h.holds(t, "lena", "desk"))
	}
}

// What was given once, and ended since by somebody, is not given again by who resumes the order.
func TestAnOrderGivesOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	g := h.give(t, "lena", "desk")
	o := order(h, g, recert.ChangeLimit)
	o.Until = h.clock().AddDate(0, 1, 0)
	require.NoError(t, h.desk.Apply(h.system(), o))
	require.NoError(t, h.desk.Apply(h.system(), o))
	require.NoError(t, h.z.Revoke(h.system(), "lena", o.ID))
	require.ErrorIs(t, h.desk.Apply(h.system(), o), recert.ErrGone)
	o.There = "" // given back after a suspension
	require.NoError(t, h.desk.Apply(h.system(), o))
	require.False(t, h.holds(t, "lena", "desk"))
}

// Both questions are asked: whether the row is there, also if it gives nothing yet, and what is decided.
func TestCheckAsksTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	later, err := h.z.Grant(h.system(), rbac.Grant{Person: "lena", Role: "desk", From: h.clock().AddDate(0, 1, 0)})
	require.NoError(t, err)
	checked, err := h.desk.Check(h.system(), order(h, later, recert.ChangeRevoke))
	require.NoError(t, err)
	require.False(t, checked.Denied, "it begins next month")

	now := h.give(t, "dirk", "desk")
	lagging, err := recert.NewGrants(h.z, rbac.NewMemory(), &recert.GrantOptions{Now: h.clock})
	require.NoError(t, err)
	checked, err = lagging.Check(h.system(), order(h, now, recert.ChangeRevoke))
	require.NoError(t, err)
	require.False(t, checked.Denied, "a copy that lags behind says that it is gone; who decides does not")
	require.Equal(t, 3, checked.Asked)
	require.NoError(t, h.desk.Apply(h.system(), order(h, now, recert.ChangeRevoke)))
	checked, err = h.desk.Check(h.system(), order(h, now, recert.ChangeRevoke))
	require.NoError(t, err)
	require.True(t, checked.Denied)
}

func TestReviewersByRole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "nell", "therapist", "north")
	h.give(t, "sue", "therapist", "south", "west")
	h.give(t, "theo", rbac.Suspended)
	desk, err := recert.NewGrants(h.z, h.grants, &recert.GrantOptions{Now: h.clock, Rules: map[string][]rbac.RoleName{"colleagues": {"therapist"}, "admins": {"admin"}}})
	require.NoError(t, err)
	of := func(rule string, practices ...string) []audit.ActorID {
		who, err := desk.Reviewers(t.Context(), clinic, rule, recert.Access{Reach: recert.Reach{Practices: practices}})
		require.NoError(t, err)
		return who
	}
	require.Equal(t, []audit.ActorID{"nell", "tina"}, of("colleagues", "north"), "the closest first, and not who is suspended")
	require.Equal(t, []audit.ActorID{"tina"}, of("colleagues", "north", "south"))
	require.Empty(t, of("colleagues", "east"))
	require.Empty(t, of("colleagues"), "what counts everywhere is not for whom a list binds")
	require.Equal(t, []audit.ActorID{"ada", "adam"}, of("admins", "north"), "who is as close by how long, then by name")
	_, err = desk.Reviewers(t.Context(), clinic, "nobody", recert.Access{})
	require.ErrorIs(t, err, recert.ErrSpec)
}

// Programs and families are reviewed as what they are; patients are not.
func TestProgramsAndFamiliesAreReviewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "svc-lab", "feed", "north")
	h.give(t, "pam", "parent")
	h.give(t, "pat", "patient")
	s := spec()
	s.Kinds = []recert.Kind{recert.KindMachine, recert.KindProxy}
	c := h.start(t, s)
	require.Equal(t, 2, c.Snapshot.Count)
	for who, kind := range map[audit.ActorID]recert.Kind{"svc-lab": recert.KindMachine, "pam": recert.KindProxy} {
		i := h.of(t, c.ID, who)
		require.Equal(t, kind, i.Access.Kind)
		require.Equal(t, recert.RiskPHI, i.Risk)
		i, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
		require.NoError(t, err)
		require.Equal(t, recert.Revoked, i.Outcome)
	}
	for a, err := range h.desk.Accesses(t.Context(), clinic, nil, h.clock()) {
		require.NoError(t, err)
		require.NotEqual(t, audit.ActorID("pat"), a.Subject)
	}
}

// Grants that somebody wrote past rbac are in the population all the same.
func TestThePopulationLeavesNothingOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	v, err := h.grants.Version(t.Context(), clinic)
	require.NoError(t, err)
	row := func(id string, role rbac.RoleName, until time.Time) rbac.Grant {
		return rbac.Grant{ID: id, Tenant: clinic, Person: "x-" + audit.ActorID(id), Role: role, By: "x", Source: "direct", Created: h.now, Until: until}
	}
	require.NoError(t, h.grants.Apply(t.Context(), clinic, v, rbac.Change{Add: []rbac.Grant{
		row("1", "matron", time.Time{}), row("2", "desk", h.now), row("3", "desk", h.now.Add(time.Hour)),
	}}))
	found := map[string]recert.Access{}
	for a, err := range h.desk.Accesses(t.Context(), clinic, nil, h.now) {
		require.NoError(t, err)
		found[a.ID] = a
	}
	require.Len(t, found, 8)
	require.Equal(t, recert.RiskPHI, risk(found["1"]), "a role that the policy does not know is taken seriously")
	require.NotContains(t, found, "2", "it is over")
	require.Contains(t, found, "3")
	for range h.desk.Accesses(t.Context(), clinic, []recert.Kind{recert.KindSupport}, h.now) {
		t.Fatal("another kind")
	}
	for range h.desk.Accesses(t.Context(), other, nil, h.now) {
		t.Fatal("another tenant")
	}
}

func risk(a recert.Access) recert.Risk { return a.Risk() }

func TestWhatCannotBeStoredIsNoAccess(t *testing.T) {
	t.Parallel()
	good := recert.Access{Kind: recert.KindGrant, ID: "g", Subject: "theo", Role: "desk"}
	for name, change := range map[string]func(*recert.Access){
		"kind":     func(a *recert.Access) { a.Kind = "Grant" },
		"id":       func(a *recert.Access) { a.ID = "" },
		"subject":  func(a *recert.Access) { a.Subject = "\x00" },
		"for":      func(a *recert.Access) { a.For = "\xff" },
		"role":     func(a *recert.Access) { a.Role = "\xff" },
		"practice": func(a *recert.Access) { a.Reach.Practices = []string{""} },
		"why":      func(a *recert.Access) { a.Why = "\xff" },
	} {
		h := newHouse(t)
		bad := good
		change(&bad)
		h.parts.Population = population(func(yield func(recert.Access, error) bool) { yield(bad, nil) })
		h.open(t)
		_, err := h.r.Start(h.as("ada"), spec())
		require.ErrorIs(t, err, recert.ErrUnavailable, name)
	}
	h := newHouse(t)
	h.parts.Population = population(func(yield func(recert.Access, error) bool) {
		for range 2 {
			if !yield(good, nil) {
				return
			}
		}
	})
	h.open(t)
	_, err := h.r.Start(h.as("ada"), spec())
	require.ErrorIs(t, err, recert.ErrUnavailable, "the same twice")
}

// flood yields one event again and again.
type flood struct {
	entry audit.Entry
	n     int
}

func (f flood) List(_ context.Context, _ audit.Filter, _ int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for range min(f.n, limit) {
			if !yield(f.entry, nil) {
				return
			}
		}
	}
}

func TestTooMuchToLookAtIsPartial(t *testing.T) {
	t.Parallel()
	mem := audit.NewMemory()
	log, err := audit.New(mem, audit.DropOpenings{}, nil)
	require.NoError(t, err)
	require.NoError(t, log.Record(t.Context(), audit.Event{
		Tenant: clinic, Action: "chart.read", Verb: audit.Read, Actor: audit.Actor{ID: "theo", Kind: audit.KindStaff, Tenant: clinic},
	}))
	var one audit.Entry
	for e, err := range mem.List(t.Context(), audit.Filter{Tenant: clinic}, audit.Newest, 1) {
		require.NoError(t, err)
		one = e
	}
	partial := func(e audit.Entry, n int) bool {
		u, err := recert.NewLogUsage(flood{e, n})
		require.NoError(t, err)
		use, err := u.Used(t.Context(), clinic, "theo", time.Time{})
		require.NoError(t, err)
		return use.Partial
	}
	require.False(t, partial(one, recert.MostEvents))
	require.True(t, partial(one, recert.MostEvents+1))
	one.Leaf[0] ^= 1
	require.True(t, partial(one, 1), "an event that was changed proves nothing")
}
