package auditsql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// TestPlans looks at how SQLite runs each kind of listing: by one search of an index, in its
// order. A full scan or a sort would read the whole log for one page.
func TestPlans(t *testing.T) {
	t.Parallel()
	engine := enginetest.SQLite(t)
	over(t, engine)
	after := audit.Position{Recorded: time.Unix(1e9, 0), ID: audit.NewID(time.Unix(1e9, 0))}
	from := time.Unix(1, 0)
	actors, actions := []audit.ActorID{"u-1"}, []audit.Action{"note.read"}
	two := []audit.Action{"note.read", "note.write"}
	for name, test := range map[string]struct {
		filter audit.Filter
		index  string
	}{
		"time":              {audit.Filter{}, "audit_event_time"},
		"period":            {audit.Filter{From: from}, "audit_event_time"},
		"actor":             {audit.Filter{Actors: actors, From: from}, "audit_event_actor"},
		"action":            {audit.Filter{Actions: actions}, "audit_event_action"},
		"actor and action":  {audit.Filter{Actors: actors, Actions: actions}, "audit_event_actor"},
		"actor and two":     {audit.Filter{Actors: actors, Actions: two}, "audit_event_actor"},
		"patient and two":   {audit.Filter{Patient: "p-1", Actions: two}, "PRIMARY KEY (tenant=? AND patient=?"},
		"type and actions":  {audit.Filter{ObjectType: "note", Actions: two}, "PRIMARY KEY (tenant=? AND type=? AND object=?"},
		"patient":           {audit.Filter{Patient: "p-1", From: from}, "PRIMARY KEY (tenant=? AND patient=?"},
		"patient and actor": {audit.Filter{Patient: "p-1", Actors: actors}, "PRIMARY KEY (tenant=? AND patient=?"},
		"type":              {audit.Filter{ObjectType: "note"}, "PRIMARY KEY (tenant=? AND type=? AND object=?"},
		"object":            {audit.Filter{ObjectType: "note", ObjectID: "n-1"}, "PRIMARY KEY (tenant=? AND type=? AND object=?"},
		"outcome":           {audit.Filter{Outcomes: []audit.Outcome{audit.Failure}}, "audit_event_time"},
	} {
		for _, p := range []audit.Position{{}, after} {
			test.filter.Tenant = "clinic-17"
			text, args := auditsql.Listing(test.filter, p, 50)
			plan := explain(t, engine, text, args)
			require.Contains(t, plan, "SEARCH", name)
			require.Contains(t, strings.SplitN(plan, "\n", 2)[0], test.index, "%s:\n%s", name, plan)
			require.NotContains(t, plan, "SCAN", "%s:\n%s", name, plan)
			require.NotContains(t, plan, "TEMP B-TREE", "%s:\n%s", name, plan)
		}
	}
}

func explain(t *testing.T, e enginetest.Engine, text string, args []any) string {
	t.Helper()
	rows, err := e.Pool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}
