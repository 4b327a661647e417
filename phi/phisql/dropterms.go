package phisql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// DropTerms deletes up to limit terms of epochs below this one. It goes from index to index by
// the primary key, whose terms begin with their epoch, and so reads none that stay.
func (s *Store) DropTerms(ctx context.Context, t audit.Tenant, below byte, limit int) (n int, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n = 0
		for _, table := range []string{`phi_term`, `phi_unique`} {
			entity, field := "", ""
			for n < limit {
				err := tx.Row(ctx, `SELECT entity, field FROM `+table+` WHERE tenant = ? AND (entity, field) > (?, ?)
					ORDER BY entity, field LIMIT 1`, string(t), entity, field).Scan(&entity, &field)
				if errors.Is(err, sql.ErrNoRows) {
					break
				}
				if err != nil {
					return err
				}
				some, err := tx.Exec(ctx, dropSome(s.db.Dialect(), table), string(t), entity, field, []byte{below}, limit-n)
				if err != nil {
					return err
				}
				n += int(some)
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("phisql: deleting index terms: %w", err)
	}
	return n, nil
}

// dropSome deletes the first terms of an index. PostgreSQL is given the places of the rows: it
// would compare each term with each of the keys, where its statistics are from before the index
// was filled.
func dropSome(d sqlkit.Dialect, table string) string {
	some := ` FROM ` + table + ` WHERE tenant = ? AND entity = ? AND field = ? AND term < ? ORDER BY term LIMIT ?`
	if d == sqlkit.Postgres {
		return `DELETE FROM ` + table + ` WHERE ctid = ANY(ARRAY(SELECT ctid` + some + `))`
	}
	return `DELETE FROM ` + table + ` WHERE rowid IN (SELECT rowid` + some + `)`
}
