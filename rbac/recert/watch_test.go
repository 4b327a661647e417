package recert_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// happened is what a test says happened.
type happened []recert.Trigger

func (g happened) Triggers(context.Context, audit.Tenant, time.Time) iter.Seq2[recert.Trigger, error] {
	return func(yield func(recert.Trigger, error) bool) {
		for _, one := range g {
			if !yield(one, nil) {
				return
			}
		}
	}
}

func (h *house) watch(t *testing.T) []string {
	t.Helper()
	started, err := h.r.Watch(t.Context(), clinic, h.clock().AddDate(0, 0, -7), spec())
	require.NoError(t, err)
	return started
}

// standing returns the standing review that a trigger led to.
func (h *house) standing(t *testing.T, id string) (recert.Campaign, []recert.Item) {
	t.Helper()
	c, err := h.store.Get(t.Context(), clinic, id)
	require.NoError(t, err)
	return c, h.items(t, id)
}

func TestWhatHappensLeadsToOneReview(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	triggers, err := recert.NewGrantTriggers(h.desk, nil, nil)
	require.NoError(t, err)
	h.parts.Triggers = triggers
	h.open(t)
	require.Empty(t, h.watch(t), "nothing happened")

	// Theo becomes an officer and keeps what he had.
	h.days(1)
	h.give(t, "theo", "officer")
	started := h.watch(t)
	require.Len(t, started, 1)
	c, items := h.standing(t, started[0])
	require.Equal(t, recert.TriggerRoleChange, c.Trigger.Kind)
	require.Equal(t, audit.ActorID("system:recert"), c.StartedBy)
	require.Len(t, items, 2, "all that theo has")
	require.Empty(t, h.watch(t), "once")
	h.give(t, "tina", "therapist", "west")
	require.Empty(t, h.watch(t), "more of the same is no other role")

	// Dora's second contract ends next week, the first one does not.
	_, err = h.z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: "dora", Role: "officer", Until: h.clock().AddDate(0, 0, 7)})
	require.NoError(t, err)
	started = h.watch(t)
	kinds := map[recert.TriggerKind]bool{}
	for _, id := range started {
		c, _ := h.standing(t, id)
		kinds[c.Trigger.Kind] = true
	}
	require.Len(t, started, 1, "what is under review is not asked about twice")

	// Somebody decides, and it works like any other review.
	items = h.items(t, started[0])
	i, err := h.r.Decide(h.as(items[0].Reviewer), started[0], items[0].Seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Revoked, i.Outcome)
	mine, err := h.r.Mine(h.as("olga"), 2)
	require.NoError(t, err)
	require.Len(t, mine, 2)
}

func TestWhatNobodyUsesIsReviewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	theo, err := h.grants.Grants(t.Context(), clinic, "theo")
	require.NoError(t, err)
	triggers, err := recert.NewGrantTriggers(h.desk, usage{theo[0].ID: h.clock().AddDate(0, 0, 80)}, nil)
	require.NoError(t, err)
	h.parts.Triggers = triggers
	h.open(t)
	h.days(89)
	require.Empty(t, h.watch(t))
	h.days(1)
	started := h.watch(t)
	require.Len(t, started, 5, "everybody but theo")
	for _, id := range started {
		c, items := h.standing(t, id)
		require.Equal(t, recert.TriggerUnused, c.Trigger.Kind)
		require.Len(t, items, 1)
		require.NotEqual(t, audit.ActorID("theo"), items[0].Access.Subject)
		h.rest(t, id)
	}
	require.Empty(t, h.watch(t))
	h.days(89)
	require.Empty(t, h.watch(t), "certified for a quarter")
	h.days(1)
	require.NotEmpty(t, h.watch(t))
}

func TestEmergencyUseIsReviewedWithin72Hours(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	use := recert.Access{Kind: recert.KindEmergency, ID: "e-1", Subject: "theo", Role: "emergency", PHI: true}
	h.parts.Population = recert.Together{h.desk, population(func(yield func(recert.Access, error) bool) { yield(use, nil) })}
	h.parts.Effects[recert.KindEmergency] = finding{}
	h.parts.Triggers = happened{{Kind: recert.TriggerEmergency, ID: "e-1", Subject: "theo", Access: "e-1", At: h.clock()}}
	h.open(t)
	started := h.watch(t)
	require.Len(t, started, 1)
	c, items := h.standing(t, started[0])
	require.Equal(t, h.now.Add(72*time.Hour), c.Due)
	require.Len(t, items, 1)
	require.Equal(t, "e-1", items[0].Access.ID)
	require.NotEqual(t, audit.ActorID("theo"), items[0].Reviewer)

	// A use is not put beside roles, nor roles beside a use.
	h.parts.Triggers = happened{{Kind: recert.TriggerEmergency, ID: "e-2", Subject: "theo", At: h.clock()}, {Kind: "moved", ID: "1", Subject: "theo", At: h.clock()}}
	h.open(t)
	moved := h.watch(t)
	require.Len(t, moved, 1, "the use is under review")
	c, items = h.standing(t, moved[0])
	require.Equal(t, recert.TriggerKind("moved"), c.Trigger.Kind)
	require.Len(t, items, 1)
	require.Equal(t, recert.KindGrant, items[0].Access.Kind)

	// The use itself is over; the review is not.
	h.parts.Population = h.desk
	h.open(t)
	h.tick(t)
	require.Equal(t, recert.ItemOpen, h.items(t, started[0])[0].State)
	require.Empty(t, h.watch(t))
}

