package tlog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/tlog"
)

// TestControls: not covered, covered without a sink, and tampered with.
func TestControls(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		state := func() evidence.State {
			list, err := h.log.Controls(t.Context(), clinic)
			require.NoError(t, err)
			return list[0].State
		}
		require.Equal(t, evidence.Failing, state())
		history(t, h, "a")
		require.Equal(t, evidence.Failing, state(), "nobody calls Run")
		o := take(t, h)
		o.backup()
		_, err := h.log.Integrate(t.Context())
		require.ErrorIs(t, err, tlog.ErrRolledBack)
		list, err := h.log.Controls(t.Context(), clinic)
		require.NoError(t, err)
		require.Contains(t, list[0].Warning, "not what was signed")
	})
	var _ evidence.Source = (*tlog.Log)(nil)
}
