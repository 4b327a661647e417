package incidenttest_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/incident/incidenttest"
	"github.com/wardkit/wardkit/internal/conform"
)

// mutant is a good store with one method replaced.
type mutant struct {
	*incident.Memory
	get    func(context.Context, audit.Tenant, string) (incident.Row, error)
	list   func(context.Context, audit.Tenant, bool, int64) iter.Seq2[incident.Row, error]
	apply  func(context.Context, incident.Change) (int64, error)
	lines  func(context.Context, audit.Tenant, string, int64) iter.Seq2[incident.Line, error]
	people func(context.Context, audit.Tenant, string) iter.Seq2[incident.Person, error]
}

func (m *mutant) Get(ctx context.Context, t audit.Tenant, id string) (incident.Row, error) {
	return m.get(ctx, t, id)
}

func (m *mutant) List(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
	return m.list(ctx, t, active, below)
}

func (m *mutant) Apply(ctx context.Context, c incident.Change) (int64, error) { return m.apply(ctx, c) }

func (m *mutant) Lines(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[incident.Line, error] {
	return m.lines(ctx, t, id, after)
}

func (m *mutant) People(ctx context.Context, t audit.Tenant, id string) iter.Seq2[incident.Person, error] {
	return m.people(ctx, t, id)
}

// breaking returns how to open stores that breaks breaks.
func breaking(breaks func(m *mutant, good *incident.Memory)) func() incident.Store {
	return func() incident.Store {
		good := incident.NewMemory()
		m := &mutant{good, good.Get, good.List, good.Apply, good.Lines, good.People}
		breaks(m, good)
		return m
	}
}

// applying returns how to open stores whose Apply goes through f.
func applying(f func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error)) func() incident.Store {
	return breaking(func(m *mutant, good *incident.Memory) {
		m.apply = func(ctx context.Context, c incident.Change) (int64, error) { return f(ctx, c, good) }
	})
}

// yields turns a slice into what a list yields.
func yields[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, one := range list {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// edited is what a list yields, changed.
func edited[T any](seq iter.Seq2[T, error], edit func([]T) []T) iter.Seq2[T, error] {
	var out []T
	for one, err := range seq {
		if err != nil {
			return func(yield func(T, error) bool) { yield(one, err) }
		}
		out = append(out, one)
	}
	return yields(edit(out))
}

func TestMutants(t *testing.T) {
	t.Parallel()
	all := caseMutants()
	maps.Copy(all, numberMutants())
	maps.Copy(all, listMutants())
	maps.Copy(all, partMutants())
	conform.Mutants(t, incidenttest.Rules(), all)
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	good := func() (incident.Store, error) { return incident.NewMemory(), nil }
	require.NoError(t, incidenttest.Check(t.Context(), good))
	bad := func() (incident.Store, error) { return listMutants()["list-order"](), nil }
	require.ErrorContains(t, incidenttest.Check(t.Context(), bad), "list-order:")
}

const third = "0190b7a8-0000-7000-8000-000000000003"

func caseMutants() map[string]func() incident.Store {
	return map[string]func() incident.Store{
		"get-missing": breaking(func(m *mutant, good *incident.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id string) (incident.Row, error) {
				r, err := good.Get(ctx, t, id)
				if errors.Is(err, incident.ErrNotFound) && id[35] == '9' {
					return incident.Row{}, nil
				}
				return r, err
			}
		}),
		"round-trip": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			if string(c.Put.Body) == "other" { // forgets that nobody works on it any more
				c.Put.Active = true
			}
			return good.Apply(ctx, c)
		}),
		"detached": breaking(func(m *mutant, good *incident.Memory) {
			var mu sync.Mutex
			var body []byte
			m.apply = func(ctx context.Context, c incident.Change) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				if body == nil {
					body = c.Put.Body
				}
				return good.Apply(ctx, c)
			}
			m.get = func(ctx context.Context, t audit.Tenant, id string) (incident.Row, error) {
				r, err := good.Get(ctx, t, id)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && r.Version == 1 && id[35] == '2' && len(body) == len(r.Body) {
					r.Body = body
				}
				return r, err
			}
		}),
		"tenants-apart": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if err == nil && string(c.Put.Body) == "theirs" { // the change goes to every tenant's
				if r, gerr := good.Get(ctx, "clinic", c.Put.ID); gerr == nil {
					r.Body = c.Put.Body
					_, _ = good.Apply(ctx, incident.Change{Put: r, Expect: r.Version})
				}
			}
			return n, err
		}),
		"create-once": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if errors.Is(err, incident.ErrConflict) && c.Expect == 0 && c.Put.ID[35] == '7' {
				return 1, nil // "it is there, as you wished"
			}
			return n, err
		}),
		"update-once": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if errors.Is(err, incident.ErrConflict) && c.Put.ID == third && c.Expect == 1 {
				return c.Put.Number, nil
			}
			return n, err
		}),
		"update-version": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if errors.Is(err, incident.ErrConflict) && c.Expect == 5 { // takes the version there is
				if r, gerr := good.Get(ctx, c.Put.Tenant, c.Put.ID); gerr == nil {
					c.Expect = r.Version
					_, _ = good.Apply(ctx, c)
				}
			}
			return n, err
		}),
		"update-missing": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			if _, gerr := good.Get(ctx, c.Put.Tenant, c.Put.ID); c.Expect == 3 && errors.Is(gerr, incident.ErrNotFound) {
				c.Expect = 0
			}
			return good.Apply(ctx, c)
		}),
		"cancelled": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			return good.Apply(context.WithoutCancel(ctx), c)
		}),
	}
}

