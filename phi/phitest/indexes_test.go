package phitest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

func TestMemoryIndexes(t *testing.T) {
	t.Parallel()
	phitest.TestIndexes(t, func(testing.TB) phi.IndexStore { return phi.NewMemoryTerms() })
}

func TestCheckIndexes(t *testing.T) {
	t.Parallel()
	require.NoError(t, phitest.CheckIndexes(t.Context(), func() (phi.IndexStore, error) { return phi.NewMemoryTerms(), nil }))
	err := phitest.CheckIndexes(t.Context(), func() (phi.IndexStore, error) { return greedy(), nil })
	require.ErrorContains(t, err, "drop_keeps_its_limit")
}

func TestIndexMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, phitest.IndexRules(), map[string]func() phi.IndexStore{
		"save_needs_the_epoch":                    rowForIndex,
		"save_refuses_epochs_below_the_floor":     floorless,
		"requirements_only_rise":                  lastWord,
		"requirements_are_the_tenants":            everyTenant,
		"require_waits_for_saves_in_progress":     checksFirst,
		"reindex_gives_rows_their_terms":          miscounts,
		"reindex_leaves_rows_that_are_up_to_date": overwrites,
		"reindex_leaves_rows_without_terms":       revives,
		"reindex_clears_rows_that_have_nothing":   spares,
		"reindex_claims":                          unclaimed,
		"a_reindexed_duplicate_changes_nothing":   oneByOne,
		"reindex_refuses_incomplete_terms":        unchecked,
		"reindex_and_save_at_once":                readsFirst,
		"behind_counts_rows_by_entity":            lumps,
		"drop_deletes_older_epochs_only":          dropsEverywhere,
		"drop_keeps_its_limit":                    greedy,
		"index_cancelled_means_an_error":          deafIndex,
	})
}

// indexMutant is an index store broken where a function is set.
type indexMutant struct {
	*phi.MemoryTerms
	save    func(context.Context, audit.Tenant, phi.Terms) error
	require func(context.Context, audit.Tenant, byte, byte) error
	reindex func(context.Context, audit.Tenant, byte, []phi.Terms) (int, error)
	behind  func(context.Context, audit.Tenant, byte) (map[string]int, error)
	drop    func(context.Context, audit.Tenant, byte, int) (int, error)
}

func newIndexMutant() *indexMutant { return &indexMutant{MemoryTerms: phi.NewMemoryTerms()} }

func (m *indexMutant) SaveTerms(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
	if m.save != nil {
		return m.save(ctx, t, terms)
	}
	return m.MemoryTerms.SaveTerms(ctx, t, terms)
}

func (m *indexMutant) RequireTerms(ctx context.Context, t audit.Tenant, floor, need byte) error {
	if m.require != nil {
		return m.require(ctx, t, floor, need)
	}
	return m.MemoryTerms.RequireTerms(ctx, t, floor, need)
}

func (m *indexMutant) Reindex(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
	if m.reindex != nil {
		return m.reindex(ctx, t, epoch, rows)
	}
	return m.MemoryTerms.Reindex(ctx, t, epoch, rows)
}

func (m *indexMutant) Behind(ctx context.Context, t audit.Tenant, epoch byte) (map[string]int, error) {
	if m.behind != nil {
		return m.behind(ctx, t, epoch)
	}
	return m.MemoryTerms.Behind(ctx, t, epoch)
}

func (m *indexMutant) DropTerms(ctx context.Context, t audit.Tenant, below byte, limit int) (int, error) {
	if m.drop != nil {
		return m.drop(ctx, t, below, limit)
	}
	return m.MemoryTerms.DropTerms(ctx, t, below, limit)
}

// asked is what a mutant was required to ask for, kept apart from the store it wraps.
type asked struct {
	mu     sync.Mutex
	levels map[audit.Tenant][2]byte
}

func newAsked() *asked { return &asked{levels: map[audit.Tenant][2]byte{}} }

func (a *asked) raise(t audit.Tenant, floor, need byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	have := a.levels[t]
	a.levels[t] = [2]byte{max(have[0], floor), max(have[1], need)}
}

func (a *asked) of(t audit.Tenant) (floor, need byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.levels[t][0], a.levels[t][1]
}

