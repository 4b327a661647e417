package machinesql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const (
	keyColumns   = `k.id, k.hash, k.created, k.created_by, k.expires, k.revoked, k.used`
	tokenColumns = `t.id, t.hash, t.tenant, t.principal, t.key_id, t.scopes, t.created, t.expires`

	findKey = `SELECT ` + principalColumns + `, ` + keyColumns + ` FROM machine_key k
		JOIN machine_principal p ON p.tenant = k.tenant AND p.id = k.principal WHERE k.id = ?`
	findToken = `SELECT ` + principalColumns + `, ` + keyColumns + `, ` + tokenColumns + ` FROM machine_token t
		JOIN machine_key k ON k.id = t.key_id AND k.tenant = t.tenant AND k.principal = t.principal
		JOIN machine_principal p ON p.tenant = t.tenant AND p.id = t.principal WHERE t.id = ?`

	insertToken = `INSERT INTO machine_token (id, hash, tenant, principal, key_id, scopes, created, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	sweepTokens = `DELETE FROM machine_token WHERE expires <= ?`

	lockPrincipal  = `SELECT 1 FROM machine_principal WHERE tenant = ? AND id = ? FOR UPDATE`
	touchKey       = `UPDATE machine_key SET used = CASE WHEN used < ? THEN CAST(? AS BIGINT) ELSE used END WHERE tenant = ? AND principal = ? AND id = ? AND revoked = 0`
	touchPrincipal = `UPDATE machine_principal SET used = ? WHERE tenant = ? AND id = ? AND used < ?`
)

func (r *keyRow) dest() []any {
	return []any{&r.k.ID, &r.k.Hash, &r.created, &r.k.CreatedBy, &r.expires, &r.revoked, &r.used}
}

// FindKey implements machine.Credentials.
func (s *Store) FindKey(ctx context.Context, id string) (machine.Found, error) {
	var p principalRow
	var k keyRow
	if err := s.find(ctx, append(p.dest(), k.dest()...), findKey, id); err != nil {
		return machine.Found{}, err
	}
	return machine.Found{Principal: p.principal(), Key: k.key()}, nil
}

// FindToken implements machine.Credentials.
func (s *Store) FindToken(ctx context.Context, id string) (machine.Found, error) {
	var (
		p                principalRow
		k                keyRow
		tk               machine.Token
		scopes           string
		created, expires int64
	)
	dest := append(append(p.dest(), k.dest()...), &tk.ID, &tk.Hash, &tk.Tenant, &tk.Principal, &tk.Key, &scopes, &created, &expires)
	if err := s.find(ctx, dest, findToken, id); err != nil {
		return machine.Found{}, err
	}
	tk.Scopes, tk.Created, tk.Expires = split(scopes), sqlkit.Time(created), sqlkit.Time(expires)
	return machine.Found{Principal: p.principal(), Key: k.key(), Token: &tk}, nil
}

func (s *Store) find(ctx context.Context, dest []any, query, id string) error {
	err := s.db.Get(ctx, dest, query, id)
	if errors.Is(err, sql.ErrNoRows) {
		return machine.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("machinesql: looking up a credential: %w", err)
	}
	return nil
}

// PutToken implements machine.Credentials.
func (s *Store) PutToken(ctx context.Context, tk machine.Token) error {
	n, err := s.db.Exec(ctx, insertToken, tk.ID, tk.Hash, string(tk.Tenant), string(tk.Principal), tk.Key, joined(tk.Scopes),
		sqlkit.Micros(tk.Created), sqlkit.Micros(tk.Expires))
	if err != nil {
		return fmt.Errorf("machinesql: keeping an access token: %w", err)
	}
	if n == 0 {
		return machine.ErrExists
	}
	return nil
}

// Touch implements machine.Credentials. It locks in the order of Apply, principal first.
func (s *Store) Touch(ctx context.Context, t audit.Tenant, principal audit.ActorID, key string, now time.Time) error {
	us := sqlkit.Micros(now)
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if s.db.Dialect() == sqlkit.Postgres {
			var one int
			err := tx.Row(ctx, lockPrincipal, string(t), string(principal)).Scan(&one)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		n, err := tx.Exec(ctx, touchKey, us, us, string(t), string(principal), key)
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.Exec(ctx, touchPrincipal, us, string(t), string(principal), us)
		return err
	})
	if err != nil {
		return fmt.Errorf("machinesql: noting a use: %w", err)
	}
	return nil
}

// Sweep implements machine.Credentials.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	if _, err := s.db.Exec(ctx, sweepTokens, sqlkit.Micros(now)); err != nil {
		return fmt.Errorf("machinesql: sweeping access tokens: %w", err)
	}
	return nil
}
