package recert

import (
	"context"
	"errors"
	"maps"

	"github.com/wardkit/wardkit/audit"
)

// change makes a change of one item that a person wants. It is recorded once, and tried again as long
// as only others' items change meanwhile.
func (r *Campaigns) change(ctx context.Context, t audit.Tenant, campaign string, seq int64, edit func(*Campaign, *Item) (audit.Event, error)) (Item, error) {
	var said []audit.Event
	for n := range attempts {
		w, err := r.edited(ctx, t, campaign, seq, edit, &said)
		if err != nil && said == nil {
			return Item{}, err
		}
		if err != nil {
			return Item{}, r.undone(ctx, said, CodeNotApplied, err)
		}
		code, err := r.apply(ctx, w)
		switch {
		case err == nil:
			return w.Items[0], nil
		case !errors.Is(err, ErrConflict):
			return Item{}, r.undone(ctx, said, code, err)
		}
		if pause(ctx, n) != nil {
			break
		}
	}
	return Item{}, r.undone(ctx, said, CodeNotApplied, ErrConflict)
}

// edited reads, edits and, the first time, records.
func (r *Campaigns) edited(ctx context.Context, t audit.Tenant, campaign string, seq int64, edit func(*Campaign, *Item) (audit.Event, error), said *[]audit.Event) (Write, error) {
	c, err := r.campaign(ctx, t, campaign)
	if err != nil {
		return Write{}, err
	}
	was, err := r.item(ctx, t, campaign, seq)
	if err != nil {
		return Write{}, err
	}
	i := was.clone()
	e, err := edit(&c, &i)
	if err != nil {
		return Write{}, err
	}
	if *said != nil && !maps.Equal((*said)[0].Detail, e.Detail) {
		return Write{}, ErrConflict // it would be something else than was recorded: whom an item goes to
	}
	if *said == nil {
		*said = []audit.Event{e}
		if err := r.record(ctx, *said); err != nil {
			return Write{}, err
		}
	}
	return prepare(c, []Item{was}, []Item{i}), nil
}

// sweep goes through the items of a campaign that are in one of the states, page by page, and writes
// those that see changes, with its events recorded before. What loses against somebody else is looked
// at again. An error of see ends it; a page is written or not.
func (r *Campaigns) sweep(ctx context.Context, t audit.Tenant, campaign string, states []ItemState, see func(*Campaign, *Item) ([]audit.Event, bool, error)) error {
	after, tries := int64(0), 0
	for {
		c, err := r.campaign(ctx, t, campaign)
		if errors.Is(err, ErrSigned) {
			return nil
		}
		if err != nil {
			return err
		}
		items, err := r.items(ctx, &c, ItemFilter{After: after, States: states, Limit: page})
		if err != nil || len(items) == 0 {
			return err
		}
		switch err := r.turn(ctx, c, items, see); {
		case errors.Is(err, ErrConflict) && tries < attempts && pause(ctx, tries) == nil:
			tries++
		case err != nil:
			return err
		default:
			after, tries = items[len(items)-1].Seq, 0
		}
	}
}

// turn is one page of a sweep.
func (r *Campaigns) turn(ctx context.Context, c Campaign, items []Item, see func(*Campaign, *Item) ([]audit.Event, bool, error)) error {
	var was, is []Item
	var events []audit.Event
	for n := range items {
		i := items[n].clone()
		said, changed, err := see(&c, &i)
		if err != nil {
			return err
		}
		if changed {
			was, is, events = append(was, items[n]), append(is, i), append(events, said...)
		}
	}
	if len(is) == 0 {
		return nil
	}
	return r.commit(ctx, prepare(c, was, is), events)
}

// commit records events and makes the write that they are about.
func (r *Campaigns) commit(ctx context.Context, w Write, events []audit.Event) error {
	if err := r.record(ctx, events); err != nil {
		return err
	}
	if code, err := r.apply(ctx, w); err != nil {
		return r.undone(ctx, events, code, err)
	}
	return nil
}
