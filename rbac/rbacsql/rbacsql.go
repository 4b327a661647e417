// Package rbacsql keeps role grants and what tenants switched in SQLite or PostgreSQL, and asks care relations that the
// host keeps there, over database/sql and without importing a driver.
//
//	store, err := rbacsql.Postgres(db)
//	err = store.Migrate(ctx)
//	own, err := store.Relation(rbac.TableRelation{Table: "care_team", Tenant: "tenant", Subject: "therapist", Object: "patient", Until: "until_at"})
//	policy, err := rbac.Compile(rbac.Rules{Relations: rbac.Relations{Own: own}, …})
//	z, err := rbac.New(policy, store, log, nil)
//
// A request costs one read of the grants by index. Any number of servers may share the
// database: what one revokes is void on all of them with the next request. A read replica
// that lags behind breaks that promise: use the primary.
//
// The tables, rbac_grant, rbac_version and rbac_toggles, hold identifiers, role names, codes and times, and
// nothing that anybody typed. Released migrations never change.
package rbacsql

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
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migration files, in migrations/sqlite and
// migrations/postgres, for hosts that apply them with a tool of their own.
func Migrations() fs.FS { return migrations }

// Store is an rbac.Store in a SQL database.
type Store struct{ db *sqlkit.DB }

var _ rbac.Store = (*Store)(nil)

// SQLite returns a Store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a Store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("rbacsql: %w", err)
	}
	return &Store{kit}, nil
}

// Migrate brings the tables up to date. Several processes may do so at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "rbac", migrations, "migrations")
}

// WithTx returns a Store that works inside the host's transaction: it uses savepoints and
// never commits, so that a grant and the host's own rows are written together or not at all.
func (s *Store) WithTx(tx *sql.Tx) *Store { return &Store{s.db.Join(tx)} }

const columns = `id, tenant, person, role, practices, from_at, until_at, granted_by, why, created, ended, ended_by, source, reach`

