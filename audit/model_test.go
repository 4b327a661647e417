package audit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// model is a log as a sentence would describe it: per tenant, a list of what was said, in the
// order of saying it.
type model struct {
	t      *testing.T
	r      *rand.Rand
	log    *audit.Log
	now    time.Time
	last   time.Time // of any event that the log dated; it goes behind none
	said   map[audit.Tenant][]audit.Event
	erased map[string]bool
	next   int
}

// step does one thing to the log and to the model, and compares.
func (m *model) step() {
	switch m.r.IntN(10) {
	case 0, 1, 2, 3:
		m.record()
	case 4:
		m.again()
	case 5, 6, 7:
		m.query()
	case 8:
		m.open()
	default:
		m.now = m.now.Add(time.Duration(m.r.IntN(7200)-600) * time.Second) // also backwards
	}
}

func (m *model) tenant() audit.Tenant { return audit.Tenant(fmt.Sprintf("clinic-%d", m.r.IntN(3))) }

func (m *model) draw(tenant audit.Tenant) audit.Event {
	m.next++
	e := event(m.next, audit.Action(fmt.Sprintf("act.%d", m.r.IntN(3))))
	e.Actor = audit.Actor{ID: audit.ActorID(fmt.Sprintf("u-%d", m.r.IntN(3))), Kind: audit.KindStaff, Tenant: tenant}
	for range m.r.IntN(3) {
		e.Patients = append(e.Patients, audit.Patient(fmt.Sprintf("p-%d", m.r.IntN(4))))
		e.Objects = append(e.Objects, audit.Object{Type: fmt.Sprintf("t-%d", m.r.IntN(2)), ID: fmt.Sprintf("n-%d", m.r.IntN(4))})
	}
	if m.r.IntN(4) == 0 {
		e.Outcome, e.Code = audit.Failure, "denied"
	}
	if m.r.IntN(3) == 0 {
		e.Why = audit.NewPrivate(fmt.Sprintf("reason %d", m.next))
	}
	return e
}

func (m *model) record() {
	tenant := m.tenant()
	var events []audit.Event
	for range 1 + m.r.IntN(4) {
		events = append(events, m.draw(tenant))
	}
	require.NoError(m.t, m.log.Record(m.t.Context(), events...))
	m.dated()
	for _, e := range events {
		e.Recorded = m.last
		m.said[tenant] = append(m.said[tenant], e)
	}
}

func (m *model) dated() { m.last = later(m.last, m.now) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// again repeats an event, or says another under the same ID.
func (m *model) again() {
	tenant := m.tenant()
	if len(m.said[tenant]) == 0 {
		return
	}
	m.dated()
	e := m.said[tenant][m.r.IntN(len(m.said[tenant]))]
	if m.r.IntN(2) == 0 {
		require.NoError(m.t, m.log.Record(m.t.Context(), e))
		return
	}
	e.Purpose = "HPAYMT"
	require.ErrorIs(m.t, m.log.Record(m.t.Context(), m.draw(tenant), e), audit.ErrConflict)
}

func (m *model) query() {
	q := audit.Query{Tenant: m.tenant(), Limit: 5 + m.r.IntN(50)}
	maybe := func() bool { return m.r.IntN(3) == 0 }
	if maybe() {
		q.Actors = []audit.ActorID{"u-1", "u-2"}
	}
	if maybe() {
		q.Actions = []audit.Action{"act.0"}
	}
	if maybe() {
		q.Outcomes = []audit.Outcome{audit.Failure}
	}
	if maybe() {
		q.Patient = "p-1"
	}
	if maybe() {
		q.ResourceType = "t-1"
		if maybe() {
			q.ResourceID = "n-2"
		}
	}
	if maybe() {
		q.Period = audit.Period{Start: day(5).Add(time.Duration(m.r.IntN(24)) * time.Hour), End: day(5).AddDate(0, 0, 1+m.r.IntN(3))}
	}
	var want []string
	for i, e := range slices.Backward(m.said[q.Tenant]) {
		if matches(&q, &e) {
			want = append(want, fmt.Sprint(i, e.ID))
		}
	}
	var got []string
	for _, e := range pages(m.t, m.log, q) {
		got = append(got, fmt.Sprint(e.Index, e.ID))
	}
	require.Equal(m.t, want, got, "%+v", q)
	n, err := m.log.Count(m.t.Context(), q)
	require.NoError(m.t, err)
	require.Equal(m.t, audit.Count{N: len(want)}, n)
	q.Sort = audit.Sort{By: audit.SortKeys()[m.r.IntN(len(audit.SortKeys()))], Ascending: maybe()}
	require.Len(m.t, pages(m.t, m.log, q), len(want))
}

// matches says it once more, in terms of events.
func matches(q *audit.Query, e *audit.Event) bool {
	return (q.Actors == nil || slices.Contains(q.Actors, e.Actor.ID)) &&
		(q.Actions == nil || slices.Contains(q.Actions, e.Action)) &&
		(q.Outcomes == nil || slices.Contains(q.Outcomes, e.Outcome)) &&
		(q.Patient == "" || slices.Contains(e.Patients, q.Patient)) &&
		(q.ResourceType == "" || slices.ContainsFunc(e.Objects, func(o audit.Object) bool {
			return o.Type == q.ResourceType && (q.ResourceID == "" || o.ID == q.ResourceID)
		})) &&
		(q.Period.Start.IsZero() || !e.Recorded.Before(q.Period.Start) && e.Recorded.Before(q.Period.End))
}

func (m *model) open() {
	tenant := m.tenant()
	if len(m.said[tenant]) == 0 {
		return
	}
	e := m.said[tenant][m.r.IntN(len(m.said[tenant]))]
	if m.r.IntN(5) == 0 {
		ctx := audit.WithActor(m.t.Context(), audit.System("clinic-9", "test"))
		require.NoError(m.t, m.log.Erase(ctx, tenant, audit.Private{}, e.ID))
		m.dated()
		m.erased[e.ID] = true
		page, err := m.log.Query(m.t.Context(), audit.Query{Tenant: tenant, Limit: 1})
		require.NoError(m.t, err)
		require.Equal(m.t, audit.ActionErase, page.Events[0].Action)
		m.said[tenant] = append(m.said[tenant], page.Events[0].Event)
	}
	got, err := m.log.Open(m.t.Context(), tenant, e.ID)
	require.NoError(m.t, err)
	require.True(m.t, got.Recorded.Equal(e.Recorded))
	want, said := e.Why.Reveal()
	have, known := got.Why.Reveal()
	require.Equal(m.t, said && !m.erased[e.ID], known)
	if known {
		require.Equal(m.t, want, have)
	}
}

// TestModel does random things to a log and to a model of it.
func TestModel(t *testing.T) {
	t.Parallel()
	steps := 1000
	if testing.Short() {
		steps = 300
	}
	for seed := range uint64(3) {
		for name, store := range map[string]audit.Store{"memory": audit.NewMemory(), "staged": newStaged()} {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				t.Parallel()
				m := &model{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: day(1), said: map[audit.Tenant][]audit.Event{}, erased: map[string]bool{}}
				m.log = newLog(t, store, &audit.Options{Now: func() time.Time { return m.now }})
				for range steps {
					m.step()
				}
			})
		}
	}
}

