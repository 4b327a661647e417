package tlog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// TestPeaks: a tree that is gone on with from its peaks is the tree of all its leaves.
func TestPeaks(t *testing.T) {
	t.Parallel()
	whole, side := &tlog.Peaks{}, &tlog.Side{}
	for n := range int64(700) {
		require.Equal(t, side.Root(), whole.Root())
		again, err := tlog.NewPeaks(n, whole.Hashes())
		require.NoError(t, err)
		require.Equal(t, whole.Root(), again.Root())
		_, err = tlog.NewPeaks(n, append(whole.Hashes(), tlog.Hash{}))
		require.ErrorIs(t, err, tlog.ErrProof)
		leaf := [32]byte{byte(n), byte(n >> 8)}
		whole.Push(leaf)
		again.Push(leaf)
		side.Push(leaf)
		require.Equal(t, whole.Root(), again.Root())
		require.Equal(t, n+1, again.Size())
	}
	_, err := tlog.NewPeaks(-1, nil)
	require.ErrorIs(t, err, tlog.ErrProof)
}

// TestRange proves the end of a log from every place on.
func TestRange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		history(t, h, "a")
		for _, from := range []int64{0, 1, 255, 256, 257, 511, 512, 599} {
			r, err := h.log.Range(t.Context(), clinic, from)
			require.NoError(t, err)
			p, err := r.Peaks()
			require.NoError(t, err)
			leaves, err := h.events.Leaves(t.Context(), clinic, from, 600)
			require.NoError(t, err)
			for _, leaf := range leaves {
				p.Push(leaf)
			}
			c, err := r.Check(h.log.VerifierKey(), p)
			require.NoError(t, err)
			require.Equal(t, int64(6), c.Size)

			p.Push(audit.Leaf(nil))
			_, err = r.Check(h.log.VerifierKey(), p)
			require.ErrorIs(t, err, tlog.ErrProof, "one more")
			if from > 0 {
				r.Left[0][0] ^= 1
				p, err = r.Peaks()
				require.NoError(t, err)
				for _, leaf := range leaves {
					p.Push(leaf)
				}
				_, err = r.Check(h.log.VerifierKey(), p)
				require.ErrorIs(t, err, tlog.ErrProof, "another beginning")
			}
		}
		for _, from := range []int64{-1, 600, 1 << 40} {
			_, err := h.log.Range(t.Context(), clinic, from)
			require.ErrorIs(t, err, tlog.ErrUncovered)
		}
		_, err := h.log.Range(t.Context(), "nobody", 0)
		require.ErrorIs(t, err, tlog.ErrUncovered)
	})
}