const (
	selectPerson = `SELECT ` + columns + ` FROM rbac_grant WHERE tenant = ? AND person = ? AND ended = 0 ORDER BY id`
	selectHeld   = `SELECT ` + columns + ` FROM rbac_grant WHERE tenant = ? AND ended = 0 AND role IN (`
	selectPage   = `SELECT ` + columns + ` FROM rbac_grant WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`
	getVersion   = `SELECT version FROM rbac_version WHERE tenant = ?`
	firstVersion = `INSERT INTO rbac_version (tenant, version) VALUES (?, 1) ON CONFLICT DO NOTHING`
	nextVersion  = `UPDATE rbac_version SET version = version + 1 WHERE tenant = ? AND version = ?`
	insertGrant  = `INSERT INTO rbac_grant (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	endGrant     = `UPDATE rbac_grant SET ended = ?, ended_by = ? WHERE tenant = ? AND id = ? AND ended = 0`
)

// page is how many rows List reads at a time: no statement stays open between them.
const page = 200

// Grants implements rbac.Store.
func (s *Store) Grants(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
	grants, err := s.read(ctx, selectPerson, string(t), string(person))
	if err != nil {
		return nil, fmt.Errorf("rbacsql: reading grants: %w", err)
	}
	return grants, nil
}

// Holders implements rbac.Store.
func (s *Store) Holders(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error) {
	if err := ctx.Err(); err != nil || len(roles) == 0 {
		return nil, err
	}
	args := []any{string(t)}
	for _, r := range roles {
		args = append(args, string(r))
	}
	marks := strings.Repeat(", ?", len(roles))[2:]
	grants, err := s.read(ctx, selectHeld+marks+") ORDER BY id", args...)
	if err != nil {
		return nil, fmt.Errorf("rbacsql: reading holders: %w", err)
	}
	return grants, nil
}

// List implements rbac.Store.
func (s *Store) List(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error] {
	return func(yield func(rbac.Grant, error) bool) {
		for {
			grants, err := s.read(ctx, selectPage, string(t), after, page)
			if err != nil {
				yield(rbac.Grant{}, fmt.Errorf("rbacsql: listing grants: %w", err))
				return
			}
			for _, g := range grants {
				if !yield(g, nil) {
					return
				}
				after = g.ID
			}
			if len(grants) < page {
				return
			}
		}
	}
}

// Version implements rbac.Store.
func (s *Store) Version(ctx context.Context, t audit.Tenant) (int64, error) {
	var v int64
	err := s.db.Get(ctx, []any{&v}, getVersion, string(t))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("rbacsql: reading the version of grants: %w", err)
	}
	return v, nil
}

// Apply implements rbac.Store.
func (s *Store) Apply(ctx context.Context, t audit.Tenant, ifVersion int64, c rbac.Change) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error { return apply(ctx, tx, t, ifVersion, c) })
	switch {
	case errors.Is(err, rbac.ErrConflict), errors.Is(err, rbac.ErrGrantExists), errors.Is(err, rbac.ErrNoGrant):
		return err
	case err != nil:
		return fmt.Errorf("rbacsql: changing grants: %w", err)
	}
	return nil
}

func apply(ctx context.Context, tx *sqlkit.Tx, t audit.Tenant, ifVersion int64, c rbac.Change) error {
	err := one(rbac.ErrConflict)(advance(ctx, tx, t, ifVersion))
	if err != nil {
		return err
	}
	for _, e := range c.End { // before Add: what a change adds it cannot end
		err := one(rbac.ErrNoGrant)(tx.Exec(ctx, endGrant, sqlkit.Micros(e.At), string(e.By), string(t), e.ID))
		if err != nil {
			return err
		}
	}
	for _, g := range c.Add {
		if err := add(ctx, tx, t, g); err != nil {
			return err
		}
	}
	return nil
}

func add(ctx context.Context, tx *sqlkit.Tx, t audit.Tenant, g rbac.Grant) error {
	practices, err := json.Marshal(g.Practices)
	if err != nil {
		return err
	}
	wide, err := json.Marshal(reach{g.Locations, g.Queues})
	if err != nil {
		return err
	}
	return one(rbac.ErrGrantExists)(tx.Exec(ctx, insertGrant,
		g.ID, string(t), string(g.Person), string(g.Role), string(practices),
		sqlkit.Micros(g.From), sqlkit.Micros(g.Until), string(g.By), g.Why,
		sqlkit.Micros(g.Created), sqlkit.Micros(g.Ended), string(g.EndedBy),
		string(g.Source), string(wide)))
}

// advance counts the tenant's version up, if it still is what the caller saw.
func advance(ctx context.Context, tx *sqlkit.Tx, t audit.Tenant, ifVersion int64) (int64, error) {
	if ifVersion == 0 {
		return tx.Exec(ctx, firstVersion, string(t))
	}
	return tx.Exec(ctx, nextVersion, string(t), ifVersion)
}

// one returns a function that turns "no row was affected" into err.
func one(none error) func(int64, error) error {
	return func(n int64, err error) error {
		if err == nil && n == 0 {
			return none
		}
		return err
	}
}

func (s *Store) read(ctx context.Context, query string, args ...any) ([]rbac.Grant, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []rbac.Grant
	for rows.Next() {
		g, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

// reach is what a grant reaches beside its practices, as one column: another dimension needs
// no other. Names that this release does not know are for scopes that it does not know either.
type reach struct {
	Locations []rbac.LocationID `json:"locations,omitempty"`
	Queues    []rbac.QueueID    `json:"queues,omitempty"`
}

func scan(rows *sqlkit.Rows) (g rbac.Grant, err error) {
	var practices, wide string
	var from, until, created, ended int64
	err = rows.Scan(&g.ID, &g.Tenant, &g.Person, &g.Role, &practices,
		&from, &until, &g.By, &g.Why, &created, &ended, &g.EndedBy, &g.Source, &wide)
	if err != nil {
		return g, err
	}
	g.From, g.Until = sqlkit.Time(from), sqlkit.Time(until)
	g.Created, g.Ended = sqlkit.Time(created), sqlkit.Time(ended)
	var r reach
	if json.Unmarshal([]byte(practices), &g.Practices) != nil || json.Unmarshal([]byte(wide), &r) != nil {
		return g, errors.New("what a grant reaches cannot be read")
	}
	g.Locations, g.Queues = r.Locations, r.Queues
	return g, nil
}
