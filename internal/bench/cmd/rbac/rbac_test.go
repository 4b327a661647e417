package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every engine gives the workload's answers, or run fails, and the tables have them all.
func TestRun(t *testing.T) {
	var b strings.Builder
	require.NoError(t, run(t.Context(), &b, sizes{users: 1000, growth: []int{1000}, time: time.Millisecond, peers: true, parts: []string{"compare", "grow", "databases"}}))
	for _, name := range []string{"wardkit rbac.Check", "casbin v2", "cedar-go", "OPA", "loading a subject", "by filter", "by hand"} {
		require.Contains(t, b.String(), name)
	}
}
