// Package reviewsql keeps package review's findings, settings and memory in SQLite or PostgreSQL,
// over database/sql and whatever driver the host chose; usually the database of the events.
//
//	store, err := reviewsql.SQLite(db) // or reviewsql.Postgres(db)
//	err = store.Migrate(ctx)
//	reviewer, err := review.New(events, store, log, sealer, nil)
//
// It protects against two servers, or a server and a person, that change the same thing at once:
// each write carries the version that it was made of. It does not protect against whoever can write
// to the database: that a finding was made, and what became of it, is in the log too. Stored
// formats and migrations never break; release N−1 runs on the tables of release N.
package reviewsql

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migrations, migrations/sqlite and migrations/postgres, for
// hosts that run them with their own tool.
func Migrations() fs.FS { return migrations }

// ErrUnsafeEngine: the database is set up so that an acknowledged commit could be lost. The
// error's text says what to change.
var ErrUnsafeEngine = sqlkit.ErrUnsafeEngine

// Store is a review.Store in a SQL database. It is safe for concurrent use.
type Store struct{ db *sqlkit.DB }

var _ review.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database. It does not connect.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database. It does not connect.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(pool *sql.DB, d sqlkit.Dialect) (*Store, error) {
	db, err := sqlkit.Open(pool, d)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// Migrate creates or updates the tables. It may run at any time and from several processes at
// once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "audit_review", migrations, "migrations")
}

