package review

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// conflicts is how often another server, or somebody who reviews, may be quicker.
const conflicts = 16

// Tick reviews what every tenant's log has more than was reviewed, and returns when all of it is.
// It may be called at any time, again after any error, and from several servers at once: what
// was found is found once. A tenant that fails does not keep the others back.
//
// Errors: ErrBehind, ErrUnavailable.
func (r *Reviewer) Tick(ctx context.Context) error {
	var bad error
	for o, err := range r.src.Orders(ctx) {
		if err != nil {
			bad = errors.Join(bad, unavailable("asking how far tenants have come", err))
			break
		}
		bad = errors.Join(bad, r.follow(ctx, o))
	}
	if ctx.Err() == nil {
		r.set(bad)
	}
	return bad
}

// follow reviews one tenant's log up to where it is now.
func (r *Reviewer) follow(ctx context.Context, o audit.Order) error {
	for tries := 0; ; {
		more, err := r.step(ctx, o)
		switch {
		case errors.Is(err, ErrConflict) && tries < conflicts && ctx.Err() == nil:
			tries++
		case errors.Is(err, ErrConflict):
			return unavailable("storing what was reviewed", err)
		case err != nil || !more:
			return err
		default:
			tries = 0
		}
	}
}

// step makes one commit and reports whether there is more to do.
func (r *Reviewer) step(ctx context.Context, o audit.Order) (more bool, err error) {
	place, err := r.store.Place(ctx, o.Tenant)
	if err != nil {
		return false, unavailable("reading how far the log was reviewed", err)
	}
	if place.Next > o.Size {
		return false, ErrBehind
	}
	if place.Next == o.Size {
		return false, nil
	}
	to := min(o.Size, place.Next+int64(r.o.Batch))
	batch, err := r.read(ctx, o.Tenant, place.Next, to)
	if err != nil {
		return false, err
	}
	f, err := r.prepare(ctx, o.Tenant, place, batch)
	if err != nil {
		return false, err
	}
	for i := range batch {
		if b := &batch[i]; b.damaged {
			f.unreadable(b.event.ID, b.event.Recorded, b.index)
		} else {
			f.event(&b.event, b.index)
		}
	}
	if f.err != nil {
		return false, unavailable("reading a finding", f.err)
	}
	c := f.commit(place, to)
	if err := r.announce(ctx, place, c.Findings); err != nil {
		return false, err
	}
	if err := r.store.Commit(ctx, c); errors.Is(err, ErrConflict) {
		return false, ErrConflict
	} else if err != nil {
		return false, unavailable("storing what was reviewed", err)
	}
	return to < o.Size, nil
}

// placed is an event with its place.
type placed struct {
	event   audit.Event
	index   int64
	damaged bool
}

// read returns the events from one place to another, oldest first. Purged ones are not there.
func (r *Reviewer) read(ctx context.Context, t audit.Tenant, from, to int64) ([]placed, error) {
	var all []placed
	below := to
	for e, err := range r.src.List(ctx, audit.Filter{Tenant: t}, to, int(to-from)) {
		if err != nil {
			return nil, unavailable("reading the log", err)
		}
		if e.Index >= below {
			return nil, unavailable("reading the log", audit.ErrDamaged)
		}
		if below = e.Index; below < from {
			break // of the limit, some are purged: these were reviewed
		}
		all = append(all, open(t, &e))
	}
	slices.Reverse(all)
	return all, nil
}

// open decodes an entry that has to be what was recorded.
func open(t audit.Tenant, e *audit.Entry) placed {
	out, err := audit.Decode(e.Body)
	if err != nil || audit.Leaf(e.Body) != e.Leaf || out.Tenant != t || out.ID != e.ID {
		return placed{audit.Event{ID: e.ID, Recorded: e.Recorded}, e.Index, true}
	}
	return placed{out, e.Index, false}
}

// prepare reads what is remembered of everybody in a batch, and asks the host.
func (r *Reviewer) prepare(ctx context.Context, t audit.Tenant, place Place, batch []placed) (*fold, error) {
	s, err := r.Settings(ctx, t)
	if err != nil {
		return nil, err
	}
	zone, err := s.zone()
	if err != nil {
		return nil, err
	}
	f := &fold{
		tenant: t, settings: &s, zone: zone, actors: map[audit.ActorID]*state{}, stored: map[audit.ActorID][]byte{}, asks: r.o.Ties != nil,
		findings: map[string]*Finding{}, load: r.loader(ctx, t),
	}
	if place.Version == 0 {
		f.house.Since = r.o.Now().Add(-r.o.Past).UnixMicro()
	} else if err := json.Unmarshal(place.Data, &f.house); err != nil {
		return nil, unavailable("reading what is remembered", err)
	}
	ids := map[audit.ActorID]bool{anonymous: true, others: true, itself: true}
	events := make([]audit.Event, 0, len(batch))
	for i := range batch {
		if !batch[i].damaged {
			events = append(events, batch[i].event)
			if id := keeper(&batch[i].event.Actor); id != "" {
				ids[id] = true
			}
		}
	}
	actors, err := r.store.Actors(ctx, t, slices.Sorted(maps.Keys(ids)))
	if err != nil {
		return nil, unavailable("reading what is remembered", err)
	}
	for _, a := range actors {
		f.stored[a.ID] = a.Data
		if f.actors[a.ID], err = decodeState(a.Data); err != nil {
			return nil, unavailable("reading what is remembered", err)
		}
	}
	f.ties = r.ask(ctx, t, s.pairs(events))
	if err := ctx.Err(); err != nil { // not asked for want of time is not the host's failure
		return nil, unavailable("asking the host", err)
	}
	return f, nil
}

