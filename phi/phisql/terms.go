package phisql

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

// Terms is a phi.TermStore over one database or, from Store.WithTx, inside one transaction.
type Terms struct{ db *sqlkit.DB }

// SaveTerms replaces the terms of the row, all or nothing. The database's primary key decides
// who holds a unique term; the second writer waits for the first and gets a
// *phi.DuplicateError.
func (s *Terms) SaveTerms(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
	if err := terms.Check(t); err != nil {
		return err
	}
	list := slices.Clone(terms.List)
	// Every writer takes the claims in the same order, so that two do not wait for each other.
	slices.SortFunc(list, compareTerms)
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := lockRow(ctx, tx, s.db.Dialect(), t, terms); err != nil {
			return err
		}
		w := writing{tx, s.db.Dialect(), t, terms}
		if err := w.insertPlain(ctx, list); err != nil {
			return err
		}
		return w.insertUnique(ctx, list)
	})
	if err != nil {
		return fmt.Errorf("phisql: saving index terms: %w", err)
	}
	return nil
}

// lockRow makes writers of one row's terms follow each other: each must see what the one
// before it left. It also keeps out RequireTerms, whose latest word it then checks. SQLite has
// one writer anyway.
func lockRow(ctx context.Context, tx *sqlkit.Tx, d sqlkit.Dialect, t audit.Tenant, terms phi.Terms) error {
	query := `SELECT lowest, needed FROM phi_index WHERE tenant = ?`
	if d == sqlkit.Postgres {
		var isolation string
		err := tx.Row(ctx, `SELECT current_setting('transaction_isolation') FROM
			(SELECT pg_advisory_xact_lock_shared(`+lockKey+`), pg_advisory_xact_lock(`+lockKey+`)) AS locks`,
			tenantLock(t), rowLock(t, terms.Entity)+terms.Row).Scan(&isolation)
		if err != nil {
			return err
		}
		// A host's transaction that began with an older view of the table is refused, instead of
		// being shown what the table said then.
		if isolation != "read committed" {
			query += ` FOR SHARE`
		}
	}
	var lowest, needed byte
	err := tx.Row(ctx, query, string(t)).Scan(&lowest, &needed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return terms.CheckEpochs(lowest, needed)
}

// lockKey is the number of an advisory lock. Those locks are the database's, in which other
// schemas may have tables and tenants of the same names: the table's number keeps them apart.
const lockKey = `hashtextextended(?, to_regclass('phi_term')::oid::bigint)`

func tenantLock(t audit.Tenant) string { return "phi_index\x1f" + string(t) }

func rowLock(t audit.Tenant, entity string) string {
	return strings.Join([]string{"phi_term", string(t), entity, ""}, "\x1f")
}

// compareTerms orders terms as they are written.
func compareTerms(a, b phi.Term) int {
	return cmp.Or(strings.Compare(a.Field, b.Field), bytes.Compare(a.Value, b.Value))
}

// writing is SaveTerms in its transaction.
type writing struct {
	tx      *sqlkit.Tx
	dialect sqlkit.Dialect
	tenant  audit.Tenant
	terms   phi.Terms
}

// insertPlain brings the row's terms that others may share up to date.
func (w writing) insertPlain(ctx context.Context, list []phi.Term) error {
	list = slices.DeleteFunc(slices.Clone(list), func(term phi.Term) bool { return term.Unique })
	if err := w.deleteOthers(ctx, `phi_term`, list); err != nil || len(list) == 0 {
		return err
	}
	var args []any
	for _, term := range list {
		args = append(args, string(w.tenant), w.terms.Entity, term.Field, term.Value, w.terms.Row)
	}
	_, err := w.tx.Exec(ctx, `INSERT INTO phi_term `+columns(len(list))+` ON CONFLICT DO NOTHING`, args...)
	return err
}

// insertUnique brings the row's unique terms up to date.
func (w writing) insertUnique(ctx context.Context, list []phi.Term) error {
	list = slices.DeleteFunc(slices.Clone(list), func(term phi.Term) bool { return !term.Unique })
	if err := w.deleteOthers(ctx, `phi_unique`, list); err != nil {
		return err
	}
	return claimEach(ctx, w.tx, w.tenant, w.terms, list)
}

// claim is the end of an INSERT of unique terms. The update in it concerns only a row that is
// this one already, so that no affected row means a duplicate.
const claim = ` ON CONFLICT (tenant, entity, field, term)
	DO UPDATE SET row_id = excluded.row_id WHERE phi_unique.row_id = excluded.row_id`

func claimEach(ctx context.Context, tx *sqlkit.Tx, t audit.Tenant, terms phi.Terms, list []phi.Term) error {
	for _, term := range list {
		n, err := tx.Exec(ctx, `INSERT INTO phi_unique `+columns(1)+claim,
			string(t), terms.Entity, term.Field, term.Value, terms.Row)
		if err != nil {
			return err
		}
		if n == 0 {
			return &phi.DuplicateError{Field: term.Field}
		}
	}
	return nil
}

// deleteOthers removes the row's terms that are not in keep.
func (w writing) deleteOthers(ctx context.Context, table string, keep []phi.Term) error {
	query := `DELETE FROM ` + byRow(w.dialect, table) + ` WHERE tenant = ? AND entity = ? AND row_id = ?`
	args := []any{string(w.tenant), w.terms.Entity, w.terms.Row}
	for _, term := range keep {
		query += ` AND NOT (field = ? AND term = ?)`
		args = append(args, term.Field, term.Value)
	}
	_, err := w.tx.Exec(ctx, query, args...)
	return err
}

// byRow names a table, and on SQLite the index by rows, which it would pass over for the primary
// key: that holds every column, and has it read all terms of the entity.
func byRow(d sqlkit.Dialect, table string) string {
	if d == sqlkit.SQLite {
		return table + ` INDEXED BY ` + table + `_row`
	}
	return table
}

// DeleteTerms removes every term of the row.
func (s *Terms) DeleteTerms(ctx context.Context, t audit.Tenant, entity, row string) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error { return deleteTerms(ctx, tx, t, entity, row) })
	if err != nil {
		return fmt.Errorf("phisql: deleting index terms: %w", err)
	}
	return nil
}