func numberMutants() map[string]func() incident.Store {
	return map[string]func() incident.Store{
		"numbers-dense": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if c.Put.Tenant == "other-clinic" && c.Expect == 0 && c.Lines == nil && c.Put.ID[35] == '1' && n == 1 {
				if rows := count(good.List(ctx, "clinic", false, incident.Newest)); rows == 3 { // one count for all tenants
					return 4, err
				}
			}
			return n, err
		}),
		"numbers-together": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if n == 7 {
				n = 6
			}
			return n, err
		}),
		"number-unused": breaking(func(m *mutant, good *incident.Memory) {
			var mu sync.Mutex
			refused := int64(0)
			m.apply = func(ctx context.Context, c incident.Change) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				n, err := good.Apply(ctx, c)
				if errors.Is(err, incident.ErrConflict) && c.Expect == 0 {
					refused++
				}
				if c.Expect == 0 && err == nil {
					n += refused
				}
				return n, err
			}
		}),
		"number-kept": breaking(func(m *mutant, good *incident.Memory) {
			m.apply = func(ctx context.Context, c incident.Change) (int64, error) {
				n, err := good.Apply(ctx, c)
				if c.Put.Number == 41 {
					n = 41
				}
				return n, err
			}
		}),
	}
}

func count[T any](seq iter.Seq2[T, error]) (n int) {
	for range seq {
		n++
	}
	return n
}

