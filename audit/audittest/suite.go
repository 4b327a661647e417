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

// ids lists what a filter finds, in order.
func ids(ctx context.Context, s audit.Store, f audit.Filter, after audit.Position, limit int) ([]string, error) {
	var out []string
	for e, err := range s.List(ctx, f, after, limit) {
		if err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
		out = append(out, e.ID)
	}
	return out, nil
}

// all lists a tenant.
func all(ctx context.Context, s audit.Store, t audit.Tenant) ([]string, error) {
	return ids(ctx, s, audit.Filter{Tenant: t}, audit.Position{}, 10_000)
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

// same compares what a filter should find with what it found.
func same(got, want []string) error {
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
