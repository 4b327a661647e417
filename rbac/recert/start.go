package recert

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// MaxItems is how many items a campaign can have.
const MaxItems = 50_000

// Start begins a campaign for the person in ctx: it freezes who has what, finds a reviewer for each
// item, and records it. From then on the snapshot does not change.
//
// Two calls begin two campaigns, of one name too: a host that has a form refuses the second click
// (List tells what is open).
//
// Errors: ErrActor, ErrSpec, ErrEmpty, ErrNoReviewer, ErrUnavailable.
func (r *Campaigns) Start(ctx context.Context, s Spec) (Campaign, error) {
	by, err := person(ctx)
	if err != nil {
		return Campaign{}, err
	}
	if s, err = s.normal(); err != nil {
		return Campaign{}, err
	}
	now := r.now()
	if err := r.people(ctx, by.Tenant, &s, now); err != nil {
		return Campaign{}, err
	}
	if err := r.known(ctx, by.Tenant, &s, now); err != nil {
		return Campaign{}, err
	}
	c, items, err := r.draw(ctx, by.Tenant, s, now, nil)
	if err != nil {
		return Campaign{}, err
	}
	for n := range items {
		if items[n].Reviewer == "" {
			return Campaign{}, ErrNoReviewer
		}
	}
	c.StartedBy, c.ID = by.ID, audit.NewID(c.Started)
	c.Series, c.Round, c.Anchor, c.Next = c.ID, 1, c.Started, months(c.Started, s.Every, c.Started)
	return r.create(ctx, c, items)
}

// draw makes a campaign and its items of what there is now; only says which access, nil for all that
// the specification wants.
func (r *Campaigns) draw(ctx context.Context, t audit.Tenant, s Spec, now time.Time, only func(*Access) bool) (Campaign, []Item, error) {
	all, err := r.population(ctx, t, s.Kinds, now)
	if err != nil {
		return Campaign{}, nil, err
	}
	all = slices.DeleteFunc(all, func(a Access) bool { return !s.wants(&a) || only != nil && !only(&a) })
	if len(all) == 0 {
		return Campaign{}, nil, ErrEmpty
	}
	if len(all) > MaxItems {
		return Campaign{}, nil, fmt.Errorf("%w: more than %d items", ErrSpec, MaxItems)
	}
	if err := r.used(ctx, t, all, now); err != nil {
		return Campaign{}, nil, err
	}
	c := Campaign{
		Tenant: t, Spec: s, State: Open, Started: now, Due: now.AddDate(0, 0, s.Days),
		Snapshot: Snapshot{At: now, Policy: r.p.Policy(), Query: s.query(now), Count: len(all)},
	}
	items, err := r.assign(ctx, &c, all)
	return c, items, err
}

