package emergency_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// TestEveryCallOfAnOpeningMayFail: what is answered as open is open; what is open is on record; what is on
// record and not open is followed by an event that says so; and it can be tried again.
func TestEveryCallOfAnOpeningMayFail(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"fails", "is cut off"} {
		for at := 1; ; at++ {
			h := newHouse(t)
			ctx := h.by("ana")
			proof := h.proof(ctx, patient("p1"))
			h.wire.arm(at, mode)
			g, err := h.desks[0].Open(ctx, proof, request())
			hit := h.wire.hits > 0
			h.wire.arm(0, "")
			open, id := h.may("ana", h.notes, patient("p1"))
			var said, unsaid bool
			for _, e := range h.rec.of(emergency.ActionOpen) {
				said = said || e.Outcome == audit.Success
				unsaid = unsaid || e.Outcome == audit.MajorFailure
			}
			require.Equal(t, err == nil, open, "%s %d: answered as it is (%v)", mode, at, err)
			if open {
				require.Equal(t, g.ID, id)
				require.True(t, said, "%s %d: without a record there is no emergency access", mode, at)
				require.False(t, unsaid, "%s %d", mode, at)
			} else {
				require.ErrorIs(t, err, emergency.ErrUnavailable)
				require.NotContains(t, err.Error(), "p1")
				if said && h.created(at) {
					require.True(t, unsaid, "%s %d: what did not happen is not left standing", mode, at)
				}
				g = h.opens("ana", "p1")
			}
			require.NoError(t, h.desks[1].Tick(t.Context()))
			require.NotEmpty(t, h.rec.told(emergency.Opened), "%s %d: somebody is told in the end", mode, at)
			require.False(t, h.stored(g.ID).Told.IsZero())
			if !hit {
				require.Greater(t, at, 4)
				break
			}
		}
	}
}

// created reports whether the call of this number comes after the record of the opening was answered:
// the first reads the history, the second records.
func (h *house) created(at int) bool { return at > 2 }

// TestEveryCallOfAnEndingAndAReviewMayFail.
func TestEveryCallOfAnEndingAndAReviewMayFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action audit.Action
		before time.Duration
		run    func(h *house, g emergency.Grant) error
		done   func(g emergency.Grant) bool
	}{
		"end": {emergency.ActionEnd, time.Minute, func(h *house, g emergency.Grant) error {
			_, err := h.desks[0].End(h.by("ana"), g.ID)
			return err
		}, func(g emergency.Grant) bool { return !g.Ended.IsZero() }},
		"stop": {emergency.ActionEnd, time.Minute, func(h *house, g emergency.Grant) error {
			_, err := h.desks[0].Stop(h.by("officer"), g.ID, "Enough.")
			return err
		}, func(g emergency.Grant) bool { return !g.Ended.IsZero() }},
		"review": {emergency.ActionReview, 5 * time.Hour, func(h *house, g emergency.Grant) error {
			_, err := h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.Justified, "fine")
			return err
		}, func(g emergency.Grant) bool { return g.Verdict != "" }},
		"expiry": {emergency.ActionExpire, 5 * time.Hour, func(h *house, g emergency.Grant) error {
			return h.desks[0].Tick(h.t.Context())
		}, func(g emergency.Grant) bool { return !g.Ended.IsZero() }},
		"reminder": {emergency.ActionOverdue, 80 * time.Hour, func(h *house, g emergency.Grant) error {
			return h.desks[0].Tick(h.t.Context())
		}, func(g emergency.Grant) bool { return g.Reminders > 0 }},
	} {
		for _, mode := range []string{"fails", "is cut off"} {
			for at := 1; ; at++ {
				h := newHouse(t)
				g := h.opens("ana", "p1")
				h.pass(c.before)
				h.wire.arm(at, mode)
				err := c.run(h, g)
				hit := h.wire.hits > 0
				h.wire.arm(0, "")
				is := h.stored(g.ID)
				said := slices.ContainsFunc(h.rec.of(c.action), func(e audit.Event) bool { return e.Outcome == audit.Success })
				if err == nil {
					require.True(t, c.done(is), "%s %s %d: acknowledged", name, mode, at)
				} else {
					require.ErrorIs(t, err, emergency.ErrUnavailable, "%s %s %d", name, mode, at)
				}
				if c.done(is) {
					require.True(t, said, "%s %s %d: nothing happens unrecorded", name, mode, at)
				} else {
					if c.action == emergency.ActionReview {
						g = is
					}
					h.pass(2 * time.Minute) // notices are not tried again at once
					require.NoError(t, c.run(h, g), "%s %s %d: tried again", name, mode, at)
					require.True(t, c.done(h.stored(g.ID)))
				}
				if !hit {
					require.NoError(t, err)
					break
				}
			}
		}
	}
}
