package auditsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// ErrUnsafeEngine: the database is set up so that an acknowledged event could be lost, or is
// a version with a known corruption bug. The error's text says what to change.
var ErrUnsafeEngine = sqlkit.ErrUnsafeEngine

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migration files, in migrations/sqlite and
// migrations/postgres, for hosts that apply them with a tool of their own. Such a host calls
// Check at start, and Migrate too: it imports what release 0.1 recorded.
func Migrations() fs.FS { return migrations }

// Store is an audit.Store in a SQL database. It is safe for concurrent use.
type Store struct {
	db     *sqlkit.DB
	bare   *sqlkit.DB // for while the tables may be missing
	macs   macs       // of waiting entries; PostgreSQL only
	prints [][]byte   // of the keys of macs
	shape  shape
	relief relief
}

var _ audit.Store = (*Store)(nil)

// SQLite returns a Store in an SQLite database. It does not connect.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite, nil) }

// Postgres returns a Store in a PostgreSQL database. It does not connect.
//
// The key, 32 bytes or more, authenticates entries until they have their place, so that
// nobody who has only the database can add or alter one before. All servers have the same
// key, from the host's secrets and never from the database. To change it, give the new one
// to all servers as a further key first; then as the first one, with the old one as a further
// key; and leave the old one out when Health shows no backlog of before. The first key
// authenticates, all of them verify. Call Migrate at each of these steps: it keeps a
// fingerprint of the first key in the database, so that a server with a wrong one does not
// start.
func Postgres(db *sql.DB, key []byte, further ...[]byte) (*Store, error) {
	all := append([][]byte{key}, further...)
	keys, err := newMacs(all)
	if err != nil {
		return nil, err
	}
	s, err := open(db, sqlkit.Postgres, keys)
	if err != nil {
		return nil, err
	}
	s.prints = fingerprints(all)
	return s, nil
}

func open(db *sql.DB, d sqlkit.Dialect, keys macs) (*Store, error) {
	bare, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, &setupError{err}
	}
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, &setupError{err}
	}
	kit.KeepStatements(`UPDATE audit_tenant SET given = given WHERE no = 0`)
	s := &Store{db: kit, bare: bare, macs: keys, shape: shape{block: maxBlock, fan: 8, piece: 4, chunk: 512}}
	s.relief.lookEvery, s.relief.tooMany, s.relief.vacuumEvery = 8192, 65_536, 20_000
	return s, nil
}

func (s *Store) postgres() bool { return s.db.Dialect() == sqlkit.Postgres }

// Migrate checks the database, brings the tables up to date, and imports what release 0.1
// recorded. Several processes may do so at once; one that was killed goes on the next time.
// It returns ErrUnsafeEngine or ErrWrongKey where Check does, and changes nothing then but the
// tables. What was refused before waits again, and is judged with the keys of now.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.bare.Migrate(ctx, "audit", migrations, "migrations"); err != nil {
		return &setupError{err}
	}
	if err := s.adoptKey(ctx); err != nil {
		return keyError(err)
	}
	if err := s.importAll(ctx, math.MaxInt); err != nil {
		return fmt.Errorf("auditsql: importing events: %w", err)
	}
	s.db.Keep(ctx, reserveOne, insertEntry+sqlkit.List(entryWidth)+ignoreKnown, insertPending)
	return nil
}

// Check returns ErrUnsafeEngine for a database that cannot keep what it acknowledges: SQLite
// before 3.51.3, without WAL, below synchronous=FULL or with a busy_timeout outside 1 to
// 1000 ms; PostgreSQL with fsync or full_page_writes off. It looks at one or two connections.
// It returns ErrWrongKey for a database that was set up with none of the keys of Postgres.
func (s *Store) Check(ctx context.Context) error {
	if err := s.bare.Check(ctx); err != nil {
		return &setupError{err}
	}
	return keyError(s.checkKey(ctx))
}

// setupError is an error for whoever sets up the program, who has not heard of the packages
// that it came through.
type setupError struct{ err error }

func (e *setupError) Error() string {
	return "auditsql: " + strings.ReplaceAll(e.err.Error(), "sqlkit: ", "")
}

func (e *setupError) Unwrap() error { return e.err }

