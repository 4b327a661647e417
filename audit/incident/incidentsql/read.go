package incidentsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const (
	selectCase   = `SELECT tenant, id, number, version, active, body FROM incident_case WHERE tenant = ? AND id = ?`
	selectAll    = `SELECT tenant, id, number, version, active, body FROM incident_case WHERE tenant = ? AND number < ? ORDER BY number DESC LIMIT ?`
	selectActive = `SELECT tenant, id, number, version, active, body FROM incident_case
		WHERE tenant = ? AND active = 1 AND number < ? ORDER BY number DESC LIMIT ?`
	selectLines  = `SELECT seq, body FROM incident_line WHERE tenant = ? AND id = ? AND seq > ? ORDER BY seq LIMIT ?`
	selectPeople = `SELECT person, body FROM incident_person WHERE tenant = ? AND id = ? AND person > ? ORDER BY person LIMIT ?`
)

// page is how many rows one query of a list reads.
const page = 200

// Get implements incident.Store.
func (s *Store) Get(ctx context.Context, t audit.Tenant, id string) (incident.Row, error) {
	var r incident.Row
	var active int64
	err := s.db.Get(ctx, []any{&r.Tenant, &r.ID, &r.Number, &r.Version, &active, &r.Body}, selectCase, string(t), id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return incident.Row{}, incident.ErrNotFound
	case err != nil:
		return incident.Row{}, fmt.Errorf("incidentsql: reading a case: %w", err)
	}
	r.Active = active == 1
	return r, nil
}

// List implements incident.Store. Like the others it reads page by page and holds no connection
// while it yields.
func (s *Store) List(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
	query := selectAll
	if active {
		query = selectActive
	}
	scan := func(rows *sqlkit.Rows) (r incident.Row, err error) {
		var flag int64
		err = rows.Scan(&r.Tenant, &r.ID, &r.Number, &r.Version, &flag, &r.Body)
		r.Active = flag == 1
		return r, err
	}
	return pages(ctx, s, query, []any{string(t), below}, scan, func(r incident.Row) any { return r.Number })
}

// Lines implements incident.Store.
func (s *Store) Lines(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[incident.Line, error] {
	scan := func(rows *sqlkit.Rows) (l incident.Line, err error) { return l, rows.Scan(&l.Seq, &l.Body) }
	return pages(ctx, s, selectLines, []any{string(t), id, after}, scan, func(l incident.Line) any { return l.Seq })
}

// People implements incident.Store.
func (s *Store) People(ctx context.Context, t audit.Tenant, id string) iter.Seq2[incident.Person, error] {
	scan := func(rows *sqlkit.Rows) (p incident.Person, err error) { return p, rows.Scan(&p.Key, &p.Body) }
	return pages(ctx, s, selectPeople, []any{string(t), id, []byte{}}, scan, func(p incident.Person) any { return p.Key })
}

// pages yields what a query lists, page by page; the last of args is where a page begins.
func pages[T any](ctx context.Context, s *Store, query string, args []any, scan func(*sqlkit.Rows) (T, error), mark func(T) any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		at := append([]any(nil), args...)
		for {
			found, err := onePage(ctx, s, query, append(at, page), scan)
			if err != nil {
				var zero T
				yield(zero, fmt.Errorf("incidentsql: listing: %w", err))
				return
			}
			for _, one := range found {
				if !yield(one, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
			at[len(at)-1] = mark(found[len(found)-1])
		}
	}
}

func onePage[T any](ctx context.Context, s *Store, query string, args []any, scan func(*sqlkit.Rows) (T, error)) ([]T, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, rows.Err()
}
