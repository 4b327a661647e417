package emergencytest

import (
	"context"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/rbac/emergency"
)

func listRules() []rule {
	return []rule{
		{Name: "of_person", Clause: "Of yields the grants of one person.", Run: func(ctx context.Context, s Subject) error {
			one, two := grant(clinic, ana, 1), grant(clinic, ben, 1)
			return first(add(ctx, s, one, two), lists("Of", s.Store.Of(ctx, clinic, ana, 0), one))
		}},
		{Name: "of_tenant", Clause: "Of yields the grants of one tenant.", Run: func(ctx context.Context, s Subject) error {
			one, two := grant(clinic, ana, 1), grant(other, ana, 1)
			return first(add(ctx, s, one, two), lists("Of", s.Store.Of(ctx, clinic, ana, 0), one))
		}},
		{Name: "of_order", Clause: "Of yields the highest Number first, however many there are.", Run: func(ctx context.Context, s Subject) error {
			many, err := crowd(ctx, s)
			slices.Reverse(many)
			return first(err, lists("Of", s.Store.Of(ctx, clinic, ana, 0), many...))
		}},
		{Name: "of_below", Clause: "Of yields grants with a Number lower than below.", Run: func(ctx context.Context, s Subject) error {
			one, two, three := grant(clinic, ana, 1), grant(clinic, ana, 2), grant(clinic, ana, 3)
			return first(add(ctx, s, one, two, three), lists("Of below 3", s.Store.Of(ctx, clinic, ana, 3), two, one))
		}},
		{Name: "list_tenant", Clause: "List yields the grants of one tenant.", Run: func(ctx context.Context, s Subject) error {
			one, two := grant(clinic, ana, 1), grant(other, ana, 1)
			return first(add(ctx, s, one, two), lists("List", s.Store.List(ctx, clinic, false, ""), one), lists("List pending", s.Store.List(ctx, clinic, true, ""), one))
		}},
		{Name: "list_order", Clause: "List yields the highest ID by bytes first, however many there are.", Run: func(ctx context.Context, s Subject) error {
			many, err := crowd(ctx, s)
			slices.Reverse(many)
			return first(err, lists("List", s.Store.List(ctx, clinic, false, ""), many...))
		}},
		{Name: "list_below", Clause: "List yields grants with an ID lower than below.", Run: func(ctx context.Context, s Subject) error {
			one, two, three := grant(clinic, ana, 1), grant(clinic, ana, 2), grant(clinic, ana, 3)
			return first(add(ctx, s, one, two, three), lists("List", s.Store.List(ctx, clinic, false, three.ID), two, one))
		}},
		{Name: "list_pending", Clause: "List with pending yields those that are Pending as they are now.", Run: listPending},
		{Name: "list_everywhere", Clause: "List with pending and without a tenant yields those of every tenant.", Run: func(ctx context.Context, s Subject) error {
			one, two := grant(clinic, ana, 1), grant(other, ana, 1)
			return first(add(ctx, s, one, two), lists("List", s.Store.List(ctx, "", true, ""), two, one), lists("List below", s.Store.List(ctx, "", true, two.ID), one))
		}},
		{Name: "list_nothing", Clause: "List without a tenant and without pending yields nothing.", Run: func(ctx context.Context, s Subject) error {
			return first(add(ctx, s, grant(clinic, ana, 1)), lists("List", s.Store.List(ctx, "", false, "")))
		}},
		{Name: "breaking_off", Clause: "Breaking off a loop is allowed, and what is read may be changed in it.", Run: breakingOff},
	}
}

// crowd adds more grants than a page of any store has.
func crowd(ctx context.Context, s Subject) ([]emergency.Grant, error) {
	var many []emergency.Grant
	for n := range int64(203) {
		many = append(many, grant(clinic, ana, n+1))
	}
	return many, add(ctx, s, many...)
}

func listPending(ctx context.Context, s Subject) error {
	g := grant(clinic, ana, 1)
	if err := add(ctx, s, g); err != nil {
		return err
	}
	g = filled(g)
	if err := first(s.Store.Update(ctx, g), lists("nothing left to do", s.Store.List(ctx, clinic, true, "")), lists("everything", s.Store.List(ctx, clinic, false, ""), g)); err != nil {
		return err
	}
	for what, open := range map[string]func(*emergency.Grant){
		"end":     func(g *emergency.Grant) { g.Ended = zero() },
		"verdict": func(g *emergency.Grant) { g.Verdict = "" },
		"notice":  func(g *emergency.Grant) { g.Told = zero() },
		"alarm":   func(g *emergency.Grant) { g.LimitedTold = zero() },
	} {
		next := g
		open(&next)
		next.Version++
		if err := first(s.Store.Update(ctx, next), lists(what, s.Store.List(ctx, clinic, true, ""), next)); err != nil {
			return err
		}
		g.Version = next.Version + 1
		if err := s.Store.Update(ctx, g); err != nil {
			return err
		}
	}
	return lists("nothing left again", s.Store.List(ctx, clinic, true, ""))
}

func breakingOff(ctx context.Context, s Subject) error {
	one, two := grant(clinic, ana, 1), grant(clinic, ana, 2)
	if err := add(ctx, s, one, two); err != nil {
		return err
	}
	n := 0
	for g, err := range s.Store.List(ctx, clinic, true, "") {
		if err != nil {
			return err
		}
		if err := s.Store.Update(ctx, filled(g)); err != nil {
			return fmt.Errorf("changing what is listed: %w", err)
		}
		n++
		break
	}
	for _, err := range s.Store.Of(ctx, clinic, ana, 0) {
		if err != nil {
			return err
		}
		n++
		break
	}
	if n != 2 {
		return fmt.Errorf("%d grants were yielded, want 2", n)
	}
	return expect(ctx, s, filled(two))
}
