//go:build !race

package passkey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa/passkey"
)

// TestAllocations bounds what a response costs: go-webauthn's own check of the same one takes some
// ten more (internal/bench/cmd/passkey).
func TestAllocations(t *testing.T) {
	v, until, all := vectors(t)
	x := all["packed-es256"]
	key, response := x.key(t), x.assertion()
	state := passkey.StateOf(x.Authentication.Challenge, nil, until, key.ID)
	for name, c := range map[string]struct {
		limit float64
		f     func() error
	}{
		"Asserted": {130, func() error { _, err := v.Asserted(state, response, key); return err }},
		"Claimed":  {30, func() error { _, _, err := v.Claimed(response); return err }},
	} {
		require.NoError(t, c.f())
		allocs := testing.AllocsPerRun(200, func() { _ = c.f() })
		require.LessOrEqual(t, allocs, c.limit, name)
		t.Logf("%s: %.0f allocations", name, allocs)
	}
}