// asking keeps the requirements itself and checks them with check.
func asking(check func(terms phi.Terms, floor, need byte) error) *indexMutant {
	m, a := newIndexMutant(), newAsked()
	m.require = func(ctx context.Context, t audit.Tenant, floor, need byte) error {
		if ctx.Err() == nil {
			a.raise(t, floor, need)
		}
		return ctx.Err()
	}
	var one sync.Mutex
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		one.Lock()
		defer one.Unlock()
		floor, need := a.of(t)
		if err := check(terms, floor, need); err != nil {
			return err
		}
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	// RequireTerms shares the lock of SaveTerms, so that nobody is in between.
	plain := m.require
	m.require = func(ctx context.Context, t audit.Tenant, floor, need byte) error {
		one.Lock()
		defer one.Unlock()
		return plain(ctx, t, floor, need)
	}
	return m
}

// rowForIndex is content when any index of the row has the epoch.
func rowForIndex() phi.IndexStore {
	return asking(func(terms phi.Terms, floor, need byte) error {
		if len(terms.Of(need).List) > 0 {
			need = 0
		}
		return terms.CheckEpochs(floor, need)
	})
}

// floorless knows what is needed and not what is too old.
func floorless() phi.IndexStore {
	return asking(func(terms phi.Terms, floor, need byte) error {
		if floor == 2 && need == 2 {
			floor = 0
		}
		return terms.CheckEpochs(floor, need)
	})
}

// lastWord takes the last word for the highest.
func lastWord() phi.IndexStore {
	m := newIndexMutant()
	var last, first sync.Map
	m.require = func(ctx context.Context, t audit.Tenant, floor, need byte) error {
		if _, again := first.LoadOrStore(t, true); again && ctx.Err() == nil {
			last.Store(t, [2]byte{floor, need})
			return nil
		}
		return m.MemoryTerms.RequireTerms(ctx, t, floor, need)
	}
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		if level, ok := last.Load(t); ok && errors.Is(err, phi.ErrStaleTerms) {
			return terms.CheckEpochs(level.([2]byte)[0], level.([2]byte)[1])
		}
		return err
	}
	return m
}

// everyTenant requires of all tenants what it should of one.
func everyTenant() phi.IndexStore {
	m := newIndexMutant()
	m.require = func(ctx context.Context, t audit.Tenant, floor, need byte) error {
		return errors.Join(m.MemoryTerms.RequireTerms(ctx, t, floor, need), m.MemoryTerms.RequireTerms(ctx, "clinic-2", floor, need))
	}
	return m
}

// checksFirst checks what is required and then takes its time.
func checksFirst() phi.IndexStore {
	m, a := newIndexMutant(), newAsked()
	m.require = func(ctx context.Context, t audit.Tenant, floor, need byte) error {
		if ctx.Err() == nil {
			a.raise(t, floor, need)
		}
		return ctx.Err()
	}
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		if err := terms.CheckEpochs(a.of(t)); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
		return m.MemoryTerms.SaveTerms(ctx, t, terms)
	}
	return m
}

// miscounts returns how many rows it was given.
func miscounts() phi.IndexStore {
	m := newIndexMutant()
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		n, err := m.MemoryTerms.Reindex(ctx, t, epoch, rows)
		if n == 2 {
			n = 1
		}
		return n, err
	}
	return m
}

// overwrites gives its terms to rows that have them too.
func overwrites() phi.IndexStore {
	m := newIndexMutant()
	var upToDate sync.Map
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		if err == nil && len(terms.Of(2).List) > 0 {
			upToDate.Store(terms.Row, true)
		}
		return err
	}
	has := func(row string) bool {
		_, ok := upToDate.Load(row)
		return ok
	}
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		n, err := m.MemoryTerms.Reindex(ctx, t, epoch, rows)
		for _, r := range rows {
			if n == 0 && len(rows) < 16 && len(r.List) > 0 && has(r.Row) { // not in the race, where it may come last
				err = errors.Join(err, m.MemoryTerms.SaveTerms(ctx, t, r))
			}
		}
		return n, err
	}
	return m
}

// revives gives terms to rows that have none.
func revives() phi.IndexStore {
	m := newIndexMutant()
	known := sync.Map{}
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		if err == nil && len(terms.List) == 0 {
			known.Store(terms.Row, true)
		}
		return err
	}
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		n, err := m.MemoryTerms.Reindex(ctx, t, epoch, rows)
		for _, r := range rows {
			if _, cleared := known.Load(r.Row); cleared {
				err = errors.Join(err, m.MemoryTerms.SaveTerms(ctx, t, r))
			}
		}
		return n, err
	}
	return m
}

