package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The demo's passwords and codes are public, so its accounts must never be in a clinic that
// works, whichever of the two came first.

func TestDemoRefusesDatabaseOfAClinic(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		used(t, args...)
		stderr, code := runClinic(t, append(args, "-addr", "127.0.0.1:0")...)
		require.Equal(t, 1, code, stderr)
		require.Contains(t, stderr, "not filled by the demo")
		again := start(t, append(args, "-demo=false")...)
		require.Eventually(t, func() bool {
			return strings.Contains(again.out.String(), "Set up the first administrator")
		}, 2*time.Minute, 10*time.Millisecond, "the clinic goes on, nobody was seeded")
	})
}

func TestClinicRefusesDatabaseOfADemo(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		start(t, args...).stop()
		stderr, code := runClinic(t, append(args, "-demo=false", "-addr", "127.0.0.1:0")...)
		require.Equal(t, 1, code, stderr)
		require.Contains(t, stderr, "filled by the demo")
		start(t, args...) // the demo itself goes on
	})
}