func listMutants() map[string]func() incident.Store {
	relist := func(edit func(active bool, below int64, rows []incident.Row) []incident.Row) func() incident.Store {
		return breaking(func(m *mutant, good *incident.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
				return edited(good.List(ctx, t, active, below), func(rows []incident.Row) []incident.Row { return edit(active, below, rows) })
			}
		})
	}
	return map[string]func() incident.Store{
		"list-order": relist(func(active bool, below int64, rows []incident.Row) []incident.Row {
			if len(rows) == 3 { // the last two change places
				rows[1], rows[2] = rows[2], rows[1]
			}
			return rows
		}),
		"list-below": breaking(func(m *mutant, good *incident.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
				if below == 1 { // at least one
					below = 2
				}
				return good.List(ctx, t, active, below)
			}
		}),
		"list-active": breaking(func(m *mutant, good *incident.Memory) {
			var mu sync.Mutex
			dead := map[string]bool{} // what was over once stays over
			m.list = func(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
				return edited(good.List(ctx, t, active, below), func(rows []incident.Row) []incident.Row {
					mu.Lock()
					defer mu.Unlock()
					if !active {
						return rows
					}
					return slices.DeleteFunc(rows, func(r incident.Row) bool { return dead[r.ID] })
				})
			}
			m.apply = func(ctx context.Context, c incident.Change) (int64, error) {
				mu.Lock()
				dead[c.Put.ID] = dead[c.Put.ID] || !c.Put.Active
				mu.Unlock()
				return good.Apply(ctx, c)
			}
		}),
		"list-tenant": breaking(func(m *mutant, good *incident.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
				own := good.List(ctx, t, active, below)
				if !active || t != "clinic" {
					return own
				}
				return edited(own, func(rows []incident.Row) []incident.Row { // an index without the tenant
					for r := range good.List(ctx, "other-clinic", active, below) {
						rows = append(rows, r)
					}
					return rows
				})
			}
		}),
		"list-break": breaking(func(m *mutant, good *incident.Memory) {
			var mu sync.Mutex
			broken := 0
			m.list = func(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[incident.Row, error] {
				return func(yield func(incident.Row, error) bool) {
					for r, err := range good.List(ctx, t, active, below) {
						if !yield(r, err) {
							mu.Lock()
							broken++
							mu.Unlock()
							return
						}
					}
				}
			}
			m.apply = func(ctx context.Context, c incident.Change) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				if broken > 8 { // no connection left
					return 0, errors.New("no connection")
				}
				return good.Apply(ctx, c)
			}
		}),
	}
}

func partMutants() map[string]func() incident.Store {
	return map[string]func() incident.Store{
		"lines-order": breaking(func(m *mutant, good *incident.Memory) {
			m.lines = func(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[incident.Line, error] {
				return edited(good.Lines(ctx, t, id, after), func(l []incident.Line) []incident.Line { return l[:min(len(l), 400)] })
			}
		}),
		"lines-after": breaking(func(m *mutant, good *incident.Memory) {
			m.lines = func(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[incident.Line, error] {
				if after == 2 {
					after = 1
				}
				return good.Lines(ctx, t, id, after)
			}
		}),
		"lines-apart": breaking(func(m *mutant, good *incident.Memory) {
			m.lines = func(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[incident.Line, error] {
				if t == "other-clinic" && id[35] == '2' {
					t = "clinic"
				}
				return good.Lines(ctx, t, id, after)
			}
		}),
		"line-once": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if errors.Is(err, incident.ErrConflict) && len(c.Lines) == 2 { // the row is written before the lines are looked at
				c.Lines, c.Add = nil, nil
				_, _ = good.Apply(ctx, c)
			}
			return n, err
		}),
		"people-order": breaking(func(m *mutant, good *incident.Memory) {
			m.people = func(ctx context.Context, t audit.Tenant, id string) iter.Seq2[incident.Person, error] {
				return edited(good.People(ctx, t, id), func(l []incident.Person) []incident.Person {
					slices.SortFunc(l, func(a, b incident.Person) int { return int(int8(a.Key[0])) - int(int8(b.Key[0])) }) // signed bytes
					return l
				})
			}
		}),
		"people-apart": breaking(func(m *mutant, good *incident.Memory) {
			m.people = func(ctx context.Context, t audit.Tenant, id string) iter.Seq2[incident.Person, error] {
				if t == "clinic" && id[35] == '2' {
					id = id[:35] + "1"
				}
				return good.People(ctx, t, id)
			}
		}),
		"person-replaced": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			if len(c.Add) == 1 && string(c.Add[0].Body) == "is" { // who is there stays as they are
				c.Add = nil
			}
			return good.Apply(ctx, c)
		}),
		"person-dropped": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			if len(c.Drop) == 3 { // drops after it added
				c.Add = nil
			}
			return good.Apply(ctx, c)
		}),
		"people-refused": applying(func(ctx context.Context, c incident.Change, good *incident.Memory) (int64, error) {
			n, err := good.Apply(ctx, c)
			if errors.Is(err, incident.ErrConflict) && c.Expect == 9 {
				r, gerr := good.Get(ctx, c.Put.Tenant, c.Put.ID)
				if gerr == nil {
					_, _ = good.Apply(ctx, incident.Change{Put: r, Expect: r.Version, Drop: c.Drop})
				}
			}
			return n, err
		}),
	}
}
