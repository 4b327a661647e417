package phitest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

// TestIndexes proves that the stores that open returns keep the contract of phi.TermReindexer,
// in addition to TestTerms. Every call of open returns a store of its own, empty.
func TestIndexes(t *testing.T, open func(t testing.TB) phi.IndexStore) {
	conform.Test(t, indexRules(), open)
}

// CheckIndexes is TestIndexes outside a test: it returns every rule that was broken, nil if none.
func CheckIndexes(ctx context.Context, open func() (phi.IndexStore, error)) error {
	return conform.Check(ctx, indexRules(), open)
}

func indexRules() []conform.Rule[phi.IndexStore] {
	return []conform.Rule[phi.IndexStore]{
		{
			Name:   "save_needs_the_epoch",
			Clause: "SaveTerms of a row, an index of which has no term of the epoch need: ErrStaleTerms, and nothing changes",
			Run:    needIsAsked,
		},
		{
			Name:   "save_refuses_epochs_below_the_floor",
			Clause: "SaveTerms of a row with a term below floor: ErrStaleTerms, and nothing changes",
			Run:    floorIsAsked,
		},
		{
			Name:   "requirements_only_rise",
			Clause: "RequireTerms, lower than before: nothing changes",
			Run:    requirementsRise,
		},
		{
			Name:   "requirements_are_the_tenants",
			Clause: "RequireTerms concerns one tenant",
			Run:    requirementsApart,
		},
		{
			Name:   "require_waits_for_saves_in_progress",
			Clause: "When RequireTerms returns, no SaveTerms is in progress that did not see it",
			Run:    requireWaits,
		},
		{
			Name:   "reindex_gives_rows_their_terms",
			Clause: "Reindex gives rows that have terms, and none of the epoch, their terms of it, and returns how many",
			Run:    reindexAdds,
		},
		{
			Name:   "reindex_leaves_rows_that_are_up_to_date",
			Clause: "Rows that have a term of the epoch or a later one are left alone",
			Run:    reindexLeaves,
		},
		{
			Name:   "reindex_leaves_rows_without_terms",
			Clause: "Rows without terms are left alone: they were cleared or deleted",
			Run:    reindexMissing,
		},
		{
			Name:   "reindex_clears_rows_that_have_nothing",
			Clause: "A row whose list has none of the epoch loses its terms",
			Run:    reindexClears,
		},
		{
			Name:   "reindex_claims",
			Clause: "A unique term that Reindex has stored is held",
			Run:    reindexClaims,
		},
		{
			Name:   "a_reindexed_duplicate_changes_nothing",
			Clause: "Reindex, a unique term that another row holds: *DuplicateError, and nothing changes",
			Run:    reindexDuplicate,
		},
		{
			Name:   "reindex_refuses_incomplete_terms",
			Clause: "Terms that Terms.Check refuses: ErrBinding",
			Run:    reindexIncomplete,
		},
		{
			Name:   "reindex_and_save_at_once",
			Clause: "Rows that somebody else is writing have the terms of that",
			Run:    reindexRace,
		},
		{
			Name:   "behind_counts_rows_by_entity",
			Clause: "Behind returns, for each entity, how many rows have terms and none of the epoch or a later one",
			Run:    behindCounts,
		},
		{
			Name:   "drop_deletes_older_epochs_only",
			Clause: "DropTerms deletes terms of epochs below, of one tenant",
			Run:    dropOlder,
		},
		{
			Name:   "drop_keeps_its_limit",
			Clause: "DropTerms deletes up to limit, and fewer only when none is left; it returns how many",
			Run:    dropLimit,
		},
		{
			Name:   "index_cancelled_means_an_error",
			Clause: "A call whose context has ended is an error, and changes nothing",
			Run:    indexCancelled,
		},
	}
}

// at returns term as of another epoch.
func at(epoch byte, term phi.Term) phi.Term {
	term.Value = append([]byte{epoch}, term.Value[1:]...)
	return term
}

// both returns the terms in epochs 1 and 2.
func both(terms ...phi.Term) (all []phi.Term) {
	for _, t := range terms {
		all = append(all, t, at(2, t))
	}
	return all
}

func stale(err error) error {
	if !errors.Is(err, phi.ErrStaleTerms) {
		return fmt.Errorf("have %v, want ErrStaleTerms", err)
	}
	return nil
}

func require(ctx context.Context, s phi.IndexStore, t audit.Tenant, floor, need byte) error {
	if err := s.RequireTerms(ctx, t, floor, need); err != nil {
		return fmt.Errorf("requiring terms: %w", err)
	}
	return nil
}

