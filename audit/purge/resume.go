package purge

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// Resume carries out a plan that two people agreed to, or goes on with it after a crash. It records
// the purge, has a signed tree cover that, and only then destroys the bodies, part by part, without
// those that a hold covers by now. Calling it again, also from two servers at once, does no harm.
//
// Before the first body goes it reads from the signed log, not from its own store, that one person
// proposed this very plan and another one agreed.
//
// Errors: ErrNotFound; ErrConflict if the plan is neither Approved nor Recorded; ErrExpired;
// ErrStopped; ErrPlan; ErrBundle; ErrPending; tlog.ErrTampered; ErrUnavailable.
func (k *Keeper) Resume(ctx context.Context, t audit.Tenant, id string) (Plan, error) {
	p, err := k.Plan(ctx, t, id)
	switch {
	case err != nil:
		return Plan{}, err
	case p.State != Approved && p.State != Recorded:
		return Plan{}, ErrConflict
	}
	if err := p.whole(); err != nil {
		return Plan{}, err
	}
	if err := k.begin(ctx, &p); err != nil {
		return Plan{}, err
	}
	if p.State == Approved {
		if err := k.advance(ctx, &p, Recorded); err != nil {
			return Plan{}, err
		}
	}
	if err := k.destroy(ctx, &p); err != nil {
		return Plan{}, err
	}
	p.Ended = k.now()
	return p, k.advance(ctx, &p, Destroyed)
}

// advance stores a plan's next state.
func (k *Keeper) advance(ctx context.Context, p *Plan, s State) error {
	p.State = s
	if err := k.put("storing a plan", k.store.PutPlan(ctx, *p)); err != nil {
		return err
	}
	p.Version++
	return nil
}

// begin returns nil when the plan's event is an intact leaf of a signed tree.
func (k *Keeper) begin(ctx context.Context, p *Plan) error {
	done, err := k.said(ctx, p)
	if err != nil || done.executed {
		return err
	}
	if p.State == Recorded {
		return tlog.ErrMissing // a signed tree covered it
	}
	if !k.now().Before(p.Expires) {
		return errors.Join(ErrExpired, k.end(ctx, p, Expired))
	}
	if err := k.checked(ctx, p); err != nil {
		return err
	}
	if err := k.announce(ctx, p); err != nil {
		return err
	}
	done, err = k.said(ctx, p)
	if err == nil && !done.executed {
		err = ErrPending
	}
	return err
}

// announce records the purge.
func (k *Keeper) announce(ctx context.Context, p *Plan) error {
	e, err := p.purge().Event(p.Tenant)
	if err != nil {
		return ErrPlan
	}
	e.ID = p.Event
	if _, ok := audit.ActorFrom(ctx); !ok {
		e.Actor = audit.System(p.Tenant, "purge")
	}
	return k.record(ctx, e)
}

// said is what the signed log says about a plan.
type said struct {
	proposed, approved bool
	executed           bool
	waiting            bool // something is not covered yet
}

// settling is how long what was recorded may take until it has its place in the log.
const settling = 10 * time.Minute

// said has everything covered, and reads it: what the plan's own store says is not enough to
// destroy anything. ErrPlan if the log knows of no two people who agreed to this very plan, or says
// another purge of it; ErrPending if they are not covered yet.
func (k *Keeper) said(ctx context.Context, p *Plan) (said, error) {
	if _, err := k.trees.Integrate(ctx); err != nil {
		return said{}, treeError(err)
	}
	sum, err := p.digest()
	if err != nil || p.ProposedBy == p.ApprovedBy {
		return said{}, ErrPlan
	}
	ages, err := k.trees.Ages(ctx, p.Tenant)
	if err != nil {
		return said{}, treeError(err)
	}
	var out said
	about := audit.Filter{Tenant: p.Tenant, ObjectType: audit.PurgeObject, ObjectID: p.ID}
	for entry, err := range k.src.List(ctx, about, audit.Newest, 1<<30) {
		if err != nil {
			return said{}, readError(err)
		}
		e, err := k.covered(ctx, p.Tenant, &entry)
		if errors.Is(err, ErrPending) {
			out.waiting = true
			continue
		}
		if err == nil {
			err = out.add(p, sum, ages, &e, entry.Index, k.now())
		}
		if err != nil {
			return said{}, err
		}
	}
	switch {
	case out.proposed && out.approved:
		return out, nil
	case out.waiting, k.now().Sub(p.Approved) < settling:
		return said{}, ErrPending
	}
	return said{}, ErrPlan
}

// add takes in one event.
func (s *said) add(p *Plan, sum string, ages *tlog.Ages, e *audit.Event, index int64, now time.Time) error {
	if len(e.Objects) != 1 || e.Objects[0].ID != p.ID || e.Outcome != audit.Success {
		return nil
	}
	alone := e.Actor.Kind == audit.KindStaff && e.Actor.OnBehalfOf == "" && e.Actor.Emergency == "" && e.Detail["plan"] == sum
	switch e.Action {
	case ActionProposed:
		s.proposed = s.proposed || alone && e.Actor.ID == p.ProposedBy
	case ActionApproved:
		s.approved = s.approved || alone && e.Actor.ID == p.ApprovedBy
	case audit.ActionPurgeExecuted:
		have, err := ages.Allows(*e, index, now)
		if errors.Is(err, tlog.ErrUncovered) { // covered since the ages were read
			s.waiting = true
			return nil
		}
		if err != nil || !same(have, p.purge()) {
			return ErrPlan
		}
		s.executed = true
	}
	return nil
}

// same compares what the log says with what a plan says.
func same(a, b audit.Purge) bool {
	at := a.Newest.Equal(b.Newest)
	a.Newest = b.Newest
	return at && reflect.DeepEqual(a, b)
}

// destroy destroys the bodies of a plan whose event is covered. Before each part it reads the
// holds again.
func (k *Keeper) destroy(ctx context.Context, p *Plan) error {
	p.Kept = 0
	j, err := k.judge(ctx, p.Tenant)
	if err != nil {
		return err
	}
	for part := range p.parts() {
		if err := j.reload(ctx); err != nil {
			return err
		}
		list, err := k.bodies(ctx, p.Tenant, part)
		if err != nil {
			return err
		}
		var spans []audit.Span
		for i := range list {
			v, err := j.event(ctx, &list[i])
			if err != nil {
				return err
			}
			if v != mayGo {
				p.Kept++
				continue
			}
			spans = withPlace(spans, list[i].Index)
		}
		if len(spans) == 0 {
			continue
		}
		if err := k.src.Purge(ctx, p.Tenant, spans); err != nil {
			return unavailable("destroying events", err)
		}
	}
	return nil
}

// withPlace adds the next place.
func withPlace(spans []audit.Span, at int64) []audit.Span {
	if n := len(spans); n > 0 && spans[n-1].To == at {
		spans[n-1].To++
		return spans
	}
	return append(spans, audit.Span{From: at, To: at + 1})
}
