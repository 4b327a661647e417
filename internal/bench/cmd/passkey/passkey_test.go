package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every case accepts the response, and the table has them all.
func TestRun(t *testing.T) {
	var b strings.Builder
	require.NoError(t, run(&b, time.Millisecond))
	rows, err := allRows()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	for _, r := range rows {
		require.NoError(t, r.bare.Run())
		require.NoError(t, r.ours.Run())
		require.NoError(t, r.theirs.Run())
		require.Contains(t, b.String(), "| "+r.ours.Name+" |")
		require.Contains(t, b.String(), "| "+r.theirs.Name+" |")
		require.Contains(t, b.String(), "| "+r.bare.Name+" |")
	}
}
