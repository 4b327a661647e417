package tailtest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tail"
	"github.com/wardkit/wardkit/audit/tail/tailtest"
	"github.com/wardkit/wardkit/internal/conform"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	tailtest.TestCursors(t, func(testing.TB) tail.Cursors { return tail.NewMemory() })
}

// TestMutants shows for each rule that it can fail: a store broken in that one place, which the
// rule catches and no other does.
func TestMutants(t *testing.T) {
	t.Parallel()
	mutants := map[string]func() tail.Cursors{}
	for _, r := range tailtest.Rules() {
		mutants[r.Name] = func() tail.Cursors { return &flawed{Memory: tail.NewMemory(), flaw: r.Name} }
	}
	conform.Mutants(t, tailtest.Rules(), mutants)
}

func TestCheckSaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	open := func() (tail.Cursors, error) { return &flawed{Memory: tail.NewMemory(), flaw: "back"}, nil }
	require.ErrorContains(t, tailtest.Check(t.Context(), open), "back")
	require.NoError(t, tailtest.Check(t.Context(), func() (tail.Cursors, error) { return tail.NewMemory(), nil }))
	require.Error(t, tailtest.Check(t.Context(), func() (tail.Cursors, error) { return nil, errors.New("no store") }))
}

// flawed is a Memory with one flaw.
type flawed struct {
	*tail.Memory
	flaw  string
	lucky atomic.Bool
}

func (s *flawed) Get(ctx context.Context, feed string, tenant audit.Tenant) (tail.Cursor, error) {
	c, err := s.Memory.Get(ctx, s.feed(feed, tenant), s.tenant(feed, tenant))
	if err != nil {
		return c, err
	}
	c.Feed, c.Tenant = feed, tenant
	switch {
	case s.flaw == "empty" && c.Version == 0 && ctx.Done() != nil:
		c.Holder = "nobody"
	case s.flaw == "keeps" && c.Next == 1<<41+7:
		c.Until = c.Until.Add(1)
	}
	return c, nil
}

// feed and tenant mix up what a flaw mixes up.
func (s *flawed) feed(feed string, t audit.Tenant) string {
	if s.flaw == "of_feed" && feed == "archive" && t == "clinic" {
		return "siem"
	}
	return feed
}

func (s *flawed) tenant(feed string, t audit.Tenant) audit.Tenant {
	if s.flaw == "of_tenant" && feed == "tenants" {
		return "clinic"
	}
	return t
}

func (s *flawed) Put(ctx context.Context, c tail.Cursor) error {
	c.Feed, c.Tenant = s.feed(c.Feed, c.Tenant), s.tenant(c.Feed, c.Tenant)
	err := s.Memory.Put(ctx, c)
	lost := errors.Is(err, tail.ErrConflict)
	switch {
	case s.flaw == "cancelled" && ctx.Err() != nil:
		return s.Memory.Put(context.WithoutCancel(ctx), c)
	case s.flaw == "not_there" && lost && c.Version == 40:
		return nil
	case s.flaw == "there_already" && lost && c.Version == 0 && c.Next == 55:
		return nil
	case s.flaw == "stale" && lost && c.Version == 1 && c.Next == 55:
		return nil
	case s.flaw == "back" && err == nil && c.Next == 2 && c.Version == 1:
		c.Version, c.Next = 2, 1<<41
		return s.Memory.Put(ctx, c)
	case s.flaw == "race" && lost && c.Next >= 100 && c.Next < 108 && c.Version == 9 && s.lucky.CompareAndSwap(false, true):
		return nil
	}
	return err
}

func (s *flawed) All(ctx context.Context, feed string) iter.Seq2[tail.Cursor, error] {
	return func(yield func(tail.Cursor, error) bool) {
		var page []tail.Cursor
		for c, err := range s.Memory.All(ctx, feed) {
			if err != nil {
				yield(c, err)
				return
			}
			page = append(page, c)
		}
		switch {
		case s.flaw == "all":
			slices.SortFunc(page, func(a, b tail.Cursor) int {
				return strings.Compare(strings.ToLower(string(a.Tenant)), strings.ToLower(string(b.Tenant)))
			})
		case s.flaw == "many" && len(page) > 1000:
			page = page[:1000]
		}
		for _, c := range page {
			if !yield(c, nil) {
				return
			}
		}
	}
}
