package emergency_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// told is an opening as the model remembers it.
type told struct {
	id, patient string
	who         audit.ActorID
	from, until time.Time
	ended       bool // for good
	own         bool // words of its own
	verdict     emergency.Verdict
	limited     bool
	notified    bool
	reminders   int
	due         time.Time
	reminded    time.Time
}

func (g *told) open(now time.Time) bool {
	return !g.ended && !now.Before(g.from) && now.Before(g.until)
}

// model is written straight from the package comment.
type model struct {
	h      *house
	r      *rand.Rand
	grants []*told
	trace  []string
	counts map[string]int
}

// TestModel does random things on two servers and compares every answer, and who may read what after
// each of them, with a model that knows nothing of stores and versions.
func TestModel(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, open func(testing.TB) backing) {
		h := newHouseOver(t, open(t))
		steps := 400
		if _, fast := h.wire.Store.(*emergency.Memory); !fast {
			steps = 150
		}
		h.set.PerDay = 4
		m := &model{h: h, r: rand.New(rand.NewPCG(11, 7)), counts: map[string]int{}}
		for range steps {
			m.step()
			m.compare()
		}
		t.Log(m.counts)
		for _, seen := range []string{"open: <nil>", "open: open", "open: limited", "open: words", "again", "end", "stop", "review: <nil>", "review: own", "review: open", "review: over", "expired", "overdue"} {
			if steps < 400 {
				break // the same model; memory has seen everything
			}
			require.Positive(t, m.counts[seen], "the model never saw %q", seen)
		}
	})
}

func (m *model) step() {
	switch n := m.r.IntN(20); {
	case n < 8:
		m.open()
	case n < 10:
		m.leave()
	case n < 14:
		m.review()
	case n < 17:
		m.tick()
	case n == 17:
		m.h.rec.mu.Lock()
		m.h.rec.silent = !m.h.rec.silent
		m.h.rec.mu.Unlock()
	case n == 18:
		m.h.pass(-time.Duration(m.r.IntN(30)) * time.Minute)
	default:
		m.h.pass(time.Duration(m.r.IntN(30)) * time.Hour)
	}
	m.h.pass(time.Duration(1+m.r.IntN(40)) * time.Minute)
}

func (m *model) desk() *emergency.Desk[chart] { return m.h.desks[m.r.IntN(2)] }

func (m *model) expect(what string, err, want error) {
	m.h.t.Helper()
	m.trace = append(m.trace, fmt.Sprintf("%s %s: %v", m.h.now().Format("02 15:04"), what, err))
	require.True(m.h.t, errors.Is(err, want) && (want != nil || err == nil), "%s: %v, the model says %v\n%v", what, err, want, m.trace[max(0, len(m.trace)-12):])
}

func (m *model) open() {
	who, id := []audit.ActorID{"ana", "ben"}[m.r.IntN(2)], []string{"p1", "p2"}[m.r.IntN(2)]
	now := m.h.now()
	r := request()
	if m.r.IntN(2) == 0 {
		r = emergency.Request{}
	}
	if m.r.IntN(2) == 0 {
		r.For = time.Duration(1+m.r.IntN(240)) * time.Minute
	}
	var want error
	today, again, name := 0, false, "<nil>"
	open, bad := false, false
	var latest *told
	for _, g := range m.grants {
		if g.who != who {
			continue
		}
		latest = g
		if g.from.After(now.Add(-24 * time.Hour)) {
			today++
		}
		if g.patient == id && g.from.After(now.Add(-emergency.MaxReprompt)) {
			open = open || g.open(now)
			again = again || g.own && !g.from.After(now)
			bad = bad || g.verdict == emergency.NotJustified
		}
	}
	switch {
	case open:
		want, name = emergency.ErrOpen, "open"
	case today >= 4:
		want, name = emergency.ErrLimited, "limited"
		if !m.h.rec.silent {
			latest.limited = true
		}
	case r.Words == "" && (!again || bad):
		want, name = emergency.ErrInput, "words"
	}
	m.counts["open: "+name]++
	ctx := m.h.by(who)
	g, err := m.desk().Open(ctx, m.h.proof(ctx, patient(id)), r)
	m.expect("open "+string(who)+" "+id, err, want)
	if err != nil {
		return
	}
	if r.For == 0 {
		r.For = 4 * time.Hour
	}
	if r.Words == "" {
		m.counts["again"]++
	}
	m.grants = append(m.grants, &told{id: g.ID, due: now.Add(72 * time.Hour), who: who, patient: id, from: now, until: now.Add(r.For), own: r.Words != "", notified: !m.h.rec.silent})
}

func (m *model) any() *told {
	if len(m.grants) == 0 {
		return nil
	}
	return m.grants[len(m.grants)-1-m.r.IntN(min(6, len(m.grants)))]
}

