package phisql

import (
	"bytes"
	"cmp"
	"context"
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
	slices.SortFunc(list, func(a, b phi.Term) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), bytes.Compare(a.Value, b.Value))
	})
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := deleteTerms(ctx, tx, t, terms.Entity, terms.Row); err != nil {
			return err
		}
		for _, term := range list {
			if err := insert(ctx, tx, t, terms, term); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("phisql: saving index terms: %w", err)
	}
	return nil
}

func insert(ctx context.Context, tx *sqlkit.Tx, t audit.Tenant, terms phi.Terms, term phi.Term) error {
	table := `phi_term`
	if term.Unique {
		table = `phi_unique`
	}
	n, err := tx.Exec(ctx, `INSERT INTO `+table+` (tenant, entity, field, term, row_id)
		VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		string(t), terms.Entity, term.Field, term.Value, terms.Row)
	if err == nil && n == 0 && term.Unique {
		return &phi.DuplicateError{Field: term.Field}
	}
	return err
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
