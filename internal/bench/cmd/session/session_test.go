package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every case does what it says, and the tables have them all.
func TestRun(t *testing.T) {
	var b strings.Builder
	c := &config{
		postgres: os.Getenv("WARDKIT_POSTGRES"), dir: t.TempDir(), time: time.Millisecond, parts: []string{"requests", "parallel", "scale"},
		engines: []string{"memory", "sqlite", "postgres"}, sessions: 5, small: 30, large: 60, out: &b,
	}
	require.NoError(t, run(t.Context(), c))
	for _, line := range []string{"wardkit, coarse touch", "wardkit, coarse touch, headers apart", "SELECT 1, over the same pool", "PostgreSQL, 64 at once", "scs, load and touch", "gorilla, encrypted cookie, load and save", "memory | request", "memory | own sessions", "two Go maps", "SQLite | look-up, the store alone"} {
		require.Contains(t, b.String(), "| "+line)
	}
}
