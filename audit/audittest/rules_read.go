package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func readRules() []rule {
	return []rule{
		{Name: "get-missing", Clause: "Get: not there: ErrNotFound.", Run: getMissing},
		{Name: "get-other-tenant", Clause: "Get: there under another tenant: ErrNotFound.", Run: getOtherTenant},
		{Name: "get-cancelled", Clause: "Get: cancelled: an error, which is not ErrNotFound.", Run: getCancelled},
		{Name: "get-copies", Clause: "A store hands out copies.", Run: getCopies},
		{Name: "list-order", Clause: "List: the highest first.", Run: listOrder},
		{Name: "list-columns", Clause: "List: each entry has its tenant, ID, recorded, actor, action, outcome, body and leaf.", Run: listColumns},
		{Name: "list-leaves-out", Clause: "List: openings are left out.", Run: listLeavesOut},
		{Name: "list-limit", Clause: "List: limit at most.", Run: listLimit},
		{Name: "list-below", Clause: "List: only what is below the bound; pages hold each entry once.", Run: listBelow},
		{Name: "list-tenant", Clause: "List: of one tenant only.", Run: listTenant},
		{Name: "list-cancelled", Clause: "List: cancelled: the last pair holds the error.", Run: listCancelled},
		{Name: "list-inside", Clause: "List: the caller may call the store again, or stop, inside the loop.", Run: listInside},
		{Name: "times", Clause: "Recorded is kept to the microsecond.", Run: times},
	}
}

func getMissing(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	if _, err := s.Get(ctx, clinic, entry(2).ID); !errors.Is(err, audit.ErrNotFound) {
		return fmt.Errorf("got %v, want ErrNotFound", err)
	}
	return nil
}

func getOtherTenant(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	for _, t := range []audit.Tenant{"clinic-18", "clinic-1", "CLINIC-17", ""} {
		if got, err := s.Get(ctx, t, entry(1).ID); err == nil && len(got.Body) > 0 {
			return errors.New("another tenant reads the event")
		}
	}
	return nil
}

func getCancelled(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Get(ended, clinic, entry(1).ID)
	if err == nil || errors.Is(err, audit.ErrNotFound) {
		return fmt.Errorf("got %v, want the context's error", err)
	}
	return nil
}

func getCopies(ctx context.Context, s audit.Store) error {
	want := entry(1)
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	got, err := s.Get(ctx, clinic, want.ID)
	if err != nil {
		return err
	}
	clear(got.Body)
	clear(got.Openings)
	if err := drain(ctx, s); err != nil {
		return err
	}
	for e, err := range s.List(ctx, audit.Filter{Tenant: clinic}, audit.Newest, 1) {
		if err != nil {
			return err
		}
		clear(e.Body)
	}
	got, err = s.Get(ctx, clinic, want.ID)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Body, want.Body) || !bytes.Equal(got.Openings, want.Openings) {
		return errors.New("a reader's change is visible to others")
	}
	return nil
}

// listOrder appends out of order, with equal times.
func listOrder(ctx context.Context, s audit.Store) error {
	var list []audit.Entry
	for _, i := range []int{7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 6, 4} {
		list = append(list, entry(i, func(e *audit.Event) { e.Recorded = start().Add(time.Duration(i%3) * time.Hour) }))
		if err := add(ctx, s, list[len(list)-1]); err != nil {
			return err
		}
	}
	got, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return sameOrder(got, newestFirst(list, nil))
}

func listColumns(ctx context.Context, s audit.Store) error {
	want := entry(1, func(e *audit.Event) { e.Outcome, e.Code = audit.MajorFailure, "broken" })
	if err := add(ctx, s, want); err != nil {
		return err
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	for e, err := range s.List(ctx, audit.Filter{Tenant: clinic}, audit.Newest, 1) {
		if err != nil {
			return err
		}
		if !bytes.Equal(e.Body, want.Body) || e.Leaf != want.Leaf {
			return errors.New("list returned other bytes or another leaf")
		}
		return columns(e, want)
	}
	return errors.New("list returned nothing")
}

func listLeavesOut(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	for e, err := range s.List(ctx, audit.Filter{Tenant: clinic}, audit.Newest, 1) {
		if err != nil {
			return err
		}
		if len(e.Openings) > 0 {
			return errors.New("list returned openings")
		}
	}
	return nil
}

func listLimit(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entries(5)...); err != nil {
		return err
	}
	for limit := 1; limit <= 6; limit++ {
		got, err := ids(ctx, s, audit.Filter{Tenant: clinic}, audit.Newest, limit)
		if err != nil {
			return err
		}
		if len(got) != min(limit, 5) {
			return fmt.Errorf("limit %d of 5 entries gave %d", limit, len(got))
		}
	}
	return nil
}

func listBelow(ctx context.Context, s audit.Store) error {
	list := entries(20, func(i int, e *audit.Event) { e.Recorded = start().Add(time.Duration(i/5) * time.Hour) })
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	var got []string
	below := audit.Newest
	if err := drain(ctx, s); err != nil {
		return err
	}
	for range len(list) {
		n := len(got)
		for e, err := range s.List(ctx, audit.Filter{Tenant: clinic}, below, 3) {
			if err != nil {
				return err
			}
			got, below = append(got, e.ID), e.Index
			if len(got)-n == 3 {
				break
			}
		}
		if len(got) == n {
			break
		}
	}
	return same(got, newestFirst(list, nil))
}

func listTenant(ctx context.Context, s audit.Store) error {
	theirs := entry(2, func(e *audit.Event) { e.Tenant, e.Actor.Tenant = "clinic-18", "clinic-18" })
	if err := add(ctx, s, entry(1), theirs); err != nil {
		return err
	}
	for _, f := range []audit.Filter{
		{},
		{Patient: "p-1"},
		{ObjectType: "note"},
		{ObjectType: "note", ObjectID: "n-1"},
		{Actors: []audit.ActorID{"u-1"}},
		{Actions: []audit.Action{"patient.read"}},
		{From: start()},
	} {
		f.Tenant = clinic
		got, err := ids(ctx, s, f, audit.Newest, 9)
		if err != nil {
			return err
		}
		for _, id := range got {
			if id == theirs.ID {
				return errors.New("another tenant's event was listed")
			}
		}
	}
	return nil
}

func listCancelled(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entries(3)...); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	n := 0
	for _, err := range s.List(ended, audit.Filter{Tenant: clinic}, audit.Newest, 9) {
		if err != nil {
			return nil
		}
		n++
	}
	return fmt.Errorf("%d entries and no error, as if that were all", n)
}

func listInside(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entries(3)...); err != nil {
		return err
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	for e, err := range s.List(ctx, audit.Filter{Tenant: clinic}, audit.Newest, 9) {
		if err != nil {
			return err
		}
		inner, cancel := context.WithTimeout(ctx, 10*time.Second)
		err = errors.Join(s.Append(inner, []audit.Entry{entry(9)}), s.Erase(inner, clinic, []string{e.ID}))
		cancel()
		if err != nil {
			return fmt.Errorf("inside the loop: %w", err)
		}
		break
	}
	return add(ctx, s, entry(10))
}

func times(ctx context.Context, s audit.Store) error {
	for i, at := range []time.Time{
		start().Add(123456 * time.Microsecond),
		time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
	} {
		e := entry(i, func(e *audit.Event) { e.Recorded = at })
		if err := add(ctx, s, e); err != nil {
			return err
		}
		got, err := s.Get(ctx, clinic, e.ID)
		if err != nil {
			return err
		}
		if !got.Recorded.Equal(at) {
			return errors.New("the time came back changed")
		}
	}
	return nil
}
