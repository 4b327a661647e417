package mfasql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/mfa"
)

const passkeyColumns = `tenant, id, person, version, hash, handle, sealed, counter, backed_up, created, used, disabled`

// passkey scans what passkeyColumns names.
type passkey struct {
	p                               mfa.PasskeyRow
	backedUp, created, used, killed int64
}

func (r *passkey) dest() []any {
	return []any{
		&r.p.Tenant, &r.p.ID, &r.p.Person, &r.p.Version, &r.p.Hash, &r.p.Handle, &r.p.Sealed, &r.p.Count,
		&r.backedUp, &r.created, &r.used, &r.killed,
	}
}

func (r *passkey) row() mfa.PasskeyRow {
	p := r.p
	p.BackedUp = r.backedUp != 0
	p.Created, p.Used, p.Disabled = sqlkit.Time(r.created), sqlkit.Time(r.used), sqlkit.Time(r.killed)
	return p
}

// putPasskeys writes the passkeys of a change and reports whether all were as expected.
func putPasskeys(ctx context.Context, tx *sqlkit.Tx, c mfa.Change) (bool, error) {
	for _, p := range c.Passkeys {
		n, err := putPasskey(ctx, tx, c.Was, p)
		if err != nil || n != 1 {
			return false, err
		}
	}
	if c.Put != nil {
		return true, nil
	}
	_, err := tx.Exec(ctx, `DELETE FROM mfa_passkey WHERE tenant = ? AND person = ?`, string(c.Was.Tenant), string(c.Was.Person))
	return true, err
}

// putPasskey returns how many rows it touched, 0 where the passkey is not as expected.
func putPasskey(ctx context.Context, tx *sqlkit.Tx, of mfa.Ref, c mfa.PasskeyChange) (int64, error) {
	const (
		insert = `INSERT INTO mfa_passkey (` + passkeyColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`
		update = `UPDATE mfa_passkey SET version = ?, handle = ?, sealed = ?, counter = ?, backed_up = ?,
			created = ?, used = ?, disabled = ? WHERE tenant = ? AND id = ? AND person = ? AND version = ? AND hash = ?`
		remove = `DELETE FROM mfa_passkey WHERE tenant = ? AND id = ? AND person = ? AND version = ?`
	)
	where := []any{string(of.Tenant), c.ID, string(of.Person)}
	if c.Put == nil {
		return tx.Exec(ctx, remove, append(where, c.Version)...)
	}
	p := c.Put
	values := []any{
		blob(p.Handle), blob(p.Sealed), int64(p.Count), flag(p.BackedUp),
		sqlkit.Micros(p.Created), sqlkit.Micros(p.Used), sqlkit.Micros(p.Disabled),
	}
	if c.Version == 0 {
		return tx.Exec(ctx, insert, append(append(where, int64(1), blob(p.Hash)), values...)...)
	}
	return tx.Exec(ctx, update, append(append([]any{c.Version + 1}, values...), append(where, c.Version, blob(p.Hash))...)...)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Passkeys implements mfa.Passkeys.
func (s *Store) Passkeys(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]mfa.PasskeyRow, error) {
	out, err := s.passkeys(ctx, t, person)
	if err != nil {
		return nil, fmt.Errorf("mfasql: reading passkeys: %w", err)
	}
	return out, nil
}

func (s *Store) passkeys(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]mfa.PasskeyRow, error) {
	const query = `SELECT ` + passkeyColumns + ` FROM mfa_passkey WHERE tenant = ? AND person = ? ORDER BY id`
	rows, err := s.db.Query(ctx, query, string(t), string(person))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []mfa.PasskeyRow
	for rows.Next() {
		var r passkey
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		out = append(out, r.row())
	}
	return out, rows.Err()
}

// FindPasskey implements mfa.Passkeys.
func (s *Store) FindPasskey(ctx context.Context, t audit.Tenant, hash []byte) (mfa.PasskeyRow, error) {
	const query = `SELECT ` + passkeyColumns + ` FROM mfa_passkey WHERE tenant = ? AND hash = ?`
	var r passkey
	err := s.db.Get(ctx, r.dest(), query, string(t), blob(hash))
	if errors.Is(err, sql.ErrNoRows) {
		return mfa.PasskeyRow{}, mfa.ErrNotFound
	}
	if err != nil {
		return mfa.PasskeyRow{}, fmt.Errorf("mfasql: finding a passkey: %w", err)
	}
	return r.row(), nil
}

// UsePasskey implements mfa.Passkeys.
func (s *Store) UsePasskey(ctx context.Context, r mfa.Ref, count uint32, backedUp bool, now time.Time) (bool, error) {
	const update = `UPDATE mfa_passkey SET counter = ?, backed_up = ?, used = ?, version = version + 1
		WHERE tenant = ? AND id = ? AND person = ? AND disabled = 0 AND (counter < ? OR counter = 0 AND CAST(? AS BIGINT) = 0)`
	n, err := s.db.Exec(ctx, update, int64(count), flag(backedUp), sqlkit.Micros(now),
		string(r.Tenant), r.ID, string(r.Person), int64(count), int64(count))
	if err != nil {
		return false, fmt.Errorf("mfasql: using a passkey: %w", err)
	}
	return n == 1, nil
}