// population reads who has what, in a fixed order.
func (r *Campaigns) population(ctx context.Context, t audit.Tenant, kinds []Kind, now time.Time) ([]Access, error) {
	var all []Access
	seen := map[[2]string]bool{}
	for a, err := range r.p.Population.Accesses(system(ctx, t), t, slices.Clone(kinds), now) {
		if err != nil {
			return nil, unavailable("reading the population", err)
		}
		key := [2]string{string(a.Kind), a.ID}
		if !a.sound() || seen[key] {
			return nil, unavailable("reading the population", ErrDamaged)
		}
		seen[key] = true
		a.From, a.Until, a.Granted = moment(a.From), moment(a.Until), moment(a.Granted)
		all = append(all, a.clone())
	}
	slices.SortFunc(all, func(a, b Access) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(string(a.Subject), string(b.Subject)),
			strings.Compare(a.Role, b.Role), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

// sound reports whether an access can be stored, and named in an event, as it is.
func (a *Access) sound() bool {
	for _, s := range slices.Concat([]string{string(a.For), a.Role, string(a.By), a.Why, a.Source}, a.Context.Conflicts) {
		if s != "" && !isID(s) {
			return false
		}
	}
	return isCode(string(a.Kind)) && isID(a.ID) && isID(a.Subject) &&
		!slices.ContainsFunc(slices.Concat(a.Reach.Practices, a.Reach.Locations, a.Reach.Queues), func(s string) bool { return !isID(s) })
}

// used fills in how access was used, person by person.
func (r *Campaigns) used(ctx context.Context, t audit.Tenant, all []Access, now time.Time) error {
	if r.p.Usage == nil {
		return nil
	}
	since := now.Add(-r.o.Window)
	people := map[audit.ActorID]Use{}
	for n := range all {
		a := &all[n]
		use, ok := people[a.Subject]
		if !ok {
			var err error
			if use, err = r.p.Usage.Used(system(ctx, t), t, a.Subject, since); err != nil {
				return unavailable("reading how access was used", err)
			}
			people[a.Subject] = use
		}
		a.Context.used(use, a, since)
	}
	return nil
}

// used takes in how the subject of a used it.
func (c *Context) used(u Use, a *Access, since time.Time) {
	c.LastUsed, c.Emergencies = moment(u.Last[a.ID]), u.Emergencies
	if u.Partial && c.LastUsed.IsZero() {
		return // it may have been used
	}
	c.Looked = since
	if c.LastUsed.IsZero() && !a.Granted.After(since) && !a.From.After(since) {
		c.Recommend = RecommendRevoke
	}
}

// assign makes an item of each access and finds its reviewer.
func (r *Campaigns) assign(ctx context.Context, c *Campaign, all []Access) ([]Item, error) {
	items, there := make([]Item, 0, len(all)), r.attendance(c.Tenant, c.Started)
	for n, a := range all {
		if r.p.Effects[a.Kind] == nil {
			return nil, fmt.Errorf("%w: Kinds: one without Effects", ErrSpec)
		}
		i := Item{
			Tenant: c.Tenant, Seq: int64(n + 1), Access: a, Risk: a.Risk(), State: ItemOpen, Due: c.Due,
		}
		var err error
		if i.Fallback, err = r.chain(system(ctx, c.Tenant), there, &c.Spec, a); err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	deal(items)
	for n := range items {
		if items[n].Reviewer == "" {
			items[n].except(ExceptionNoReviewer, c.Started)
		}
	}
	return items, nil
}

// except notes why an item needs attention.
func (i *Item) except(e Exception, now time.Time) {
	if i.Exception != e {
		i.Exception, i.Since = e, now
	}
}

// clear notes that it needs none any more.
func (i *Item) clear() { i.Exception, i.Since = "", time.Time{} }

// create records a campaign and stores it.
func (r *Campaigns) create(ctx context.Context, c Campaign, items []Item) (Campaign, error) {
	for n := range items {
		items[n].Campaign = c.ID
	}
	var err error
	if c.Snapshot.Digest, _, err = FrozenDigest(sequence(items)); err != nil {
		return Campaign{}, err
	}
	e := c.event(ActionStart, audit.Create, r.now())
	c.Snapshot.Event = e.ID
	note(&e, "digest", c.Snapshot.Digest)
	note(&e, "policy", c.Snapshot.Policy)
	note(&e, "count", strconv.Itoa(c.Snapshot.Count))
	note(&e, "due", c.Due.Format(time.RFC3339))
	note(&e, "round", strconv.Itoa(c.Round))
	note(&e, "series", c.Series)
	note(&e, "trigger", string(c.Trigger.Kind))
	note(&e, "owner", string(c.Spec.Owner))
	w := prepare(c, nil, items)
	if err := r.record(ctx, []audit.Event{e}); err != nil {
		return Campaign{}, err
	}
	if code, err := r.apply(ctx, w); err != nil {
		return Campaign{}, r.undone(ctx, []audit.Event{e}, code, err)
	}
	return w.Campaign, nil
}

// event is what happens to a campaign.
func (c *Campaign) event(a audit.Action, v audit.Verb, now time.Time) audit.Event {
	return audit.Event{
		ID: audit.NewID(now), Tenant: c.Tenant, Action: a, Verb: v,
		Objects: []audit.Object{{Type: ObjectCampaign, ID: c.ID}}, Detail: map[string]string{},
	}
}

// sequence yields items without an error.
func sequence(items []Item) func(yield func(Item, error) bool) {
	return func(yield func(Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}
