package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// TestSystemActions: each constant is described, and what is described can be recorded and
// found.
func TestSystemActions(t *testing.T) {
	t.Parallel()
	log := newLog(t, audit.NewMemory(), nil)
	described := map[audit.Action]bool{}
	for _, a := range audit.SystemActions() {
		require.False(t, described[a.Action], a.Action)
		described[a.Action] = true
		require.NotEmpty(t, a.Meaning)
		require.NotContains(t, a.Meaning, "\n")
		require.LessOrEqual(t, len(a.Meaning), 80)
		require.NoError(t, log.Record(t.Context(), audit.Event{Action: a.Action, Verb: a.Verb, Actor: audit.System(staff.Tenant, "test")}))
		page, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant, Actions: []audit.Action{a.Action}})
		require.NoError(t, err)
		require.Len(t, page.Events, 1, a.Action)
	}
	constants := 0
	file, err := parser.ParseFile(token.NewFileSet(), "system.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Action") {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.True(t, described[audit.Action(name)], "%s is not described", name)
			constants++
		}
		return true
	})
	require.Len(t, described, constants)
}

// TestSystemActionsStay: names are API; a page, a report or an alarm may wait for them.
func TestSystemActionsStay(t *testing.T) {
	t.Parallel()
	var names []string
	for _, a := range audit.SystemActions() {
		names = append(names, string(a.Verb)+" "+string(a.Action))
	}
	require.Subset(t, names, []string{
		"E audit.enabled", "E audit.disabled", "E audit.refused", "E audit.read", "R audit.open", "D audit.erase",
		"U audit.policy.changed", "U privilege.changed", "E encryption.status", "U key.rotated",
		"E clock.unsynced", "E clock.synced", "E clock.step",
		"U retention.changed", "D purge.executed", "C hold.placed", "D hold.released", "E export.created",
	})
}
