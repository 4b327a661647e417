package purgetest

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

func planRules() []rule {
	return []rule{
		{Name: "plan-missing", Clause: "Plan of what is not there is ErrNotFound.", Run: planMissing},
		{Name: "plan-round-trip", Clause: "Plan returns what PutPlan stored, with the next version.", Run: planRoundTrip},
		{Name: "plan-order", Clause: "Plans yields in order of Proposed and ID, the latest first.", Run: planOrder},
		{Name: "plan-versions", Clause: "PutPlan with another version than the stored one changes nothing: ErrConflict.", Run: planVersions},
		{Name: "plan-once", Clause: "Of several PutPlan with the same version one succeeds.", Run: planOnce},
		{Name: "plan-tenant", Clause: "One tenant's plans are no other's.", Run: planTenant},
		{Name: "plan-one-open", Clause: "A second open plan of a tenant is ErrOpen, and changes nothing.", Run: planOneOpen},
		{Name: "plan-reopened", Clause: "A closed plan that is opened beside an open one is ErrOpen.", Run: planReopened},
		{Name: "plan-open-once", Clause: "Of several open plans that are stored at once one succeeds.", Run: planOpenOnce},
		{Name: "plan-open-list", Clause: "Open yields the open plans of all tenants, and no others.", Run: planOpenList},
		{Name: "plan-detached", Clause: "A store shares no memory with its callers.", Run: planDetached},
		{Name: "plan-cancelled", Clause: "With a context that has ended all of it fails, and changes nothing.", Run: planCancelled},
	}
}

// stored stores a plan that is not there.
func stored(ctx context.Context, s purge.Store, p purge.Plan) (purge.Plan, error) {
	if err := s.PutPlan(ctx, p); err != nil {
		return p, fmt.Errorf("storing a plan: %w", err)
	}
	p.Version = 1
	return p, nil
}

// is expects a plan.
func is(ctx context.Context, s purge.Store, expected purge.Plan) error {
	have, err := s.Plan(ctx, expected.Tenant, expected.ID)
	if err != nil {
		return fmt.Errorf("reading a plan: %w", err)
	}
	if !reflect.DeepEqual(have, expected) {
		return fmt.Errorf("the plan is %+v, want %+v", have, expected)
	}
	return nil
}

func planMissing(ctx context.Context, s purge.Store) error {
	_, err := stored(ctx, s, plan(clinic, "p-1", purge.Proposed, 0))
	_, missing := s.Plan(ctx, clinic, "p-nobody")
	return first(err, want("a missing plan", missing, purge.ErrNotFound))
}

func planRoundTrip(ctx context.Context, s purge.Store) error {
	for i, state := range []purge.State{purge.Proposed, purge.Approved, purge.Recorded, purge.Destroyed, purge.Withdrawn, purge.Expired, purge.Stopped} {
		p, err := stored(ctx, s, plan(audit.Tenant(fmt.Sprint("t-", i)), "p-1", state, 0))
		if err := first(err, is(ctx, s, p)); err != nil {
			return err
		}
	}
	p, err := stored(ctx, s, plan("trip", "p-1", purge.Proposed, 0))
	if err != nil {
		return err
	}
	p.State, p.Approved, p.ApprovedBy, p.Kept, p.Spans = purge.Destroyed, at(33), "p-zoe", 0, []audit.Span{{From: 3, To: 4}}
	if err := s.PutPlan(ctx, p); err != nil {
		return fmt.Errorf("changing a plan: %w", err)
	}
	p.Version = 2
	return is(ctx, s, p)
}

func planOrder(ctx context.Context, s purge.Store) error {
	a, err1 := stored(ctx, s, plan(clinic, "p-a", purge.Destroyed, 5))
	b, err2 := stored(ctx, s, plan(clinic, "p-b", purge.Proposed, 6))
	c, err3 := stored(ctx, s, plan(clinic, "p-c", purge.Expired, 5))
	return first(err1, err2, err3, lists("plans", s.Plans(ctx, clinic), b, c, a))
}

func planVersions(ctx context.Context, s purge.Store) error {
	early := plan(clinic, "p-1", purge.Proposed, 0)
	early.Version = 1
	if err := want("a change of what is not there", s.PutPlan(ctx, early), purge.ErrConflict); err != nil {
		return err
	}
	p, err := stored(ctx, s, plan(clinic, "p-1", purge.Proposed, 0))
	if err != nil {
		return err
	}
	for _, version := range []int64{0, 2} {
		for _, state := range []purge.State{purge.Proposed, purge.Withdrawn} {
			stale := p
			stale.Version, stale.Months, stale.State = version, 999, state
			if err := want("another version", s.PutPlan(ctx, stale), purge.ErrConflict); err != nil {
				return err
			}
		}
	}
	return is(ctx, s, p)
}

