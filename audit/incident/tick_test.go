package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

// gave returns the names and stages of the reminders that were given since, and forgets them.
func (h *house) gave() (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.given {
		_, rest, _ := strings.Cut(r.ID, "/")
		out = append(out, rest)
	}
	slices.Sort(out)
	h.given = nil
	return out
}

func (h *house) tick() []string {
	h.t.Helper()
	require.NoError(h.t, h.desk.Tick(h.t.Context(), clinic))
	return h.gave()
}

// TestReminders goes through the sixty days of a case day by day.
func TestReminders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.report()
	require.Empty(t, h.tick())
	h.pass(24 * time.Hour)
	require.Equal(t, []string{"unowned"}, h.tick())
	require.Empty(t, h.tick(), "once")
	c = h.read(c.ID)
	c = h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "other", Owner: ada, About: []audit.ActorID{tess}}))
	h.must(h.desk.Estimate(h.as(ada), c.ID, c.Version, []incident.Count{{Region: "NY", N: 5}}, ""))
	var all []string
	for day := 2; day <= 75; day++ {
		h.pass(24 * time.Hour)
		h.mu.Lock()
		h.given = nil
		h.mu.Unlock()
		require.NoError(t, h.desk.Tick(t.Context(), clinic))
		h.mu.Lock()
		for _, r := range h.given {
			require.Equal(t, ada, r.Owner)
			require.Equal(t, []audit.ActorID{tess}, r.About)
			require.Equal(t, day > 60, r.Overdue)
			require.Equal(t, "2026-05-01", r.Last.String())
		}
		h.mu.Unlock()
		for _, g := range h.gave() {
			all = append(all, fmt.Sprint(day, ":", strings.TrimPrefix(g, "individuals/2026-05-01/")))
		}
		require.Empty(t, h.tick(), "a second Tick of a day gives nothing")
	}
	require.Equal(t, []string{"30:30", "46:14", "53:7", "57:3", "59:1", "60:0", "61:overdue0", "68:overdue1", "75:overdue2"}, all)
	due, err := h.desk.Due(h.as(ada))
	require.NoError(t, err)
	require.Len(t, due, 1)
	next, ok := due[0].Next()
	require.True(t, ok)
	require.True(t, next.Overdue(due[0].Today))
	c = h.read(c.ID)
	c = h.must(h.desk.Notify(h.as(ada), c.ID, c.Version, incident.Notice{For: incident.Individuals, On: due[0].Today, How: "mail", All: true}, nil, ""))
	h.pass(30 * 24 * time.Hour)
	require.Empty(t, h.tick(), "what is done is not due")
	require.NotContains(t, string(h.recorded(incident.ActionRemind)[0].Body), "wrong address")
}

// Of servers at once some give a reminder twice, under one ID, and the case is left as one would.
func TestTicksAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.report()
	h.pass(31 * 24 * time.Hour)
	var wg sync.WaitGroup
	for range 8 {
		d := h.another()
		wg.Go(func() {
			if err := d.Tick(t.Context(), clinic); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	given := slices.Compact(h.gave())
	require.Equal(t, []string{"hhs/2026-05-01/30", "individuals/2026-05-01/30", "media/2026-05-01/30", "unowned"}, given)
	require.Len(t, h.read(c.ID).Reminded, 4)
	require.Empty(t, h.tick())
}

// A reminder that could not be given is given later, a hold that could not be placed is placed later,
// and one case's trouble keeps no other from its turn.
func TestTickTriesAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.holds = errBroken
	c := h.report()
	require.False(t, c.Held, "a report counts even without its hold")
	require.ErrorIs(t, h.desk.Tick(t.Context(), clinic), incident.ErrUnavailable)
	h.holds = nil
	require.Empty(t, h.tick())
	require.True(t, h.read(c.ID).Held)

	other := h.report()
	h.pass(25 * time.Hour)
	for at := 1; ; at++ {
		h.wire.arm(at, "fails")
		err := h.desk.Tick(t.Context(), clinic)
		hit := h.wire.hit()
		h.wire.arm(0, "")
		if !hit {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, incident.ErrUnavailable, "call %d", at)
		require.Less(t, at, 100)
	}
	require.Len(t, slices.Compact(h.gave()), 1, "the same reminder of each case")
	for _, id := range []string{c.ID, other.ID} {
		require.Len(t, h.read(id).Reminded, 1)
	}

	// A case that is over lets go of its hold, whatever happened when it was closed.
	c = h.assessed(incident.LowProbability)
	h.holds = errBroken
	c = h.must(h.desk.Close(h.as(ada), c.ID, c.Version, ""))
	require.True(t, c.Held)
	h.holds = nil
	h.tick()
	require.False(t, h.read(c.ID).Held)
	require.False(t, h.keeps(c.ID))
}
