package emergency_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// tells is a Notices.
type tells func(emergency.Notice) error

func (f tells) Tell(_ context.Context, n emergency.Notice) error { return f(n) }

// TestNoticesThatPanic stop neither an opening nor the server.
func TestNoticesThatPanic(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.desks[0] = h.desk(func(p *emergency.Parts[chart], _ *emergency.Options) {
		p.Notices = tells(func(emergency.Notice) error { panic("of p1") })
	})
	g := h.opens("ana", "p1")
	require.True(t, g.Told.IsZero())
	err := h.desks[0].Tick(t.Context())
	require.ErrorIs(t, err, emergency.ErrUntold)
	require.NotContains(t, err.Error(), "p1")
}

// TestANoticeThatFailsFloodsNobody: what cannot be told is tried less and less often, at the least hourly,
// and Health says so all the while.
func TestANoticeThatFailsFloodsNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	calls, last, gap := 0, h.now(), time.Duration(0)
	h.desks[0] = h.desk(func(p *emergency.Parts[chart], _ *emergency.Options) {
		p.Notices = tells(func(emergency.Notice) error {
			calls++
			gap, last = max(gap, h.now().Sub(last)), h.now()
			return errors.New("one address of two is wrong")
		})
	})
	h.opens("ana", "p1")
	for range 6 * 60 { // an hour
		require.ErrorIs(t, h.desks[0].Tick(t.Context()), emergency.ErrUntold)
		require.ErrorIs(t, h.desks[0].Health(t.Context()), emergency.ErrUntold)
		h.pass(10 * time.Second)
	}
	require.Equal(t, 7, calls, "with the opening, and after 0, 1, 3, 7, 15 and 31 minutes")
	for range 6 * 60 {
		_ = h.desks[0].Tick(t.Context())
		h.pass(time.Minute)
	}
	require.LessOrEqual(t, gap, time.Hour)
	require.GreaterOrEqual(t, calls, 12)
}

// TestAnExpiryThatFailsHoldsBackNoNotice.
func TestAnExpiryThatFailsHoldsBackNoNotice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.rec.silent = true
	h.opens("ana", "p1")
	h.rec.silent = false
	h.pass(5 * time.Hour)
	h.wire.arm(2, "fails") // the record of the end, after the list
	require.ErrorIs(t, h.desks[0].Tick(t.Context()), emergency.ErrUnavailable)
	require.Len(t, h.rec.told(emergency.Opened), 1)
}

// TestAFollowUpIsNoWayOut: it is due again, once later, and somebody is reminded until there is a verdict.
func TestAFollowUpIsNoWayOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.opens("ana", "p1")
	h.pass(5 * time.Hour)
	g, err := h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.FollowUp, "Ask the team.")
	require.NoError(t, err)
	require.Equal(t, h.now().Add(72*time.Hour), g.Due)
	require.True(t, g.Pending())
	due := g.Due
	h.pass(time.Hour)
	g, err = h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.FollowUp, "Ask again.")
	require.NoError(t, err)
	require.Equal(t, due, g.Due, "once")
	h.pass(72 * time.Hour)
	require.True(t, g.OverdueAt(h.now()))
	require.NoError(t, h.desks[0].Tick(t.Context()))
	require.Len(t, h.rec.told(emergency.Overdue), 1)
	all, err := h.desks[0].Controls(t.Context(), clinic)
	require.NoError(t, err)
	require.Contains(t, all[0].Detail, "not reviewed: 1")
	g = h.stored(g.ID)
	g, err = h.desks[0].Review(h.by("officer"), g.ID, g.Version, emergency.NotJustified, "Curiosity.")
	require.NoError(t, err)
	require.False(t, g.Pending())
}

// TestTwoClocksOpenTwice: leaving ends both, by the person and by an officer.
func TestTwoClocksOpenTwice(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(h *house, id string) error{
		"end": func(h *house, id string) error { _, err := h.desks[0].End(h.by("ana"), id); return err },
		"stop": func(h *house, id string) error {
			_, err := h.desks[0].Stop(h.by("officer"), id, "Enough.")
			return err
		},
	} {
		h := newHouse(t)
		h.pass(time.Minute)
		first := h.opens("ana", "p1")
		h.pass(-time.Minute) // the other server's clock
		second := h.opens("ana", "p1")
		other := h.opens("ana", "p2")
		h.pass(2 * time.Minute)
		require.NoError(t, leave(h, second.ID), name)
		may, _ := h.may("ana", h.notes, patient("p1"))
		require.False(t, may, name)
		require.False(t, h.stored(first.ID).Ended.IsZero(), name)
		require.True(t, h.stored(other.ID).Ended.IsZero(), name)
		require.Len(t, h.rec.of(emergency.ActionEnd), 2, name)
	}
}

// TestAServerFarBehindHidesNoOpening from the limit.
func TestAServerFarBehindHidesNoOpening(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set.PerDay = 3
	h.opens("ana", "p1")
	h.opens("ana", "p2")
	h.pass(-8 * 24 * time.Hour)
	h.opens("ana", "p3")
	h.pass(8 * 24 * time.Hour)
	h.opens("ana", "p4")
	ctx := h.by("ana")
	_, err := h.desks[0].Open(ctx, h.proof(ctx, patient("p5")), request())
	require.ErrorIs(t, err, emergency.ErrLimited)
}

// TestARequestThatIsGivenUp opens what it recorded, or says that nobody knows.
func TestARequestThatIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.wire.arm(4, "fails") // the writing, after the record
	ctx := h.by("ana")
	proof := h.proof(ctx, patient("p1"))
	at := 0
	for ; len(h.rec.of(emergency.ActionOpen)) == 0; at++ {
		h.wire.arm(at+2, "fails")
		_, _ = h.desks[0].Open(ctx, proof, request())
		require.Less(t, at, 9)
	}
	events := h.rec.of(emergency.ActionOpen)
	require.Equal(t, audit.MajorFailure, events[len(events)-1].Outcome)
	require.Equal(t, "unconfirmed", events[len(events)-1].Code)
}