func deleteTerms(ctx context.Context, tx *sqlkit.Tx, t audit.Tenant, entity, row string) error {
	for _, table := range []string{`phi_term`, `phi_unique`} {
		_, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE tenant = ? AND entity = ? AND row_id = ?`,
			string(t), entity, row)
		if err != nil {
			return err
		}
	}
	return nil
}

// Lookup returns the ids of the rows that match, each once, in ascending order.
func (s *Terms) Lookup(ctx context.Context, t audit.Tenant, q phi.Query) ([]string, error) {
	query, args := subquery(t, q)
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("phisql: looking up: %w", err)
	}
	defer rows.Close()
	ids := []string{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("phisql: looking up: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("phisql: looking up: %w", err)
	}
	slices.Sort(ids) // by bytes, whatever the database's collation
	return slices.Compact(ids), nil
}

// Subquery returns a SELECT of the matching row ids and its arguments, for the host's own
// "WHERE id IN (…)". On PostgreSQL its placeholders are numbered from $first; with first 0
// they are question marks.
func (s *Terms) Subquery(t audit.Tenant, q phi.Query, first int) (query string, args []any) {
	query, args = subquery(t, q)
	if s.db.Dialect() != sqlkit.Postgres || first < 1 {
		return query, args
	}
	var b strings.Builder
	for _, r := range query {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		b.WriteString("$" + strconv.Itoa(first))
		first++
	}
	return b.String(), args
}

func subquery(t audit.Tenant, q phi.Query) (string, []any) {
	table, match := `phi_term`, `1 = 0`
	if q.Unique {
		table = `phi_unique`
	}
	args := []any{string(t), q.Entity, q.Field}
	if len(q.Terms) > 0 {
		match = `term IN ` + sqlkit.List(len(q.Terms))
	}
	for _, term := range q.Terms {
		args = append(args, term)
	}
	return `SELECT row_id FROM ` + table + ` WHERE tenant = ? AND entity = ? AND field = ? AND ` + match, args
}
