package support

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// attempts is how often a closing is tried while others change the same access.
const attempts = 16

// closing is how an access is closed.
type closing struct {
	state State
	how   Closing
	by    audit.Actor // as the tenant's log names them
	text  string
}

// Refuse answers a request with no, as somebody of the tenant in ctx: staff with AAL2. version is the one
// that the person read. ErrNoActor, ErrAssurance, ErrSelf, ErrNotFound, ErrConflict, ErrState, *InputError,
// ErrUnavailable.
func (d *Desk) Refuse(ctx context.Context, id string, version int64, text string) (Access, error) {
	by, err := d.tenant(ctx, true)
	if err != nil {
		return Access{}, err
	}
	if err := clean(&text, "text", false); err != nil {
		return Access{}, err
	}
	r, err := d.answered(ctx, by, id, version)
	if err != nil {
		return Access{}, err
	}
	r, err = d.closeOnce(ctx, r, closing{state: Refused, by: by, text: text})
	if err != nil {
		return Access{}, err
	}
	return d.settle(ctx, r).Access, nil
}

// Withdraw takes a request back that was not answered, as the operator in ctx. ErrNoActor, ErrNotFound,
// ErrState, ErrConflict if it was answered at the same time, ErrUnavailable.
func (d *Desk) Withdraw(ctx context.Context, t audit.Tenant, id string) (Access, error) {
	a, err := d.operator(ctx, false)
	if err != nil {
		return Access{}, err
	}
	r, err := d.read(ctx, t, id)
	if err != nil {
		return Access{}, err
	}
	if r.Operator != (Account{a.Tenant, a.ID}) {
		return Access{}, ErrNotFound
	}
	if r, err = d.tidy(ctx, r); err != nil {
		return Access{}, err
	}
	if r.State != Requested {
		return Access{}, ErrState
	}
	r, err = d.closeOnce(ctx, r, closing{state: Withdrawn, by: d.visitor(a, t)})
	if err != nil {
		return Access{}, err
	}
	return d.settle(ctx, r).Access, nil
}

// End ends an approved access before its time: as anybody of the tenant's staff, or as the operator. It is closed with
// the operator's next request, on every server, once End has returned nil. To close is never refused for want of a second factor
// or of a durable record: what could not be recorded at once, Run records.
//
// ErrNoActor, ErrSelf, ErrNotFound, ErrState if it is over or was not approved, *InputError. ErrUnavailable: it may stand.
func (d *Desk) End(ctx context.Context, t audit.Tenant, id, text string) (Access, error) {
	if err := clean(&text, "text", false); err != nil {
		return Access{}, err
	}
	c := closing{state: Ended, how: ByOperator, text: text}
	r, err := d.read(ctx, t, id)
	if a, oerr := d.operator(ctx, false); oerr == nil {
		if err == nil && r.Operator != (Account{a.Tenant, a.ID}) {
			err = ErrNotFound
		}
		c.by = d.visitor(a, t)
	} else {
		by, terr := d.tenant(ctx, false)
		switch {
		case terr != nil:
			return Access{}, terr
		case by.Tenant != t:
			return Access{}, ErrNotFound
		}
		c.by, c.how = by, ByTenant
	}
	if err != nil {
		return Access{}, err
	}
	if r.State != Approved {
		return Access{}, ErrState
	}
	r, err = d.close(ctx, r, c)
	if err != nil {
		return Access{}, err
	}
	return r.Access, nil
}

// close closes an access whatever others do to it meanwhile, and settles what follows from it. Of an access that
// somebody else has closed it returns that.
func (d *Desk) close(ctx context.Context, r record, c closing) (record, error) {
	for n := range attempts {
		if !r.State.Open() {
			return r, nil
		}
		next, err := d.closeOnce(ctx, r, c)
		if err == nil {
			return d.settle(ctx, next), nil
		}
		if !errors.Is(err, ErrConflict) || n == attempts-1 {
			return record{}, err
		}
		time.Sleep(time.Duration(rand.Int64N(int64(n+1) * int64(time.Millisecond))))
		if r, err = d.read(ctx, r.Tenant, r.ID); err != nil {
			return record{}, err
		}
	}
	return record{}, ErrConflict
}

