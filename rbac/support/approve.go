package support

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Answer is what a tenant approves of a request. The zero value approves what was asked for.
type Answer struct {
	Length    time.Duration     // shorter than asked for, whole seconds; zero: as asked
	Practices []rbac.PracticeID // fewer than asked for; empty: as asked
	Locations []rbac.LocationID
	Queues    []rbac.QueueID
	Text      string // for the operator and the log, may be empty
}

// Approve lets an operator in, as somebody of the tenant in ctx: staff with AAL2, a proof of who they are
// that is not older than Options.Fresh, and rights to grant the role (rbac.Authorizer.Change). The time
// begins now. version is the one that the person read.
//
// The step is durable in both logs before the access is approved, and the access is approved before its
// grant is made. Where the grant cannot be made, the access is ended again.
//
// ErrNoActor, ErrAssurance, ErrSelf, ErrNotFound, ErrConflict, ErrState, ErrOperator, *InputError, ErrWider,
// ErrRights, ErrStepUp: nobody was let in. ErrUnavailable: nobody is in; Get tells what became of it.
func (d *Desk) Approve(ctx context.Context, id string, version int64, an Answer) (Access, error) {
	by, err := d.tenant(ctx, true)
	if err != nil {
		return Access{}, err
	}
	r, err := d.answered(ctx, by, id, version)
	if err != nil {
		return Access{}, err
	}
	n := note{action: ActionApprove, by: by, text: an.Text}
	if err := clean(&n.text, "text", false); err != nil {
		return Access{}, err
	}
	if err := d.approvable(ctx, &r, n); err != nil {
		return Access{}, err
	}
	if err := r.narrow(an); err != nil {
		if errors.Is(err, ErrWider) {
			err = d.denied(ctx, &r, n, CodeWider, err)
		}
		return Access{}, err
	}
	now := d.now()
	r.State, r.Approver, r.Approved, r.Until, r.Words = Approved, by.ID, now, now.Add(r.Length), n.text
	if _, err := d.p.Authorizer.Suppose(ctx, rbac.Supposition{Draft: &rbac.Draft{Grant: []rbac.Grant{r.grant()}}}); err != nil {
		return Access{}, d.cannot(ctx, &r, n, err)
	}
	owed, err := d.p.StepUps.StepUp(ctx, ActionApprove, audit.Object{Type: ObjectAccess, ID: r.ID}, d.o.Fresh)
	switch {
	case err != nil:
		return Access{}, unavailable("asking for a step-up", err)
	case owed:
		return Access{}, ErrStepUp
	}
	if err := d.step(ctx, &r, n); err != nil {
		return Access{}, err
	}
	return d.grant(ctx, r)
}

// answered reads a request of the tenant that still waits for its answer.
func (d *Desk) answered(ctx context.Context, by audit.Actor, id string, version int64) (record, error) {
	r, err := d.read(ctx, by.Tenant, id)
	if err != nil {
		return record{}, err
	}
	if r, err = d.tidy(ctx, r); err != nil {
		return record{}, err
	}
	switch {
	case r.State != Requested:
		return record{}, ErrState
	case r.Version != version:
		return record{}, ErrConflict
	}
	return r, nil
}

// approvable refuses to approve for oneself, or for a colleague at the platform, for whom the platform does not let any more, and a role that
// has become more than it was.
func (d *Desk) approvable(ctx context.Context, r *record, n note) error {
	ours, err := d.p.Operators.Ours(ctx, r.Operator, Account{n.by.Tenant, n.by.ID})
	switch {
	case err != nil:
		return unavailable("asking for the operator", err)
	case ours:
		return d.denied(ctx, r, n, CodeSelf, ErrSelf)
	case !slices.Contains(d.p.Roles, r.Role) || d.fit(r.Role) != nil || d.now().Before(r.Requested):
		return ErrState
	}
	switch ok, err := d.allowed(ctx, r.Operator, r.Tenant); {
	case err != nil:
		return err
	case !ok:
		return ErrOperator
	}
	return nil
}

// narrow makes of what was asked for what is approved.
func (r *record) narrow(an Answer) error {
	if an.Length != 0 {
		if an.Length < time.Second || an.Length%time.Second != 0 {
			return wrong("length")
		}
		if an.Length > r.Length {
			return ErrWider
		}
		r.Length = an.Length
	}
	if !within(&r.Practices, an.Practices) || !within(&r.Locations, an.Locations) || !within(&r.Queues, an.Queues) {
		return ErrWider
	}
	return nil
}

// within puts a shorter list in the place of the one that was asked for; false if it is none.
func within[T ~string](asked *[]T, approved []T) bool {
	if len(approved) == 0 {
		return true
	}
	approved = set(approved)
	if slices.ContainsFunc(approved, func(id T) bool { return !slices.Contains(*asked, id) }) {
		return false
	}
	*asked = approved
	return true
}

// grant is what the operator holds in the tenant.
func (r *record) grant() rbac.Grant {
	return rbac.Grant{
		ID: r.ID, Person: r.Visitor(), Role: r.Role, Practices: slices.Clone(r.Practices), Locations: slices.Clone(r.Locations), Queues: slices.Clone(r.Queues),
		Until: r.Until, Source: rbac.SourceSupport, Why: r.Access.Code,
	}
}

// cannot turns an answer of rbac's rules into one of this package, on record if it is a refusal.
func (d *Desk) cannot(ctx context.Context, r *record, n note, err error) error {
	if errors.Is(err, rbac.ErrDenied) || errors.Is(err, rbac.ErrRefused) {
		r.State = Requested
		return d.denied(ctx, r, n, CodeRights, errors.Join(ErrRights, err))
	}
	return unavailable("asking for rights", err)
}

// grant makes the grant of an access that was just approved. If it cannot be made the access is ended, and if
// the access was ended meanwhile the grant is taken back: what is left half-way Run settles, and Guard lets nobody
// in by it.
func (d *Desk) grant(ctx context.Context, r record) (Access, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin) // beyond here half is worse than none
	defer cancel()
	if _, err := d.p.Authorizer.Change(rbac.WithReason(ctx, r.Words), rbac.Draft{Grant: []rbac.Grant{r.grant()}}); err != nil {
		_, cerr := d.close(ctx, r, closing{state: Ended, how: NotGranted, by: d.system(&r)})
		return Access{}, errors.Join(unavailable("granting", err), cerr)
	}
	now, err := d.read(ctx, r.Tenant, r.ID)
	if err != nil {
		return Access{}, err
	}
	if now.State != Approved {
		d.later(ctx, d.revoke(ctx, &now))
		return Access{}, ErrState
	}
	switch ok, err := d.granted(ctx, &now); {
	case err != nil:
		return Access{}, err
	case !ok:
		return Access{}, d.lost(ctx, now)
	}
	return d.tellNow(ctx, now).Access, nil
}

// lost ends an access whose grant was made and is not found where Guard looks for it: Parts.Grants is not the
// Authorizer's store, or the operator holds something beside it. The grant is taken back where it was made.
func (d *Desk) lost(ctx context.Context, r record) error {
	system := audit.WithActor(ctx, audit.System(r.Tenant, "support"))
	rerr := d.p.Authorizer.Revoke(system, r.Visitor(), r.ID)
	if errors.Is(rerr, rbac.ErrNoGrant) {
		rerr = nil
	}
	_, cerr := d.close(ctx, r, closing{state: Ended, how: NotGranted, by: d.system(&r)})
	return errors.Join(unavailable("granting", errElsewhere), rerr, cerr)
}
