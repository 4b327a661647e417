// Package tailtest proves that a host's own tail.Cursors keeps its contract.
//
//	func TestCursors(t *testing.T) {
//		tailtest.TestCursors(t, func(t testing.TB) tail.Cursors { return newStore(t) })
//	}
//
// It protects against cursors that let two servers send the same events, or none. The host runs it
// against the database that it uses. Compatibility: rules are added, with an entry in the changelog.
package tailtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tail"
	"github.com/wardkit/wardkit/internal/conform"
)

type rule = conform.Rule[tail.Cursors]

// TestCursors checks every rule as a subtest. Each call of open returns a new, empty store.
func TestCursors(t *testing.T, open func(t testing.TB) tail.Cursors) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check is TestCursors without a test: it returns every rule that is broken.
func Check(ctx context.Context, open func() (tail.Cursors, error)) error {
	return conform.Check(ctx, rules(), open)
}

func rules() []rule {
	return []rule{
		{Name: "empty", Clause: "Get of a cursor that is not there returns its feed and tenant and nothing else.", Run: empty},
		{Name: "keeps", Clause: "Get returns what was put, every field of it, with a Version that is one more.", Run: keeps},
		{Name: "of_feed", Clause: "A cursor is that of its own feed.", Run: ofFeed},
		{Name: "of_tenant", Clause: "A cursor is that of its own tenant.", Run: ofTenant},
		{Name: "not_there", Clause: "Put with a Version though no cursor is there: ErrConflict, and none is there.", Run: notThere},
		{Name: "there_already", Clause: "Put without a Version though a cursor is there: ErrConflict, and nothing changes.", Run: thereAlready},
		{Name: "stale", Clause: "Put with an older Version: ErrConflict, and nothing changes.", Run: stale},
		{Name: "back", Clause: "A cursor may be put back to an earlier place.", Run: back},
		{Name: "race", Clause: "Of several puts at once with the same Version one succeeds and the others answer ErrConflict.", Run: race},
		{Name: "all", Clause: "All yields every cursor of the feed and no other, by tenant, byte by byte.", Run: all},
		{Name: "many", Clause: "However many cursors there are, All yields each of them once.", Run: many},
		{Name: "cancelled", Clause: "Cancelled: an error, and nothing is stored.", Run: cancelled},
	}
}

const clinic, other audit.Tenant = "clinic", "other \x7f 'clinic'"

// full is a cursor in which every field is set.
func full(t audit.Tenant) tail.Cursor {
	return tail.Cursor{
		Feed: "siem", Tenant: t, Next: 1 << 41, Last: [32]byte{1, 0, 0xff, 31: 9}, Holder: "server 'one'",
		Until: time.Date(2026, 5, 4, 12, 0, 0, 123456000, time.UTC),
	}
}

func same(ctx context.Context, s tail.Cursors, want tail.Cursor) error {
	got, err := s.Get(ctx, want.Feed, want.Tenant)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the cursor is %v, not %v", got, want)
	}
	return nil
}

// stored returns c as it is after another put.
func stored(c tail.Cursor) tail.Cursor {
	c.Version++
	return c
}

func conflict(err error) error {
	if !errors.Is(err, tail.ErrConflict) {
		return fmt.Errorf("not a conflict: %w", err)
	}
	return nil
}

func empty(ctx context.Context, s tail.Cursors) error {
	return same(ctx, s, tail.Cursor{Feed: "siem", Tenant: clinic})
}

func keeps(ctx context.Context, s tail.Cursors) error {
	first := full(clinic)
	if err := s.Put(ctx, first); err != nil {
		return err
	}
	second := stored(first)
	if err := same(ctx, s, second); err != nil {
		return err
	}
	second.Next, second.Last, second.Holder, second.Until = 1<<41+7, [32]byte{2}, "", time.Time{}
	if err := s.Put(ctx, second); err != nil {
		return err
	}
	return same(ctx, s, stored(second))
}

func ofFeed(ctx context.Context, s tail.Cursors) error {
	a, b := full(clinic), full(clinic)
	b.Feed, b.Next = "archive", 3
	return errors.Join(s.Put(ctx, a), s.Put(ctx, b), same(ctx, s, stored(a)), same(ctx, s, stored(b)))
}

func ofTenant(ctx context.Context, s tail.Cursors) error {
	a, b := full(clinic), full(other)
	a.Feed, b.Feed, b.Next = "tenants", "tenants", 3
	return errors.Join(s.Put(ctx, a), s.Put(ctx, b), same(ctx, s, stored(a)), same(ctx, s, stored(b)))
}

