package tlog_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

var errStop = errors.New("stopped")

// stopped verifies until Save is called for the n-th time, and returns what it got.
func stopped(h *house, n int, since *tlog.Verified) (state tlog.Verified, err error) {
	o := &tlog.VerifyOptions{Since: since, Save: func(s tlog.Verified) error {
		if state = s; n == 1 {
			return errStop
		}
		n--
		return nil
	}}
	o.SaveEvery(100)
	_, err = h.check(o)
	return state, err
}

// TestWaitingForAPurge: a verification that is stopped between missing bodies and the purge that covers
// them goes on where it was, and what waits is not forgotten, however often it is stopped.
func TestWaitingForAPurge(t *testing.T) {
	t.Parallel()
	for _, agreed := range []bool{true, false} {
		l := &purgeLiar{Memory: audit.NewMemory()}
		h := aged(t, &house{events: l, trees: tlog.NewMemory()})
		if agreed {
			h.agree(t, span(0, 50))
		}
		h.destroy(t, span(0, 50))
		state, err := stopped(h, 1, nil)
		require.ErrorIs(t, err, errStop)
		require.Equal(t, int64(200), state.Tenants[clinic].Size)
		require.Equal(t, []audit.Span{span(0, 50)}, state.Tenants[clinic].Waiting)
		state, err = stopped(h, 1, &state)
		require.ErrorIs(t, err, errStop)
		require.Equal(t, int64(300), state.Tenants[clinic].Size)
		require.Equal(t, []audit.Span{span(0, 50)}, state.Tenants[clinic].Waiting, "still")
		l.purged = func(int64, int64, []audit.Span) []audit.Span { return nil } // as if they were there
		report, err := h.check(&tlog.VerifyOptions{Since: &state})
		if !agreed {
			require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
			require.Equal(t, findings([]audit.Span{span(0, 50)}), report.Findings)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, int64(50), report.Purged)
		state, err = stopped(h, 99, &state)
		require.NoError(t, err)
		require.Empty(t, state.Tenants[clinic].Waiting, "covered")
	}
}

// TestManySpans: a state holds at most 10,000 spans that wait, and a report 1,000 findings about one
// tenant's purges, whose last one goes to the end.
func TestManySpans(t *testing.T) {
	t.Parallel()
	h := aged(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()})
	h.add(t, clinic, 20_100, "many")
	h.cover(t)
	h.add(t, clinic, 300, "many")
	h.cover(t)
	var spans []audit.Span
	for i := range int64(10_001) {
		spans = append(spans, span(2*i, 2*i+1))
	}
	h.destroy(t, spans...)
	n := 0
	o := &tlog.VerifyOptions{Save: func(s tlog.Verified) error {
		n++
		require.LessOrEqual(t, s.Tenants[clinic].Size, int64(400), "nothing later can be kept")
		return nil
	}}
	o.SaveEvery(100)
	report, err := h.check(o)
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
	require.NotZero(t, n)
	require.Len(t, report.Findings, 1000)
	require.Equal(t, span(0, 1), audit.Span{From: report.Findings[0].From, To: report.Findings[0].To})
	last := report.Findings[999]
	require.Equal(t, span(1998, 20_001), audit.Span{From: last.From, To: last.To})

	leaves, err := h.events.Leaves(bg, clinic, 0, 20_500)
	require.NoError(t, err)
	peaks := &tlog.Peaks{}
	for _, leaf := range leaves {
		peaks.Push(leaf)
	}
	note := h.log.Checkpoint()
	for many, want := range map[int]error{10_000: tlog.ErrUncoveredPurge, 10_001: tlog.ErrProof} {
		state := tlog.Verified{Checkpoint: string(note), Tenants: map[audit.Tenant]tlog.VerifiedTree{
			clinic: {Size: 20_500, Peaks: peaks.Hashes(), Waiting: spans[:many]},
		}}
		_, err = h.check(&tlog.VerifyOptions{Since: &state})
		require.ErrorIs(t, err, want)
	}
}