// reindex expects that so many of the rows were given terms of epoch 2.
func reindex(ctx context.Context, s phi.IndexStore, t audit.Tenant, want int, rows ...phi.Terms) error {
	n, err := s.Reindex(ctx, t, 2, rows)
	if err != nil {
		return fmt.Errorf("indexing anew: %w", err)
	}
	if n != want {
		return fmt.Errorf("indexing anew: have %d rows, want %d", n, want)
	}
	return nil
}

func wantBehind(ctx context.Context, s phi.IndexStore, t audit.Tenant, epoch byte, want map[string]int) error {
	have, err := s.Behind(ctx, t, epoch)
	if err != nil {
		return fmt.Errorf("counting rows: %w", err)
	}
	if !maps.Equal(have, want) {
		return fmt.Errorf("behind epoch %d: have %v, want %v", epoch, have, want)
	}
	return nil
}

func needIsAsked(ctx context.Context, s phi.IndexStore) error {
	if err := save(ctx, s, clinic, row("p-1", phone("1"))); err != nil {
		return err
	}
	if err := require(ctx, s, clinic, 1, 2); err != nil {
		return err
	}
	half := append(both(phone("3")), email("a"))
	if err := errors.Join(
		stale(s.SaveTerms(ctx, clinic, row("p-1", phone("2")))),
		stale(s.SaveTerms(ctx, clinic, row("p-1", half...))),
		find(ctx, s, clinic, phone("1"), "p-1"), find(ctx, s, clinic, phone("2")), find(ctx, s, clinic, phone("3")),
	); err != nil {
		return err
	}
	err := save(ctx, s, clinic, row("p-1", both(phone("4"), email("a"))...), row("p-2", at(2, phone("4"))), row("p-3"))
	return errors.Join(err, find(ctx, s, clinic, phone("4"), "p-1"), find(ctx, s, clinic, at(2, phone("4")), "p-1", "p-2"))
}

func floorIsAsked(ctx context.Context, s phi.IndexStore) error {
	if err := save(ctx, s, clinic, row("p-1", both(phone("1"))...)); err != nil {
		return err
	}
	if err := require(ctx, s, clinic, 2, 2); err != nil {
		return err
	}
	if err := errors.Join(
		stale(s.SaveTerms(ctx, clinic, row("p-1", both(phone("2"))...))),
		find(ctx, s, clinic, phone("1"), "p-1"), find(ctx, s, clinic, at(2, phone("2"))),
	); err != nil {
		return err
	}
	err := save(ctx, s, clinic, row("p-1", at(2, phone("3")), at(3, phone("3"))))
	return errors.Join(err, find(ctx, s, clinic, at(3, phone("3")), "p-1"), find(ctx, s, clinic, phone("1")))
}

func requirementsRise(ctx context.Context, s phi.IndexStore) error {
	for _, c := range [][2]byte{{3, 4}, {2, 3}, {0, 0}} {
		if err := require(ctx, s, clinic, c[0], c[1]); err != nil {
			return err
		}
	}
	return errors.Join(
		stale(s.SaveTerms(ctx, clinic, row("p-1", at(3, phone("1"))))),
		stale(s.SaveTerms(ctx, clinic, row("p-1", at(2, phone("1")), at(4, phone("1"))))),
		save(ctx, s, clinic, row("p-1", at(3, phone("1")), at(4, phone("1")))),
	)
}

func requirementsApart(ctx context.Context, s phi.IndexStore) error {
	return errors.Join(require(ctx, s, clinic, 2, 2), save(ctx, s, other, row("p-1", phone("1"))))
}

func requireWaits(ctx context.Context, s phi.IndexStore) error {
	var wg sync.WaitGroup
	var saved atomic.Int32
	for i := range racers {
		wg.Go(func() {
			for j := range 200 {
				if s.SaveTerms(ctx, clinic, row(fmt.Sprintf("p-%d-%d", i, j), phone("1"))) != nil {
					return
				}
				saved.Add(1)
			}
		})
	}
	for saved.Load() < racers && ctx.Err() == nil {
		runtime.Gosched()
	}
	err := require(ctx, s, clinic, 1, 2)
	before, err2 := s.Behind(ctx, clinic, 2)
	wg.Wait()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return wantBehind(ctx, s, clinic, 2, before)
}