func keyError(err error) error {
	if err == nil || errors.Is(err, ErrWrongKey) {
		return err
	}
	return fmt.Errorf("auditsql: looking at the key: %w", err)
}

// durable makes sure that the commit of tx will be on disk.
func (s *Store) durable(ctx context.Context, tx runner) error {
	if s.postgres() {
		_, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = on")
		return err
	}
	return durableSQLite(ctx, tx)
}

const synchronous = `PRAGMA synchronous`

func durableSQLite(ctx context.Context, tx runner) error {
	level := 0
	if err := scanOne(ctx, tx, []any{&level}, synchronous); err != nil {
		return err
	}
	return flushes(level)
}

// flushes refuses a level of PRAGMA synchronous at which commits do not wait for the disk.
func flushes(level int) error {
	if level < 2 { // 2 is FULL, 3 is EXTRA
		return fmt.Errorf("%w: synchronous must be FULL on every connection", ErrUnsafeEngine)
	}
	return nil
}

// Get implements audit.Reader.
func (s *Store) Get(ctx context.Context, tenant audit.Tenant, id string) (audit.Entry, error) {
	key, ok := idBytes(id)
	if !ok {
		return audit.Entry{}, audit.ErrNotFound
	}
	rows, err := s.stored(ctx, s.db, string(tenant), [][]byte{key})
	switch {
	case err != nil && errors.Is(err, audit.ErrDamaged):
		return audit.Entry{}, audit.ErrDamaged
	case err != nil:
		return audit.Entry{}, fmt.Errorf("auditsql: reading an event: %w", err)
	case len(rows) == 0:
		return audit.Entry{}, audit.ErrNotFound
	}
	for _, r := range rows {
		if r.purged {
			return audit.Entry{}, audit.ErrPurged
		}
		e, err := r.entry(tenant, new(room))
		e.Openings = r.sealed
		if r.place < 0 {
			e.Index = -1
		}
		return e, err
	}
	return audit.Entry{}, audit.ErrNotFound
}

// stored reads entries of one tenant by their IDs, at most maxRows. The place of one that
// cannot be found yet is -1. ErrDamaged if all that there is of one was not written by this
// log; beside an entry that has its place that does not matter.
//
// On PostgreSQL an entry moves from audit_pending to audit_entry, so it is looked for in this
// order: what left the one before the look is in the other when that is looked at.
func (s *Store) stored(ctx context.Context, from runner, tenant string, ids [][]byte) (map[string]*row, error) {
	out := map[string]*row{}
	args := []any{tenant}
	for _, id := range ids {
		args = append(args, id)
	}
	if s.postgres() {
		if err := s.waiting(ctx, from, out, args); err != nil {
			return nil, err
		}
	}
	bodiless := map[int64]*row{}
	err := scanAll(ctx, from, func(rows *sqlkit.Rows) error {
		r, size := &row{}, int64(0)
		err := rows.Scan(append(r.dest(), &r.sealed, &size)...)
		if len(r.body) == 0 {
			bodiless[r.place] = r
		}
		if indexOf(r.place) >= size {
			r.place = -1
		}
		out[string(r.id)] = r
		return err
	}, s.selectStored(len(ids)), args...)
	if err == nil && len(bodiless) > 0 {
		err = s.markPurged(ctx, from, bodiless)
	}
	if err != nil {
		return nil, err
	}
	for _, r := range out {
		if r.foreign {
			return nil, audit.ErrDamaged
		}
	}
	return out, nil
}

func (s *Store) selectStored(ids int) string {
	return `SELECT ` + rowColumns + `, COALESCE(e.sealed, o.sealed), t.size
		FROM audit_tenant t JOIN audit_entry e ON ` + s.numberOf("e") + ` = t.no
		LEFT JOIN audit_opening o ON o.tenant = t.tenant AND o.id = e.id
		WHERE t.tenant = ? AND e.id IN ` + sqlkit.List(ids)
}

// numberOf is the tenant's number in a place, as the index has it.
func (s *Store) numberOf(alias string) string {
	if s.postgres() {
		return `(` + alias + `.place >> 40)::INTEGER`
	}
	return alias + `.place >> 40`
}
