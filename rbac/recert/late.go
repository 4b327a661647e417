package recert

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// census is who has what now, read once for a tenant in one Tick.
type census struct {
	all  []Access
	has  map[[2]string]bool
	fail error
}

// census reads who has what in t.
func (r *Campaigns) census(ctx context.Context, t audit.Tenant, now time.Time) *census {
	s := &census{has: map[[2]string]bool{}}
	if s.all, s.fail = r.population(ctx, t, nil, now); s.fail == nil && len(s.all) == 0 {
		s.fail = unavailable("reading the population", ErrEmpty) // nobody at all is nobody who could ask
	}
	for _, a := range s.all {
		s.has[[2]string{string(a.Kind), a.ID}] = true
	}
	return s
}

func (s *census) there(i *Item, id string) bool { return s.has[[2]string{string(i.Access.Kind), id}] }

// late takes in what changed since the snapshot: what is gone closes itself, what was revoked and is
// there again is flagged, and what is new is counted for the next campaign.
func (r *Campaigns) late(ctx context.Context, t audit.Tenant, campaign string, s *census, now time.Time) error {
	if s.fail != nil {
		return s.fail
	}
	known := map[[2]string]bool{}
	var spec Spec
	all := []ItemState{ItemOpen, ItemPending, ItemSuspended, ItemClosed}
	err := r.sweep(ctx, t, campaign, all, func(c *Campaign, i *Item) ([]audit.Event, bool, error) {
		spec = c.Spec
		for _, id := range i.all() {
			known[[2]string{string(i.Access.Kind), id}] = true
		}
		if i.State == ItemOpen && i.Access.Kind != KindEmergency && !s.there(i, i.current()) {
			return i.gone(now), true, nil
		}
		return nil, false, nil
	})
	if err != nil {
		return err
	}
	var fresh []Access
	for _, a := range s.all {
		if spec.wants(&a) && !known[[2]string{string(a.Kind), a.ID}] {
			fresh = append(fresh, a)
		}
	}
	if err := r.regranted(ctx, t, campaign, fresh, now); err != nil {
		return err
	}
	return r.counted(ctx, t, campaign, fresh, now)
}

// regranted flags items that were ended while somebody gave the same again: the same role, somewhere
// where the old one reached. Another role with the same permissions is another access: it is counted as
// late, and Effect.Others names it if it was there when the effect was checked.
func (r *Campaigns) regranted(ctx context.Context, t audit.Tenant, campaign string, fresh []Access, now time.Time) error {
	if len(fresh) == 0 {
		return nil
	}
	return r.sweep(ctx, t, campaign, []ItemState{ItemPending, ItemSuspended, ItemClosed}, func(_ *Campaign, i *Item) ([]audit.Event, bool, error) {
		if i.Regrant != "" || i.State == ItemClosed && i.Outcome != Revoked && i.Outcome != Reduced && i.Outcome != Gone && i.Outcome != Limited {
			return nil, false, nil
		}
		n := slices.IndexFunc(fresh, func(a Access) bool {
			return a.Kind == i.Access.Kind && a.Subject == i.Access.Subject && a.Role == i.Access.Role && a.Reach.meets(i.Access.Reach)
		})
		if n < 0 {
			return nil, false, nil
		}
		i.Regrant = fresh[n].ID
		if i.State != ItemPending {
			i.except(ExceptionRegranted, now)
		}
		e := event(ActionRegrant, i, audit.NewID(now))
		note(&e, "again", audit.FitID(i.Regrant))
		note(&e, "by", audit.FitID(string(fresh[n].By)))
		return []audit.Event{e}, true, nil
	})
}

// meets reports whether two reaches have something in common in each dimension that both list.
func (r Reach) meets(o Reach) bool {
	for _, d := range [][2][]string{{r.Practices, o.Practices}, {r.Locations, o.Locations}, {r.Queues, o.Queues}} {
		if len(d[0]) > 0 && len(d[1]) > 0 && !slices.ContainsFunc(d[0], func(id string) bool { return slices.Contains(d[1], id) }) {
			return false
		}
	}
	return true
}

// counted notes what came after the snapshot.
func (r *Campaigns) counted(ctx context.Context, t audit.Tenant, campaign string, fresh []Access, now time.Time) error {
	c, err := r.campaign(ctx, t, campaign)
	if err != nil {
		return ignoreSigned(err)
	}
	late := Late{At: now, Count: len(fresh)}
	for _, a := range fresh {
		late.Accesses = append(late.Accesses, string(a.Kind)+"/"+a.ID)
	}
	slices.Sort(late.Accesses)
	late.Accesses = late.Accesses[:min(len(late.Accesses), page)]
	if late.Count == c.Late.Count && slices.Equal(late.Accesses, c.Late.Accesses) {
		return nil
	}
	c.Late = late
	return ignoreConflict(r.commit(ctx, prepare(c, nil, nil), nil))
}
