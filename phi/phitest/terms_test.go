package phitest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

func TestMemoryTerms(t *testing.T) {
	t.Parallel()
	phitest.TestTerms(t, func(testing.TB) phi.TermStore { return phi.NewMemoryTerms() })
}

func TestCheckTerms(t *testing.T) {
	t.Parallel()
	require.NoError(t, phitest.CheckTerms(t.Context(), func() (phi.TermStore, error) { return phi.NewMemoryTerms(), nil }))
	err := phitest.CheckTerms(t.Context(), func() (phi.TermStore, error) { return trusting(), nil })
	require.ErrorContains(t, err, "incomplete_terms_are_refused")
}

func TestTermMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, phitest.TermRules(), map[string]func() phi.TermStore{
		"lookup_finds_every_row_once":     repeating,
		"save_replaces":                   keeping,
		"save_twice_changes_nothing":      selfish,
		"a_unique_term_is_held_once":      firstOnly,
		"a_duplicate_changes_nothing":     halfway,
		"of_several_at_once_one_holds_it": looking,
		"one_row_at_once":                 merging,
		"tenants_are_apart":               tenantBlind,
		"entities_and_fields_are_apart":   entityBlind,
		"delete_removes_the_row":          clinging,
		"incomplete_terms_are_refused":    trusting,
		"terms_are_copies":                aliasing,
		"cancelled_means_an_error":        termDeaf,
	})
}

// termMutant is a term store broken where a function is set.
type termMutant struct {
	*phi.MemoryTerms
	save   func(context.Context, audit.Tenant, phi.Terms) error
	remove func(context.Context, audit.Tenant, string, string) error
	lookup func(context.Context, audit.Tenant, phi.Query) ([]string, error)

	mu   sync.Mutex
	rows map[string][]phi.Term // what was saved last, by tenant, entity and row
}

func newTermMutant() *termMutant {
	return &termMutant{MemoryTerms: phi.NewMemoryTerms(), rows: map[string][]phi.Term{}}
}

func (m *termMutant) SaveTerms(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
	if m.save != nil {
		return m.save(ctx, t, terms)
	}
	return m.MemoryTerms.SaveTerms(ctx, t, terms)
}

func (m *termMutant) DeleteTerms(ctx context.Context, t audit.Tenant, entity, row string) error {
	if m.remove != nil {
		return m.remove(ctx, t, entity, row)
	}
	return m.MemoryTerms.DeleteTerms(ctx, t, entity, row)
}

func (m *termMutant) Lookup(ctx context.Context, t audit.Tenant, q phi.Query) ([]string, error) {
	if m.lookup != nil {
		return m.lookup(ctx, t, q)
	}
	return m.MemoryTerms.Lookup(ctx, t, q)
}

func (m *termMutant) remember(t audit.Tenant, terms phi.Terms) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[string(t)+"/"+terms.Entity+"/"+terms.Row] = terms.List
}

func (m *termMutant) remembered(t audit.Tenant, entity, row string) []phi.Term {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[string(t)+"/"+entity+"/"+row]
}

// holder returns the row that holds a unique term.
func (m *termMutant) holder(ctx context.Context, t audit.Tenant, entity string, term phi.Term) string {
	rows, err := m.MemoryTerms.Lookup(ctx, t, phi.Query{Entity: entity, Field: term.Field, Unique: true, Terms: [][]byte{term.Value}})
	if err != nil || len(rows) == 0 || !term.Unique {
		return ""
	}
	return rows[0]
}

// repeating asks for each term by itself.
func repeating() phi.TermStore {
	m := newTermMutant()
	m.lookup = func(ctx context.Context, t audit.Tenant, q phi.Query) ([]string, error) {
		found, err := m.MemoryTerms.Lookup(ctx, t, phi.Query{Entity: q.Entity, Field: q.Field})
		for _, term := range q.Terms {
			q.Terms = [][]byte{term}
			var some []string
			some, err = m.MemoryTerms.Lookup(ctx, t, q)
			found = append(found, some...)
		}
		return found, err
	}
	return m
}

// keeping takes no terms for nothing to do.
func keeping() phi.TermStore {
	m := newTermMutant()
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		if err := terms.Check(t); err != nil || len(terms.List) == 0 {
			return err
		}
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	return m
}

// selfish takes a row for a duplicate of itself.
func selfish() phi.TermStore {
	m := newTermMutant()
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		for _, term := range terms.List {
			if m.holder(ctx, t, terms.Entity, term) == terms.Row && terms.Row != "" {
				return &phi.DuplicateError{Field: term.Field}
			}
		}
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	return m
}

