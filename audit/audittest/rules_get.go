package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
)

func getRules() []rule {
	return []rule{
		{Name: "get-whole", Clause: "Get: returns one entry with its Openings", Run: getWhole},
		{Name: "get-at-once", Clause: "Get: as soon as Append has returned", Run: getAtOnce},
		{Name: "get-leaves-out", Clause: "Get: Patients and Objects are left out", Run: getLeavesOut},
		{Name: "get-index", Clause: "Get: Its Index is -1 until Sequence has placed it", Run: getIndex},
		{Name: "get-missing", Clause: "Get: Not there", Run: getMissing},
		{Name: "get-other-tenant", Clause: "Get: or there under another tenant: ErrNotFound", Run: getOtherTenant},
		{Name: "get-cancelled", Clause: "Get: Cancelled: an error", Run: getCancelled},
	}
}

// getWhole reads everything back, before and after it got its place.
func getWhole(ctx context.Context, s audit.Store) error {
	list := mixed(24)
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	for range 2 {
		for _, want := range list {
			got, err := get(ctx, s, want)
			if err != nil {
				return err
			}
			if !bytes.Equal(got.Openings, want.Openings) {
				return errors.New("get returned other openings")
			}
			if err := whole(got, want); err != nil {
				return err
			}
		}
		if err := drain(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// whole compares what both Get and List return.
func whole(got, want audit.Entry) error {
	switch {
	case !bytes.Equal(got.Body, want.Body), got.Leaf != want.Leaf:
		return errors.New("the store returned other bytes or another leaf")
	case got.Tenant != want.Tenant, got.ID != want.ID, !got.Recorded.Equal(want.Recorded),
		got.Actor != want.Actor, got.Action != want.Action, got.Outcome != want.Outcome:
		return errors.New("tenant, ID, recorded, actor, action or outcome differ")
	}
	return nil
}

func getAtOnce(ctx context.Context, s audit.Store) error {
	for _, e := range mixed(5) {
		if err := add(ctx, s, e); err != nil {
			return err
		}
		if _, err := s.Get(ctx, e.Tenant, e.ID); err != nil {
			return fmt.Errorf("it was just appended: %w", err)
		}
	}
	return nil
}

func getLeavesOut(ctx context.Context, s audit.Store) error {
	for range 2 {
		if err := add(ctx, s, entry(1)); err != nil {
			return err
		}
		got, err := get(ctx, s, entry(1))
		if err != nil {
			return err
		}
		if len(got.Patients)+len(got.Objects) > 0 {
			return errors.New("get returned patients or objects")
		}
		if err := drain(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// getIndex compares the place that Get tells with the one that List tells. A store may place
// entries when it likes, but what List does not show has none.
func getIndex(ctx context.Context, s audit.Store) error {
	list := entries(12)
	for i := 0; i < len(list); i += 4 {
		if err := add(ctx, s, list[i:i+4]...); err != nil {
			return err
		}
		if _, err := s.Sequence(ctx, 3); err != nil {
			return err
		}
		listed, err := page(ctx, s, audit.Filter{}, audit.Newest, 100)
		if err != nil {
			return err
		}
		want := map[string]int64{}
		for _, e := range listed {
			want[e.ID] = e.Index
		}
		at, err := indexes(ctx, s, list[:i+4])
		if err != nil {
			return err
		}
		for k, e := range list[:i+4] {
			if index, ok := want[e.ID]; ok && index != at[k] || !ok && at[k] != -1 {
				return fmt.Errorf("the place is %d from Get and %d from List (%t)", at[k], index, ok)
			}
		}
	}
	return nil
}

func getMissing(ctx context.Context, s audit.Store) error {
	for range 2 {
		if err := put(ctx, s, entry(1)); err != nil {
			return err
		}
		for _, id := range []string{entry(2).ID, "", "x", "ffffffff-ffff-ffff-ffff-ffffffffffff"} {
			if _, err := s.Get(ctx, clinic, id); !errors.Is(err, audit.ErrNotFound) {
				return fmt.Errorf("got %v, want ErrNotFound", err)
			}
		}
	}
	return nil
}

func getOtherTenant(ctx context.Context, s audit.Store) error {
	for range 2 {
		if err := add(ctx, s, entry(1)); err != nil {
			return err
		}
		for _, t := range append(tenants(), "") {
			if got, err := s.Get(ctx, t, entry(1).ID); t != clinic && err == nil && len(got.Body) > 0 {
				return errors.New("another tenant reads the event")
			}
		}
		if err := drain(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func getCancelled(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entry(1)); err != nil {
		return err
	}
	_, err := s.Get(ended(ctx), clinic, entry(1).ID)
	if err == nil || errors.Is(err, audit.ErrNotFound) {
		return fmt.Errorf("got %v, want the context's error", err)
	}
	return nil
}