// commit is what the fold came to.
func (f *fold) commit(place Place, to int64) Commit {
	data, _ := json.Marshal(f.house) // numbers only
	c := Commit{Place: Place{f.tenant, place.Version + 1, to, data}}
	for _, id := range slices.Sorted(maps.Keys(f.actors)) {
		if data := f.actors[id].encode(); !bytes.Equal(data, f.stored[id]) {
			c.Actors = append(c.Actors, Actor{id, data})
		}
	}
	for _, id := range f.changed {
		c.Findings = append(c.Findings, *f.findings[id])
	}
	return c
}

// announce records new findings, before they are there. Who does the same work again, or at the
// same time, records the same. It does so only if what the findings were made of belongs to the
// place that was read before: another server may have gone on meanwhile.
func (r *Reviewer) announce(ctx context.Context, place Place, findings []Finding) error {
	fresh := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Version > 1 })
	if len(fresh) == 0 {
		return nil
	}
	is, err := r.store.Place(ctx, place.Tenant)
	if err != nil {
		return unavailable("reading how far the log was reviewed", err)
	}
	if is.Version != place.Version {
		return ErrConflict
	}
	for i := range fresh {
		f := &fresh[i]
		e := audit.Event{
			ID: f.ID, Tenant: f.Tenant, Action: ActionOpened, Verb: audit.Create, Actor: audit.System(f.Tenant, "review"),
			Objects: []audit.Object{{Type: FindingObject, ID: f.ID, Version: "1"}},
			Detail: map[string]string{
				"rule": string(f.Rule), "count": strconv.Itoa(f.Count), "limit": strconv.Itoa(f.Limit), "usual": strconv.Itoa(f.Usual),
			},
		}
		if f.Actor != "" {
			e.Detail["about"] = string(f.Actor)
		}
		if err := r.rec.Record(ctx, e); err != nil && !errors.Is(err, audit.ErrConflict) {
			return unavailable("recording a finding", err)
		}
	}
	return nil
}

// Settings returns a tenant's settings, Options.Standard where it made none. ErrUnavailable.
func (r *Reviewer) Settings(ctx context.Context, t audit.Tenant) (Settings, error) {
	s, err := r.store.Settings(ctx, t)
	if err != nil {
		return Settings{}, unavailable("reading the settings", err)
	}
	if s.Version == 0 {
		return r.o.Standard.Set(r.o.Standard.Rules[0]), nil // a copy
	}
	// A rule that came with a release after the settings were made is on.
	for _, r := range Standard().Rules {
		if !slices.ContainsFunc(s.Rules, func(o Rule) bool { return o.Name == r.Name }) {
			s = s.Set(r)
		}
	}
	return s, nil
}

// SetSettings stores a tenant's settings, of which s.Version is the version that somebody looked
// at, 0 for Standard, and returns them as they are stored. The change is recorded before it is made, with
// what each rule was and is, by the actor in ctx.
//
// Errors: ErrSettings, ErrReviewer, ErrConflict, ErrUnavailable.
func (r *Reviewer) SetSettings(ctx context.Context, t audit.Tenant, s Settings) (Settings, error) {
	if err := s.Validate(); err != nil {
		return Settings{}, err
	}
	actor, err := reviewer(ctx, t)
	if err != nil {
		return Settings{}, err
	}
	was, err := r.Settings(ctx, t)
	if err != nil {
		return Settings{}, err
	}
	if was.Version != s.Version {
		return Settings{}, ErrConflict
	}
	s.Version++
	e := audit.Event{
		Tenant: t, Action: audit.ActionPolicyChanged, Verb: audit.Update, Actor: actor,
		Objects: []audit.Object{{Type: "audit_review", Version: strconv.FormatInt(s.Version, 10)}}, Detail: differences(&was, &s),
	}
	if err := r.rec.Record(ctx, e); err != nil {
		return Settings{}, unavailable("recording the settings", err)
	}
	if err := r.store.SaveSettings(ctx, t, s); errors.Is(err, ErrConflict) {
		return Settings{}, r.unmade(ctx, e, "conflict", ErrConflict)
	} else if err != nil {
		return Settings{}, r.unmade(ctx, e, "unavailable", unavailable("storing the settings", err))
	}
	return s, nil
}

// unmade records that what was recorded may not have been made; err is why.
func (r *Reviewer) unmade(ctx context.Context, e audit.Event, code string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	e.Outcome, e.Code, e.Why = audit.MinorFailure, code, audit.Private{}
	_ = r.rec.Record(ctx, e)
	return err
}

// differences are the rules that change.
func differences(was, is *Settings) map[string]string {
	d := map[string]string{}
	put := func(what, a, b string) {
		if a != b {
			d[what+".before"], d[what+".after"] = a, b
		}
	}
	for _, n := range Names() {
		put(string(n), was.Rule(n).text(), is.Rule(n).text())
	}
	put("zone", was.Zone, is.Zone)
	put("open", fmt.Sprintf("%d-%d weekends=%t", was.OpenFrom, was.OpenTo, was.Weekends), fmt.Sprintf("%d-%d weekends=%t", is.OpenFrom, is.OpenTo, is.Weekends))
	put("list", strconv.Itoa(was.ListFrom), strconv.Itoa(is.ListFrom))
	put("repeat", was.Repeat.String(), is.Repeat.String())
	return d
}
