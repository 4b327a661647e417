package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
)

type rule = conform.Rule[audit.Store]

// TestStore runs the contract of audit.Store as subtests, each against a fresh store.
func TestStore(t *testing.T, open func(t testing.TB) audit.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check is TestStore without a test: it returns what the stores break of the contract, nil if
// nothing. Each call of open returns a fresh store.
func Check(ctx context.Context, open func() (audit.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

func rules() []rule {
	return slices.Concat(appendRules(), readRules(), filterRules(), eraseRules())
}

// drain gives everything that is durable its place.
func drain(ctx context.Context, s audit.Store) error {
	for {
		n, err := s.Sequence(ctx, 1000)
		if err != nil {
			return fmt.Errorf("sequencing: %w", err)
		}
		if n < 1000 {
			return nil
		}
	}
}

// ids lists what a filter finds, in order, of everything appended before.
func ids(ctx context.Context, s audit.Store, f audit.Filter, below int64, limit int) ([]string, error) {
	if err := drain(ctx, s); err != nil {
		return nil, err
	}
	var out []string
	for e, err := range s.List(ctx, f, below, limit) {
		if err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
		out = append(out, e.ID)
	}
	return out, nil
}

// all lists a tenant.
func all(ctx context.Context, s audit.Store, t audit.Tenant) ([]string, error) {
	return ids(ctx, s, audit.Filter{Tenant: t}, audit.Newest, 10_000)
}

// has reports whether the store gives an event back.
func has(ctx context.Context, s audit.Store, e audit.Entry) (bool, error) {
	got, err := s.Get(ctx, e.Tenant, e.ID)
	if errors.Is(err, audit.ErrNotFound) {
		return false, nil
	}
	return err == nil && len(got.Body) > 0, err
}

func add(ctx context.Context, s audit.Store, entries ...audit.Entry) error {
	if err := s.Append(ctx, entries); err != nil {
		return fmt.Errorf("appending: %w", err)
	}
	return nil
}

// same compares what a filter should find with what it found. Entries of one call may be
// placed in any order.
func same(got, want []string) error {
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	return sameOrder(got, want)
}

func sameOrder(got, want []string) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("found %d events %v, want %d %v", len(got), short(got), len(want), short(want))
	}
	return nil
}

// short keeps messages readable: the last digits of a few IDs.
func short(ids []string) []string {
	out := []string{}
	for _, id := range ids[:min(len(ids), 8)] {
		out = append(out, id[max(0, len(id)-4):])
	}
	return out
}
