package recerttest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/wardkit/wardkit/rbac/recert"
)

func campaignRules() []rule {
	return []rule{
		{Name: "get-missing", Clause: "Get of what is not there is ErrNotFound.", Run: getMissing},
		{Name: "get-apart", Clause: "Get of another tenant's campaign is ErrNotFound.", Run: getApart},
		{Name: "round-trip", Clause: "Get returns the campaign that Apply wrote, every field, with the Version Expect+1.", Run: roundTrip},
		{Name: "detached", Clause: "The store shares no memory with its callers, lists and maps included.", Run: detached},
		{Name: "list-order", Clause: "List yields the highest ID first, by bytes.", Run: listOrder},
		{Name: "list-below", Clause: "List yields the campaigns whose ID comes before below.", Run: listBelow},
		{Name: "list-apart", Clause: "List yields no campaign of another tenant.", Run: listApart},
		{Name: "list-break", Clause: "Breaking off a list is allowed.", Run: listBreak},
		{Name: "active-all", Clause: "Active yields the campaigns of all tenants, each once.", Run: activeAll},
		{Name: "active-only", Clause: "Active yields those that are Active now.", Run: activeOnly},
		{Name: "ended-reads", Clause: "A read whose context has ended is an error, never an empty answer.", Run: endedReads},
	}
}

func getMissing(ctx context.Context, s recert.Store) error {
	_, err := s.Get(ctx, clinic, id(9))
	return refused("reading what is not there", err, recert.ErrNotFound)
}

func getApart(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1))
	_, gerr := s.Get(ctx, other, c.ID)
	return first(err, refused("reading another tenant's", gerr, recert.ErrNotFound), expect(ctx, s, c))
}

func roundTrip(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, full(clinic, 1), some(1)...)
	if err = first(err, expect(ctx, s, c)); err != nil {
		return err
	}
	bare := recert.Campaign{Tenant: clinic, ID: c.ID, Version: 1, State: recert.Signed}
	bare, err = update(ctx, s, bare) // and nothing of before stays
	return first(err, expect(ctx, s, bare), lists("the list", s.List(ctx, clinic, ""), bare))
}

func detached(ctx context.Context, s recert.Store) error {
	untimed := func() recert.Item {
		i := item(1)
		i.Decision.Until = time.Time{}
		return i
	}
	given, items := full(clinic, 2), []recert.Item{untimed()}
	if _, err := create(ctx, s, given, items...); err != nil {
		return err
	}
	scribble(&given, &items[0])
	want := full(clinic, 2)
	want.Version = 1
	for range 2 { // what the first round is handed is scribbled on before the second
		if err := first(expect(ctx, s, want), holds(ctx, s, want, recert.ItemFilter{}, untimed())); err != nil {
			return err
		}
		have, err := s.Get(ctx, clinic, want.ID)
		list, lerr := all(s.Items(ctx, clinic, want.ID, recert.ItemFilter{}))
		more, merr := all(s.List(ctx, clinic, ""))
		if err = first(err, lerr, merr); err != nil {
			return err
		}
		scribble(&have, &list[0])
		scribble(&more[0], &list[0])
	}
	return nil
}

// scribble writes over everything that a campaign and an item point to.
func scribble(c *recert.Campaign, i *recert.Item) {
	c.Spec.Kinds[0], c.Spec.Roles[0], c.Spec.Named[0], c.Late.Accesses[0] = "x", "x", "x", "x"
	c.Spec.OnDue[recert.RiskAdmin], c.Told["reminder/bob"] = "x", "x"
	for _, r := range []recert.Reach{i.Access.Reach, i.Decision.Reach} {
		r.Practices[0], r.Locations[0], r.Queues[0] = "x", "x", "x"
	}
	i.Access.Context.Conflicts[0], i.Fallback[0], i.Steps[0].Code = "x", "x", "x"
	i.Effects[0].Others[0], i.Effects[0].Grant = "x", "x"
}

// many creates n campaigns in an order of their own and returns them, the highest ID first.
func many(ctx context.Context, s recert.Store, n int) (want []recert.Campaign, err error) {
	for i := range n {
		c, cerr := create(ctx, s, plain(clinic, (7*i)%n+1))
		err = first(err, cerr)
		want = append(want, c)
	}
	slices.SortFunc(want, func(a, b recert.Campaign) int {
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
	return want, err
}

func listOrder(ctx context.Context, s recert.Store) error {
	want, err := many(ctx, s, 205) // more than a page of any store, and no multiple of 7
	return first(err, lists("the list", s.List(ctx, clinic, ""), want...))
}

func listBelow(ctx context.Context, s recert.Store) error {
	want, err := many(ctx, s, 4)
	if err != nil {
		return err
	}
	return first(
		lists("below the third", s.List(ctx, clinic, id(3)), want[2:]...),
		lists("below the first", s.List(ctx, clinic, id(1))),
		lists("below what is not there", s.List(ctx, clinic, id(9)), want...))
}

func listApart(ctx context.Context, s recert.Store) error {
	a, e1 := create(ctx, s, plain(clinic, 1))
	b, e2 := create(ctx, s, plain(other, 2))
	return first(e1, e2, lists("the clinic's", s.List(ctx, clinic, ""), a), lists("the other's", s.List(ctx, other, ""), b),
		lists("nobody's", s.List(ctx, "nobody", "")))
}

// listBreak breaks off often enough to use up connections that are not given back.
func listBreak(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1), some(3)...)
	if err != nil {
		return err
	}
	for range 40 {
		if err := first(breakOff(s.List(ctx, clinic, "")), breakOff(s.Active(ctx)), breakOff(s.Items(ctx, clinic, c.ID, recert.ItemFilter{}))); err != nil {
			return err
		}
	}
	_, err = update(ctx, s, c)
	return err
}

func breakOff[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		return err
	}
	return errors.New("a list is empty")
}

func activeAll(ctx context.Context, s recert.Store) error {
	var want []string
	for n := 1; n <= 205; n++ { // more than a page
		t := clinic
		if n%2 == 0 {
			t = other
		}
		c, err := create(ctx, s, plain(t, n))
		if err != nil {
			return err
		}
		want = append(want, string(c.Tenant)+"/"+c.ID)
	}
	have, err := all(s.Active(ctx))
	if err != nil {
		return err
	}
	names := ids(have)
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		return errors.New("not the active campaigns of all tenants, each once")
	}
	return nil
}

func activeOnly(ctx context.Context, s recert.Store) error {
	idle := plain(clinic, 1)
	idle.Active = false
	idle, e1 := create(ctx, s, idle)
	busy, e2 := create(ctx, s, plain(clinic, 2))
	if err := first(e1, e2, lists("at first", s.Active(ctx), busy)); err != nil {
		return err
	}
	idle.Active, busy.Active = true, false
	idle, e1 = update(ctx, s, idle)
	busy, e2 = update(ctx, s, busy)
	return first(e1, e2, lists("the other way round", s.Active(ctx), idle), expect(ctx, s, busy))
}

func endedReads(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1), some(1)...)
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, e1 := s.Get(ended, clinic, c.ID)
	_, e2 := s.Get(ended, clinic, id(9))
	_, e3 := all(s.List(ended, clinic, ""))
	_, e4 := all(s.Active(ended))
	_, e5 := all(s.Items(ended, clinic, c.ID, recert.ItemFilter{}))
	for _, err := range []error{e1, e2, e3, e4, e5} {
		if err == nil || errors.Is(err, recert.ErrNotFound) {
			return errors.New("a read whose context had ended was answered")
		}
	}
	return nil
}
