package purge_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

// next are the states that a plan may have after one.
var next = map[purge.State][]purge.State{
	"":              {purge.Proposed},
	purge.Proposed:  {purge.Approved, purge.Withdrawn, purge.Expired, purge.Stopped},
	purge.Approved:  {purge.Recorded, purge.Expired, purge.Stopped},
	purge.Recorded:  {purge.Destroyed},
	purge.Destroyed: {}, purge.Withdrawn: {}, purge.Expired: {}, purge.Stopped: {},
}

// model remembers what was seen of each plan, and does things at random.
type model struct {
	*house
	t     testing.TB
	rand  *rand.Rand
	wire  *wire
	watch *watched
	seen  map[string]purge.Plan
	holds []string
}

// TestModel lets people decide at random, time pass, calls fail and processes end in between. What
// is destroyed was always allowed, plans go only from one state to the next, and what two people
// agreed to does not change.
func TestModel(t *testing.T) {
	t.Parallel()
	rounds := 24
	if testing.Short() {
		rounds = 8
	}
	destroyed, stopped := 0, 0
	for seed := range rounds {
		h := old(t, 30)
		m := &model{house: h, t: t, rand: rand.New(rand.NewPCG(uint64(seed), 7)), seen: map[string]purge.Plan{}}
		m.wire, m.watch = h.wired(t)
		for range 60 {
			if m.rand.IntN(3) == 0 {
				m.wire.arm(1+m.rand.IntN(25), m.rand.IntN(2) == 0)
			}
			m.act()
			m.wire.arm(0, false)
			m.look()
		}
		require.Empty(t, m.watch.wrong, "seed %d", seed)
		for _, p := range m.seen {
			if p.State == purge.Destroyed {
				destroyed++
			} else if p.State == purge.Stopped {
				stopped++
			}
		}
	}
	require.Greater(t, destroyed, rounds/4, "the model gets somewhere")
	require.Positive(t, stopped)
}

var people = []audit.ActorID{"p-ada", "p-diaz", "p-lin"}

// act does one thing; whatever it answers is fine.
func (m *model) act() {
	who := as(bg, people[m.rand.IntN(3)])
	var id string
	for p := range m.rows.Open(bg) {
		id = p.ID
	}
	switch m.rand.IntN(14) {
	case 0, 1:
		_, _ = m.keeper.Propose(who, clinic, "")
	case 2, 3, 4:
		_, _ = m.keeper.Approve(who, clinic, id, "")
	case 5, 6, 7:
		_, _ = m.keeper.Resume(who, clinic, id)
	case 8:
		if m.rand.IntN(4) == 0 {
			_, _ = m.keeper.Withdraw(who, clinic, id, "")
		}
	case 9:
		hold := purge.Hold{Tenant: clinic, Matter: "2026-014", Patient: audit.Patient(fmt.Sprint("m-", m.rand.IntN(5)))}
		if h, err := m.keeper.Place(who, hold, ""); err == nil {
			m.holds = append(m.holds, h.ID)
		}
	case 10:
		if len(m.holds) > 0 {
			_, _ = m.keeper.Release(who, clinic, m.holds[m.rand.IntN(len(m.holds))], "")
		}
	case 11:
		s, err := m.keeper.Settings(bg, clinic)
		if err == nil {
			_, _ = m.keeper.Change(who, clinic, 60+m.rand.IntN(70), s.Version, "")
		}
	case 12:
		m.clock.pass(day * [3]time.Duration{1, 10, 40}[m.rand.IntN(3)])
	case 13:
		_ = m.fill(clinic, 2)
	}
}

// look compares what is stored with what was.
func (m *model) look() {
	m.legal(m.t)
	open := 0
	for p, err := range m.rows.Plans(bg, clinic) {
		require.NoError(m.t, err)
		if p.Open() {
			open++
		}
		was := m.seen[p.ID]
		m.moved(was, p)
		m.seen[p.ID] = p
	}
	require.LessOrEqual(m.t, open, 1)
}

// moved expects that a plan went from state to state as it may, and is otherwise the same.
func (m *model) moved(was, is purge.Plan) {
	if was.State != is.State {
		require.NoError(m.t, reachable(was.State, is.State))
	}
	if was.ID == "" {
		return
	}
	require.Equal(m.t, was.Spans, is.Spans)
	require.Equal(m.t, [4]any{was.ProposedBy, was.Months, was.Export, was.Event}, [4]any{is.ProposedBy, is.Months, is.Export, is.Event})
	if was.ApprovedBy != "" {
		require.Equal(m.t, was.ApprovedBy, is.ApprovedBy)
	}
	if is.ApprovedBy != "" {
		require.NotEqual(m.t, is.ProposedBy, is.ApprovedBy)
	}
}

var errNoWay = errors.New("there is no way from one state to the other")

// reachable: one call may take several steps.
func reachable(from, to purge.State) error {
	for _, s := range next[from] {
		if s == to || reachable(s, to) == nil {
			return nil
		}
	}
	return errNoWay
}