func reindexAdds(ctx context.Context, s phi.IndexStore) error {
	err := save(ctx, s, clinic, row("p-1", phone("1"), email("a")), row("p-2", phone("1")), row("p-3", phone("3")))
	if err != nil {
		return err
	}
	err = reindex(ctx, s, clinic, 2, row("p-1", both(phone("1"), email("a"))...), row("p-2", both(phone("1"))...))
	if err != nil {
		return err
	}
	if err := reindex(ctx, s, clinic, 0); err != nil {
		return err
	}
	return errors.Join(
		find(ctx, s, clinic, phone("1"), "p-1", "p-2"), find(ctx, s, clinic, at(2, phone("1")), "p-1", "p-2"),
		find(ctx, s, clinic, email("a"), "p-1"), find(ctx, s, clinic, at(2, email("a")), "p-1"),
		find(ctx, s, clinic, at(2, phone("3"))),
	)
}

func reindexLeaves(ctx context.Context, s phi.IndexStore) error {
	err := save(ctx, s, clinic, row("p-1", both(phone("1"))...), row("p-2", at(3, phone("1"))), row("p-3", at(2, email("a"))))
	if err != nil {
		return err
	}
	err = reindex(ctx, s, clinic, 0, row("p-1", both(phone("2"))...), row("p-2", both(phone("2"))...), row("p-3", both(phone("2"))...))
	return errors.Join(err, find(ctx, s, clinic, at(2, phone("2"))), find(ctx, s, clinic, at(2, phone("1")), "p-1"))
}

func reindexMissing(ctx context.Context, s phi.IndexStore) error {
	if err := save(ctx, s, clinic, row("p-1", phone("1")), row("p-1")); err != nil {
		return err
	}
	err := save(ctx, s, other, row("p-2", phone("1")))
	if err != nil {
		return err
	}
	err = reindex(ctx, s, clinic, 0, row("p-1", both(phone("1"))...), row("p-2", both(phone("1"))...))
	return errors.Join(err, find(ctx, s, clinic, at(2, phone("1"))), find(ctx, s, other, at(2, phone("1"))))
}

func reindexClears(ctx context.Context, s phi.IndexStore) error {
	if err := save(ctx, s, clinic, row("p-1", phone("1"), email("a")), row("p-2", phone("1"))); err != nil {
		return err
	}
	if err := reindex(ctx, s, clinic, 1, row("p-1")); err != nil {
		return err
	}
	return errors.Join(find(ctx, s, clinic, phone("1"), "p-2"), find(ctx, s, clinic, email("a")),
		wantBehind(ctx, s, clinic, 2, map[string]int{"patient": 1}))
}

func reindexClaims(ctx context.Context, s phi.IndexStore) error {
	if err := save(ctx, s, clinic, row("p-1", email("a"))); err != nil {
		return err
	}
	if err := reindex(ctx, s, clinic, 1, row("p-1", both(email("a"))...)); err != nil {
		return err
	}
	return errors.Join(
		duplicate(s.SaveTerms(ctx, clinic, row("p-2", at(2, email("a")))), "email"),
		save(ctx, s, clinic, row("p-1", both(email("a"))...)),
	)
}

func reindexDuplicate(ctx context.Context, s phi.IndexStore) error {
	err := save(ctx, s, clinic, row("p-1", phone("1")), row("p-2", mrn("x")), row("p-3", phone("3"), email("a")), row("p-4", at(2, email("a"))))
	if err != nil {
		return err
	}
	rows := []phi.Terms{row("p-1", both(phone("1"))...), row("p-2", both(mrn("x"))...), row("p-3", both(phone("3"), email("a"))...)}
	n, err := s.Reindex(ctx, clinic, 2, rows)
	if n != 0 {
		return fmt.Errorf("have %d rows, want 0", n)
	}
	twice := []phi.Terms{row("p-1", both(email("t"))...), row("p-2", both(email("t"))...)}
	_, err2 := s.Reindex(ctx, clinic, 2, twice)
	return errors.Join(duplicate(err, "email"), duplicate(err2, "email"),
		find(ctx, s, clinic, at(2, phone("1"))), find(ctx, s, clinic, at(2, mrn("x"))), find(ctx, s, clinic, at(2, email("t"))),
		find(ctx, s, clinic, phone("3"), "p-3"), find(ctx, s, clinic, at(2, email("a")), "p-4"),
		wantBehind(ctx, s, clinic, 2, map[string]int{"patient": 3}),
	)
}

func reindexIncomplete(ctx context.Context, s phi.IndexStore) error {
	for i, bad := range []phi.Terms{{Row: "p-1"}, {Entity: "patient"}, row("p\x00"), row("p-1", phi.Term{Field: "phone", Value: []byte{2}})} {
		if _, err := s.Reindex(ctx, clinic, 2, []phi.Terms{bad}); !errors.Is(err, phi.ErrBinding) {
			return fmt.Errorf("case %d: have %v, want ErrBinding", i, err)
		}
	}
	return nil
}

