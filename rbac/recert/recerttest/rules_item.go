package recerttest

import (
	"context"
	"slices"

	"github.com/wardkit/wardkit/rbac/recert"
)

func itemRules() []rule {
	return []rule{
		{Name: "item-round-trip", Clause: "Items come back with every field.", Run: itemRoundTrip},
		{Name: "item-place", Clause: "Tenant and Campaign of an item are those of the campaign whatever they say.", Run: itemPlace},
		{Name: "items-many", Clause: "Items of a new campaign are all stored with it, thousands at once.", Run: itemsMany},
		{Name: "items-replaced", Clause: "An item is stored in place of the one that has its Seq; others stay.", Run: itemsReplaced},
		{Name: "items-added", Clause: "A new Seq is a new item.", Run: itemsAdded},
		{Name: "items-apart", Clause: "Items of another campaign or another tenant are not among them.", Run: itemsApart},
	}
}

func itemRoundTrip(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1), item(1))
	if err = first(err, holds(ctx, s, c, recert.ItemFilter{}, item(1))); err != nil {
		return err
	}
	bare := recert.Item{Seq: 1, State: recert.ItemOpen}
	c, err = update(ctx, s, c, bare)
	return first(err, holds(ctx, s, c, recert.ItemFilter{}, bare))
}

func itemPlace(ctx context.Context, s recert.Store) error {
	a, e1 := create(ctx, s, plain(clinic, 1))
	strange := small(1)
	strange.Tenant, strange.Campaign = clinic, a.ID
	b, e2 := create(ctx, s, plain(other, 2), strange)
	return first(e1, e2, holds(ctx, s, a, recert.ItemFilter{}), holds(ctx, s, b, recert.ItemFilter{}, small(1)))
}

func itemsMany(ctx context.Context, s recert.Store) error {
	mixed := some(1100)
	slices.Reverse(mixed)
	c, err := create(ctx, s, plain(clinic, 1), mixed...)
	return first(err, holds(ctx, s, c, recert.ItemFilter{}, some(1100)...))
}

func itemsReplaced(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1), some(3)...)
	if err != nil {
		return err
	}
	list := some(3)
	list[1].Reviewer, list[1].State, list[1].Outcome = "bob", recert.ItemClosed, recert.Certified
	c, err = update(ctx, s, c, list[1])
	return first(err,
		holds(ctx, s, c, recert.ItemFilter{}, list...),
		holds(ctx, s, c, recert.ItemFilter{Reviewer: "ann"}, list[0], list[2]),
		holds(ctx, s, c, recert.ItemFilter{States: []recert.ItemState{recert.ItemClosed}}, list[1]))
}

func itemsAdded(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1), some(1)...)
	if err != nil {
		return err
	}
	c, err = update(ctx, s, c, small(3))
	return first(err, holds(ctx, s, c, recert.ItemFilter{}, small(1), small(3)))
}

func itemsApart(ctx context.Context, s recert.Store) error {
	a, b, e := small(1), small(1), small(1)
	a.Due, b.Due, e.Due = at(1), at(2), at(3)
	ca, e1 := create(ctx, s, plain(clinic, 1), a)
	cb, e2 := create(ctx, s, plain(clinic, 2), b)
	ce, e3 := create(ctx, s, plain(other, 3), e)
	if err := first(e1, e2, e3); err != nil {
		return err
	}
	theirs := cb
	theirs.Tenant = other
	return first(holds(ctx, s, ca, recert.ItemFilter{}, a), holds(ctx, s, cb, recert.ItemFilter{}, b), holds(ctx, s, ce, recert.ItemFilter{}, e),
		holds(ctx, s, theirs, recert.ItemFilter{}), holds(ctx, s, plain(clinic, 9), recert.ItemFilter{}))
}

func selectRules() []rule {
	return []rule{
		{Name: "items-order", Clause: "Items are yielded in order of Seq.", Run: itemsOrder},
		{Name: "items-after", Clause: "After selects the items with a higher Seq.", Run: selects(recert.ItemFilter{After: 4}, 5, 6)},
		{Name: "items-reviewer", Clause: "Reviewer selects the items that wait for somebody.", Run: selects(recert.ItemFilter{Reviewer: "bob"}, 2, 4)},
		{Name: "items-states", Clause: "States selects the items in one of these states.", Run: selects(recert.ItemFilter{States: []recert.ItemState{recert.ItemClosed, recert.ItemSuspended}}, 3, 4, 6)},
		{Name: "items-limit", Clause: "Limit is how many items there are at most.", Run: selects(recert.ItemFilter{Limit: 2}, 1, 2)},
		{Name: "items-together", Clause: "All that is set must match, and Limit counts what matches.", Run: itemsTogether},
	}
}

func itemsOrder(ctx context.Context, s recert.Store) error {
	list := some(700) // pages, and numbers of one to three digits
	c, err := create(ctx, s, plain(clinic, 1), list[400:]...)
	if err != nil {
		return err
	}
	c, err = update(ctx, s, c, list[:400]...)
	return first(err, holds(ctx, s, c, recert.ItemFilter{}, list...))
}

// selects expects what f selects of the six sorted items.
func selects(f recert.ItemFilter, seqs ...int) func(context.Context, recert.Store) error {
	return func(ctx context.Context, s recert.Store) error {
		c, err := create(ctx, s, plain(clinic, 1), sorted()...)
		var want []recert.Item
		for _, n := range seqs {
			want = append(want, sorted()[n-1])
		}
		return first(err, holds(ctx, s, c, f, want...))
	}
}

func itemsTogether(ctx context.Context, s recert.Store) error {
	list := some(500)
	for n := range list {
		list[n].Reviewer = "bob"
		if n%3 == 0 {
			list[n].Reviewer, list[n].State = "ann", recert.ItemPending
		}
		if n%9 == 0 {
			list[n].State = recert.ItemClosed
		}
	}
	c, err := create(ctx, s, plain(clinic, 1), list...)
	f := recert.ItemFilter{After: 5, Reviewer: "ann", States: []recert.ItemState{recert.ItemPending, recert.ItemSuspended}}
	var want []recert.Item
	for _, i := range list {
		if f.Matches(&i) {
			want = append(want, i)
		}
	}
	if err = first(err, holds(ctx, s, c, f, want...)); err != nil {
		return err
	}
	f.Limit = 90
	return holds(ctx, s, c, f, want[:90]...)
}