func planOnce(ctx context.Context, s purge.Store) error {
	if _, err := stored(ctx, s, plan("race", "p-1", purge.Proposed, 0)); err != nil {
		return err
	}
	return oneOf("changes", purge.ErrConflict, func(i int) error {
		p := plan("race", "p-1", purge.Approved, 0)
		p.Version, p.ApprovedBy = 1, audit.ActorID(fmt.Sprint("p-", i))
		return s.PutPlan(ctx, p)
	})
}

func planTenant(ctx context.Context, s purge.Store) error {
	a, err1 := stored(ctx, s, plan(clinic, "p-1", purge.Proposed, 1))
	_, err2 := s.Plan(ctx, other, "p-1")
	b, err3 := stored(ctx, s, plan(other, "p-2", purge.Proposed, 2))
	return first(err1, want("another tenant's plan", err2, purge.ErrNotFound), err3,
		lists("one tenant's plans", s.Plans(ctx, clinic), a), lists("another one's", s.Plans(ctx, other), b))
}

func planOneOpen(ctx context.Context, s purge.Store) error {
	for i, state := range []purge.State{purge.Proposed, purge.Approved, purge.Recorded} {
		t := audit.Tenant(fmt.Sprint("t-", i))
		a, err := stored(ctx, s, plan(t, "p-1", state, 1))
		if err != nil {
			return err
		}
		second := s.PutPlan(ctx, plan(t, "p-2", purge.Proposed, 2))
		if err := first(want("a second open plan", second, purge.ErrOpen), lists("plans", s.Plans(ctx, t), a)); err != nil {
			return err
		}
		a.State = purge.Stopped
		if err := first(s.PutPlan(ctx, a), s.PutPlan(ctx, plan(t, "p-2", purge.Proposed, 2))); err != nil {
			return fmt.Errorf("an open plan after the other was closed: %w", err)
		}
	}
	return nil
}

func planReopened(ctx context.Context, s purge.Store) error {
	a, err := stored(ctx, s, plan(clinic, "p-1", purge.Expired, 1))
	if err != nil {
		return err
	}
	b, err := stored(ctx, s, plan(clinic, "p-2", purge.Proposed, 2))
	if err != nil {
		return err
	}
	again := a
	again.State = purge.Proposed
	return first(want("a second open plan", s.PutPlan(ctx, again), purge.ErrOpen), is(ctx, s, a), is(ctx, s, b))
}

func planOpenOnce(ctx context.Context, s purge.Store) error {
	return oneOf("open plans", purge.ErrOpen, func(i int) error {
		return s.PutPlan(ctx, plan("crowd", fmt.Sprint("p-", i), purge.Proposed, i))
	})
}

func planOpenList(ctx context.Context, s purge.Store) error {
	var open []purge.Plan
	for i, state := range []purge.State{purge.Proposed, purge.Destroyed, purge.Approved, purge.Withdrawn, purge.Recorded, purge.Expired, purge.Stopped} {
		p, err := stored(ctx, s, plan(audit.Tenant(fmt.Sprint("list-", i)), fmt.Sprint("p-", i), state, i))
		if err != nil {
			return err
		}
		if p.Open() {
			open = append(open, p)
		}
	}
	have, err := collect(s.Open(ctx))
	if err != nil {
		return err
	}
	slices.SortFunc(have, func(a, b purge.Plan) int { return cmp.Compare(a.ID, b.ID) })
	if !reflect.DeepEqual(have, open) {
		return fmt.Errorf("open plans: have %+v, want %+v", have, open)
	}
	return nil
}

func planDetached(ctx context.Context, s purge.Store) error {
	mine := plan(clinic, "p-1", purge.Proposed, 1)
	p, err := stored(ctx, s, mine)
	if err != nil {
		return err
	}
	p.Spans = slices.Clone(p.Spans)
	mine.Spans[0].From = 4
	if err := is(ctx, s, p); err != nil {
		return fmt.Errorf("after the caller changed what it stored: %w", err)
	}
	read, err := s.Plan(ctx, clinic, "p-1")
	if err != nil {
		return err
	}
	read.Spans[0].From = 4
	return is(ctx, s, p)
}

func planCancelled(ctx context.Context, s purge.Store) error {
	p, err := stored(ctx, s, plan(clinic, "p-1", purge.Proposed, 1))
	if err != nil {
		return err
	}
	next := p
	next.State = purge.Approved
	_, one := s.Plan(over(ctx), clinic, "p-1")
	_, all := collect(s.Plans(over(ctx), clinic))
	_, open := collect(s.Open(over(ctx)))
	return first(fails("Plan", one), fails("Plans", all), fails("Open", open), fails("PutPlan", s.PutPlan(over(ctx), next)), is(ctx, s, p))
}
