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
		postgres: os.Getenv("WARDKIT_POSTGRES"), redis: os.Getenv("WARDKIT_REDIS"), dir: t.TempDir(),
		parts: []string{"flood", "decisions", "timing"}, flood: 50 * time.Millisecond, rounds: 2, table: time.Millisecond, tries: 5, quick: true, out: &b,
	}
	require.NoError(t, run(t.Context(), c))
	for _, line := range []string{"| calm", "| 200 sign-ins a second, 1 hasher", "| memory, a budget", "| SQLite, a try is charged", "| unknown identifier", "The medians differ"} {
		require.Contains(t, b.String(), line)
	}
}
