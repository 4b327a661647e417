package rbac

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// masked returns an event for every class of which a role would see more or less under next.
func (c *choosing) masked(ctx context.Context, was, next Toggles, o audit.Outcome, code string) []audit.Event {
	before, after := c.p.maskingOf(was), c.p.maskingOf(next)
	if before.sum() == after.sum() {
		return nil
	}
	var events []audit.Event
	for i := range c.p.roles {
		for _, class := range slices.Sorted(maps.Keys(c.p.roles[i].Sight)) {
			b, a := before.levels[i][class], after.levels[i][class]
			if a == b {
				continue
			}
			events = append(events, audit.Event{
				Tenant: c.actor.Tenant, Actor: c.actor, Action: ActionMask, Verb: audit.Update, Outcome: o, Code: code,
				Objects:  []audit.Object{{Type: "masks", ID: string(c.actor.Tenant), Version: strconv.FormatInt(next.Version+1, 10), Category: string(Settings)}},
				Why:      audit.NewPrivate(reasonFrom(ctx)),
				Decision: audit.Decision{Policy: c.p.digest, Mask: before.digest},
				Detail: map[string]string{
					"role": string(c.p.roles[i].Name), "class": string(class), "before": b.String(), "after": a.String(),
					"masks_before": before.digest, "masks_after": after.digest,
				},
			})
		}
	}
	return events
}