const (
	insertPlace = `INSERT INTO audit_review_place (tenant, version, next, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`
	updatePlace = `UPDATE audit_review_place SET version = ?, next = ?, data = ? WHERE tenant = ? AND version = ?`
	upsertActor = `INSERT INTO audit_review_actor (tenant, actor, data) VALUES (?, ?, ?)
		ON CONFLICT (tenant, actor) DO UPDATE SET data = excluded.data`
	insertFinding = `INSERT INTO audit_review_finding (tenant, id, version, rule, actor, state, place, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	updateFinding = `UPDATE audit_review_finding SET version = ?, rule = ?, actor = ?, state = ?, place = ?, body = ?
		WHERE tenant = ? AND id = ? AND version = ?`
	insertSettings = `INSERT INTO audit_review_settings (tenant, version, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	updateSettings = `UPDATE audit_review_settings SET version = ?, data = ? WHERE tenant = ? AND version = ?`
)

// Place implements review.Store.
func (s *Store) Place(ctx context.Context, t audit.Tenant) (review.Place, error) {
	p := review.Place{Tenant: t}
	err := s.db.Get(ctx, []any{&p.Version, &p.Next, &p.Data}, `SELECT version, next, data FROM audit_review_place WHERE tenant = ?`, string(t))
	if errors.Is(err, sql.ErrNoRows) {
		return review.Place{}, nil
	}
	return p, err
}

// Actors implements review.Store.
func (s *Store) Actors(ctx context.Context, t audit.Tenant, ids []audit.ActorID) ([]review.Actor, error) {
	args := []any{string(t)}
	for _, id := range ids {
		args = append(args, string(id))
	}
	rows, err := s.db.Query(ctx, `SELECT actor, data FROM audit_review_actor WHERE tenant = ? AND actor IN `+sqlkit.List(len(ids)), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []review.Actor
	for rows.Next() {
		var a review.Actor
		if err := rows.Scan(&a.ID, &a.Data); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// Commit implements review.Store. The row of the place is locked first, so two at once do not wait
// for each other elsewhere.
func (s *Store) Commit(ctx context.Context, c review.Commit) error {
	return s.write(ctx, func(tx *sqlkit.Tx) error {
		p := c.Place
		if p.Version == 1 {
			if err := one(tx.Exec(ctx, insertPlace, string(p.Tenant), p.Version, p.Next, blob(p.Data))); err != nil {
				return err
			}
		} else if err := one(tx.Exec(ctx, updatePlace, p.Version, p.Next, blob(p.Data), string(p.Tenant), p.Version-1)); err != nil {
			return err
		}
		for _, a := range c.Actors {
			if _, err := tx.Exec(ctx, upsertActor, string(p.Tenant), string(a.ID), blob(a.Data)); err != nil {
				return err
			}
		}
		for i := range c.Findings {
			if err := put(ctx, tx, &c.Findings[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// put stores a finding under its condition.
func put(ctx context.Context, tx *sqlkit.Tx, f *review.Finding) error {
	body, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if f.Version == 1 {
		return one(tx.Exec(ctx, insertFinding, string(f.Tenant), f.ID, f.Version, string(f.Rule), string(f.Actor), string(f.State), f.Index, body))
	}
	return one(tx.Exec(ctx, updateFinding, f.Version, string(f.Rule), string(f.Actor), string(f.State), f.Index, body,
		string(f.Tenant), f.ID, f.Version-1))
}

// one makes a conflict of a condition that no row met.
func one(n int64, err error) error {
	if err == nil && n != 1 {
		return review.ErrConflict
	}
	return err
}

// blob is never NULL.
func blob(b []byte) []byte { return append([]byte{}, b...) }

// write runs f in a transaction that is on disk when it has succeeded.
func (s *Store) write(ctx context.Context, f func(*sqlkit.Tx) error) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.durable(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
}

func (s *Store) durable(ctx context.Context, tx *sqlkit.Tx) error {
	if s.db.Dialect() == sqlkit.Postgres {
		_, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`)
		return err
	}
	var level int // 2 is FULL, 3 is EXTRA
	if err := tx.Row(ctx, `PRAGMA synchronous`).Scan(&level); err != nil {
		return err
	}
	if level < 2 {
		return fmt.Errorf("%w: synchronous must be FULL on every connection", ErrUnsafeEngine)
	}
	return nil
}

// Finding implements review.Store.
func (s *Store) Finding(ctx context.Context, t audit.Tenant, id string) (review.Finding, error) {
	var body []byte
	err := s.db.Get(ctx, []any{&body}, `SELECT body FROM audit_review_finding WHERE tenant = ? AND id = ?`, string(t), id)
	if errors.Is(err, sql.ErrNoRows) {
		return review.Finding{}, review.ErrNotFound
	}
	if err != nil {
		return review.Finding{}, err
	}
	return read(body)
}

func read(body []byte) (f review.Finding, err error) {
	if json.Unmarshal(body, &f) != nil {
		return review.Finding{}, errors.New("reviewsql: a finding is not what was stored")
	}
	return f, nil
}

// List implements review.Store.
func (s *Store) List(ctx context.Context, f review.Filter) iter.Seq2[review.Finding, error] {
	return func(yield func(review.Finding, error) bool) {
		page, err := s.page(ctx, f)
		if err != nil {
			yield(review.Finding{}, err)
			return
		}
		for _, one := range page {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// page reads findings, so that no connection is held while the caller looks at one.
func (s *Store) page(ctx context.Context, f review.Filter) ([]review.Finding, error) {
	var q strings.Builder
	q.WriteString(`SELECT body FROM audit_review_finding WHERE tenant = ?`)
	args := []any{string(f.Tenant)}
	if len(f.States) > 0 {
		q.WriteString(` AND state IN ` + sqlkit.List(len(f.States)))
		for _, state := range f.States {
			args = append(args, string(state))
		}
	}
	if f.Rule != "" {
		q.WriteString(` AND rule = ?`)
		args = append(args, string(f.Rule))
	}
	if f.Actor != "" {
		q.WriteString(` AND actor = ?`)
		args = append(args, string(f.Actor))
	}
	if f.Below != (review.Mark{}) {
		q.WriteString(` AND (place, id) < (?, ?)`)
		args = append(args, f.Below.Index, f.Below.ID)
	}
	q.WriteString(` ORDER BY place DESC, id DESC LIMIT ?`)
	rows, err := s.db.Query(ctx, q.String(), append(args, f.Limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []review.Finding
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		one, err := read(body)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// Update implements review.Store.
func (s *Store) Update(ctx context.Context, f review.Finding) error {
	if f.Version < 2 {
		return review.ErrConflict
	}
	return s.write(ctx, func(tx *sqlkit.Tx) error { return put(ctx, tx, &f) })
}

// Count implements review.Store.
func (s *Store) Count(ctx context.Context, t audit.Tenant) (map[review.State]int, error) {
	rows, err := s.db.Query(ctx, `SELECT state, COUNT(*) FROM audit_review_finding WHERE tenant = ? GROUP BY state`, string(t))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[review.State]int{}
	for rows.Next() {
		var state review.State
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		out[state] = n
	}
	return out, rows.Err()
}

// Settings implements review.Store.
func (s *Store) Settings(ctx context.Context, t audit.Tenant) (review.Settings, error) {
	var (
		version int64
		data    []byte
		out     review.Settings
	)
	err := s.db.Get(ctx, []any{&version, &data}, `SELECT version, data FROM audit_review_settings WHERE tenant = ?`, string(t))
	if errors.Is(err, sql.ErrNoRows) {
		return review.Settings{}, nil
	}
	if err != nil {
		return review.Settings{}, err
	}
	if json.Unmarshal(data, &out) != nil {
		return review.Settings{}, errors.New("reviewsql: settings are not what was stored")
	}
	out.Version = version
	return out, nil
}

// SaveSettings implements review.Store.
func (s *Store) SaveSettings(ctx context.Context, t audit.Tenant, settings review.Settings) error {
	data, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sqlkit.Tx) error {
		if settings.Version == 1 {
			return one(tx.Exec(ctx, insertSettings, string(t), settings.Version, data))
		}
		return one(tx.Exec(ctx, updateSettings, settings.Version, data, string(t), settings.Version-1))
	})
}