func (m *model) leave() {
	g := m.any()
	if g == nil {
		return
	}
	who := []audit.ActorID{"ana", "ben"}[m.r.IntN(2)]
	now := m.h.now()
	var want, err error
	if m.r.IntN(2) == 0 {
		if who != g.who {
			want = emergency.ErrNotFound
		}
		_, err = m.desk().End(m.h.by(who), g.id)
		m.counts["end"]++
	} else {
		_, err = m.desk().Stop(m.h.by("officer"), g.id, "")
		m.counts["stop"]++
	}
	m.expect("leave", err, want)
	for _, other := range m.grants {
		if err == nil && other.who == g.who && other.patient == g.patient && now.Before(other.until) {
			other.ended = true
		}
	}
}

func (m *model) review() {
	g := m.any()
	if g == nil {
		return
	}
	who := []audit.ActorID{"ana", "ben", "officer"}[m.r.IntN(3)]
	v := []emergency.Verdict{emergency.Justified, emergency.NotJustified, emergency.FollowUp}[m.r.IntN(3)]
	now := m.h.now()
	var want error
	name := "<nil>"
	switch {
	case who == g.who:
		want, name = emergency.ErrOwn, "own"
	case !g.ended && now.Before(g.until):
		want, name = emergency.ErrOpen, "open"
	case g.verdict == emergency.Justified || g.verdict == emergency.NotJustified:
		want, name = emergency.ErrOver, "over"
	}
	m.counts["review: "+name]++
	_, err := m.desk().Review(m.h.by(who), g.id, m.h.stored(g.id).Version, v, "words")
	m.expect("review", err, want)
	if err == nil {
		if g.verdict == "" && v == emergency.FollowUp {
			g.due = now.Add(72 * time.Hour)
		}
		g.verdict, g.ended = v, true
	}
}

func (m *model) tick() {
	now := m.h.now()
	var want error
	for _, g := range m.grants {
		if !g.ended && !now.Before(g.until) {
			g.ended = true
			m.counts["expired"]++
		}
		final := g.verdict == emergency.Justified || g.verdict == emergency.NotJustified
		due := !final && !now.Before(g.due) && (g.reminders == 0 || !now.Before(g.reminded.Add(24*time.Hour)))
		alarm := m.h.stored(g.id)
		switch {
		case m.h.rec.silent && (!g.notified || !alarm.Limited.IsZero() && alarm.LimitedTold.IsZero() || due):
			want = emergency.ErrUntold
		case m.h.rec.silent:
		case due && (alarm.Limited.IsZero() || !alarm.LimitedTold.IsZero()):
			g.reminders, g.reminded = g.reminders+1, now
			m.counts["overdue"]++
			g.notified = true
		default:
			g.notified = true
		}
	}
	err := m.h.desk(nil).Tick(m.h.t.Context()) // a server that starts waits for nothing
	m.expect("tick", err, want)
}

// compare asks both servers' common store, and rbac, about everything.
func (m *model) compare() {
	m.h.t.Helper()
	t, now := m.h.t, m.h.now()
	for _, who := range []audit.ActorID{"ana", "ben"} {
		for _, id := range []string{"p1", "p2"} {
			var open []string
			for _, g := range m.grants {
				if g.who == who && g.patient == id && g.open(now) {
					open = append(open, g.id)
				}
			}
			may, grant := m.h.may(who, m.h.notes, patient(id))
			require.Equal(t, len(open) > 0, may, "%s %s: %v", who, id, m.trace)
			require.True(t, !may || slices.Contains(open, grant))
			f, err := rbac.Visible(m.h.by(who), m.h.z, m.h.notes)
			require.NoError(t, err)
			match, err := f.Match(t.Context(), patient(id))
			require.NoError(t, err)
			require.Equal(t, may, match)
			mayWrite, _ := m.h.may(who, m.h.write, patient(id))
			require.False(t, mayWrite)
		}
	}
	for _, g := range m.grants[max(0, len(m.grants)-8):] {
		is := m.h.stored(g.id)
		require.Equal(t, g.ended, !is.Ended.IsZero(), "%v", m.trace)
		require.Equal(t, g.verdict, is.Verdict)
		require.Equal(t, g.notified, !is.Told.IsZero())
		require.Equal(t, g.reminders, is.Reminders, "%v", m.trace)
		require.LessOrEqual(t, is.Until.Sub(is.Opened), emergency.MaxLongest)
		require.NotEqual(t, is.Person, is.Reviewer)
		require.True(t, slices.ContainsFunc(m.h.rec.of(emergency.ActionOpen), func(e audit.Event) bool { return e.ID == g.id && e.Outcome == audit.Success }))
	}
}
