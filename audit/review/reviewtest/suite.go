// Package reviewtest proves that a host's own review.Store keeps its contract.
//
//	func TestReview(t *testing.T) {
//		reviewtest.TestStore(t, func(t testing.TB) review.Store { return newStore(t) })
//	}
package reviewtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/internal/conform"
)

type rule = conform.Rule[review.Store]

// TestStore checks every rule as a subtest. Each call of open returns a new, empty store.
func TestStore(t *testing.T, open func(t testing.TB) review.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check is TestStore without a test: it returns every rule that is broken.
func Check(ctx context.Context, open func() (review.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

func rules() []rule {
	return append(append(tailRules(), findingRules()...), settingsRules()...)
}

const clinic, other audit.Tenant = "clinic", "other \x7f 'clinic'"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 123456000, time.UTC)

// finding is one of some number, new and open.
func finding(t audit.Tenant, n int64) review.Finding {
	return review.Finding{
		ID: fmt.Sprintf("8d1c2a90-0000-8000-8000-%012d", n), Tenant: t, Version: 1, Rule: review.VIP, Index: n, Actor: "u-1",
		Kind: audit.KindStaff, From: noon, To: noon, Count: 1, Limit: 1, Window: time.Hour, Times: 1, Events: []string{"e-1"}, State: review.Open,
	}
}

// commit is one of some version.
func commit(t audit.Tenant, version int64, findings ...review.Finding) review.Commit {
	return review.Commit{Place: review.Place{Tenant: t, Version: version, Next: 10 * version, Data: []byte("data")}, Findings: findings}
}

func same(what string, got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%s: %+v, not %+v", what, got, want)
	}
	return nil
}

// place compares how far a tenant was reviewed.
func place(ctx context.Context, s review.Store, t audit.Tenant, version, next int64) error {
	p, err := s.Place(ctx, t)
	if err != nil || p.Version != version || p.Next != next {
		return fmt.Errorf("the place has version %d and next %d, not %d and %d: %w", p.Version, p.Next, version, next, err)
	}
	return nil
}

// memory returns what is remembered of some actors.
func memory(ctx context.Context, s review.Store, t audit.Tenant, ids ...audit.ActorID) (map[audit.ActorID]string, error) {
	all, err := s.Actors(ctx, t, ids)
	out := map[audit.ActorID]string{}
	for _, a := range all {
		if _, twice := out[a.ID]; twice {
			return nil, errors.New("an actor is there twice")
		}
		out[a.ID] = string(a.Data)
	}
	return out, err
}

// list returns the IDs' last digits of what is listed.
func list(ctx context.Context, s review.Store, f review.Filter) (all []int64, err error) {
	for one, err := range s.List(ctx, f) {
		if err != nil {
			return nil, err
		}
		all = append(all, one.Index)
	}
	return all, nil
}

// conflicts wants a conflict.
func conflicts(what string, err error) error {
	if !errors.Is(err, review.ErrConflict) {
		return fmt.Errorf("%s answers %w, not ErrConflict", what, err)
	}
	return nil
}

// raced runs eight of one thing at once, of which one may succeed.
func raced(f func() error) error {
	var won atomic.Int64
	var group sync.WaitGroup
	bad := make([]error, 8)
	for i := range bad {
		group.Go(func() {
			if err := f(); err == nil {
				won.Add(1)
			} else if !errors.Is(err, review.ErrConflict) {
				bad[i] = err
			}
		})
	}
	group.Wait()
	if err := errors.Join(bad...); err != nil || won.Load() != 1 {
		return fmt.Errorf("%d of 8 at once succeeded: %w", won.Load(), err)
	}
	return nil
}

// gone is a context that has ended.
func gone(ctx context.Context) context.Context {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	return ended
}