// TestModelConcurrently lets writers, readers and two Runs work at once, on a store that fails
// now and then. Whoever was told that his event is durable finds it at once, above everything
// that he had found before; in the end the order is dense, and holds each acknowledged event
// once and no event that was refused.
func TestModelConcurrently(t *testing.T) {
	t.Parallel()
	const writers, rounds = 12, 60
	for name, store := range map[string]audit.Store{"memory": audit.NewMemory(), "staged": newStaged()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := newFaulty(store)
			var calls atomic.Int64
			faults.set(func(_ context.Context, method string) error {
				if n := calls.Add(1); n%17 == 0 && (method == "Append" || method == "Sequence") {
					return errors.New("down")
				}
				return nil
			})
			logs := []*audit.Log{newLog(t, faults, nil), newLog(t, faults, nil)}
			ctx, stop := context.WithCancel(t.Context())
			var keepers, wg sync.WaitGroup
			for _, l := range logs {
				keepers.Go(func() { _ = l.Run(ctx, platform) })
			}
			acknowledged := make([][]string, writers)
			for w := range writers {
				wg.Go(func() {
					acknowledged[w] = write(t, logs[w%2], w, rounds)
				})
			}
			wg.Wait()
			stop()
			keepers.Wait()
			faults.set(nil)

			found := map[string]int{}
			events := pages(t, logs[0], audit.Query{Tenant: staff.Tenant})
			for i, e := range events {
				require.Equal(t, int64(len(events)-1-i), e.Index, "dense")
				found[e.ID]++
			}
			for _, ids := range acknowledged {
				for _, id := range ids {
					require.Equal(t, 1, found[id])
				}
				require.Positive(t, len(ids))
			}
			require.LessOrEqual(t, len(events), writers*rounds)
		})
	}
}

// write records events one after the other and looks for each.
func write(t *testing.T, log *audit.Log, w, rounds int) (acknowledged []string) {
	above := int64(-1)
	actor := staff
	actor.ID = audit.ActorID(fmt.Sprintf("u-%d", w))
	for r := range rounds {
		e := event(w*10_000+r, "a")
		e.Actor = actor
		if log.Record(t.Context(), e) != nil {
			continue
		}
		acknowledged = append(acknowledged, e.ID)
		page, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant, Actors: []audit.ActorID{actor.ID}, Limit: 5})
		if err != nil {
			continue // the store is down for a moment
		}
		at := slices.IndexFunc(page.Events, func(s audit.Stored) bool { return s.ID == e.ID })
		if at < 0 || page.Events[at].Index <= above {
			t.Errorf("event %d of writer %d: at %d of the page, not above %d", r, w, at, above)
			return acknowledged
		}
		above = page.Events[at].Index
	}
	return acknowledged
}
