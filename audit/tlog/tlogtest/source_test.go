package tlogtest_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/tlog/tlogtest"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

func TestSources(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		tlogtest.TestSource(t, func(testing.TB) tlogtest.Events { return audit.NewMemory() })
	})
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		tlogtest.TestSource(t, func(t testing.TB) tlogtest.Events {
			e := open(t)
			s, err := auditsql.SQLite(e.Pool)
			if e.Dialect == sqlkit.Postgres {
				s, err = auditsql.Postgres(e.Pool, make([]byte, 32))
			}
			require.NoError(t, err)
			require.NoError(t, s.Migrate(t.Context()))
			return s
		})
	})
}

// TestSourceMutants shows for each rule that it can fail.
func TestSourceMutants(t *testing.T) {
	t.Parallel()
	mutants := map[string]func() tlogtest.Events{}
	for _, r := range tlogtest.SourceRules() {
		mutants[r.Name] = func() tlogtest.Events { return &flawedSource{Memory: audit.NewMemory(), flaw: r.Name} }
	}
	conform.Mutants(t, tlogtest.SourceRules(), mutants)
	require.NoError(t, tlogtest.CheckSource(t.Context(), func() (tlogtest.Events, error) { return audit.NewMemory(), nil }))
}

// flawedSource is a Memory with one flaw.
type flawedSource struct {
	*audit.Memory
	flaw string
}

func (s *flawedSource) Orders(ctx context.Context) iter.Seq2[audit.Order, error] {
	if s.flaw == "source_cancelled" {
		ctx = context.WithoutCancel(ctx)
	}
	return func(yield func(audit.Order, error) bool) {
		var all []audit.Order
		for o, err := range s.Memory.Orders(ctx) {
			if err != nil {
				yield(o, err)
				return
			}
			if s.flaw == "placed" && o.Size == 4 && o.Tenant == "clinic" {
				o.Size++
			}
			all = append(all, o)
		}
		if s.flaw == "orders" {
			slices.SortFunc(all, func(a, b audit.Order) int {
				return strings.Compare(strings.ToLower(string(a.Tenant)), strings.ToLower(string(b.Tenant)))
			})
			slices.Reverse(all)
		}
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (s *flawedSource) Leaves(ctx context.Context, t audit.Tenant, from, to int64) ([][32]byte, error) {
	switch {
	case s.flaw == "source_cancelled":
		ctx = context.WithoutCancel(ctx)
	case s.flaw == "not_there" && from == 3:
		return nil, nil
	case s.flaw == "leaves_of_tenant":
		if _, err := s.Memory.Leaves(ctx, t, from, to); err == nil {
			t = "clinic"
		}
	}
	out, err := s.Memory.Leaves(ctx, t, from, to)
	if s.flaw == "leaves" && to-from == 2 && from == 255 {
		slices.Reverse(out)
	}
	return out, err
}