// finding are the effects of what is over: there is nothing to end.
type finding struct{}

func (finding) Allowed(context.Context, recert.Order) error { return nil }
func (finding) Apply(context.Context, recert.Order) error   { return nil }
func (finding) Check(context.Context, recert.Order) (recert.Checked, error) {
	return recert.Checked{Denied: true}, nil
}

func TestManyServersWatchAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.parts.Triggers = happened{{Kind: "moved", ID: "1", Subject: "theo", At: h.clock()}, {Kind: "moved", ID: "2", Subject: "dora", At: h.clock()}}
	var all sync.WaitGroup
	started := make([][]string, 5)
	for n := range started {
		r, err := recert.New(h.parts, &recert.Options{Now: h.clock})
		require.NoError(t, err)
		all.Go(func() { started[n], _ = r.Watch(context.Background(), clinic, h.clock(), spec()) })
	}
	all.Wait()
	require.Len(t, slices.Concat(started...), 2)
}

func TestWatchRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	_, err := h.r.Watch(t.Context(), clinic, h.clock(), spec())
	require.ErrorIs(t, err, recert.ErrSpec, "nobody tells what happened")
	for _, g := range []recert.Trigger{
		{Kind: "moved", Subject: "theo", At: h.now},
		{Kind: "moved", ID: "1", At: h.now},
		{Kind: "moved", ID: "1", Subject: "theo"},
		{Kind: "Moved!", ID: "1", Subject: "theo", At: h.now},
	} {
		h.parts.Triggers = happened{g, {Kind: "moved", ID: "2", Subject: "dora", At: h.now}}
		h.open(t)
		_, err := h.r.Watch(t.Context(), clinic, h.clock(), spec())
		require.ErrorIs(t, err, recert.ErrUnavailable)
	}
	count := 0
	for range h.store.List(t.Context(), clinic, "") {
		count++
	}
	require.Equal(t, 1, count, "what makes no sense keeps nothing else back")
	s := spec()
	s.Every = 3
	_, err = h.r.Watch(t.Context(), clinic, h.clock(), s)
	require.ErrorIs(t, err, recert.ErrSpec)
}

// entries is a log of which parts fail.
type entries struct {
	recert.Entries
	fail bool
}

func (e entries) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if e.fail {
		return func(yield func(audit.Entry, error) bool) { yield(audit.Entry{}, errors.New("down")) }
	}
	return e.Entries.List(ctx, f, below, limit)
}

func TestUseIsReadFromTheLog(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	mem := audit.NewMemory()
	log, err := audit.New(mem, audit.DropOpenings{}, &audit.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	record := func(who audit.ActorID, grant, emergency string, o audit.Outcome) {
		now = now.Add(time.Minute)
		e := audit.Event{
			Tenant: clinic, Action: "chart.read", Verb: audit.Read, Outcome: o, Decision: audit.Decision{Grant: grant},
			Actor: audit.Actor{ID: who, Kind: audit.KindStaff, Tenant: clinic, Emergency: emergency},
		}
		if o != audit.Success {
			e.Code = "out_of_scope"
		}
		require.NoError(t, log.Record(t.Context(), e))
	}
	record("theo", "g-old", "", audit.Success)
	since := now.Add(time.Second)
	record("theo", "g-1", "", audit.Success)
	record("theo", "g-1", "e-1", audit.Success)
	last := now
	record("theo", "g-2", "", audit.Failure)
	record("tina", "g-3", "", audit.Success)
	u, err := recert.NewLogUsage(mem)
	require.NoError(t, err)
	use, err := u.Used(t.Context(), clinic, "theo", since)
	require.NoError(t, err)
	require.Equal(t, recert.Use{Last: map[string]time.Time{"g-1": last}, Emergencies: 1}, use)
	use, err = u.Used(t.Context(), other, "theo", since)
	require.NoError(t, err)
	require.Empty(t, use.Last)
	u, err = recert.NewLogUsage(entries{mem, true})
	require.NoError(t, err)
	_, err = u.Used(t.Context(), clinic, "theo", since)
	require.Error(t, err)
	_, err = recert.NewLogUsage(nil)
	require.Error(t, err)
}
