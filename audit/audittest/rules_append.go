package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

func appendRules() []rule {
	return []rule{
		{Name: "append-get", Clause: "Append: not there: it is added. Get returns it with its openings.", Run: appendGet},
		{Name: "append-nothing", Clause: "Append: no entries: nil.", Run: appendNothing},
		{Name: "append-again", Clause: "Append: already there with the same body: it counts as done.", Run: appendAgain},
		{Name: "append-conflict", Clause: "Append: already there with another body: ErrConflict.", Run: appendConflict},
		{Name: "append-keeps-first", Clause: "Append: already there: what is stored stays as it is.", Run: appendKeepsFirst},
		{Name: "append-all-or-none", Clause: "Append: nothing of a call that conflicts is kept.", Run: appendAllOrNone},
		{Name: "append-twice-in-call", Clause: "Append: the same entry twice in one call is one entry.", Run: appendTwiceInCall},
		{Name: "append-conflict-in-call", Clause: "Append: one ID with two bodies in one call: ErrConflict, nothing is kept.", Run: appendConflictInCall},
		{Name: "append-at-once", Clause: "Append: two calls at once with the same entry: both succeed, one copy is kept.", Run: appendAtOnce},
		{Name: "append-cancelled", Clause: "Append: nil means durable, also when the context has ended; all or none are there.", Run: appendCancelled},
		{Name: "append-many", Clause: "Append: all entries of a large call are there.", Run: appendMany},
		{Name: "append-copies", Clause: "A store keeps copies of what it is given.", Run: appendCopies},
		{Name: "append-per-tenant", Clause: "Two tenants may have the same ID.", Run: appendPerTenant},
	}
}

func appendGet(ctx context.Context, s audit.Store) error {
	want := entry(1, func(e *audit.Event) { e.Outcome, e.Code = audit.Failure, "denied" })
	if err := add(ctx, s, want); err != nil {
		return err
	}
	got, err := s.Get(ctx, clinic, want.ID)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(got.Body, want.Body), got.Leaf != want.Leaf:
		return errors.New("get returned other bytes or another leaf")
	case !bytes.Equal(got.Openings, want.Openings):
		return errors.New("get returned other openings")
	}
	return columns(got, want)
}

// columns compares what both Get and List return beside the bytes.
func columns(got, want audit.Entry) error {
	if got.Tenant != want.Tenant || got.ID != want.ID || !got.Recorded.Equal(want.Recorded) ||
		got.Actor != want.Actor || got.Action != want.Action || got.Outcome != want.Outcome {
		return errors.New("tenant, ID, recorded, actor, action or outcome differ")
	}
	return nil
}

func appendNothing(ctx context.Context, s audit.Store) error {
	return errors.Join(s.Append(ctx, nil), s.Append(ctx, []audit.Entry{}))
}

func appendAgain(ctx context.Context, s audit.Store) error {
	list := entries(3)
	if err := add(ctx, s, list[0]); err != nil {
		return err
	}
	if err := add(ctx, s, list[0]); err != nil {
		return fmt.Errorf("again: %w", err)
	}
	if err := add(ctx, s, list...); err != nil {
		return fmt.Errorf("again, among new ones: %w", err)
	}
	got, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return same(got, newestFirst(list, nil))
}

// other is an event of the same ID that says something else.
func other(n int) audit.Entry {
	return entry(n, func(e *audit.Event) { e.Action = "patient.export" })
}

func appendConflict(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	if err := s.Append(ctx, []audit.Entry{other(1)}); !errors.Is(err, audit.ErrConflict) {
		return fmt.Errorf("got %v, want ErrConflict", err)
	}
	return nil
}

func appendKeepsFirst(ctx context.Context, s audit.Store) error {
	first := entry(1)
	if err := add(ctx, s, first); err != nil {
		return err
	}
	_ = s.Append(ctx, []audit.Entry{other(1)})
	got, err := s.Get(ctx, clinic, first.ID)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Body, first.Body) || !bytes.Equal(got.Openings, first.Openings) {
		return errors.New("the stored entry was changed")
	}
	return nil
}