// closeOnce writes that an access is closed, with the events that it owes.
func (d *Desk) closeOnce(ctx context.Context, r record, c closing) (record, error) {
	expect := r.Version
	next := r.clone()
	next.Version++
	next.State, next.Closing, next.Closed, next.Closer = c.state, c.how, d.now(), c.by.ID
	next.Events, next.By, next.Settled = d.ids(), whoIs(c.by), false
	if c.text != "" {
		next.Words = c.text
	}
	row, err := d.seal(ctx, &next)
	if err != nil {
		return record{}, err
	}
	err = d.p.Store.Apply(ctx, row, expect)
	if err == nil || errors.Is(err, ErrConflict) {
		return next, err
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	if now, rerr := d.read(asking, r.Tenant, r.ID); rerr == nil && now.Version == next.Version && now.Events == next.Events {
		return now, nil
	}
	return record{}, unavailable("writing", err)
}

// settle does what follows from a closing, as far as it can now, and tells people. What fails is Run's.
func (d *Desk) settle(ctx context.Context, r record) record {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	if next, err := d.settled(ctx, r); err != nil {
		d.later(ctx, err)
	} else {
		r = next
	}
	return d.tellNow(ctx, r)
}

// settled revokes the grant, records the closing and marks that both is done. Each may have been done before.
func (d *Desk) settled(ctx context.Context, r record) (record, error) {
	if r.Settled {
		return r, nil
	}
	err := d.revoke(ctx, &r)
	n := note{action: r.action(), by: r.By.actor(), ids: r.Events}
	if !r.Approved.IsZero() || r.State == Refused {
		n.text = r.Words
	}
	if rerr := d.record(ctx, &r, n); rerr != nil {
		err = errors.Join(err, rerr)
	}
	if err != nil {
		return r, err
	}
	next := r.clone()
	next.Settled = true
	return d.mark(ctx, next)
}

// action is what a closing is recorded as.
func (r *record) action() audit.Action {
	switch r.State {
	case Refused:
		return ActionRefuse
	case Withdrawn:
		return ActionWithdraw
	}
	return ActionEnd
}

// mark writes what was settled or told. Of two at once one wins, and the other's is done again or found done.
func (d *Desk) mark(ctx context.Context, next record) (record, error) {
	expect := next.Version
	next.Version++
	row, err := d.seal(ctx, &next)
	if err == nil {
		err = d.p.Store.Apply(ctx, row, expect)
	}
	if errors.Is(err, ErrConflict) {
		return d.read(ctx, next.Tenant, next.ID)
	}
	if err != nil {
		return record{}, unavailable("writing", err)
	}
	return next, nil
}

// revoke takes the grant of an access back, if there is one. The system does it: who closed the access is in its event.
func (d *Desk) revoke(ctx context.Context, r *record) error {
	if r.Approved.IsZero() {
		return nil
	}
	grants, err := d.p.Grants.Grants(ctx, r.Tenant, r.Visitor())
	if err != nil {
		return unavailable("reading grants", err)
	}
	for _, g := range grants {
		if g.ID != r.ID {
			continue
		}
		system := audit.WithActor(ctx, audit.System(r.Tenant, "support"))
		err := d.p.Authorizer.Revoke(system, g.Person, g.ID)
		if err != nil && !errors.Is(err, rbac.ErrNoGrant) {
			return unavailable("revoking", err)
		}
	}
	return nil
}

// later says that something could not be done at once.
func (d *Desk) later(ctx context.Context, err error) {
	if err != nil {
		d.o.Logger.ErrorContext(ctx, "support: what follows from a change could not be done at once; Run tries again")
	}
}
