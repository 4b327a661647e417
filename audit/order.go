package audit

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// Order says how far the order of one tenant has come.
type Order struct {
	Tenant Tenant
	Size   int64 // entries that have a place: 0 to Size-1
}

// Orders yields the order of every tenant that has one, by tenant, byte by byte. It is what
// package tlog builds trees over. Cancelled or failing: the last pair holds the error.
func (m *Memory) Orders(ctx context.Context) iter.Seq2[Order, error] {
	return func(yield func(Order, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Order{}, err)
			return
		}
		for _, o := range m.orders() {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (m *Memory) orders() []Order {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []Order
	for t, of := range m.tenants {
		all = append(all, Order{t, int64(len(of.list))})
	}
	slices.SortFunc(all, func(a, b Order) int { return strings.Compare(string(a.Tenant), string(b.Tenant)) })
	return all
}

// Leaves returns the leaf hashes at the places from to to-1 of a tenant's order. One that is not
// there, or cannot be read: ErrDamaged.
func (m *Memory) Leaves(ctx context.Context, tenant Tenant, from, to int64) ([][32]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tenants[tenant]
	if from == to {
		return nil, nil
	}
	if t == nil || from < 0 || from > to || to > int64(len(t.list)) {
		return nil, ErrDamaged
	}
	out := make([][32]byte, 0, to-from)
	for _, e := range t.list[from:to] {
		out = append(out, e.Leaf)
	}
	return out, nil
}
