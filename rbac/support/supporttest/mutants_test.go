package supporttest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac/support"
	"github.com/wardkit/wardkit/rbac/support/supporttest"
)

// mutant is a good store with one method replaced.
type mutant struct {
	*support.Memory
	get    func(context.Context, audit.Tenant, string) (support.Row, error)
	open   func(context.Context, audit.Tenant, support.Account) (support.Row, error)
	apply  func(context.Context, support.Row, int64) error
	list   func(context.Context, support.Query, string) iter.Seq2[support.Row, error]
	active func(context.Context) iter.Seq2[support.Row, error]
}

func (m *mutant) Get(ctx context.Context, t audit.Tenant, id string) (support.Row, error) {
	return m.get(ctx, t, id)
}

func (m *mutant) Open(ctx context.Context, t audit.Tenant, by support.Account) (support.Row, error) {
	return m.open(ctx, t, by)
}

func (m *mutant) Apply(ctx context.Context, r support.Row, expect int64) error {
	return m.apply(ctx, r, expect)
}

func (m *mutant) List(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
	return m.list(ctx, q, below)
}

func (m *mutant) Active(ctx context.Context) iter.Seq2[support.Row, error] { return m.active(ctx) }

// breaking returns how to open stores that breaks breaks.
func breaking(breaks func(m *mutant, good *support.Memory)) func() support.Store {
	return func() support.Store {
		good := support.NewMemory()
		m := &mutant{good, good.Get, good.Open, good.Apply, good.List, good.Active}
		breaks(m, good)
		return m
	}
}

// applying returns how to open stores whose Apply goes through f.
func applying(f func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error) func() support.Store {
	return breaking(func(m *mutant, good *support.Memory) {
		m.apply = func(ctx context.Context, r support.Row, expect int64) error { return f(ctx, r, expect, good) }
	})
}

