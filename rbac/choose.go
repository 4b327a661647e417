package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// The actions under which a change of a tenant's Toggles is recorded: one event for each permission
// that is switched, and one for each class of which a role sees more or less.
const (
	ActionChoose audit.Action = "rbac.toggle"
	ActionMask   audit.Action = "rbac.mask"
)

// ErrNoToggles: Options.Toggles only reads.
var ErrNoToggles = errors.New("rbac: Options.Toggles is no ToggleStore")

// ToggleStore keeps the Toggles of all tenants, and is an Options.Toggles. Nothing it returns may
// come from a cache that outlives the call: after SaveToggles has returned, every Toggles on every
// server sees its effect. It keeps copies of what it is given and hands out copies. A call whose
// context has ended is an error, never an empty answer. It is safe for concurrent use.
//
// rbacsql.Store is one, and so is Memory; rbactest.TestToggles proves others.
type ToggleStore interface {
	TenantToggles

	// SaveToggles puts next in the place of the toggles of tenant t and counts their version up
	// by one, all or nothing, provided that it still is next.Version, 0 where t never chose;
	// otherwise it returns ErrConflict. Of two at once with the same version one wins. A
	// cancelled call that returned an error may have taken effect; Toggles tells.
	SaveToggles(ctx context.Context, t audit.Tenant, next Toggles) error
}

// Choose puts next in the place of the toggles of the tenant of the actor in ctx, and returns them
// as stored. next.Version is the version that it was made from. They are in force with everybody's
// next request, on every server. Guard the route with an action of your own.
//
// What is switched is recorded before it is written, each permission with how it stood and how it
// will, and each level likewise, with the digests of the tables before and after; should it then not be written, second events say so, with the code not_applied, or
// unconfirmed where the store did not tell. A reason is taken from WithReason.
//
// It returns what Toggles.Validate says, a *Denial for an actor who is neither staff nor the
// system, ErrLockout if no role of GrantRules.Admins that can manage the team still could,
// ErrConflict if somebody else chose meanwhile, ErrUndecided if it could not be recorded or the
// present toggles not be read, ErrNoToggles where Options.Toggles only reads.
func (z *Authorizer) Choose(ctx context.Context, next Toggles) (Toggles, error) {
	store, ok := z.o.Toggles.(ToggleStore)
	if !ok {
		return Toggles{}, ErrNoToggles
	}
	c := choosing{z: z, p: z.Policy(), store: store, actor: actor(ctx)}
	next = Toggles{next.Version, slices.Clone(next.Choices), next.Masks}
	slices.SortFunc(next.Choices, compareChoices)
	was, err := c.begin(ctx, next)
	if err != nil {
		return Toggles{}, err
	}
	next.Masks = next.Masks.clone()
	if err := c.record(ctx, was, next, audit.Success, ""); err != nil {
		return Toggles{}, err
	}
	if err := store.SaveToggles(ctx, c.actor.Tenant, next); err != nil {
		if err = c.undone(context.WithoutCancel(ctx), was, next, err); err != nil {
			return Toggles{}, err
		}
	}
	next.Version++
	return next, nil
}

func compareChoices(a, b Choice) int {
	return compareText(string(a.Role), string(b.Role), string(a.Action), string(b.Action))
}

// choosing is a change of toggles on its way.
type choosing struct {
	z     *Authorizer
	p     *Policy
	store ToggleStore
	actor audit.Actor
}

// begin reads what is to be replaced and refuses what may not be.
func (c *choosing) begin(ctx context.Context, next Toggles) (was Toggles, err error) {
	if visitor, _ := visiting(c.actor); visitor || !signedIn(c.actor) || c.actor.Kind != audit.KindStaff && c.actor.Kind != audit.KindSystem {
		return was, &Denial{Decision{Code: CodeNoPermission, policy: c.p}}
	}
	if err := next.Validate(c.p); err != nil {
		return was, err
	}
	if was, err = c.store.Toggles(ctx, c.actor.Tenant); err != nil {
		return was, fmt.Errorf("%w: reading a tenant's toggles: %w", ErrUndecided, err)
	}
	if was.Version != next.Version {
		return was, ErrConflict
	}
	return was, c.z.keepsManagers(c.p, was, next)
}

// keepsManagers returns ErrLockout if under the toggles was a role of GrantRules.Admins can manage
// the team, and under next none can.
func (z *Authorizer) keepsManagers(p *Policy, was, next Toggles) error {
	if len(z.administrators(p, p.chosen(was))) > 0 && len(z.administrators(p, p.chosen(next))) == 0 {
		return ErrLockout
	}
	return nil
}

// record writes down every permission that stands otherwise under next than it did.
func (c *choosing) record(ctx context.Context, was, next Toggles, o audit.Outcome, code string) error {
	before, after := c.p.chosen(was), c.p.chosen(next)
	var events []audit.Event
	for _, choice := range c.p.Choices() {
		i := c.p.choices[permission{choice.Role, choice.Action}]
		if before.has(i) == after.has(i) {
			continue
		}
		events = append(events, audit.Event{
			Tenant: c.actor.Tenant, Actor: c.actor, Action: ActionChoose, Verb: audit.Update, Outcome: o, Code: code,
			Objects:  []audit.Object{{Type: "toggles", ID: string(c.actor.Tenant), Version: strconv.FormatInt(next.Version+1, 10), Category: string(Settings)}},
			Why:      audit.NewPrivate(reasonFrom(ctx)),
			Decision: audit.Decision{Policy: c.p.digest},
			Detail:   map[string]string{"role": string(choice.Role), "action": string(choice.Action), "before": onOff(before.has(i)), "after": onOff(after.has(i))},
		})
	}
	if events = append(events, c.masked(ctx, was, next, o, code)...); len(events) == 0 {
		return nil
	}
	if err := c.z.rec.Record(ctx, events...); err != nil {
		return fmt.Errorf("%w: recording: %w", ErrUndecided, err)
	}
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// undone records that what was recorded was not written, unless it turns out that it was.
func (c *choosing) undone(ctx context.Context, was, next Toggles, err error) error {
	code := codeNotApplied
	if !errors.Is(err, ErrConflict) {
		asking, cancel := context.WithTimeout(ctx, confirmWithin)
		defer cancel()
		switch now, rerr := c.store.Toggles(asking, c.actor.Tenant); {
		case rerr != nil:
			code = codeUnconfirmed
		case now.Version == next.Version+1 && slices.Equal(now.Choices, next.Choices) && now.Masks.equal(next.Masks):
			return nil
		}
	}
	return fmt.Errorf("rbac: choosing: %w", errors.Join(err, c.record(ctx, was, next, audit.MajorFailure, code)))
}