// reindexRace gives rows terms while their owners move on: whoever is first, the row ends with
// those of its owner in both epochs.
func reindexRace(ctx context.Context, s phi.IndexStore) error {
	const rows = 4 * racers
	var old []phi.Terms
	for i := range rows {
		id := fmt.Sprintf("p-%02d", i)
		if err := save(ctx, s, clinic, row(id, phone("old"), email("old"+id))); err != nil {
			return err
		}
		old = append(old, row(id, both(phone("old"), email("old"+id))...))
	}
	errs := race(rows+1, func(i int) error {
		if i == rows {
			_, err := s.Reindex(ctx, clinic, 2, old)
			return err
		}
		id := old[i].Row
		return s.SaveTerms(ctx, clinic, row(id, both(phone("new"), email("new"+id))...))
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(find(ctx, s, clinic, phone("old")), find(ctx, s, clinic, at(2, phone("old"))),
		wantBehind(ctx, s, clinic, 2, map[string]int{}))
}

func behindCounts(ctx context.Context, s phi.IndexStore) error {
	staff := phi.Terms{Entity: "staff", Row: "p-1", List: []phi.Term{email("a"), phone("1")}}
	err := errors.Join(
		save(ctx, s, clinic, staff, row("p-1", phone("1")), row("p-2", email("a")), row("p-3", both(phone("1"))...),
			row("p-4", phone("1"), at(2, email("d"))), row("p-5"), row("p-6", at(3, phone("1")))),
		save(ctx, s, other, row("p-9", phone("1"))),
	)
	if err != nil {
		return err
	}
	return errors.Join(
		wantBehind(ctx, s, clinic, 1, map[string]int{}),
		wantBehind(ctx, s, clinic, 2, map[string]int{"staff": 1, "patient": 2}),
		wantBehind(ctx, s, clinic, 3, map[string]int{"staff": 1, "patient": 4}),
		wantBehind(ctx, s, other, 2, map[string]int{"patient": 1}),
	)
}

func drop(ctx context.Context, s phi.IndexStore, limit, want int) error {
	n, err := s.DropTerms(ctx, clinic, 2, limit)
	if err != nil {
		return fmt.Errorf("deleting terms: %w", err)
	}
	if n != want {
		return fmt.Errorf("deleting terms: have %d, want %d", n, want)
	}
	return nil
}

func dropOlder(ctx context.Context, s phi.IndexStore) error {
	staff := phi.Terms{Entity: "staff", Row: "s-1", List: both(email("a"))}
	err := errors.Join(save(ctx, s, clinic, staff, row("p-1", both(phone("1"), email("a"))...), row("p-2", phone("1"))),
		save(ctx, s, other, row("p-9", phone("1"))))
	if err != nil {
		return err
	}
	if err := drop(ctx, s, 100, 4); err != nil {
		return err
	}
	return errors.Join(
		find(ctx, s, clinic, phone("1")), find(ctx, s, clinic, email("a")),
		find(ctx, s, clinic, at(2, phone("1")), "p-1"), find(ctx, s, clinic, at(2, email("a")), "p-1"),
		find(ctx, s, other, phone("1"), "p-9"),
		ask(ctx, s, clinic, phi.Query{Entity: "staff", Field: "email", Unique: true, Terms: [][]byte{at(2, email("a")).Value}}, "s-1"),
	)
}

func dropLimit(ctx context.Context, s phi.IndexStore) error {
	for i := range 5 {
		id := fmt.Sprint(i)
		if err := save(ctx, s, clinic, row(id, both(phone(id), email(id))...)); err != nil {
			return err
		}
	}
	return errors.Join(drop(ctx, s, 3, 3), drop(ctx, s, 4, 4), drop(ctx, s, 4, 3), drop(ctx, s, 4, 0))
}

func indexCancelled(ctx context.Context, s phi.IndexStore) error {
	if err := save(ctx, s, clinic, row("p-1", phone("1"))); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.RequireTerms(gone, clinic, 2, 2); err == nil {
		return errors.New("RequireTerms succeeded though it was cancelled")
	}
	if _, err := s.Reindex(gone, clinic, 2, []phi.Terms{row("p-1", both(phone("1"))...)}); err == nil {
		return errors.New("a call of Reindex succeeded though it was cancelled")
	}
	if _, err := s.Behind(gone, clinic, 2); err == nil {
		return errors.New("a call of Behind succeeded though it was cancelled")
	}
	if _, err := s.DropTerms(gone, clinic, 2, 9); err == nil {
		return errors.New("DropTerms succeeded though it was cancelled")
	}
	return errors.Join(save(ctx, s, clinic, row("p-2", phone("1"))), find(ctx, s, clinic, phone("1"), "p-1", "p-2"))
}
