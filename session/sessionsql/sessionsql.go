// Package sessionsql keeps sessions in SQLite or PostgreSQL, over database/sql and without
// importing a driver.
//
//	store, err := sessionsql.Postgres(db)
//	err = store.Migrate(ctx)
//	sessions, err := session.New(store, log, session.RemoteAddr, nil)
//
// A request costs one read by primary key. Conditions are part of the statements, so any
// number of servers may share the database, and what one ends is dead on all of them by the
// next request. A read replica that lags behind breaks that promise: use the primary.
//
// The one table, session_row, keeps the SHA-256 of each token and identifiers; no token, no
// name, and no address of a patient. Released migrations never change.
package sessionsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migration files, in migrations/sqlite and
// migrations/postgres, for hosts that apply them with a tool of their own.
func Migrations() fs.FS { return migrations }

// Store is a session.Store in a SQL database.
type Store struct{ db *sqlkit.DB }

var _ session.Store = (*Store)(nil)

// SQLite returns a Store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a Store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("sessionsql: %w", err)
	}
	return &Store{kit}, nil
}

// Migrate brings the tables up to date. Several processes may do so at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "session", migrations, "migrations")
}

// WithTx returns a Store that works inside the host's transaction: it uses savepoints and
// never commits, so that ending sessions and the change that asks for it are one.
func (s *Store) WithTx(tx *sql.Tx) *Store { return &Store{s.db.Join(tx)} }

const columns = `id, tenant, person, kind, on_behalf_of, organization, auth_time, methods, assurance,
	phishing_resistant, origin, device, created, last_seen, idle_ends, ends, ended, reason`

const insert = `INSERT INTO session_row (hash, ` + columns + `)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT DO NOTHING`

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) error {
	v := &r.Session
	n, err := s.db.Exec(ctx, insert, r.Key.Hash[:],
		v.ID, string(v.Tenant), string(v.Person), string(v.Kind), string(v.OnBehalfOf), v.Organization,
		sqlkit.Micros(v.AuthTime), strings.Join(v.Methods, " "), int64(v.Assurance), number(v.PhishingResistant),
		address(v.Origin), v.Device, sqlkit.Micros(v.Created), sqlkit.Micros(v.LastSeen),
		sqlkit.Micros(v.IdleEnds), sqlkit.Micros(v.Ends), sqlkit.Micros(v.Ended), v.Reason)
	if err != nil {
		return fmt.Errorf("sessionsql: creating a session: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("sessionsql: %w", session.ErrExists)
	}
	return nil
}

const byHash = `SELECT ` + columns + ` FROM session_row WHERE hash = ?`

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, k session.Key) (session.Session, error) {
	var r row
	err := s.db.Get(ctx, r.dest(), byHash, k.Hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return session.Session{}, fmt.Errorf("sessionsql: %w", session.ErrNotFound)
	}
	if err != nil {
		return session.Session{}, fmt.Errorf("sessionsql: reading a session: %w", err)
	}
	return r.session()
}

// touch leaves a session alone that was seen later, but counts it: both columns move
// together or not at all.
const touch = `UPDATE session_row SET
	idle_ends = CASE WHEN last_seen < ? THEN ? ELSE idle_ends END,
	last_seen = CASE WHEN last_seen < ? THEN ? ELSE last_seen END
	WHERE hash = ? AND ended = 0 AND idle_ends > ? AND ends > ?`

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, k session.Key, seen, idleEnds time.Time) (bool, error) {
	at := sqlkit.Micros(seen)
	n, err := s.db.Exec(ctx, touch, at, sqlkit.Micros(idleEnds), at, at, k.Hash[:], at, at)
	if err != nil {
		return false, fmt.Errorf("sessionsql: touching a session: %w", err)
	}
	return n == 1, nil
}

const revoke = `UPDATE session_row SET ended = ?, reason = ? WHERE tenant = ? AND person = ? AND ended = 0`

// Revoke implements session.Store.
func (s *Store) Revoke(ctx context.Context, which session.Selection, at time.Time, reason string) (int, error) {
	if sqlkit.Micros(at) == 0 { // means not ended
		return 0, errors.New("sessionsql: revoking at the zero time")
	}
	query, args := revoke, []any{sqlkit.Micros(at), reason, string(which.Tenant), string(which.Person)}
	if which.ID != "" {
		query, args = query+` AND id = ?`, append(args, which.ID)
	}
	if which.Except != "" {
		query, args = query+` AND id <> ?`, append(args, which.Except)
	}
	n, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("sessionsql: ending sessions: %w", err)
	}
	return int(n), nil
}

const list = `SELECT ` + columns + ` FROM session_row
	WHERE tenant = ? AND person = ? AND ended = 0 AND idle_ends > ? AND ends > ?
	ORDER BY created DESC, id DESC`

// List implements session.Store. It has read the person's sessions before it yields the
// first, so that the caller may use the same transaction meanwhile.
func (s *Store) List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[session.Session, error] {
	return func(yield func(session.Session, error) bool) {
		all, err := s.list(ctx, t, person, now)
		if err != nil {
			yield(session.Session{}, fmt.Errorf("sessionsql: listing sessions: %w", err))
			return
		}
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (s *Store) list(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) ([]session.Session, error) {
	at := sqlkit.Micros(now)
	rows, err := s.db.Query(ctx, list, string(t), string(person), at, at)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []session.Session
	for rows.Next() {
		var r row
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		v, err := r.session()
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// row is a session as its columns hold it.
type row struct {
	v                                                    session.Session
	methods, origin                                      string
	assurance, resistant                                 int64
	authTime, created, lastSeen, idleEnds, ends, endedAt int64
}

func (r *row) dest() []any {
	v := &r.v
	return []any{
		&v.ID, &v.Tenant, &v.Person, &v.Kind, &v.OnBehalfOf, &v.Organization, &r.authTime, &r.methods,
		&r.assurance, &r.resistant, &r.origin, &v.Device, &r.created, &r.lastSeen, &r.idleEnds, &r.ends,
		&r.endedAt, &v.Reason,
	}
}

// session refuses a row that nobody here wrote, rather than guess what it means.
func (r *row) session() (session.Session, error) {
	v := r.v
	if r.assurance < int64(audit.AAL1) || r.assurance > int64(audit.AAL3) || !v.Kind.Valid() {
		return session.Session{}, errors.New("sessionsql: a row is damaged")
	}
	if r.origin != "" {
		a, err := netip.ParseAddr(r.origin)
		if err != nil {
			return session.Session{}, errors.New("sessionsql: a row is damaged")
		}
		v.Origin = a
	}
	if r.methods != "" {
		v.Methods = strings.Split(r.methods, " ")
	}
	v.Assurance, v.PhishingResistant = audit.Assurance(r.assurance), r.resistant != 0
	v.AuthTime, v.Created, v.LastSeen = sqlkit.Time(r.authTime), sqlkit.Time(r.created), sqlkit.Time(r.lastSeen)
	v.IdleEnds, v.Ends, v.Ended = sqlkit.Time(r.idleEnds), sqlkit.Time(r.ends), sqlkit.Time(r.endedAt)
	return v, nil
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
