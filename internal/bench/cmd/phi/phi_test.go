package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every case does what it says, and the tables have them all.
func TestRun(t *testing.T) {
	var b strings.Builder
	require.NoError(t, run(t.Context(), &b, time.Millisecond))
	cases, err := allCases(t.Context())
	require.NoError(t, err)
	require.Len(t, cases, 27)
	for _, c := range cases {
		require.NoError(t, c.Run(), c.Name)
		require.Contains(t, b.String(), "| "+c.Name+" |")
	}
}

func TestBackfill(t *testing.T) {
	var b strings.Builder
	require.NoError(t, backfill(t.Context(), &b, 600))
	require.Contains(t, b.String(), "| memory |")
	require.Contains(t, b.String(), "| SQLite |")
}