// edited is what a list yields, changed.
func edited(seq iter.Seq2[support.Row, error], edit func([]support.Row) []support.Row) iter.Seq2[support.Row, error] {
	var out []support.Row
	for r, err := range seq {
		if err != nil {
			return func(yield func(support.Row, error) bool) { yield(r, err) }
		}
		out = append(out, r)
	}
	return func(yield func(support.Row, error) bool) {
		for _, r := range edit(out) {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// listing returns how to open stores whose List is edited.
func listing(when func(support.Query, string) bool, edit func([]support.Row) []support.Row) func() support.Store {
	return breaking(func(m *mutant, good *support.Memory) {
		m.list = func(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
			if !when(q, below) {
				return good.List(ctx, q, below)
			}
			return edited(good.List(ctx, q, below), edit)
		}
	})
}

// activating returns how to open stores whose Active is edited.
func activating(edit func(rows []support.Row) []support.Row) func() support.Store {
	return breaking(func(m *mutant, good *support.Memory) {
		m.active = func(ctx context.Context) iter.Seq2[support.Row, error] { return edited(good.Active(ctx), edit) }
	})
}

func TestMutants(t *testing.T) {
	t.Parallel()
	all := rowMutants()
	for name, open := range moreMutants() {
		all[name] = open
	}
	conform.Mutants(t, supporttest.Rules(), all)
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	good := func() (support.Store, error) { return support.NewMemory(), nil }
	require.NoError(t, supporttest.Check(t.Context(), good))
	bad := func() (support.Store, error) { return rowMutants()["closed-stays"](), nil }
	require.ErrorContains(t, supporttest.Check(t.Context(), bad), "closed-stays:")
}

// last is the last digit of an ID.
func last(id string) byte { return id[35] }

func rowMutants() map[string]func() support.Store {
	return map[string]func() support.Store{
		"get-missing": breaking(func(m *mutant, good *support.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id string) (support.Row, error) {
				r, err := good.Get(ctx, t, id)
				if errors.Is(err, support.ErrNotFound) && last(id) == '9' {
					return support.Row{}, nil
				}
				return r, err
			}
		}),
		"round-trip": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			if string(r.Body) == "other" { // forgets that nothing is left to do
				r.Active = true
			}
			return good.Apply(ctx, r, expect)
		}),
		"detached": func() support.Store { return &keeper{Memory: support.NewMemory(), kept: map[string][]byte{}} },
		"tenants-apart": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			if string(r.Body) == "theirs" {
				r.Tenant = "clinic"
				r.Body = []byte("somebody else's")
			}
			return good.Apply(ctx, r, expect)
		}),
		"create-once": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			err := good.Apply(ctx, r, expect)
			if expect == 0 && last(r.ID) == '7' && errors.Is(err, support.ErrConflict) {
				return nil
			}
			return err
		}),
		"update-once": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			err := good.Apply(ctx, r, expect)
			if expect == 1 && last(r.ID) == '3' && errors.Is(err, support.ErrConflict) {
				return nil
			}
			return err
		}),
		"update-version": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			if string(r.Body) == "too late" {
				expect = 1
			}
			return good.Apply(ctx, r, expect)
		}),
		"update-missing": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			if _, err := good.Get(ctx, r.Tenant, r.ID); err != nil && expect == 3 {
				expect = 0
			}
			return good.Apply(ctx, r, expect)
		}),
		"operator-kept": func() support.Store { return &giver{Memory: support.NewMemory()} },
		"one-open": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			if r.Open && r.ID[33:] == "003" && expect == 0 && r.Operator.ID == "noor" && r.Tenant == "clinic" && r.Operator.Tenant == "platform" {
				if _, err := good.Get(ctx, "clinic", r.ID[:35]+"2"); err == nil { // counts rows that are over as the open one
					r.Open = false
				}
			}
			return good.Apply(ctx, r, expect)
		}),
		"one-open-each": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			if expect == 0 && r.Open && r.Operator.Tenant == "platform-2" && last(r.ID) == '3' { // forgets the platform
				if _, err := good.Open(ctx, r.Tenant, support.Account{Tenant: "platform", ID: r.Operator.ID}); err == nil {
					return support.ErrOpen
				}
			}
			return good.Apply(ctx, r, expect)
		}),
		"open-again": func() support.Store { return &onlyOnce{Memory: support.NewMemory()} },
		"open-once": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			err := good.Apply(ctx, r, expect)
			if errors.Is(err, support.ErrOpen) && r.ID[33:35] == "10" {
				return nil
			}
			return err
		}),
		"closed-stays": applying(func(ctx context.Context, r support.Row, expect int64, good *support.Memory) error {
			if have, err := good.Get(ctx, r.Tenant, r.ID); err == nil && r.Open && !have.Open && have.Version == expect && ctx.Err() == nil {
				return nil
			}
			return good.Apply(ctx, r, expect)
		}),
		"open-found": breaking(func(m *mutant, good *support.Memory) {
			m.open = func(ctx context.Context, t audit.Tenant, by support.Account) (support.Row, error) {
				r, err := good.Open(ctx, t, by)
				r.Body = nil
				return r, err
			}
		}),
		"open-none": breaking(func(m *mutant, good *support.Memory) {
			m.open = func(ctx context.Context, t audit.Tenant, by support.Account) (support.Row, error) {
				r, err := good.Open(ctx, t, by)
				if errors.Is(err, support.ErrNotFound) {
					return good.Open(ctx, t, support.Account{Tenant: "platform-2", ID: by.ID})
				}
				return r, err
			}
		}),
		"cancelled": breaking(func(m *mutant, good *support.Memory) {
			m.open = func(ctx context.Context, t audit.Tenant, by support.Account) (support.Row, error) {
				return good.Open(context.WithoutCancel(ctx), t, by)
			}
		}),
	}
}

// keeper hands out the memory that it was given.
type keeper struct {
	*support.Memory
	kept map[string][]byte
}

func (k *keeper) Apply(ctx context.Context, r support.Row, expect int64) error {
	err := k.Memory.Apply(ctx, r, expect)
	if err == nil && last(r.ID) == '2' && !r.Open && r.Tenant == "clinic" && r.Operator.ID == "noor" {
		k.kept[r.ID] = r.Body
	}
	return err
}

func (k *keeper) Get(ctx context.Context, t audit.Tenant, id string) (support.Row, error) {
	r, err := k.Memory.Get(ctx, t, id)
	if body, ok := k.kept[id]; ok && err == nil {
		r.Body = body
	}
	return r, err
}

// giver lets an update give the row to somebody else.
type giver struct {
	*support.Memory
	to support.Account
}

func (g *giver) Apply(ctx context.Context, r support.Row, expect int64) error {
	err := g.Memory.Apply(ctx, r, expect)
	if err == nil && expect == 1 && r.Operator.ID == "omar" && last(r.ID) == '1' && r.Tenant == "clinic" {
		g.to = r.Operator
	}
	return err
}

