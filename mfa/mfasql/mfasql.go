package mfasql

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/mfa"
)

//go:embed migrations
var files embed.FS

// Store is a mfa.Store in a SQL database. It is safe for concurrent use, on any number of
// servers; one made by WithTx only as far as its transaction is.
type Store struct{ db *sqlkit.DB }

var _ mfa.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("mfasql: %w", err)
	}
	return &Store{kit}, nil
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

// Migrate creates the tables or brings them up to date. Several servers may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "mfa", files, "migrations")
}

// WithTx returns a store that works inside the host's transaction: it commits nothing and
// retries nothing. Give it to mfa.Factors.With.
func (s *Store) WithTx(tx *sql.Tx) *Store { return &Store{s.db.Join(tx)} }

const columns = `tenant, person, id, version, secret, step, failures, created, confirmed, used, locked,
	recovery, next_secret, next_made, passkeys, handle, texted`

// row scans what columns names.
type row struct {
	c                                                  mfa.Credential
	created, confirmed, used, locked, nextMade, texted int64
}

func (r *row) dest() []any {
	return []any{
		&r.c.Tenant, &r.c.Person, &r.c.ID, &r.c.Version, &r.c.Secret, &r.c.Step, &r.c.Failures,
		&r.created, &r.confirmed, &r.used, &r.locked, &r.c.Recovery, &r.c.Next, &r.nextMade,
		&r.c.Passkeys, &r.c.Handle, &r.texted,
	}
}

func (r *row) credential() mfa.Credential {
	c := r.c
	c.Created, c.Confirmed = sqlkit.Time(r.created), sqlkit.Time(r.confirmed)
	c.Used, c.Locked, c.NextMade = sqlkit.Time(r.used), sqlkit.Time(r.locked), sqlkit.Time(r.nextMade)
	c.Texted = sqlkit.Time(r.texted)
	return c
}

// Get implements mfa.Credentials.
func (s *Store) Get(ctx context.Context, t audit.Tenant, person audit.ActorID) (mfa.Credential, error) {
	const query = `SELECT ` + columns + ` FROM mfa_credential WHERE tenant = ? AND person = ?`
	var r row
	err := s.db.Get(ctx, r.dest(), query, string(t), string(person))
	if errors.Is(err, sql.ErrNoRows) {
		return mfa.Credential{}, mfa.ErrNotFound
	}
	if err != nil {
		return mfa.Credential{}, fmt.Errorf("mfasql: reading a credential: %w", err)
	}
	return r.credential(), nil
}

// Apply implements mfa.Credentials.
func (s *Store) Apply(ctx context.Context, c mfa.Change) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err := put(ctx, tx, c)
		if err != nil {
			return err
		}
		if n != 1 {
			return mfa.ErrConflict
		}
		if ok, err := putPasskeys(ctx, tx, c); err != nil || !ok {
			return cmp.Or(err, mfa.ErrConflict)
		}
		if ok, err := putNumberOf(ctx, tx, c); err != nil || !ok {
			return cmp.Or(err, mfa.ErrConflict)
		}
		for _, m := range c.Messages {
			if err := enqueue(ctx, tx, m, c.Due); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, mfa.ErrConflict) {
		return fmt.Errorf("mfasql: changing a credential: %w", err)
	}
	return err
}

// put writes the row and returns how many rows that touched, 0 where it is not as expected.
func put(ctx context.Context, tx *sqlkit.Tx, c mfa.Change) (int64, error) {
	const (
		insert = `INSERT INTO mfa_credential (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, person) DO NOTHING`
		update = `UPDATE mfa_credential SET id = ?, version = ?, secret = ?, step = ?, failures = ?,
			created = ?, confirmed = ?, used = ?, locked = ?, recovery = ?, next_secret = ?, next_made = ?,
			passkeys = ?, handle = ?, texted = ?
			WHERE tenant = ? AND person = ? AND id = ? AND version = ?`
		remove = `DELETE FROM mfa_credential WHERE tenant = ? AND person = ? AND id = ? AND version = ?`
	)
	where := []any{string(c.Was.Tenant), string(c.Was.Person), c.Was.ID, c.Version}
	if c.Put == nil {
		return tx.Exec(ctx, remove, where...)
	}
	p := c.Put
	values := []any{
		p.ID, c.Version + 1, blob(p.Secret), p.Step, p.Failures,
		sqlkit.Micros(p.Created), sqlkit.Micros(p.Confirmed), sqlkit.Micros(p.Used), sqlkit.Micros(p.Locked),
		blob(p.Recovery), blob(p.Next), sqlkit.Micros(p.NextMade),
		p.Passkeys, blob(p.Handle), sqlkit.Micros(p.Texted),
	}
	if c.Was.ID == "" && c.Version == 0 {
		return tx.Exec(ctx, insert, append(where[:2:2], values...)...)
	}
	return tx.Exec(ctx, update, append(values, where...)...)
}

// blob is b as a value that is not NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Advance implements mfa.Credentials.
func (s *Store) Advance(ctx context.Context, r mfa.Ref, step int64, now time.Time) (bool, error) {
	const update = `UPDATE mfa_credential SET step = ?, failures = 0, used = ?, version = version + 1
		WHERE tenant = ? AND person = ? AND id = ? AND confirmed <> 0 AND locked = 0 AND step < ?`
	n, err := s.db.Exec(ctx, update, step, sqlkit.Micros(now), string(r.Tenant), string(r.Person), r.ID, step)
	if err != nil {
		return false, fmt.Errorf("mfasql: using up a code: %w", err)
	}
	return n == 1, nil
}

// Fail implements mfa.Credentials.
func (s *Store) Fail(ctx context.Context, r mfa.Ref, limit int, now time.Time) (failures int, err error) {
	const update = `UPDATE mfa_credential SET failures = failures + 1, version = version + 1,
		locked = CASE WHEN failures + 1 >= ? THEN CAST(? AS BIGINT) ELSE 0 END
		WHERE tenant = ? AND person = ? AND id = ? AND locked = 0 RETURNING failures`
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		failures = 0
		err := tx.Row(ctx, update, limit, sqlkit.Micros(now), string(r.Tenant), string(r.Person), r.ID).Scan(&failures)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mfasql: counting a wrong code: %w", err)
	}
	return failures, nil
}