func appendAllOrNone(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(2)); err != nil {
		return err
	}
	batch := []audit.Entry{entry(1), other(2), entry(3)}
	if s.Append(ctx, batch) == nil {
		return nil // broken, but another rule's matter
	}
	for _, e := range []audit.Entry{batch[0], batch[2]} {
		there, err := has(ctx, s, e)
		if err != nil {
			return err
		}
		if there {
			return errors.New("an entry of the refused call is there")
		}
	}
	return nil
}

func appendTwiceInCall(ctx context.Context, s audit.Store) error {
	e := entry(1)
	if err := add(ctx, s, e, entry(2), e); err != nil {
		return err
	}
	got, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return same(got, newestFirst([]audit.Entry{e, entry(2)}, nil))
}

func appendConflictInCall(ctx context.Context, s audit.Store) error {
	err := s.Append(ctx, []audit.Entry{entry(1), entry(2), other(1)})
	if !errors.Is(err, audit.ErrConflict) {
		return fmt.Errorf("got %v, want ErrConflict", err)
	}
	got, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return same(got, nil)
}

func appendAtOnce(ctx context.Context, s audit.Store) error {
	const rounds, callers = 20, 4
	var want []audit.Entry
	for round := range rounds {
		// Overlapping calls in opposite orders: a store that locks row by row must not deadlock.
		batch := []audit.Entry{entry(3 * round), entry(3*round + 1), entry(3*round + 2)}
		want = append(want, batch...)
		errs := make([]error, callers)
		var ready, done sync.WaitGroup
		ready.Add(callers)
		for i := range callers {
			mine := slices.Clone(batch)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			done.Go(func() {
				ready.Done()
				ready.Wait()
				errs[i] = s.Append(ctx, mine)
			})
		}
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	got, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return same(got, newestFirst(want, nil))
}

func appendCancelled(ctx context.Context, s audit.Store) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	err := s.Append(ended, entries(3))
	got, listErr := all(ctx, s, clinic)
	switch {
	case listErr != nil:
		return listErr
	case err == nil && len(got) != 3:
		return fmt.Errorf("append returned nil, but %d of 3 entries are there", len(got))
	case len(got) != 0 && len(got) != 3:
		return fmt.Errorf("%d of 3 entries are there", len(got))
	}
	return nil
}

// appendMany takes a number that no usual chunk size divides.
func appendMany(ctx context.Context, s audit.Store) error {
	list := entries(579, func(i int, e *audit.Event) {
		for p := range i % 7 {
			e.Patients = append(e.Patients, audit.Patient(fmt.Sprintf("p-%d-%d", i, p)))
			e.Objects = append(e.Objects, audit.Object{Type: "note", ID: fmt.Sprintf("n-%d-%d", i, p)})
		}
	})
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	got, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return same(got, newestFirst(list, nil))
}

func appendCopies(ctx context.Context, s audit.Store) error {
	e := entry(1)
	want := bytes.Clone(e.Body)
	if err := add(ctx, s, e); err != nil {
		return err
	}
	clear(e.Body)
	clear(e.Openings)
	e.Patients[0], e.Objects[0].ID = "p-2", "n-2"
	got, err := s.Get(ctx, clinic, e.ID)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Body, want) || bytes.Equal(got.Openings, e.Openings) {
		return errors.New("the caller's later change is visible")
	}
	found, err := ids(ctx, s, audit.Filter{Tenant: clinic, Patient: "p-2"}, audit.Newest, 1)
	if err != nil {
		return err
	}
	return same(found, nil)
}

func appendPerTenant(ctx context.Context, s audit.Store) error {
	theirs := entry(1, func(e *audit.Event) { e.Tenant, e.Actor.Tenant = "clinic-18", "clinic-18" })
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	if err := add(ctx, s, theirs); err != nil {
		return fmt.Errorf("the same ID in another tenant: %w", err)
	}
	got, err := s.Get(ctx, "clinic-18", theirs.ID)
	if err == nil && !bytes.Equal(got.Body, theirs.Body) {
		err = errors.New("get returned another tenant's event")
	}
	return err
}