func (g *giver) Get(ctx context.Context, t audit.Tenant, id string) (support.Row, error) {
	r, err := g.Memory.Get(ctx, t, id)
	if g.to.ID != "" {
		r.Operator = g.to
	}
	return r, err
}

// onlyOnce does not free the place of an open row when it is closed.
type onlyOnce struct {
	*support.Memory
	taken atomic.Bool
}

func (o *onlyOnce) Apply(ctx context.Context, r support.Row, expect int64) error {
	if expect == 1 && !r.Open && last(r.ID) == '1' && r.Active {
		o.taken.Store(true)
	}
	if expect == 0 && r.Open && o.taken.Load() {
		return support.ErrOpen
	}
	return o.Memory.Apply(ctx, r, expect)
}

func anything(support.Query, string) bool { return true }

func moreMutants() map[string]func() support.Store {
	drop := func(n int) func([]support.Row) []support.Row {
		return func(rows []support.Row) []support.Row { return rows[:min(len(rows), n)] }
	}
	return map[string]func() support.Store{
		"list-order": listing(anything, func(rows []support.Row) []support.Row {
			if len(rows) == 3 && rows[0].ID[34:] == "10" { // by its number and not by bytes
				rows[0], rows[1] = rows[1], rows[0]
			}
			return rows
		}),
		"list-tenant": breaking(func(m *mutant, good *support.Memory) {
			m.list = func(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
				return edited(good.List(ctx, q, below), func(rows []support.Row) []support.Row {
					foreign, err := good.Get(ctx, "other-clinic", "0190b7a8-0000-7000-8000-000000000002")
					if q.Tenant == "clinic" && !q.Open && err == nil && !foreign.Open {
						rows = slices.Insert(rows, 1, foreign)
					}
					return rows
				})
			}
		}),
		"list-operator": listing(func(q support.Query, _ string) bool { return q.Operator.ID != "" && !q.Open }, func(rows []support.Row) []support.Row {
			return slices.DeleteFunc(rows, func(r support.Row) bool { return r.Tenant == "other-clinic" })
		}),
		"list-open": breaking(func(m *mutant, good *support.Memory) {
			m.list = func(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
				q.Open = false
				return good.List(ctx, q, below)
			}
		}),
		"list-below": breaking(func(m *mutant, good *support.Memory) {
			m.list = func(ctx context.Context, q support.Query, _ string) iter.Seq2[support.Row, error] {
				return good.List(ctx, q, "")
			}
		}),
		"list-nothing": breaking(func(m *mutant, good *support.Memory) {
			m.list = func(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
				if q.Tenant != "" {
					q.Operator = support.Account{}
				}
				return good.List(ctx, q, below)
			}
		}),
		"list-many":  listing(anything, drop(200)),
		"list-break": func() support.Store { return &stuck{Memory: support.NewMemory()} },
		"active-all": activating(func(rows []support.Row) []support.Row {
			if len(rows) == 3 {
				return slices.DeleteFunc(rows, func(r support.Row) bool { return r.Tenant == "other-clinic" })
			}
			return rows
		}),
		"active-only": breaking(func(m *mutant, good *support.Memory) {
			m.active = func(ctx context.Context) iter.Seq2[support.Row, error] {
				return edited(good.Active(ctx), func(rows []support.Row) []support.Row {
					if r, err := good.Get(ctx, "clinic", "0190b7a8-0000-7000-8000-000000000002"); err == nil && r.Open && !r.Active {
						rows = append(rows, r)
					}
					return rows
				})
			}
		}),
		"active-tie": activating(func(rows []support.Row) []support.Row {
			return slices.CompactFunc(rows, func(a, b support.Row) bool { return a.ID == b.ID })
		}),
		"active-many": activating(drop(200)),
	}
}

// stuck keeps its lock when a loop is broken off.
type stuck struct {
	*support.Memory
	held atomic.Bool
}

func (s *stuck) List(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
	return func(yield func(support.Row, error) bool) {
		for r, err := range s.Memory.List(ctx, q, below) {
			if !yield(r, err) {
				s.held.Store(true)
				return
			}
		}
	}
}

func (s *stuck) Apply(ctx context.Context, r support.Row, expect int64) error {
	if s.held.Load() {
		return errors.New("locked")
	}
	return s.Memory.Apply(ctx, r, expect)
}
