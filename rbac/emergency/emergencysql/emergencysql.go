// Package emergencysql keeps emergency access in SQLite or PostgreSQL, through database/sql and whichever
// driver the host imports:
//
//	store, err := emergencysql.Postgres(db)
//	err = store.Migrate(ctx)
//	relation, err := store.Relation() // for rbac.Relations.Emergency
//	desk, err := emergency.New(emergency.Parts[Patient]{Store: store, …}, nil)
//
// Its table, emergency_grant, holds identifiers, codes and times, and nothing that anybody typed. It
// refers to no other table. Any number of servers may share the database: what one ends is over on all
// of them with the next request. A read replica that lags behind breaks that promise: use the primary.
// Released migrations never change.
package emergencysql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
	"github.com/wardkit/wardkit/rbac/rbacsql"
)

//go:embed migrations
var files embed.FS

// Store is an emergency.Store in a SQL database. It is safe for concurrent use, on any number of
// servers.
type Store struct {
	db   *sqlkit.DB
	pool *sql.DB
	d    rbac.Dialect
}

var _ emergency.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite, rbac.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres, rbac.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect, as rbac.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("emergencysql: %w", err)
	}
	return &Store{kit, db, as}, nil
}

// Migrations returns the migrations, in the folders sqlite and postgres, for hosts that run
// them with a tool of their own.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return files // not reached: the folder is embedded
	}
	return sub
}

// Migrate creates the table or brings it up to date. Several servers may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "emergency", files, "migrations")
}

// Relation returns the open grants for rbac.Relations.Emergency. The table has to be in the database in
// which lists with its condition run.
func (s *Store) Relation() (*rbacsql.EmergencyRelation, error) {
	return rbacsql.EmergencyTable(s.pool, s.d, rbac.TableRelation{
		Table: "emergency_grant", Tenant: "tenant", Subject: "person", Object: "patient", From: "opened", Until: "live_until", ID: "id",
	})
}

const columns = `id, tenant, person, number, patient, reason, again, opened, until_at, due, ended, ended_by,
	verdict, reviewer, reviewed, told, limited, limited_told, reminders, reminded, version`

