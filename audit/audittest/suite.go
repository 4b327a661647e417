package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
)

type rule = conform.Rule[audit.Store]

// TestStore runs the contract of audit.Store as subtests, each against a fresh store. A
// subtest's name begins with what it looks at, so that -run TestStore/list asks about one
// method.
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
	return slices.Concat(
		storeRules(), entryRules(),
		appendRules(),
		sequenceRules(), backlogRules(),
		getRules(), listRules(), countRules(), filterRules(),
		eraseRules(),
	)
}

func add(ctx context.Context, s audit.Store, entries ...audit.Entry) error {
	if err := s.Append(ctx, entries); err != nil {
		return fmt.Errorf("appending: %w", err)
	}
	return nil
}

// drainLimit is large, so that one call of Sequence is enough for a rule's entries.
const drainLimit = 1000

// drain gives everything that is durable its place.
func drain(ctx context.Context, s audit.Store) error {
	for {
		n, err := s.Sequence(ctx, drainLimit)
		if err != nil {
			return fmt.Errorf("sequencing: %w", err)
		}
		if n < drainLimit {
			return nil
		}
	}
}

// put appends and places.
func put(ctx context.Context, s audit.Store, entries ...audit.Entry) error {
	if err := add(ctx, s, entries...); err != nil {
		return err
	}
	return drain(ctx, s)
}

// page lists what a filter of the clinic finds.
func page(ctx context.Context, s audit.Store, f audit.Filter, below int64, limit int) ([]audit.Entry, error) {
	if f.Tenant == "" {
		f.Tenant = clinic
	}
	var out []audit.Entry
	for e, err := range s.List(ctx, f, below, limit) {
		if err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
		out = append(out, e)
	}
	return out, nil
}

// all places everything and lists a tenant.
func all(ctx context.Context, s audit.Store, t audit.Tenant) ([]audit.Entry, error) {
	if err := drain(ctx, s); err != nil {
		return nil, err
	}
	return page(ctx, s, audit.Filter{Tenant: t}, audit.Newest, 10_000)
}

// get returns an entry also from a store whose Get sees only what has a place.
func get(ctx context.Context, s audit.Store, e audit.Entry) (audit.Entry, error) {
	got, err := s.Get(ctx, e.Tenant, e.ID)
	if errors.Is(err, audit.ErrNotFound) {
		if err := drain(ctx, s); err != nil {
			return audit.Entry{}, err
		}
		got, err = s.Get(ctx, e.Tenant, e.ID)
	}
	return got, err
}

// has reports whether the store gives an event back.
func has(ctx context.Context, s audit.Store, e audit.Entry) (bool, error) {
	got, err := get(ctx, s, e)
	if errors.Is(err, audit.ErrNotFound) {
		return false, nil
	}
	return err == nil && len(got.Body) > 0, err
}

// present counts how many of the list are there.
func present(ctx context.Context, s audit.Store, list []audit.Entry) (n int, err error) {
	for i := range list {
		there, err := has(ctx, s, list[i])
		if err != nil {
			return n, err
		}
		if there {
			n++
		}
	}
	return n, nil
}

// openings of an entry as the store has them.
func openings(ctx context.Context, s audit.Store, e audit.Entry) ([]byte, error) {
	got, err := get(ctx, s, e)
	return got.Openings, err
}

// holds expects exactly these entries in a tenant, each once.
func holds(ctx context.Context, s audit.Store, t audit.Tenant, want []audit.Entry) error {
	got, err := all(ctx, s, t)
	if err != nil {
		return err
	}
	return same(ids(got), ids(want))
}

func ids(list []audit.Entry) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].ID
	}
	return out
}

// same compares without looking at the order.
func same(got, want []string) error {
	return equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

// equal compares what should be found with what was.
func equal(got, want []string) error {
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

// together runs f n times at once and joins the errors.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			errs[i] = f(i)
		})
	}
	close(begin)
	wg.Wait()
	return errors.Join(errs...)
}

// ended returns a context that is cancelled already.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// interrupted calls f several times with contexts that end sooner and later while it runs.
func interrupted(ctx context.Context, f func(ctx context.Context) error) error {
	for _, wait := range []time.Duration{0, 100 * time.Microsecond, 500 * time.Microsecond, 2 * time.Millisecond, 8 * time.Millisecond} {
		inner, cancel := context.WithCancel(ctx)
		stop := time.AfterFunc(wait, cancel)
		if wait == 0 {
			cancel()
		}
		err := f(inner)
		stop.Stop()
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}
