package recerttest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac/recert"
)

// TestStore runs every rule of the contract of recert.Store as a subtest, each against a store of its
// own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) recert.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract, each against a store that open returns empty, and returns those
// that the store breaks, joined; nil if it keeps them all.
func Check(ctx context.Context, open func() (recert.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

type rule = conform.Rule[recert.Store]

func rules() []rule {
	return slices.Concat(campaignRules(), itemRules(), selectRules(), applyRules(), refusedRules())
}

// create stores a new campaign with its items and returns it as it is stored.
func create(ctx context.Context, s recert.Store, c recert.Campaign, items ...recert.Item) (recert.Campaign, error) {
	if err := s.Apply(ctx, recert.Write{Campaign: c, Items: items}); err != nil {
		return c, fmt.Errorf("creating a campaign: %w", err)
	}
	c.Version = 1
	return c, nil
}

// update changes a campaign and returns it as it is stored.
func update(ctx context.Context, s recert.Store, c recert.Campaign, items ...recert.Item) (recert.Campaign, error) {
	if err := s.Apply(ctx, recert.Write{Campaign: c, Expect: c.Version, Items: items}); err != nil {
		return c, fmt.Errorf("changing a campaign: %w", err)
	}
	c.Version++
	return c, nil
}

// expect compares the stored campaign with want.
func expect(ctx context.Context, s recert.Store, want recert.Campaign) error {
	have, err := s.Get(ctx, want.Tenant, want.ID)
	if err != nil {
		return fmt.Errorf("reading a campaign: %w", err)
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("the campaign is %+v, want %+v", have, want)
	}
	return nil
}

// holds expects the items of a campaign, which want need not name.
func holds(ctx context.Context, s recert.Store, c recert.Campaign, f recert.ItemFilter, want ...recert.Item) error {
	want = slices.Clone(want)
	for n := range want {
		want[n].Tenant, want[n].Campaign = c.Tenant, c.ID
	}
	have, err := all(s.Items(ctx, c.Tenant, c.ID, f))
	switch {
	case err != nil:
		return fmt.Errorf("listing items: %w", err)
	case len(have) != len(want):
		return fmt.Errorf("there are %d items, want %d", len(have), len(want))
	}
	for n := range want {
		if !reflect.DeepEqual(have[n], want[n]) {
			return fmt.Errorf("item %d is %+v, want %+v", n, have[n], want[n])
		}
	}
	return nil
}

// lists expects campaigns in this order.
func lists(what string, seq iter.Seq2[recert.Campaign, error], want ...recert.Campaign) error {
	have, err := all(seq)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(have) != len(want) || len(want) > 0 && !reflect.DeepEqual(have, want) {
		return fmt.Errorf("%s: %v, want %v", what, ids(have), ids(want))
	}
	return nil
}

func ids(list []recert.Campaign) (out []string) {
	for _, c := range list {
		out = append(out, string(c.Tenant)+"/"+c.ID)
	}
	return out
}

// all collects what a list yields.
func all[T any](seq iter.Seq2[T, error]) (out []T, err error) {
	for one, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, one)
	}
	return out, nil
}

func refused(what string, err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("%s: %v, want %v", what, err, target)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// together runs f n times at once; it returns how often it answered nil, and an error that is no
// ErrConflict.
func together(n int, f func(i int) error) (won int, err error) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	for _, e := range errs {
		switch {
		case e == nil:
			won++
		case !errors.Is(e, recert.ErrConflict):
			err = e
		}
	}
	return won, err
}

// crowd is how many goroutines race.
const crowd = 16