// firstOnly guards only the first unique term of a row.
func firstOnly() phi.TermStore {
	m := newTermMutant()
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		list, seen := slices.Clone(terms.List), false
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		var d *phi.DuplicateError
		if !errors.As(err, &d) {
			return err
		}
		for _, term := range list {
			if term.Unique && term.Field == d.Field && seen {
				return nil
			}
			seen = seen || term.Unique
		}
		return err
	}
	return m
}

// halfway keeps what it had written before the duplicate.
func halfway() phi.TermStore {
	m := newTermMutant()
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		if errors.Is(err, phi.ErrDuplicate) && len(m.remembered(t, terms.Entity, terms.Row)) > 0 {
			terms.List = slices.DeleteFunc(slices.Clone(terms.List), func(term phi.Term) bool { return term.Unique })
			return errors.Join(err, m.MemoryTerms.SaveTerms(ctx, t, terms))
		}
		m.remember(t, terms)
		return err
	}
	return m
}

// looking looks first and writes later.
func looking() phi.TermStore {
	m := newTermMutant()
	var inside conform.Meeting
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		for _, term := range terms.List {
			if by := m.holder(ctx, t, terms.Entity, term); by != "" && by != terms.Row {
				return m.MemoryTerms.SaveTerms(ctx, t, terms)
			}
		}
		if inside.Wait() {
			err := m.MemoryTerms.SaveTerms(ctx, t, terms)
			if errors.Is(err, phi.ErrDuplicate) {
				return nil
			}
			return err
		}
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	return m
}

// merging mixes the terms of calls once it has seen two at once.
func merging() phi.TermStore {
	m := newTermMutant()
	var inside conform.Meeting
	var seen atomic.Bool
	var turn sync.Mutex
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		met := seen.Load() || inside.Wait()
		turn.Lock()
		defer turn.Unlock()
		if met {
			seen.Store(true)
			terms.List = slices.Concat(m.remembered(t, terms.Entity, terms.Row), terms.List)
		}
		m.remember(t, terms)
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	return m
}

// tenantBlind deletes a row of every tenant.
func tenantBlind() phi.TermStore {
	m := newTermMutant()
	m.remove = func(ctx context.Context, t audit.Tenant, entity, row string) error {
		return errors.Join(m.MemoryTerms.DeleteTerms(ctx, "clinic-1", entity, row), m.MemoryTerms.DeleteTerms(ctx, "clinic-2", entity, row))
	}
	return m
}

// entityBlind replaces the terms of the row's namesakes, too.
func entityBlind() phi.TermStore {
	m := newTermMutant()
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		if terms.Entity == "patient" {
			if err := m.MemoryTerms.DeleteTerms(ctx, t, "staff", terms.Row); err != nil {
				return err
			}
		}
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	return m
}

// clinging keeps unique terms of a deleted row.
func clinging() phi.TermStore {
	m := newTermMutant()
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		m.remember(t, terms)
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	m.remove = func(ctx context.Context, t audit.Tenant, entity, row string) error {
		left := slices.DeleteFunc(slices.Clone(m.remembered(t, entity, row)), func(term phi.Term) bool { return !term.Unique })
		return m.MemoryTerms.SaveTerms(ctx, t, phi.Terms{Entity: entity, Row: row, List: left})
	}
	return m
}

// trusting takes anything.
func trusting() phi.TermStore {
	m := newTermMutant()
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		if errors.Is(err, phi.ErrBinding) {
			return nil
		}
		return err
	}
	return m
}

// aliasing keeps the caller's memory.
func aliasing() phi.TermStore {
	m := newTermMutant()
	var last func(context.Context) error
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		m.mu.Lock()
		defer m.mu.Unlock()
		last = nil
		if err == nil {
			last = func(ctx context.Context) error { return m.MemoryTerms.SaveTerms(ctx, t, terms) }
		}
		return err
	}
	m.remove = func(ctx context.Context, t audit.Tenant, entity, row string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		last = nil
		return m.MemoryTerms.DeleteTerms(ctx, t, entity, row)
	}
	m.lookup = func(ctx context.Context, t audit.Tenant, q phi.Query) ([]string, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if last != nil {
			if err := last(ctx); err != nil {
				return nil, err
			}
		}
		return m.MemoryTerms.Lookup(ctx, t, q)
	}
	return m
}

// termDeaf does not hear that the caller has gone.
func termDeaf() phi.TermStore {
	m := newTermMutant()
	m.lookup = func(ctx context.Context, t audit.Tenant, q phi.Query) ([]string, error) {
		return m.MemoryTerms.Lookup(context.WithoutCancel(ctx), t, q)
	}
	return m
}
