package tlog_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// with verifies with options.
func (h *house) with(old []byte, o *tlog.VerifyOptions) (tlog.Report, error) {
	return tlog.Verify(bg, h.events, h.trees, h.log.VerifierKey(), old, o)
}

// TestVerifyGoesOn: what was found whole is not read again, on its own or after an interruption,
// and what is new is found all the same.
func TestVerifyGoesOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		history(t, h, "a")
		var state tlog.Verified
		keep := func(s tlog.Verified) error {
			text, err := json.Marshal(s)
			require.NoError(t, err)
			state = tlog.Verified{}
			return json.Unmarshal(text, &state)
		}
		var last tlog.Progress
		report, err := h.with(nil, &tlog.VerifyOptions{Save: keep, Progress: func(p tlog.Progress) { last = p }})
		require.NoError(t, err)
		require.Equal(t, int64(640), report.Events)
		require.Equal(t, tlog.Progress{Tenant: other, Done: 600, Many: 640}.Many, last.Many)
		require.Equal(t, int64(600), state.Tenants[clinic].Size)

		report, err = h.with(nil, &tlog.VerifyOptions{Since: &state, Save: keep})
		require.NoError(t, err)
		require.Zero(t, report.Events, "nothing new")
		h.add(t, clinic, 77, "b")
		h.cover(t)
		report, err = h.with(nil, &tlog.VerifyOptions{Since: &state, Save: keep})
		require.NoError(t, err)
		require.Equal(t, int64(77), report.Events)
		require.Equal(t, int64(677), state.Tenants[clinic].Size)

		stop := errors.New("interrupted")
		_, err = h.with(nil, &tlog.VerifyOptions{Save: func(s tlog.Verified) error { return errors.Join(keep(s), stop) }})
		require.ErrorIs(t, err, stop)
		require.Len(t, state.Tenants, 1, "one tenant was through")
		report, err = h.with(nil, &tlog.VerifyOptions{Since: &state})
		require.NoError(t, err)
		require.Equal(t, int64(40), report.Events)
	})
}

// TestAForgedState: a state that is not of this log proves nothing.
func TestAForgedState(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	history(t, h, "a")
	var good tlog.Verified
	_, err := h.with(nil, &tlog.VerifyOptions{Save: func(s tlog.Verified) error { good = s; return nil }})
	require.NoError(t, err)
	change := func(f func(*tlog.Verified, *tlog.VerifiedTree)) *tlog.Verified {
		text, err := json.Marshal(good)
		require.NoError(t, err)
		var s tlog.Verified
		require.NoError(t, json.Unmarshal(text, &s))
		tree := s.Tenants[clinic]
		f(&s, &tree)
		s.Tenants[clinic] = tree
		return &s
	}
	for name, c := range map[string]struct {
		state *tlog.Verified
		want  error
	}{
		"another checkpoint": {change(func(s *tlog.Verified, _ *tlog.VerifiedTree) { s.Checkpoint = "x" }), tlog.ErrCheckpoint},
		"another history":    {change(func(s *tlog.Verified, _ *tlog.VerifiedTree) { s.Checkpoint = string(olderNote(t)) }), tlog.ErrRewritten},
		"too few peaks":      {change(func(_ *tlog.Verified, v *tlog.VerifiedTree) { v.Peaks = nil }), tlog.ErrProof},
		"other peaks":        {change(func(_ *tlog.Verified, v *tlog.VerifiedTree) { v.Peaks[0][0] ^= 1 }), tlog.ErrAltered},
		"further than it is": {change(func(_ *tlog.Verified, v *tlog.VerifiedTree) { v.Size, v.Peaks = 1<<20, v.Peaks[:1] }), tlog.ErrRewritten},
	} {
		_, err := h.with(nil, &tlog.VerifyOptions{Since: c.state})
		require.ErrorIs(t, err, c.want, name)
	}
}

// TestASavedStateIsWhole: nothing is saved of a tenant in which something was found.
func TestASavedStateIsWhole(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		history(t, h, "a")
		o := take(t, h)
		o.run(`UPDATE audit_entry SET body = leaf WHERE place = ?`, o.first(clinic)+3)
		var state tlog.Verified
		_, err := h.with(nil, &tlog.VerifyOptions{Save: func(s tlog.Verified) error { state = s; return nil }})
		require.ErrorIs(t, err, tlog.ErrAltered)
		require.Contains(t, state.Tenants, other)
		require.NotContains(t, state.Tenants, clinic)
		_, err = h.with(nil, &tlog.VerifyOptions{Since: &state})
		require.ErrorIs(t, err, tlog.ErrAltered, "it is found again")
	})
}

// TestSample finds what it draws: with as many draws as there are events, a tenth altered is
// always found.
func TestSample(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		old := history(t, h, "a")
		sample := func(n int) (tlog.Report, error) {
			return tlog.Sample(bg, h.events, h.trees, h.log.VerifierKey(), old, n, nil)
		}
		report, err := sample(50)
		require.NoError(t, err)
		require.Equal(t, int64(50), report.Events)
		_, err = sample(0)
		require.NoError(t, err)
		_, err = tlog.Sample(bg, h.events, h.trees, "no key", old, 1, nil)
		require.ErrorIs(t, err, tlog.ErrCheckpoint)

		o := take(t, h)
		o.run(`UPDATE audit_entry SET body = leaf WHERE place >= ? AND place < ?`, o.first(clinic)+100, o.first(clinic)+200)
		_, err = sample(300)
		require.ErrorIs(t, err, tlog.ErrAltered)
		o.run(`DELETE FROM audit_entry WHERE place >= ? AND place < ?`, o.first(clinic)+100, o.first(clinic)+200)
		_, err = sample(300)
		require.ErrorIs(t, err, tlog.ErrMissing)
		o.backup()
		_, err = sample(0)
		require.ErrorIs(t, err, tlog.ErrRolledBack, "without reading one event")
	})
}
