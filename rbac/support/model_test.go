package support_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/support"
	"github.com/wardkit/wardkit/rbac/support/supportsql"
	"github.com/wardkit/wardkit/rbac/support/supporttest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	supporttest.TestStore(t, func(testing.TB) support.Store { return support.NewMemory() })
}

// model is noor's access in the plainest words.
type model struct {
	id     string
	state  support.State
	length time.Duration
	lapses time.Time
	until  time.Time
	inside bool
	gone   bool // the platform does not let noor
	asked  []time.Time
}

// tick is what the clock does to it.
func (m *model) tick(now time.Time) {
	switch {
	case m.state == support.Requested && !now.Before(m.lapses):
		m.state = support.Lapsed
	case m.state == support.Approved && !now.Before(m.until):
		m.state, m.inside = support.Expired, false
	}
}

type walk struct {
	*house
	r *rand.Rand
	m model
}

// TestModel takes random steps of random people on two servers and compares, after each, what the model says
// with what happened and with who is in.
func TestModel(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		seeds := uint64(80)
		if testing.Short() {
			seeds = 20
		}
		walks(t, seeds, 70, func(testing.TB) support.Store { return support.NewMemory() })
	})
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		walks(t, 3, 60, func(t testing.TB) support.Store {
			e := engine(t)
			open := supportsql.SQLite
			if e.Dialect == sqlkit.Postgres {
				open = supportsql.Postgres
			}
			s, err := open(e.Pool)
			require.NoError(t, err)
			require.NoError(t, s.Migrate(t.Context()))
			return s
		})
	})
}

func walks(t *testing.T, seeds uint64, steps int, open func(testing.TB) support.Store) {
	t.Helper()
	taken := map[string]int{}
	for seed := range seeds {
		w := &walk{house: newHouseOver(t, open(t)), r: rand.New(rand.NewPCG(seed, 49))}
		for range steps {
			w.m.tick(w.now())
			taken[w.step()]++
			w.compare()
		}
	}
	if seeds < 10 {
		return // the walks in memory see to it that every step is taken
	}
	for _, name := range []string{"request", "approve", "refuse", "withdraw", "enter", "end", "leave", "fire"} {
		require.Positive(t, taken[name], "%s: %v", name, taken)
		if name != "fire" {
			require.Positive(t, taken[name+" refused"], "%s refused: %v", name, taken)
		}
	}
}

func (w *walk) server() *support.Desk { return []*support.Desk{w.desk, w.other}[w.r.IntN(2)] }

func (w *walk) step() string {
	m, d := &w.m, w.server()
	switch n := w.r.IntN(15); n {
	case 0, 1, 2:
		return w.request(d)
	case 3, 4:
		return w.approve(d)
	case 5:
		_, err := d.Refuse(w.as(adam), m.id, w.current(), "")
		return w.result("refuse", m.state == support.Requested && !m.gone, err, func() { m.state = support.Refused })
	case 6:
		_, err := d.Withdraw(w.op(noor), clinic, m.id)
		return w.result("withdraw", m.state == support.Requested && !m.gone, err, func() { m.state = support.Withdrawn })
	case 7, 8, 9:
		_, _, err := d.Enter(w.op(noor), clinic)
		return w.result("enter", m.state == support.Approved && !m.gone, err, func() { m.inside = true })
	case 10:
		want := w.endable()
		_, err := d.End(w.as(dana), clinic, m.id, "")
		return w.result("end", want, err, func() { m.state, m.inside = support.Ended, false })
	case 11:
		want := w.endable()
		_, err := d.End(w.op(noor), clinic, m.id, "")
		return w.result("leave", want, err, func() { m.state, m.inside = support.Ended, false })
	case 12:
		w.pass([]time.Duration{time.Second, 5 * time.Minute, time.Hour, 30 * time.Hour}[w.r.IntN(4)])
		m.tick(w.now())
		return "time"
	case 13:
		require.NoError(w.t, d.Tick(w.t.Context()))
		w.settled()
		return "tick"
	}
	if w.r.IntN(4) > 0 {
		return "nothing"
	}
	w.crew.mu.Lock()
	m.gone = !m.gone
	w.crew.gone[noor] = m.gone
	w.crew.mu.Unlock()
	if m.gone {
		require.NoError(w.t, d.Tick(w.t.Context())) // from here on it counts in the model
		w.settled()
	}
	return "fire"
}

