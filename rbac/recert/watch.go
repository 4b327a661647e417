package recert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// emergencyDays is how long a use of emergency access may wait for its review: 72 hours.
const emergencyDays = 3

// Watch begins a small standing review of everything that happened in tenant t since then
// (Parts.Triggers): a role that changed, access that nobody used, a contract that ends, emergency
// access. s says how it is reviewed; Every must be 0. What emergency access was used for is due 72 hours
// after the use at the latest, however late Watch hears of it; a use that is in no campaign and that
// Parts.Population does not yield, or s does not want, is an error each time.
// Calling it again, also from several servers and with an earlier since, begins nothing twice. What is
// open in another campaign is not asked about a second time. It returns the campaigns that it began.
//
// Errors: ErrSpec, ErrUnavailable.
func (r *Campaigns) Watch(ctx context.Context, t audit.Tenant, since time.Time, s Spec) ([]string, error) {
	s, err := s.normal()
	if err != nil {
		return nil, err
	}
	if s.Every != 0 || r.p.Triggers == nil {
		return nil, fmt.Errorf("%w: Every", ErrSpec)
	}
	ctx = system(ctx, t)
	if err := r.known(ctx, t, &s, r.now()); err != nil {
		return nil, err
	}
	var happened []Trigger
	for g, err := range r.p.Triggers.Triggers(ctx, t, moment(since)) {
		if err != nil {
			return nil, unavailable("reading what happened", err)
		}
		happened = append(happened, g)
	}
	open, err := r.underReview(ctx, t)
	if err != nil {
		return nil, err
	}
	var started []string
	var bad []error
	for _, g := range happened {
		id, err := r.standing(ctx, t, s, g, open)
		if id != "" {
			started = append(started, id)
		}
		if err != nil {
			bad = append(bad, err)
		}
	}
	return started, errors.Join(bad...)
}

// underReview returns what is open in some campaign of t.
func (r *Campaigns) underReview(ctx context.Context, t audit.Tenant) (map[[2]string]bool, error) {
	open := map[[2]string]bool{}
	for c, err := range r.store.List(ctx, t, "") {
		if err != nil {
			return nil, unavailable("reading campaigns", err)
		}
		if c.State != Open || c.Counts.Open+c.Counts.Pending+c.Counts.Suspended == 0 {
			continue
		}
		items, err := r.items(ctx, &c, ItemFilter{States: []ItemState{ItemOpen, ItemPending, ItemSuspended}})
		if err != nil {
			return nil, err
		}
		for n := range items {
			for _, id := range items[n].all() {
				open[[2]string{string(items[n].Access.Kind), id}] = true
			}
		}
	}
	return open, nil
}

// standing begins the review of one thing that happened, unless there is one. It returns "" if there
// is nothing to begin.
func (r *Campaigns) standing(ctx context.Context, t audit.Tenant, s Spec, g Trigger, open map[[2]string]bool) (string, error) {
	if !isCode(string(g.Kind)) || !isID(g.ID) || !isID(g.Subject) || g.At.IsZero() {
		return "", unavailable("reading what happened", ErrDamaged)
	}
	g.At = moment(g.At)
	id := idOf(g.At, string(t), string(g.Kind), g.ID)
	if _, err := r.store.Get(ctx, t, id); !errors.Is(err, ErrNotFound) {
		return "", unavailable("reading a campaign", err)
	}
	if g.Kind == TriggerEmergency {
		s.Days = min(s.Days, emergencyDays)
	}
	c, items, err := r.draw(ctx, t, s, r.now(), func(a *Access) bool {
		return a.Subject == g.Subject && (g.Access == "" || a.ID == g.Access) && (a.Kind == KindEmergency) == (g.Kind == TriggerEmergency) &&
			!open[[2]string{string(a.Kind), a.ID}]
	})
	if errors.Is(err, ErrEmpty) {
		return "", r.nothing(ctx, t, &g)
	}
	if err != nil {
		return "", err
	}
	if by := g.At.AddDate(0, 0, emergencyDays); g.Kind == TriggerEmergency && by.Before(c.Due) {
		c.Due = by
		for n := range items {
			items[n].Due = by
		}
	}
	c.ID, c.Series, c.Round, c.Anchor, c.Trigger, c.StartedBy = id, id, 1, c.Started, g, itself
	if _, err := r.create(ctx, c, items); err != nil {
		return "", ignoreConflict(err)
	}
	for n := range items {
		open[[2]string{string(items[n].Access.Kind), items[n].Access.ID}] = true
	}
	return id, nil
}

// nothing says of a trigger that leads to no review whether that is as it should be: of a use of emergency
// access only if some campaign has it, or it would never be reviewed.
func (r *Campaigns) nothing(ctx context.Context, t audit.Tenant, g *Trigger) error {
	if g.Kind != TriggerEmergency {
		return nil
	}
	for c, err := range r.store.List(ctx, t, "") {
		if err != nil {
			return unavailable("reading campaigns", err)
		}
		if g.Access == "" && c.Started.Before(g.At) {
			continue // of whatever is in it, this use is not
		}
		items, err := r.items(ctx, &c, ItemFilter{})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(items, func(i Item) bool {
			return i.Access.Kind == KindEmergency && i.Access.Subject == g.Subject && (g.Access == "" || i.Access.ID == g.Access)
		}) {
			return nil
		}
	}
	return unavailable("finding what emergency access was used for", ErrEmpty)
}
