package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// ActionSwap is the action under which a change of the policy is recorded.
const ActionSwap audit.Action = "rbac.policy_swap"

// ErrLockout: a change would leave nobody who may administer.
var ErrLockout = errors.New("rbac: nobody could administer any more")

// Swap makes next the policy of every request that begins from now on; requests under way end
// by the policy they began with, and long responses stop at their next recheck. The change is
// recorded, in the log of the tenant of the actor in ctx, before it is made; should it then not be
// made, a second event says so, with the code not_applied.
//
// It returns ErrLockout and changes nothing if no role of GrantRules.Admins that could manage
// the team still can under next, or if in one of the named tenants somebody could administer and nobody could
// any more. A server with many tenants names all of them, or those it cares for. It returns
// ErrConflict if somebody else swapped in the meantime.
func (z *Authorizer) Swap(ctx context.Context, next *Policy, tenants ...audit.Tenant) error {
	old := z.Policy()
	if old == nil || next == nil {
		return fmt.Errorf("%w: no policy", ErrUndecided)
	}
	if err := z.swappable(ctx, old, next, tenants...); err != nil {
		return err
	}
	if err := z.recordSwap(ctx, old, next, audit.Success, ""); err != nil {
		return err
	}
	if !z.live.CompareAndSwap(old, next) {
		err := z.recordSwap(context.WithoutCancel(ctx), old, next, audit.MajorFailure, codeNotApplied)
		return errors.Join(fmt.Errorf("%w: the policy", ErrConflict), err)
	}
	return nil
}

// swappable reports why next cannot take the place of old.
func (z *Authorizer) swappable(ctx context.Context, old, next *Policy, tenants ...audit.Tenant) error {
	if err := z.fits(next); err != nil {
		return err
	}
	if err := z.o.Grants.check(next); err != nil {
		return err
	}
	before, after := z.administrators(old, nil), z.administrators(next, nil)
	if !slices.ContainsFunc(after, func(r RoleName) bool { return slices.Contains(before, r) }) {
		return ErrLockout
	}
	for _, t := range tenants {
		if err := z.keepsAdministrators(ctx, before, after, t); err != nil {
			return err
		}
	}
	return nil
}

// recordSwap writes down that next is about to take the place of old, or that it did not.
func (z *Authorizer) recordSwap(ctx context.Context, old, next *Policy, o audit.Outcome, code string) error {
	a, ok := audit.ActorFrom(ctx)
	if !ok {
		return fmt.Errorf("%w: recording: %w", ErrUndecided, audit.ErrNoActor)
	}
	err := z.rec.Record(ctx, audit.Event{
		Tenant: a.Tenant, Actor: a, Action: ActionSwap, Verb: audit.Update, Outcome: o, Code: code,
		Objects:  []audit.Object{{Type: "policy", ID: next.digest, Category: string(Settings)}},
		Decision: audit.Decision{Policy: old.digest, Mask: old.masks.sum()},
	})
	if err != nil {
		return fmt.Errorf("%w: recording: %w", ErrUndecided, err)
	}
	return nil
}

// administrators returns the roles of GrantRules.Admins that can manage the team under p: as
// staff, in the whole tenant and with what a tenant has switched on; nil is whatever it switches off.
func (z *Authorizer) administrators(p *Policy, on choices) []RoleName {
	return slices.DeleteFunc(slices.Clone(z.o.Grants.admins(p)), func(name RoleName) bool {
		i, ok := p.byName[name]
		return !ok || p.roles[i].Kind != audit.KindStaff || !p.roles[i].manages(p, on)
	})
}

// manages reports whether the role may change something in category Users; in a policy without
// such an action whether it may do anything.
func (r *role) manages(p *Policy, on choices) bool {
	changes := func(d *definition) bool { return d.category == Users && d.verb != audit.Read }
	any := !slices.ContainsFunc(p.actions, changes)
	for i, d := range p.actions {
		if r.rules[i] != nil && (any || changes(d)) && r.rules[i].everywhere(on) {
			return true
		}
	}
	return false
}

// everywhere reports whether the rule reaches the whole tenant with what is switched on.
func (r *rule) everywhere(on choices) bool {
	return slices.ContainsFunc(r.clauses, func(c clause) bool { return c.node.everywhere() && on.has(c.choice) })
}

// keepsAdministrators returns ErrLockout if somebody in t holds a role of before, and nobody one
// of after. Who is suspended holds nothing.
func (z *Authorizer) keepsAdministrators(ctx context.Context, before, after []RoleName, t audit.Tenant) error {
	now := z.now()
	holders, err := z.store.Holders(ctx, t, set(slices.Concat(before, after, []RoleName{Suspended})))
	if err != nil {
		return fmt.Errorf("%w: reading grants: %w", ErrUndecided, err)
	}
	somebody, _ := administer(before, holders, now)
	if still, _ := administer(after, holders, now); somebody > 0 && still == 0 {
		return ErrLockout
	}
	return nil
}