// settled is what Tick does beyond the clock.
func (w *walk) settled() {
	switch m := &w.m; {
	case !m.gone:
	case m.state == support.Requested:
		m.state = support.Lapsed
	case m.state == support.Approved:
		m.state, m.inside = support.Ended, false
	}
}

// endable: what is over by the clock and was not closed yet may still be ended.
func (w *walk) endable() bool {
	if w.m.id == "" {
		return false
	}
	row, err := w.store.Get(w.t.Context(), clinic, w.m.id)
	require.NoError(w.t, err)
	return row.Open && (w.m.state == support.Approved || w.m.state == support.Expired)
}

func (w *walk) request(d *support.Desk) string {
	m, now := &w.m, w.now()
	request := ask()
	request.Length = time.Duration(1+w.r.IntN(9)) * time.Hour
	recent := 0
	for _, at := range m.asked {
		if now.Sub(at) < 24*time.Hour {
			recent++
		}
	}
	want := !m.state.Open() && !m.gone && request.Length <= 8*time.Hour && recent < 10
	a, err := d.Request(w.op(noor), request)
	return w.result("request", want, err, func() {
		*m = model{id: a.ID, state: support.Requested, length: request.Length, lapses: now.Add(24 * time.Hour), asked: append(m.asked, now)}
	})
}

func (w *walk) approve(d *support.Desk) string {
	m, now := &w.m, w.now()
	who := []audit.ActorID{adam, adam, adam, dana}[w.r.IntN(4)]
	length := time.Duration(w.r.IntN(9)) * time.Hour
	want := m.state == support.Requested && !m.gone && who == adam && length <= m.length
	stale := int64(0)
	if w.r.IntN(6) == 0 {
		stale, want = 1, false
	}
	_, err := d.Approve(w.as(who), m.id, w.current()-stale, support.Answer{Length: length})
	return w.result("approve", want, err, func() {
		if length == 0 {
			length = m.length
		}
		m.state, m.until = support.Approved, now.Add(length)
	})
}

// current is the version that is stored.
func (w *walk) current() int64 {
	if w.m.id == "" {
		return 1
	}
	r, err := w.store.Get(w.t.Context(), clinic, w.m.id)
	require.NoError(w.t, err)
	return r.Version
}

// result names a step and whether it was carried out, as the model expects it.
func (w *walk) result(name string, want bool, err error, done func()) string {
	w.t.Helper()
	require.Equal(w.t, want, err == nil, "%s in %q: %v", name, w.m.state, err)
	if want {
		done()
		return name
	}
	require.False(w.t, errors.Is(err, support.ErrUnavailable) || errors.Is(err, support.ErrDamaged), "%s: %v", name, err)
	return name + " refused"
}

func (w *walk) compare() {
	m := &w.m
	require.Equal(w.t, m.inside && !m.gone, w.in(noor), "in %q", m.state)
	require.False(w.t, w.in(omar))
	if m.id == "" {
		return
	}
	a, err := w.server().Get(w.as(adam), clinic, m.id)
	require.NoError(w.t, err)
	require.Equal(w.t, m.state, a.State)
	held := w.held()
	require.LessOrEqual(w.t, len(held), 1)
	if m.state == support.Approved {
		require.Len(w.t, held, 1)
		require.True(w.t, held[0].Until.Equal(m.until))
	}
	for _, g := range held {
		require.False(w.t, g.Until.IsZero(), "no standing access")
	}
}
