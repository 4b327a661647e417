package supporttest

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/rbac/support"
)

func listRules() []rule {
	return []rule{
		{Name: "list-order", Clause: "List yields the highest ID first.", Run: listOrder},
		{Name: "list-tenant", Clause: "A list of a tenant has no other tenant's rows.", Run: listTenant},
		{Name: "list-operator", Clause: "A list of an operator has the operator's rows of all tenants, and no other's.", Run: listOperator},
		{Name: "list-open", Clause: "A list of open ones has only those.", Run: listOpen},
		{Name: "list-below", Clause: "A list begins below the ID that is given.", Run: listBelow},
		{Name: "list-nothing", Clause: "A query of neither or both has nothing.", Run: listNothing},
		{Name: "list-many", Clause: "A list has every row, however many there are.", Run: listMany},
		{Name: "list-break", Clause: "Breaking off is allowed.", Run: listBreak},
		{Name: "active-all", Clause: "Active yields the active rows of all tenants, in order of ID.", Run: activeAll},
		{Name: "active-only", Clause: "Active leaves out what is not active.", Run: activeOnly},
		{Name: "active-tie", Clause: "Rows of one ID come in order of tenant, each once.", Run: activeTie},
		{Name: "active-many", Clause: "Active has every active row, however many there are.", Run: activeMany},
	}
}

func listOrder(ctx context.Context, s support.Store) error {
	a, b, c := row(clinic, 2, noor()), row(clinic, 10, noor()), row(clinic, 1, noor())
	return first(put(ctx, s, a, b, c), lists("a tenant's", s.List(ctx, support.Query{Tenant: clinic}, ""), stored(b, 1), stored(a, 1), stored(c, 1)))
}

func listTenant(ctx context.Context, s support.Store) error {
	a, b := row(clinic, 1, noor()), opened(clinic, 3, omar())
	return first(put(ctx, s, a, row(other, 2, noor()), b), lists("a tenant's", s.List(ctx, support.Query{Tenant: clinic}, ""), stored(b, 1), stored(a, 1)))
}

func listOperator(ctx context.Context, s support.Store) error {
	a, b := row(clinic, 1, noor()), opened(other, 2, noor())
	err := put(ctx, s, a, b, row(clinic, 3, omar()), row(clinic, 4, another()))
	return first(err, lists("an operator's", s.List(ctx, support.Query{Operator: noor()}, ""), stored(b, 1), stored(a, 1)))
}

func listOpen(ctx context.Context, s support.Store) error {
	a, b := opened(clinic, 1, noor()), opened(clinic, 3, omar())
	done := row(clinic, 2, noor())
	done.Active = true
	return first(put(ctx, s, a, done, b), lists("what is open", s.List(ctx, support.Query{Tenant: clinic, Open: true}, ""), stored(b, 1), stored(a, 1)),
		lists("an operator's open", s.List(ctx, support.Query{Operator: noor(), Open: true}, ""), stored(a, 1)))
}

func listBelow(ctx context.Context, s support.Store) error {
	a, b, c := row(clinic, 1, noor()), row(clinic, 2, noor()), row(clinic, 3, noor())
	return first(put(ctx, s, a, b, c),
		lists("below the third", s.List(ctx, support.Query{Tenant: clinic}, id(3)), stored(b, 1), stored(a, 1)),
		lists("an operator's below the second", s.List(ctx, support.Query{Operator: noor()}, id(2)), stored(a, 1)),
		lists("below the first", s.List(ctx, support.Query{Tenant: clinic}, id(1))))
}

func listNothing(ctx context.Context, s support.Store) error {
	return first(put(ctx, s, row(clinic, 1, noor())), lists("of nobody", s.List(ctx, support.Query{}, "")),
		lists("of both", s.List(ctx, support.Query{Tenant: clinic, Operator: noor()}, "")))
}

// many is more than any page has.
const many = 230

func listMany(ctx context.Context, s support.Store) error {
	var want []support.Row
	for n := range many {
		r := row(clinic, n, noor())
		if err := s.Apply(ctx, r, 0); err != nil {
			return err
		}
		want = append([]support.Row{stored(r, 1)}, want...)
	}
	return first(lists("many", s.List(ctx, support.Query{Tenant: clinic}, ""), want...), lists("many", s.List(ctx, support.Query{Operator: noor()}, ""), want...))
}

func listBreak(ctx context.Context, s support.Store) error {
	if err := put(ctx, s, row(clinic, 1, noor()), opened(clinic, 2, noor())); err != nil {
		return err
	}
	for range 3 {
		for range s.List(ctx, support.Query{Tenant: clinic}, "") {
			break
		}
		for range s.Active(ctx) {
			break
		}
	}
	return s.Apply(ctx, row(clinic, 3, noor()), 0)
}

func activeAll(ctx context.Context, s support.Store) error {
	a, b, c := opened(other, 3, noor()), row(clinic, 2, noor()), opened(clinic, 10, noor())
	b.Active = true
	return first(put(ctx, s, a, b, c), lists("what is active", s.Active(ctx), stored(b, 1), stored(a, 1), stored(c, 1)))
}

func activeOnly(ctx context.Context, s support.Store) error {
	a, b := row(clinic, 1, noor()), opened(clinic, 2, noor())
	if err := put(ctx, s, a, b); err != nil {
		return err
	}
	b.Active = false
	return first(s.Apply(ctx, b, 1), lists("what is active", s.Active(ctx)))
}

func activeTie(ctx context.Context, s support.Store) error {
	a, b := opened(other, 1, noor()), opened(clinic, 1, noor())
	return first(put(ctx, s, a, b), lists("what is active", s.Active(ctx), stored(b, 1), stored(a, 1)))
}

func activeMany(ctx context.Context, s support.Store) error {
	var want []support.Row
	for n := range many {
		r := row(clinic, n, noor())
		r.Active = true
		if err := s.Apply(ctx, r, 0); err != nil {
			return fmt.Errorf("creating an access: %w", err)
		}
		want = append(want, stored(r, 1))
	}
	return lists("many", s.Active(ctx), want...)
}