const (
	selectOne = `SELECT ` + columns + ` FROM emergency_grant WHERE tenant = ? AND id = ?`
	selectOf  = `SELECT ` + columns + ` FROM emergency_grant WHERE tenant = ? AND person = ? AND (number < ? OR ? = 0) ORDER BY number DESC LIMIT ?`
	selectAll = `SELECT ` + columns + ` FROM emergency_grant WHERE tenant = ? AND (id < ? OR ? = '') ORDER BY id DESC LIMIT ?`
	// maintenance: what is due in every tenant
	selectDue        = `SELECT ` + columns + ` FROM emergency_grant WHERE pending = 1 AND (id < ? OR ? = '') ORDER BY id DESC LIMIT ?`
	selectPending    = `SELECT ` + columns + ` FROM emergency_grant WHERE tenant = ? AND pending = 1 AND (id < ? OR ? = '') ORDER BY id DESC LIMIT ?`
	selectLastNumber = `SELECT COALESCE(MAX(number), 0) FROM emergency_grant WHERE tenant = ? AND person = ?`
	insertGrant      = `INSERT INTO emergency_grant (` + columns + `, live_until, pending)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	updateGrant = `UPDATE emergency_grant SET reason = ?, again = ?, until_at = ?, due = ?, ended = ?, ended_by = ?, verdict = ?, reviewer = ?,
		reviewed = ?, told = ?, limited = ?, limited_told = ?, reminders = ?, reminded = ?, version = ?, pending = ?,
		live_until = CASE WHEN CAST(? AS BIGINT) = 0 THEN CAST(? AS BIGINT) ELSE opened END
		WHERE tenant = ? AND id = ? AND version = ?`
)

// page is how many rows one query of a list reads.
const page = 200

// Get implements emergency.Store.
func (s *Store) Get(ctx context.Context, t audit.Tenant, id string) (emergency.Grant, error) {
	var r row
	err := s.db.Get(ctx, r.fields(), selectOne, string(t), id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return emergency.Grant{}, emergency.ErrNotFound
	case err != nil:
		return emergency.Grant{}, fmt.Errorf("emergencysql: reading a grant: %w", err)
	}
	return r.grant(), nil
}

// Create implements emergency.Store.
func (s *Store) Create(ctx context.Context, g emergency.Grant) error {
	g.Version = 1
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		var last int64
		if err := tx.Row(ctx, selectLastNumber, string(g.Tenant), string(g.Person)).Scan(&last); err != nil {
			return err
		}
		if g.Number != last+1 {
			return emergency.ErrConflict
		}
		live := g.Until
		if !g.Ended.IsZero() {
			live = g.Opened
		}
		n, err := tx.Exec(ctx, insertGrant,
			g.ID, string(g.Tenant), string(g.Person), g.Number, string(g.Patient), g.Reason, g.Again,
			sqlkit.Micros(g.Opened), sqlkit.Micros(g.Until), sqlkit.Micros(g.Due), sqlkit.Micros(g.Ended), string(g.By),
			string(g.Verdict), string(g.Reviewer), sqlkit.Micros(g.Reviewed), sqlkit.Micros(g.Told), sqlkit.Micros(g.Limited),
			sqlkit.Micros(g.LimitedTold), int64(g.Reminders), sqlkit.Micros(g.Reminded), g.Version, sqlkit.Micros(live), flag(g.Pending()))
		if err == nil && n == 0 {
			return emergency.ErrConflict
		}
		return err
	})
	return conflict("opening", err)
}

// Update implements emergency.Store.
func (s *Store) Update(ctx context.Context, g emergency.Grant) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err := tx.Exec(ctx, updateGrant,
			g.Reason, g.Again, sqlkit.Micros(g.Until), sqlkit.Micros(g.Due), sqlkit.Micros(g.Ended), string(g.By), string(g.Verdict), string(g.Reviewer),
			sqlkit.Micros(g.Reviewed), sqlkit.Micros(g.Told), sqlkit.Micros(g.Limited), sqlkit.Micros(g.LimitedTold),
			int64(g.Reminders), sqlkit.Micros(g.Reminded), g.Version, flag(g.Pending()),
			sqlkit.Micros(g.Ended), sqlkit.Micros(g.Until), string(g.Tenant), g.ID, g.Version-1)
		if err == nil && n == 0 {
			return emergency.ErrConflict
		}
		return err
	})
	return conflict("changing a grant", err)
}

func conflict(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, emergency.ErrConflict):
		return emergency.ErrConflict
	}
	return fmt.Errorf("emergencysql: %s: %w", what, err)
}

// Of implements emergency.Store. Like List it reads page by page and holds no connection while it yields.
func (s *Store) Of(ctx context.Context, t audit.Tenant, person audit.ActorID, below int64) iter.Seq2[emergency.Grant, error] {
	return s.pages(ctx, func(last *emergency.Grant) (string, []any) {
		if last != nil {
			below = last.Number
		}
		return selectOf, []any{string(t), string(person), below, below, page}
	})
}

// List implements emergency.Store.
func (s *Store) List(ctx context.Context, t audit.Tenant, pending bool, below string) iter.Seq2[emergency.Grant, error] {
	return s.pages(ctx, func(last *emergency.Grant) (string, []any) {
		if last != nil {
			below = last.ID
		}
		switch {
		case t == "" && pending:
			return selectDue, []any{below, below, page}
		case pending:
			return selectPending, []any{string(t), below, below, page}
		}
		return selectAll, []any{string(t), below, below, page}
	})
}

// pages yields what queries find, page by page.
func (s *Store) pages(ctx context.Context, query func(last *emergency.Grant) (string, []any)) iter.Seq2[emergency.Grant, error] {
	return func(yield func(emergency.Grant, error) bool) {
		var last *emergency.Grant
		for {
			text, args := query(last)
			found, err := s.read(ctx, text, args)
			if err != nil {
				yield(emergency.Grant{}, fmt.Errorf("emergencysql: listing: %w", err))
				return
			}
			for _, g := range found {
				if !yield(g, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
			last = &found[len(found)-1]
		}
	}
}

func (s *Store) read(ctx context.Context, query string, args []any) ([]emergency.Grant, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []emergency.Grant
	for rows.Next() {
		var r row
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, err
		}
		out = append(out, r.grant())
	}
	return out, rows.Err()
}

// row is a grant as it is read.
type row struct {
	g                                                                                    emergency.Grant
	opened, until, due, ended, reviewed, told, limited, limitedTold, reminders, reminded int64
}

func (r *row) fields() []any {
	g := &r.g
	return []any{
		&g.ID, &g.Tenant, &g.Person, &g.Number, &g.Patient, &g.Reason, &g.Again, &r.opened, &r.until, &r.due, &r.ended, &g.By,
		&g.Verdict, &g.Reviewer, &r.reviewed, &r.told, &r.limited, &r.limitedTold, &r.reminders, &r.reminded, &g.Version,
	}
}

func (r *row) grant() emergency.Grant {
	g := r.g
	g.Opened, g.Until, g.Due, g.Ended = sqlkit.Time(r.opened), sqlkit.Time(r.until), sqlkit.Time(r.due), sqlkit.Time(r.ended)
	g.Reviewed, g.Told, g.Limited, g.LimitedTold = sqlkit.Time(r.reviewed), sqlkit.Time(r.told), sqlkit.Time(r.limited), sqlkit.Time(r.limitedTold)
	g.Reminders, g.Reminded = int(r.reminders), sqlkit.Time(r.reminded)
	return g
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
