package auditsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Orders yields how far the order of every tenant has come, for package tlog; see
// audit.Memory.Orders.
func (s *Store) Orders(ctx context.Context) iter.Seq2[audit.Order, error] {
	return func(yield func(audit.Order, error) bool) {
		all, err := s.orders(ctx)
		if err != nil {
			yield(audit.Order{}, fmt.Errorf("auditsql: reading how far tenants have come: %w", err))
			return
		}
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (s *Store) orders(ctx context.Context) ([]audit.Order, error) {
	byBytes := `tenant`
	if s.postgres() {
		byBytes = `tenant COLLATE "C"`
	}
	var all []audit.Order
	err := scanAll(ctx, s.db, func(rows *sqlkit.Rows) error {
		var o audit.Order
		err := rows.Scan(&o.Tenant, &o.Size)
		all = append(all, o)
		return err
	}, `SELECT tenant, size FROM audit_tenant WHERE size > 0 ORDER BY `+byBytes)
	return all, err
}

// Leaves returns the leaf hashes at the places from to to-1 of a tenant's order, for package
// tlog; see audit.Memory.Leaves.
func (s *Store) Leaves(ctx context.Context, tenant audit.Tenant, from, to int64) ([][32]byte, error) {
	out, err := s.leaves(ctx, tenant, from, to)
	if err != nil && !errors.Is(err, audit.ErrDamaged) {
		return nil, fmt.Errorf("auditsql: reading leaf hashes: %w", err)
	}
	return out, err
}

func (s *Store) leaves(ctx context.Context, tenant audit.Tenant, from, to int64) ([][32]byte, error) {
	if from == to {
		return nil, nil
	}
	var no, size int64
	err := s.db.Get(ctx, []any{&no, &size}, `SELECT no, size FROM audit_tenant WHERE tenant = ?`, string(tenant))
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && (from < 0 || from > to || to > size):
		return nil, audit.ErrDamaged
	case err != nil:
		return nil, err
	}
	out := make([][32]byte, 0, to-from)
	var leaf sql.RawBytes
	dest := []any{&leaf}
	err = scanAll(ctx, s.db, func(rows *sqlkit.Rows) error {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if len(leaf) != 32 {
			return audit.ErrDamaged
		}
		out = append(out, [32]byte(leaf))
		return nil
	}, `SELECT leaf FROM audit_entry WHERE place BETWEEN ? AND ? ORDER BY place`, placeOf(no, from), placeOf(no, to-1))
	if err == nil && int64(len(out)) != to-from { // places are unique, so none is missing otherwise
		err = audit.ErrDamaged
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}
