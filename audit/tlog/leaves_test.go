package tlog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// TestLeaves: each leaf hash is the one that was signed, purged ones too, and none that was replaced.
func TestLeaves(t *testing.T) {
	t.Parallel()
	h, l := liarOfPurges(t)
	proof, err := h.log.Range(bg, clinic, 0)
	require.NoError(t, err)
	real, err := l.Memory.Leaves(bg, clinic, 0, proof.Head.Size)
	require.NoError(t, err)
	leaves := h.log.Leaves(bg, proof.Head)
	for i := proof.Head.Size - 1; i >= 0; i-- {
		leaf, err := leaves.At(i)
		require.NoError(t, err)
		require.Equal(t, tlog.Hash(real[i]), leaf)
	}
	for _, i := range []int64{-1, proof.Head.Size, proof.Head.Size + 300} {
		_, err := leaves.At(i)
		require.ErrorIs(t, err, tlog.ErrUncovered)
	}

	l.leaves = func(from int64, told [][32]byte) error {
		if from <= 50 && from+int64(len(told)) > 50 {
			told[50-from][0] ^= 1
		}
		return nil
	}
	for _, i := range []int64{50, 51} {
		_, err = h.log.Leaves(bg, proof.Head).At(i)
		require.ErrorIs(t, err, tlog.ErrTampered, "with its neighbours")
	}
	_, err = h.log.Leaves(bg, proof.Head).At(proof.Head.Size - 1)
	require.NoError(t, err, "in another tile")
	l.leaves = func(int64, [][32]byte) error { return audit.ErrDamaged }
	_, err = h.log.Leaves(bg, proof.Head).At(0)
	require.ErrorIs(t, err, tlog.ErrMissing)
	l.leaves = func(int64, [][32]byte) error { return errFault }
	_, err = h.log.Leaves(bg, proof.Head).At(0)
	require.ErrorIs(t, err, tlog.ErrUnavailable)
}
