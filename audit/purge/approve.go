package purge

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
)

// Approve agrees to a plan, for the person in ctx, who is somebody else than who proposed it. It
// checks again all that Propose checked: holds and periods as they are now, the signed tree, the
// bundle. Nothing is destroyed yet; Resume, and Run, carry it out.
//
// Errors: ErrPerson, ErrSamePerson, ErrNotFound, ErrConflict if the plan is not Proposed, ErrExpired,
// ErrStopped, ErrBundle, tlog.ErrTampered, ErrUnavailable.
func (k *Keeper) Approve(ctx context.Context, t audit.Tenant, id, why string) (Plan, error) {
	who, err := person(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	p, err := k.Plan(ctx, t, id)
	switch {
	case err != nil:
		return Plan{}, err
	case p.State != Proposed:
		return Plan{}, ErrConflict
	case p.ProposedBy == who.ID || p.ProposedBy == "":
		return Plan{}, ErrSamePerson
	case !k.now().Before(p.Expires):
		return Plan{}, errors.Join(ErrExpired, k.end(ctx, &p, Expired))
	}
	if err := k.checked(ctx, &p); err != nil {
		return Plan{}, err
	}
	p.State, p.Approved, p.ApprovedBy = Approved, k.now(), who.ID
	return k.decide(ctx, p, ActionApproved, why)
}

// checked is check, and closes a plan that must not go on. If it is another one by now, ErrConflict.
func (k *Keeper) checked(ctx context.Context, p *Plan) error {
	err := k.check(ctx, p)
	if !errors.Is(err, ErrStopped) {
		return err
	}
	if closed := k.end(ctx, p, Stopped); closed != nil {
		return closed
	}
	return err
}

// Withdraw gives up a plan that nobody has agreed to yet. What was agreed to is stopped by placing a
// hold.
//
// Errors: ErrPerson, ErrNotFound, ErrConflict, ErrUnavailable.
func (k *Keeper) Withdraw(ctx context.Context, t audit.Tenant, id, why string) (Plan, error) {
	who, err := person(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	p, err := k.Plan(ctx, t, id)
	if err != nil {
		return Plan{}, err
	}
	if p.State != Proposed {
		return Plan{}, ErrConflict
	}
	p.State, p.Ended, p.EndedBy = Withdrawn, k.now(), who.ID
	return k.decide(ctx, p, ActionWithdrawn, why)
}
