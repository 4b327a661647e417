package authn_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// A program acts as long as who answers for it may: not once they are suspended or removed, and
// not in a closed tenant.
func TestActive(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	may := func() bool {
		ok, err := h.m.Active(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		return ok
	}
	require.True(t, may())
	ok, err := h.m.Active(t.Context(), "other", p.ID)
	require.NoError(t, err)
	require.False(t, ok, "in another tenant nobody")
	ok, err = h.m.Active(t.Context(), clinic, "nobody")
	require.NoError(t, err)
	require.False(t, ok)

	require.NoError(t, h.m.Suspend(t.Context(), clinic, p.ID, ""))
	require.False(t, may())
	require.NoError(t, h.m.Reinstate(t.Context(), clinic, p.ID, ""))
	require.True(t, may())

	rules := authn.DefaultPolicy()
	rules.Version, rules.Closed = 1, true
	require.NoError(t, h.store.SavePolicy(t.Context(), clinic, rules))
	require.False(t, may(), "in a closed tenant nobody")
	rules.Version, rules.Closed = 2, false
	require.NoError(t, h.store.SavePolicy(t.Context(), clinic, rules))
	require.True(t, may())
	h.wire.watch(func(int, string) error { return errors.New("down") })
	_, err = h.m.Active(t.Context(), clinic, p.ID)
	require.ErrorIs(t, err, authn.ErrUnavailable, "unknown is not no")
	h.wire.watch(nil)
	require.NoError(t, h.m.Remove(t.Context(), clinic, p.ID, ""))
	require.False(t, may())
}
