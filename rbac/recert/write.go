package recert

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Actions of this package's events. Objects[0] is the campaign (type "campaign"), Objects[1] the item
// (type "campaign_item", its ID is "campaign/seq"), Objects[2] the access, Objects[3] its subject; words are private values.
const (
	ActionStart    audit.Action = "recert.start"    // a campaign, a round or a standing review began; Detail has the digest of the snapshot
	ActionDecide   audit.Action = "recert.decide"   // somebody decided
	ActionDelegate audit.Action = "recert.delegate" // an item was handed to somebody
	ActionAbstain  audit.Action = "recert.abstain"  // the next of the fallback chain decides
	ActionPassOn   audit.Action = "recert.pass_on"  // its reviewer is not there any more, and the next of the fallback chain decides
	ActionGiveBack audit.Action = "recert.resume"   // what was suspended is given back
	ActionDue      audit.Action = "recert.due"      // nobody decided in time
	ActionEffect   audit.Action = "recert.effect"   // what was decided is true, or is not yet
	ActionGone     audit.Action = "recert.gone"     // access ended by itself
	ActionRegrant  audit.Action = "recert.regrant"  // what was revoked is there again
	ActionNotice   audit.Action = "recert.notice"   // people were told
	ActionSignOff  audit.Action = "recert.sign_off" // somebody signed; Detail has ContentDigest
)

// Types of the objects of this package's events.
const (
	ObjectCampaign = "campaign"
	ObjectItem     = "campaign_item"
	ObjectSubject  = "person"
)

// Codes of the events that follow one whose change did not happen.
const (
	CodeNotApplied  = "not_applied"
	CodeUnconfirmed = "unconfirmed" // the store did not tell what became of it
)

const (
	// attempts is how often a change is tried while others change the same campaign.
	attempts = 256
	// page is how many items are changed at once.
	page = 200
	// confirmWithin is how long the store is asked what became of a write that failed.
	confirmWithin = 5 * time.Second
)

// event is what happens to an item.
func event(a audit.Action, i *Item, id string) audit.Event {
	e := audit.Event{
		ID: id, Tenant: i.Tenant, Action: a, Verb: audit.Update,
		Objects: []audit.Object{
			{Type: ObjectCampaign, ID: i.Campaign},
			{Type: ObjectItem, ID: i.Campaign + "/" + strconv.FormatInt(i.Seq, 10)},
			{Type: string(i.Access.Kind), ID: i.Access.ID},
			{Type: ObjectSubject, ID: string(i.Access.Subject)},
		},
		Detail: map[string]string{"risk": string(i.Risk)},
	}
	note(&e, "role", i.Access.Role)
	return e
}

func note(e *audit.Event, key, value string) {
	if value != "" {
		e.Detail[key] = value
	}
}

// record makes durable what is about to be done.
func (r *Campaigns) record(ctx context.Context, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	return unavailable("recording", r.rec.Record(ctx, events...))
}

// undone records that what was recorded did not happen, as far as is known, and returns why.
func (r *Campaigns) undone(ctx context.Context, events []audit.Event, code string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	again := make([]audit.Event, 0, len(events))
	for _, e := range events {
		e.ID, e.Outcome, e.Code, e.Why = "", audit.MajorFailure, code, audit.Private{}
		again = append(again, e)
	}
	return errors.Join(why, r.record(ctx, again))
}

// prepare completes a write of c and some items of it: counts, version, and whether Tick looks at it.
func prepare(c Campaign, was, items []Item) Write {
	for n := range was {
		c.Counts.add(&was[n], -1)
	}
	for n := range items {
		c.Counts.add(&items[n], 1)
	}
	w := Write{Campaign: c, Expect: c.Version, Items: items}
	w.Campaign.Version++
	w.Campaign.Active = c.State == Open || !c.Next.IsZero()
	return w
}

func (n *Counts) add(i *Item, by int) {
	switch i.State {
	case ItemOpen:
		n.Open += by
	case ItemPending:
		n.Pending += by
	case ItemSuspended:
		n.Suspended += by
	case ItemClosed:
		n.Closed += by
	}
	if i.Exception != "" {
		n.Exception += by
	}
}

// apply makes a write, and finds out what became of one that failed: no error if it was done after
// all. The code is for the events about it.
func (r *Campaigns) apply(ctx context.Context, w Write) (code string, err error) {
	err = r.store.Apply(ctx, w)
	if err == nil {
		return "", nil
	}
	if errors.Is(err, ErrConflict) {
		return CodeNotApplied, ErrConflict
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	now, rerr := r.store.Get(asking, w.Campaign.Tenant, w.Campaign.ID)
	switch {
	case errors.Is(rerr, ErrNotFound) && w.Expect == 0, rerr == nil && now.Version <= w.Expect:
		return CodeNotApplied, unavailable("writing", err)
	case rerr == nil && now.Version == w.Campaign.Version && r.stored(asking, now, w):
		return "", nil
	}
	return CodeUnconfirmed, unavailable("writing", err)
}

// stored reports whether a write is what is there now.
func (r *Campaigns) stored(ctx context.Context, now Campaign, w Write) bool {
	if !same(now, w.Campaign) {
		return false
	}
	for _, want := range w.Items {
		have, err := r.item(ctx, now.Tenant, now.ID, want.Seq)
		want.Tenant, want.Campaign = now.Tenant, now.ID
		if err != nil || !same(have, want) {
			return false
		}
	}
	return true
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// item reads one item.
func (r *Campaigns) item(ctx context.Context, t audit.Tenant, campaign string, seq int64) (Item, error) {
	for i, err := range r.store.Items(ctx, t, campaign, ItemFilter{After: seq - 1, Limit: 1}) {
		switch {
		case err != nil:
			return Item{}, unavailable("reading an item", err)
		case i.Seq != seq:
			return Item{}, ErrNotFound
		case i.Tenant != t || i.Campaign != campaign:
			return Item{}, ErrDamaged
		}
		return i, nil
	}
	return Item{}, ErrNotFound
}

// items reads all items of a campaign that f selects.
func (r *Campaigns) items(ctx context.Context, c *Campaign, f ItemFilter) ([]Item, error) {
	var out []Item
	for i, err := range r.store.Items(ctx, c.Tenant, c.ID, f) {
		if err != nil {
			return nil, unavailable("reading items", err)
		}
		if i.Tenant != c.Tenant || i.Campaign != c.ID || i.Seq <= f.After || len(out) > 0 && i.Seq <= out[len(out)-1].Seq {
			return nil, ErrDamaged
		}
		out = append(out, i)
	}
	return out, nil
}

// campaign reads one that is open.
func (r *Campaigns) campaign(ctx context.Context, t audit.Tenant, id string) (Campaign, error) {
	c, err := r.store.Get(ctx, t, id)
	switch {
	case err != nil:
		return Campaign{}, unavailable("reading a campaign", err)
	case c.Tenant != t || c.ID != id:
		return Campaign{}, ErrDamaged
	case c.State == Signed:
		return Campaign{}, ErrSigned
	case c.State != Open:
		return Campaign{}, ErrDamaged
	}
	return c, nil
}

// pause waits a random time, the longer the more often it was tried.
func pause(ctx context.Context, n int) error {
	t := time.NewTimer(time.Duration(rand.Int64N(int64(min(n+1, 16)) * int64(time.Millisecond))))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
