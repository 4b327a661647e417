package sessionsql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
)

// Put implements session.Store.
func (s *Store) Put(ctx context.Context, p session.Proof) error {
	_, err := s.db.Exec(ctx, `INSERT INTO session_proof (tenant, hash, until) VALUES (?, ?, ?)
		ON CONFLICT (tenant, hash) DO UPDATE SET until = excluded.until`,
		string(p.Tenant), p.Key.Hash[:], sqlkit.Micros(p.Until))
	return wrap("keeping a confirmation", err)
}

// Consume implements session.Store.
func (s *Store) Consume(ctx context.Context, t audit.Tenant, k session.Key, now time.Time) (bool, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM session_proof WHERE tenant = ? AND hash = ? AND until > ?`,
		string(t), k.Hash[:], sqlkit.Micros(now))
	return n == 1, wrap("using a confirmation", err)
}

// GetPolicy implements session.Store.
func (s *Store) GetPolicy(ctx context.Context, t audit.Tenant) (*session.Policy, error) {
	var (
		version int64
		body    string
	)
	err := s.db.Get(ctx, []any{&version, &body}, `SELECT version, body FROM session_policy WHERE tenant = ?`, string(t))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("sessionsql: %w", session.ErrNotFound)
	}
	if err != nil {
		return nil, wrap("reading a policy", err)
	}
	p, err := s.decoded.policy(t, version, body)
	return p, wrap("reading a policy", err)
}

// SavePolicy implements session.Store.
func (s *Store) SavePolicy(ctx context.Context, t audit.Tenant, p session.Policy) error {
	body, err := session.EncodePolicy(&p)
	if err != nil {
		return wrap("saving a policy", err)
	}
	var n int64
	if p.Version == 1 {
		n, err = s.db.Exec(ctx, `INSERT INTO session_policy (tenant, version, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			string(t), p.Version, body)
	} else {
		n, err = s.db.Exec(ctx, `UPDATE session_policy SET version = ?, body = ? WHERE tenant = ? AND version = ?`,
			p.Version, body, string(t), p.Version-1)
	}
	if err == nil && n == 0 {
		err = session.ErrConflict
	}
	return wrap("saving a policy", err)
}

// decoded remembers the policies that were read last, so that a request which reads the same
// text again does not decode it again. It answers nothing by itself.
type decoded struct{ last sync.Map } // tenant → text

type text struct {
	version int64
	body    string
	policy  *session.Policy
}

func (d *decoded) policy(t audit.Tenant, version int64, body string) (*session.Policy, error) {
	if v, ok := d.last.Load(t); ok {
		if last := v.(*text); last.version == version && last.body == body {
			return last.policy, nil
		}
	}
	p, err := session.DecodePolicy(version, body)
	if err != nil {
		return nil, err
	}
	// Both lie in the text of somebody's row, which is not to be kept.
	d.last.Store(audit.Tenant(strings.Clone(string(t))), &text{version, strings.Clone(body), p})
	return p, nil
}

// Route implements session.Store: rows are not placed by it.
func (s *Store) Route(ctx context.Context, _ audit.Tenant, _ audit.ActorID) (route [16]byte, err error) {
	rand.Read(route[:]) // never fails (crypto/rand)
	return route, ctx.Err()
}

// Purge implements session.Store. It is maintenance over all tenants.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit < 1 {
		return 0, ctx.Err()
	}
	at := sqlkit.Micros(before)
	n, err := s.db.Exec(ctx, `DELETE FROM session_row WHERE hash IN
		(SELECT hash FROM session_row WHERE ends < ? ORDER BY ends LIMIT ?)`, at, limit)
	if err != nil {
		return 0, wrap("purging", err)
	}
	if int(n) == limit {
		return limit, nil
	}
	m, err := s.db.Exec(ctx, `DELETE FROM session_proof WHERE hash IN
		(SELECT hash FROM session_proof WHERE until < ? ORDER BY until LIMIT ?)`, at, limit-int(n))
	return int(n + m), wrap("purging", err)
}
