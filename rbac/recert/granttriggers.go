package recert

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// contractDays is how long before its end a contract calls for a review of what else its person holds.
const contractDays = 14

// GrantTriggers finds in rbac's grants what calls for a review: a second role beside an older one, a
// grant that was not used for 90 days, and one that ends while others of the same person do not. Uses of
// emergency access come from More.
type GrantTriggers struct {
	g     *Grants
	usage Usage
	more  Triggers
}

// NewGrantTriggers returns GrantTriggers. usage may be nil: then nothing is unused. more may be nil.
func NewGrantTriggers(g *Grants, usage Usage, more Triggers) (*GrantTriggers, error) {
	if g == nil {
		return nil, errors.New("recert: grants are required")
	}
	return &GrantTriggers{g, usage, more}, nil
}

// Triggers implements Triggers.
func (s *GrantTriggers) Triggers(ctx context.Context, t audit.Tenant, since time.Time) iter.Seq2[Trigger, error] {
	return func(yield func(Trigger, error) bool) {
		now := moment(s.g.o.Now())
		live, err := s.g.live(ctx, t, now)
		if err != nil {
			yield(Trigger{}, err)
			return
		}
		theirs := map[audit.ActorID][]rbac.Grant{}
		for _, grant := range live {
			theirs[grant.Person] = append(theirs[grant.Person], grant)
		}
		for person, grants := range theirs {
			found, err := s.unused(ctx, t, person, grants, now)
			if err != nil {
				yield(Trigger{}, err)
				return
			}
			for _, g := range slices.Concat(changed(person, grants, since), ending(person, grants, now), found) {
				if !yield(g, nil) {
					return
				}
			}
		}
		if s.more == nil {
			return
		}
		for g, err := range s.more.Triggers(ctx, t, since) {
			if !yield(g, err) || err != nil {
				return
			}
		}
	}
}

// changed finds who got a role since then and kept another one from before.
func changed(person audit.ActorID, grants []rbac.Grant, since time.Time) []Trigger {
	var newest rbac.Grant
	for _, g := range grants {
		if g.Created.After(newest.Created) && !strings.HasPrefix(g.Why, "recert_") { // a review gave it
			newest = g
		}
	}
	if newest.Created.Before(since) || !slices.ContainsFunc(grants, func(g rbac.Grant) bool {
		return g.Role != newest.Role && g.Created.Before(newest.Created)
	}) {
		return nil
	}
	return []Trigger{{Kind: TriggerRoleChange, ID: newest.ID, Subject: person, At: newest.Created}}
}

// ending finds grants that end soon, of people who hold something else for longer.
func ending(person audit.ActorID, grants []rbac.Grant, now time.Time) []Trigger {
	var out []Trigger
	for _, g := range grants {
		if g.Until.IsZero() || g.Until.After(now.AddDate(0, 0, contractDays)) {
			continue
		}
		if slices.ContainsFunc(grants, func(h rbac.Grant) bool { return h.Until.IsZero() || h.Until.After(g.Until) }) {
			out = append(out, Trigger{Kind: TriggerContract, ID: g.ID, Subject: person, At: g.Until.AddDate(0, 0, -contractDays)})
		}
	}
	return out
}

// unused finds grants that were there for 90 days and not used once. Who certifies one is asked again a
// quarter of a year later.
func (s *GrantTriggers) unused(ctx context.Context, t audit.Tenant, person audit.ActorID, grants []rbac.Grant, now time.Time) ([]Trigger, error) {
	if s.usage == nil {
		return nil, nil
	}
	since := now.Add(-90 * day)
	old := func(g rbac.Grant) bool { return !g.Created.After(since) && !g.From.After(since) }
	if !slices.ContainsFunc(grants, old) {
		return nil, nil
	}
	use, err := s.usage.Used(ctx, t, person, since)
	if err != nil {
		return nil, unavailable("reading how access was used", err)
	}
	var out []Trigger
	for _, g := range grants {
		if !old(g) || use.Partial || !use.Last[g.ID].IsZero() {
			continue
		}
		round := int64(now.Sub(g.Created) / (90 * day))
		out = append(out, Trigger{
			Kind: TriggerUnused, ID: g.ID + "/" + strconv.FormatInt(round, 10), Subject: person, Access: g.ID,
			At: g.Created.Add(time.Duration(round) * 90 * day),
		})
	}
	return out, nil
}
