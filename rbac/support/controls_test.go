package support_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

var _ evidence.Source = (*support.Desk)(nil)

// TestControls: a right without an end, or one that no approval explains, is a failing control.
func TestControls(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	state := func() (standing, visits evidence.Control) {
		list, err := h.desk.Controls(t.Context(), clinic)
		require.NoError(t, err)
		require.Len(t, list, 2)
		for _, c := range list {
			require.NotContains(t, c.Detail+c.Warning, "noor")
			require.NotEmpty(t, c.Citations)
		}
		return list[0], list[1]
	}
	standing, visits := state()
	require.Equal(t, evidence.InForce, standing.State)
	require.Equal(t, evidence.Partly, visits.State, "nobody runs it")
	a := h.entered()
	standing, visits = state()
	require.Equal(t, evidence.InForce, standing.State)
	require.Contains(t, standing.Detail, "rights in force: 1, without an end: 0, without an approval: 0")
	require.Contains(t, visits.Detail, "inside: 1")

	add := func(g rbac.Grant) {
		v, err := h.grants.Version(t.Context(), clinic)
		require.NoError(t, err)
		require.NoError(t, h.grants.Apply(t.Context(), clinic, v, rbac.Change{Add: []rbac.Grant{g}}))
	}
	g := rbac.Grant{ID: "forged", Tenant: clinic, Person: a.Visitor(), Role: "admin", By: "eve", Source: rbac.SourceDirect}
	add(g)
	standing, _ = state()
	require.Equal(t, evidence.Failing, standing.State)
	require.Contains(t, standing.Detail, "without an end: 1")
}

// TestRun looks at once, again and again, and stops with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.server(func(_ *support.Parts, o *support.Options) { o.Every = time.Second })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	require.Eventually(t, func() bool { return d.Health(t.Context()) == nil }, time.Minute, time.Millisecond)
	h.w.arm(1, "fails from here on")
	require.Eventually(t, func() bool { return d.Health(t.Context()) != nil }, time.Minute, time.Millisecond)
	require.ErrorIs(t, d.Health(t.Context()), support.ErrUnavailable)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