// spares leaves rows that have nothing to index.
func spares() phi.IndexStore {
	m := newIndexMutant()
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		some := slices.DeleteFunc(slices.Clone(rows), func(r phi.Terms) bool { return r.Entity != "" && r.Row == "p-1" && len(r.List) == 0 })
		return m.MemoryTerms.Reindex(ctx, t, epoch, some)
	}
	return m
}

// unclaimed lets others have the terms that it has stored.
func unclaimed() phi.IndexStore {
	m := newIndexMutant()
	var reindexed sync.Map
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		n, err := m.MemoryTerms.Reindex(ctx, t, epoch, rows)
		if n > 0 {
			reindexed.Store(t, true)
		}
		return n, err
	}
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		if _, after := reindexed.Load(t); after && errors.Is(err, phi.ErrDuplicate) {
			return nil
		}
		return err
	}
	return m
}

// oneByOne keeps what it had done before the duplicate.
func oneByOne() phi.IndexStore {
	m := newIndexMutant()
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		n, err := m.MemoryTerms.Reindex(ctx, t, epoch, rows)
		if errors.Is(err, phi.ErrDuplicate) {
			_, e := m.MemoryTerms.Reindex(ctx, t, epoch, rows[:1])
			err = errors.Join(err, e)
		}
		return n, err
	}
	return m
}

// unchecked takes anything.
func unchecked() phi.IndexStore {
	m := newIndexMutant()
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		n, err := m.MemoryTerms.Reindex(ctx, t, epoch, rows)
		if errors.Is(err, phi.ErrBinding) {
			err = nil
		}
		return n, err
	}
	return m
}

// readsFirst finds out which rows are behind, and later writes over what they have by then.
func readsFirst() phi.IndexStore {
	m := newIndexMutant()
	var once sync.Once
	moved := make(chan struct{}) // an owner has written
	m.save = func(ctx context.Context, t audit.Tenant, terms phi.Terms) error {
		err := m.MemoryTerms.SaveTerms(ctx, t, terms)
		if len(terms.List) == 4 {
			once.Do(func() { close(moved) })
		}
		return err
	}
	m.reindex = func(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (int, error) {
		if len(rows) < 4 {
			return m.MemoryTerms.Reindex(ctx, t, epoch, rows)
		}
		select {
		case <-moved:
		case <-ctx.Done():
		}
		for _, r := range rows {
			if err := m.MemoryTerms.SaveTerms(ctx, t, r); err != nil {
				return 0, err
			}
		}
		return len(rows), nil
	}
	return m
}

// lumps counts the rows of all entities as those of one.
func lumps() phi.IndexStore {
	m := newIndexMutant()
	m.behind = func(ctx context.Context, t audit.Tenant, epoch byte) (map[string]int, error) {
		all, err := m.MemoryTerms.Behind(ctx, t, epoch)
		if n := all["staff"]; n > 0 {
			delete(all, "staff")
			all["patient"] += n
		}
		return all, err
	}
	return m
}

// dropsEverywhere deletes in another tenant too.
func dropsEverywhere() phi.IndexStore {
	m := newIndexMutant()
	m.drop = func(ctx context.Context, t audit.Tenant, below byte, limit int) (int, error) {
		if _, err := m.MemoryTerms.DropTerms(ctx, "clinic-2", below, limit); err != nil {
			return 0, err
		}
		return m.MemoryTerms.DropTerms(ctx, t, below, limit)
	}
	return m
}

// greedy deletes all at once.
func greedy() phi.IndexStore {
	m := newIndexMutant()
	m.drop = func(ctx context.Context, t audit.Tenant, below byte, _ int) (int, error) {
		return m.MemoryTerms.DropTerms(ctx, t, below, 1<<30)
	}
	return m
}

// deafIndex does not hear that the caller has gone.
func deafIndex() phi.IndexStore {
	m := newIndexMutant()
	m.require = func(ctx context.Context, t audit.Tenant, floor, need byte) error {
		return m.MemoryTerms.RequireTerms(context.WithoutCancel(ctx), t, floor, need)
	}
	return m
}
