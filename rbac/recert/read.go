package recert

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// tenant returns the tenant of the member of staff in ctx.
func tenant(ctx context.Context) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Kind != audit.KindStaff || a.ID == "" || a.Tenant == "" {
		return audit.Actor{}, ErrActor
	}
	return a, nil
}

// Get returns a campaign of the tenant of the member of staff in ctx. Whether they may see it is for
// the host to decide, before the call.
//
// Errors: ErrActor, ErrNotFound, ErrUnavailable.
func (r *Campaigns) Get(ctx context.Context, id string) (Campaign, error) {
	a, err := tenant(ctx)
	if err != nil {
		return Campaign{}, err
	}
	c, err := r.store.Get(ctx, a.Tenant, id)
	return c, unavailable("reading a campaign", err)
}

// List yields the campaigns of the tenant of the member of staff in ctx, the latest first, from below
// on; "" for the start. An error is the last thing yielded.
func (r *Campaigns) List(ctx context.Context, below string) iter.Seq2[Campaign, error] {
	a, err := tenant(ctx)
	if err != nil {
		return func(yield func(Campaign, error) bool) { yield(Campaign{}, err) }
	}
	return r.store.List(ctx, a.Tenant, below)
}

// Items yields items of a campaign of the tenant of the member of staff in ctx, in order of Seq. An
// error is the last thing yielded.
func (r *Campaigns) Items(ctx context.Context, campaign string, f ItemFilter) iter.Seq2[Item, error] {
	a, err := tenant(ctx)
	if err != nil {
		return func(yield func(Item, error) bool) { yield(Item{}, err) }
	}
	return r.store.Items(ctx, a.Tenant, campaign, f)
}

// Item returns one item of a campaign. Errors: as Get.
func (r *Campaigns) Item(ctx context.Context, campaign string, seq int64) (Item, error) {
	a, err := tenant(ctx)
	if err != nil {
		return Item{}, err
	}
	return r.item(ctx, a.Tenant, campaign, seq)
}

// Mine returns the items that wait for the person in ctx, of all open campaigns, those of the latest
// first, at most limit.
//
// Errors: ErrActor, ErrUnavailable.
func (r *Campaigns) Mine(ctx context.Context, limit int) ([]Item, error) {
	by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	var out []Item
	for c, err := range r.store.List(ctx, by.Tenant, "") {
		if err != nil {
			return nil, unavailable("reading campaigns", err)
		}
		if c.State != Open || c.Counts.Open+c.Counts.Suspended == 0 {
			continue
		}
		f := ItemFilter{Reviewer: by.ID, States: []ItemState{ItemOpen, ItemSuspended}, Limit: limit - len(out)}
		items, err := r.items(ctx, &c, f)
		if err != nil {
			return nil, err
		}
		if out = append(out, items...); len(out) >= limit {
			break
		}
	}
	return out, nil
}
