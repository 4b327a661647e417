package emergencytest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/emergency"
)

func zero() time.Time { return time.Time{} }

func relationRules() []rule {
	return []rule{
		{Name: "relation_grant", Clause: "The relation names the grant of this tenant, person and patient, and has no other.", Run: relationGrant},
		{Name: "relation_period", Clause: "A grant counts from Opened, inclusive, to Until, exclusive.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			us := time.Microsecond
			return first(add(ctx, s, g), related(ctx, s, g, g.Opened.Add(-us), false), related(ctx, s, g, g.Opened, true), related(ctx, s, g, g.Until.Add(-us), true), related(ctx, s, g, g.Until, false))
		}},
		{Name: "relation_ended", Clause: "What ended never counts again, whatever the time.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			if err := first(add(ctx, s, g), related(ctx, s, g, g.Opened, true)); err != nil {
				return err
			}
			g.Ended, g.By, g.Version = g.Opened.Add(time.Minute), ana, 2
			if err := s.Store.Update(ctx, g); err != nil {
				return err
			}
			return first(related(ctx, s, g, g.Opened, false), related(ctx, s, g, g.Opened.Add(time.Second), false), related(ctx, s, g, g.Ended.Add(time.Second), false))
		}},
		{Name: "relation_open", Clause: "Open returns every open grant of the person, and nobody else's.", Run: relationOpen},
	}
}

// related expects what the relation says about a grant's person and patient.
func related(ctx context.Context, s Subject, g emergency.Grant, now time.Time, open bool) error {
	has, err := s.Relation.Has(ctx, g.Tenant, g.Person, g.Patient, now)
	if err != nil {
		return err
	}
	id, err := s.Relation.Grant(ctx, g.Tenant, g.Person, g.Patient, now)
	if err != nil {
		return err
	}
	if has != open || (id == g.ID) != open || !open && id != "" {
		return fmt.Errorf("the relation has %v and names %q, want %v", has, id, open)
	}
	return nil
}

func relationGrant(ctx context.Context, s Subject) error {
	one, two, foreign := grant(clinic, ana, 1), grant(clinic, ben, 1), grant(other, ana, 1)
	two.Patient, foreign.Patient = "p-2", "p-3"
	if err := first(add(ctx, s, one, two, foreign), related(ctx, s, one, one.Opened, true), related(ctx, s, two, two.Opened, true), related(ctx, s, foreign, one.Opened, true)); err != nil {
		return err
	}
	for _, no := range []struct {
		t audit.Tenant
		a audit.ActorID
		p audit.Patient
	}{{clinic, ana, "p-2"}, {clinic, ben, "p-1"}, {other, ben, "p-2"}, {clinic, ana, "p-3"}, {clinic, ana, ""}} {
		id, err := s.Relation.Grant(ctx, no.t, no.a, no.p, one.Opened)
		if err != nil || id != "" {
			return fmt.Errorf("%v is named %q (%v)", no, id, err)
		}
	}
	return nil
}

func relationOpen(ctx context.Context, s Subject) error {
	one, two, over, theirs := grant(clinic, ana, 1), grant(clinic, ana, 2), grant(clinic, ana, 3), grant(clinic, ben, 1)
	for _, g := range []*emergency.Grant{&two, &over} {
		g.Opened, g.Until = one.Opened, one.Until
	}
	two.Patient, over.Ended = "p-2", over.Opened
	if err := add(ctx, s, theirs, one, two, over); err != nil {
		return err
	}
	ids, err := s.Relation.Open(ctx, clinic, ana, one.Opened)
	if err != nil || !slices.Equal(ids, []string{one.ID, two.ID}) {
		return fmt.Errorf("open are %q (%v), want the two that are", ids, err)
	}
	return nil
}
