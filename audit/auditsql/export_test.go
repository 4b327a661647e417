package auditsql

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Listing shows the statement that List runs on SQLite, for looking at its plan.
func Listing(f audit.Filter, after audit.Position, limit int) (string, []any) {
	q := listing(sqlkit.SQLite, &f, after, limit)
	return q.text.String(), q.args
}
