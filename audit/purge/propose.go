package purge

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
)

// Preview is what Propose would name, as far as one plan goes.
type Preview struct {
	Months         int   // how long events are kept now
	Count          int64 // events that may go
	Held           int64 // events that are old enough and held, of those that were looked at
	Oldest, Newest time.Time
	More           bool // there are others for another plan

	spans []audit.Span
}

// Preview says what could be destroyed now. It records nothing. It reads
// every event that is old enough, up to Options.Most that may go.
//
// Errors: tlog.ErrTampered, ErrUnavailable.
func (k *Keeper) Preview(ctx context.Context, t audit.Tenant) (Preview, error) {
	j, err := k.judge(ctx, t)
	if err != nil {
		return Preview{}, err
	}
	all, err := k.trees.Range(ctx, t, 0)
	if errors.Is(err, tlog.ErrUncovered) {
		return Preview{Months: j.months}, nil // no signed tree yet
	}
	if err != nil {
		return Preview{}, treeError(err)
	}
	p := Preview{Months: j.months}
	// Months have no fixed length: the store is asked for a few days more, and each event is judged.
	old := audit.Filter{Tenant: t, To: j.now.AddDate(0, -j.months, 5)}
	for e, err := range k.src.List(ctx, old, all.Head.Size, math.MaxInt) {
		if err != nil {
			return Preview{}, readError(err)
		}
		v, err := j.event(ctx, &e)
		switch {
		case err != nil:
			return Preview{}, err
		case v == held:
			p.Held++
		case v == mayGo && !p.add(&e, k.o.Most):
			p.More = true
		}
		if p.More {
			break
		}
	}
	slices.Reverse(p.spans)
	return p, nil
}

// add takes an event in, whose place is before all others. It is false if the plan is full.
func (p *Preview) add(e *audit.Entry, most int) bool {
	n := len(p.spans)
	neighbour := n > 0 && p.spans[n-1].From == e.Index+1
	if p.Count == int64(most) || !neighbour && n == audit.MaxSpans {
		return false
	}
	if neighbour {
		p.spans[n-1].From--
	} else {
		p.spans = append(p.spans, audit.Span{From: e.Index, To: e.Index + 1})
	}
	p.Count++
	if p.Oldest.IsZero() || e.Recorded.Before(p.Oldest) {
		p.Oldest = e.Recorded
	}
	if e.Recorded.After(p.Newest) {
		p.Newest = e.Recorded
	}
	return true
}

// Propose makes a plan of what may be destroyed now, for the person in ctx: it compares the events
// with the signed tree, exports them with a signed manifest into a bundle, reads the bundle back, and
// records the proposal. Nothing is destroyed. One plan of a tenant is open at a time.
//
// Errors: ErrPerson, ErrOpen, ErrNothing, ErrConflict, ErrBundle, ErrUnavailable, and tlog.ErrTampered if the log
// is not what was signed: then nothing is purged until people have found out why.
func (k *Keeper) Propose(ctx context.Context, t audit.Tenant, why string) (Plan, error) {
	who, err := person(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	if err := k.free(ctx, t); err != nil {
		return Plan{}, err
	}
	if _, err := k.trees.Integrate(ctx); err != nil {
		return Plan{}, treeError(err)
	}
	if err := k.gaps(ctx, t); err != nil {
		return Plan{}, err
	}
	seen, err := k.Preview(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	if seen.Count == 0 {
		return Plan{}, ErrNothing
	}
	now := k.now()
	p := Plan{
		Tenant: t, ID: audit.NewID(now), State: Proposed, Spans: seen.spans, Count: seen.Count, Oldest: seen.Oldest, Newest: seen.Newest,
		Months: seen.Months, Proposed: now, ProposedBy: who.ID, Expires: now.Add(k.o.Expiry),
		Event: audit.NewID(now),
	}
	if err := k.bundle(ctx, &p); err != nil {
		return Plan{}, err
	}
	err = k.check(ctx, &p)
	if errors.Is(err, ErrStopped) {
		return Plan{}, ErrConflict // a hold, or another purge, came this very moment
	}
	if err != nil {
		return Plan{}, err
	}
	return k.decide(ctx, p, ActionProposed, why)
}

// free sees to it that no plan is open, and closes one that has expired.
func (k *Keeper) free(ctx context.Context, t audit.Tenant) error {
	all, err := k.Plans(ctx, t)
	if err != nil {
		return err
	}
	for _, p := range all {
		if !p.Open() {
			continue
		}
		if p.State != Proposed || k.now().Before(p.Expires) {
			return ErrOpen
		}
		if err := k.end(ctx, &p, Expired); err != nil {
			return err
		}
	}
	return nil
}

// decide records what somebody decided about a plan, and then stores it.
func (k *Keeper) decide(ctx context.Context, p Plan, a audit.Action, why string) (Plan, error) {
	e, err := p.event(a, why)
	if err != nil {
		return Plan{}, err
	}
	if err := k.apply(ctx, e, "storing a plan", func() error { return k.store.PutPlan(ctx, p) }); err != nil {
		return Plan{}, err
	}
	p.Version++
	return p, nil
}

// end closes a plan that destroys nothing.
func (k *Keeper) end(ctx context.Context, p *Plan, s State) error {
	p.State, p.Ended = s, k.now()
	if err := k.put("closing a plan", k.store.PutPlan(ctx, *p)); err != nil {
		return err
	}
	p.Version++
	return nil
}

// bundle exports the events of a plan.
func (k *Keeper) bundle(ctx context.Context, p *Plan) error {
	w, err := k.bundles.Create(ctx, p.Tenant, p.ID)
	if err != nil {
		return unavailable("beginning a bundle", err)
	}
	manifest, err := k.x.Export(ctx, w, export.Request{
		Tenant: p.Tenant, Filter: &export.Filter{Start: p.Oldest, End: p.Newest.Add(time.Microsecond)},
	})
	if err != nil {
		return errors.Join(treeError(err), w.Discard())
	}
	p.Export = sumOf(manifest)
	if err := w.Commit(ctx, manifest); err != nil {
		return unavailable("keeping a bundle", err)
	}
	return nil
}

// treeError passes on what the trees found, and hides nothing else.
func treeError(err error) error {
	if errors.Is(err, tlog.ErrTampered) {
		return err
	}
	return unavailable("asking the trees", err)
}

func isDamaged(err error) bool { return errors.Is(err, audit.ErrDamaged) }
