package authnsql

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

const (
	selectPolicy = `SELECT version, body FROM authn_policy WHERE tenant = ?`
	insertPolicy = `INSERT INTO authn_policy (tenant, version, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	updatePolicy = `UPDATE authn_policy SET version = ?, body = ? WHERE tenant = ? AND version = ?`
)

// GetPolicy implements authn.Policies.
func (s *Store) GetPolicy(ctx context.Context, t audit.Tenant) (*authn.Policy, error) {
	var (
		version int64
		body    string
	)
	err := s.db.Get(ctx, []any{&version, &body}, selectPolicy, string(t))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, authn.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return s.decoded.policy(t, version, body)
}

// SavePolicy implements authn.Policies.
func (s *Store) SavePolicy(ctx context.Context, t audit.Tenant, p authn.Policy) error {
	body, err := authn.EncodePolicy(&p)
	if err != nil {
		return err
	}
	var n int64
	if p.Version == 1 {
		n, err = s.db.Exec(ctx, insertPolicy, string(t), p.Version, body)
	} else {
		n, err = s.db.Exec(ctx, updatePolicy, p.Version, body, string(t), p.Version-1)
	}
	if err == nil && n == 0 {
		return authn.ErrConflict
	}
	return err
}

// decoded remembers the policies that were read last, so that a step which reads the same text
// again does not decode it again. It answers nothing by itself.
type decoded struct{ last sync.Map } // tenant → text

type text struct {
	version int64
	body    string
	policy  *authn.Policy
}

func (d *decoded) policy(t audit.Tenant, version int64, body string) (*authn.Policy, error) {
	if v, ok := d.last.Load(t); ok {
		if last := v.(*text); last.version == version && last.body == body {
			return last.policy, nil
		}
	}
	p, err := authn.DecodePolicy(version, body)
	if err != nil {
		return nil, err
	}
	d.last.Store(t, &text{version, body, p})
	return p, nil
}
