package emergency

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// Controls states for a review packet what emergencies there can be in a tenant, and what became of
// those that there were. It satisfies evidence.Source, and names nobody.
func (d *Desk[R]) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	s, err := d.settings(ctx, t)
	if err != nil {
		return nil, err
	}
	now := d.now()
	var all, open, waiting, overdue, untold int
	for g, err := range d.List(ctx, t, false) {
		if err != nil {
			return nil, err
		}
		all++
		open += one(g.OpenAt(now))
		waiting += one(!g.Verdict.final())
		overdue += one(g.OverdueAt(now))
		untold += one(g.Told.IsZero())
	}
	c := evidence.Control{
		ID: "rbac.emergency", What: "In an emergency people open one patient, for reading, for a time, with a reason; somebody else reviews it.", State: evidence.InForce,
		Detail: fmt.Sprintf("reasons: %d, lasts at most %s, reviewed within %s, at most %d a day; opened so far: %d, open now: %d, not reviewed: %d",
			len(s.Reasons), s.Longest, s.Review, s.PerDay, all, open, waiting),
		Verified:  "the settings and every grant were read",
		Citations: []string{"45 CFR 164.312(a)(2)(ii)", "45 CFR 164.308(a)(1)(ii)(D)", "45 CFR 170.315(d)(6)"},
	}
	switch health := d.Health(ctx); {
	case health != nil:
		c.State, c.Warning = evidence.Failing, "Notices or reminders are not delivered now."
	case overdue > 0:
		c.State, c.Warning = evidence.Partly, fmt.Sprintf("Not reviewed in time: %d.", overdue)
	case untold > 0:
		c.Warning = fmt.Sprintf("Notices that wait to be delivered: %d.", untold)
	}
	return []evidence.Control{c}, nil
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
