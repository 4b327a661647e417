package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func storeRules() []rule {
	return []rule{
		{Name: "store-concurrent", Clause: "Store: A store is safe for concurrent use", Run: storeConcurrent},
		{Name: "store-keeps-copies", Clause: "Store: keeps copies of what it is given", Run: storeKeepsCopies},
		{Name: "store-hands-out-copies", Clause: "Store: hands out copies", Run: storeHandsOutCopies},
		{Name: "store-context", Clause: "Store: honours the context's end wherever it waits", Run: storeContext},
	}
}

// storeConcurrent calls every method while others run.
func storeConcurrent(ctx context.Context, s audit.Store) error {
	list := entries(40)
	if err := put(ctx, s, list[:8]...); err != nil {
		return err
	}
	return together(8, func(g int) error {
		for i := range 4 {
			e := list[8+4*g+i]
			_, sequenceErr := s.Sequence(ctx, drainLimit)
			_, backlogErr := s.Backlog(ctx)
			_, getErr := s.Get(ctx, clinic, list[g].ID)
			_, listErr := page(ctx, s, audit.Filter{Patient: "p-1"}, audit.Newest, 5)
			_, countErr := s.Count(ctx, audit.Filter{Tenant: clinic}, 5)
			err := errors.Join(s.Append(ctx, []audit.Entry{e}), sequenceErr, backlogErr, getErr, listErr, countErr,
				s.Erase(ctx, clinic, []string{list[g].ID}))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func storeKeepsCopies(ctx context.Context, s audit.Store) error {
	e := entry(1)
	want := bytes.Clone(e.Body)
	if err := add(ctx, s, e); err != nil {
		return err
	}
	clear(e.Body)
	clear(e.Openings)
	e.Patients[0], e.Objects[0].ID = "p-2", "n-2"
	got, err := get(ctx, s, e)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Body, want) || bytes.Equal(got.Openings, e.Openings) {
		return errors.New("the caller's later change is visible")
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	found, err := page(ctx, s, audit.Filter{Patient: "p-2"}, audit.Newest, 1)
	if err != nil {
		return err
	}
	return same(ids(found), nil)
}

func storeHandsOutCopies(ctx context.Context, s audit.Store) error {
	want := entry(1)
	if err := put(ctx, s, entry(1)); err != nil {
		return err
	}
	got, err := get(ctx, s, want)
	if err != nil {
		return err
	}
	clear(got.Body)
	clear(got.Openings)
	listed, err := page(ctx, s, audit.Filter{}, audit.Newest, 1)
	if err != nil {
		return err
	}
	for _, e := range listed {
		clear(e.Body)
	}
	if got, err = get(ctx, s, want); err != nil {
		return err
	}
	if !bytes.Equal(got.Body, want.Body) || !bytes.Equal(got.Openings, want.Openings) {
		return errors.New("a reader's change is visible to others")
	}
	return nil
}

// patience is how long a call may take whose context has ended.
const patience = 10 * time.Second

// storeContext calls every method with a deadline that passes before or while it runs, and
// waits for its return. What it returns is a matter of other rules.
func storeContext(ctx context.Context, s audit.Store) error {
	list := entries(200)
	if err := put(ctx, s, list[:50]...); err != nil {
		return err
	}
	calls := map[string]func(ctx context.Context){
		"Append":   func(ctx context.Context) { _ = s.Append(ctx, list) },
		"Sequence": func(ctx context.Context) { _, _ = s.Sequence(ctx, drainLimit) },
		"Backlog":  func(ctx context.Context) { _, _ = s.Backlog(ctx) },
		"Get":      func(ctx context.Context) { _, _ = s.Get(ctx, clinic, list[0].ID) },
		"List":     func(ctx context.Context) { _, _ = page(ctx, s, audit.Filter{}, audit.Newest, 50) },
		"Count":    func(ctx context.Context) { _, _ = s.Count(ctx, audit.Filter{Tenant: clinic}, 50) },
		"Erase":    func(ctx context.Context) { _ = s.Erase(ctx, clinic, ids(list)) },
	}
	for name, call := range calls {
		for _, wait := range []time.Duration{-time.Second, 300 * time.Microsecond} {
			if !returns(ctx, wait, call) {
				return fmt.Errorf("%s went on for %v after its context had ended", name, patience)
			}
		}
	}
	return nil
}

// returns reports whether a call comes back once its deadline has passed.
func returns(ctx context.Context, wait time.Duration, call func(ctx context.Context)) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call(ctx)
	}()
	<-ctx.Done()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