func notThere(ctx context.Context, s tail.Cursors) error {
	c := full(clinic)
	c.Version = 40
	return errors.Join(conflict(s.Put(ctx, c)), absent(ctx, s))
}

// absent asks only for what nothing stored would have.
func absent(ctx context.Context, s tail.Cursors) error {
	c, err := s.Get(ctx, "siem", clinic)
	if err != nil || c.Version != 0 || c.Next != 0 {
		return fmt.Errorf("a cursor is there: %v, %w", c, err)
	}
	return nil
}

func thereAlready(ctx context.Context, s tail.Cursors) error {
	c := full(clinic)
	if err := s.Put(ctx, c); err != nil {
		return err
	}
	again := c
	again.Next = 55
	return errors.Join(conflict(s.Put(ctx, again)), same(ctx, s, stored(c)))
}

func stale(ctx context.Context, s tail.Cursors) error {
	c := full(clinic)
	if err := errors.Join(s.Put(ctx, c), s.Put(ctx, stored(c))); err != nil {
		return err
	}
	old := stored(c)
	old.Next = 55
	return errors.Join(conflict(s.Put(ctx, old)), same(ctx, s, stored(stored(c))))
}

func back(ctx context.Context, s tail.Cursors) error {
	c := full(clinic)
	if err := s.Put(ctx, c); err != nil {
		return err
	}
	c = stored(c)
	c.Next = 2
	return errors.Join(s.Put(ctx, c), same(ctx, s, stored(c)))
}

func race(ctx context.Context, s tail.Cursors) error {
	const callers = 8
	c := full(clinic)
	for round := range int64(10) {
		c.Version = round
		var won atomic.Int64
		var wg sync.WaitGroup
		problems := make([]error, callers)
		for i := range callers {
			wg.Go(func() {
				mine := c
				mine.Next = 100 + int64(i)
				switch err := s.Put(ctx, mine); {
				case err == nil:
					won.Add(1)
				default:
					problems[i] = conflict(err)
				}
			})
		}
		wg.Wait()
		if err := errors.Join(problems...); err != nil {
			return err
		}
		if n := won.Load(); n != 1 {
			return fmt.Errorf("%d of %d puts with one version succeeded", n, callers)
		}
	}
	return nil
}

func collect(ctx context.Context, s tail.Cursors, feed string) (found []tail.Cursor, err error) {
	for c, err := range s.All(ctx, feed) {
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

func all(ctx context.Context, s tail.Cursors) error {
	tenants := []audit.Tenant{"B", "a", "clinic", other, "é"}
	for _, t := range []audit.Tenant{"é", "clinic", "a", other, "B"} {
		elsewhere := full(t + "-2")
		elsewhere.Feed = "archive"
		if err := errors.Join(s.Put(ctx, full(t)), s.Put(ctx, elsewhere)); err != nil {
			return err
		}
	}
	found, err := collect(ctx, s, "siem")
	if err != nil || len(found) != len(tenants) {
		return fmt.Errorf("%d cursors of %d: %w", len(found), len(tenants), err)
	}
	for i, t := range tenants {
		if found[i] != stored(full(t)) {
			return fmt.Errorf("cursor %d is %v", i, found[i])
		}
	}
	return nil
}

func many(ctx context.Context, s tail.Cursors) error {
	const n = 2001
	for i := range n {
		if err := s.Put(ctx, tail.Cursor{Feed: "many", Tenant: audit.Tenant(fmt.Sprintf("t-%05d", i)), Next: 1}); err != nil {
			return err
		}
	}
	found, err := collect(ctx, s, "many")
	if err != nil || len(found) != n || found[n-1].Tenant != "t-02000" {
		return fmt.Errorf("%d cursors of %d: %w", len(found), n, err)
	}
	return nil
}

func cancelled(ctx context.Context, s tail.Cursors) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Put(over, full(clinic)); err == nil || errors.Is(err, tail.ErrConflict) {
		return fmt.Errorf("a put in a context that is over: %w", err)
	}
	if _, err := s.Get(over, "siem", clinic); err == nil {
		return errors.New("a cursor was got in a context that is over")
	}
	if _, err := collect(over, s, "siem"); err == nil {
		return errors.New("cursors were listed in a context that is over")
	}
	return absent(ctx, s)
}
