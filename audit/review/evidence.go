package review

import (
	"context"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// Controls states whether the log is reviewed and what waits for people, for a review packet. It
// satisfies evidence.Source.
func (r *Reviewer) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	s, err := r.Settings(ctx, t)
	if err != nil {
		return nil, err
	}
	counts, err := r.Count(ctx, t)
	if err != nil {
		return nil, err
	}
	place, err := r.store.Place(ctx, t)
	if err != nil {
		return nil, unavailable("reading how far the log was reviewed", err)
	}
	behind := int64(0)
	for o, err := range r.src.Orders(ctx) {
		if err != nil {
			return nil, unavailable("asking how far tenants have come", err)
		}
		if o.Tenant == t {
			behind = o.Size - place.Next
		}
	}
	off := slices.DeleteFunc(Names(), func(n Name) bool { return !s.Rule(n).Off })
	c := evidence.Control{
		ID: "audit.review", What: "The log is looked through by rules as it grows, and people review what they find.", State: evidence.InForce,
		Detail: fmt.Sprintf("rules on: %d of %d, events not yet looked through: %d, findings: %d open, %d in review, %d done",
			len(Names())-len(off), len(Names()), max(0, behind), counts[Open], counts[InReview], counts[Explained]+counts[Escalated]+counts[Closed]),
		Verified:  "the review's state, settings and findings were read",
		Citations: []string{"45 CFR 164.308(a)(1)(ii)(D)", "45 CFR 164.312(b)"},
	}
	switch {
	case r.Health(ctx) != nil:
		c.State, c.Warning = evidence.Failing, "Nothing new is looked through now."
	case len(off) == len(Names()):
		c.State, c.Warning = evidence.NotUsed, "Every rule is switched off."
	case len(off) > 0:
		c.State, c.Warning = evidence.Partly, fmt.Sprintf("Switched off: %v.", off)
	case r.o.Ties == nil:
		c.State, c.Warning = evidence.Partly, "How people and patients stand to each other is not asked: one's own record, relatives and colleagues are not found."
	case counts[Open] > 0:
		c.Warning = fmt.Sprintf("%s waits for somebody to look at it.", count(counts[Open], "finding"))
	}
	return []evidence.Control{c}, nil
}
