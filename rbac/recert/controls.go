package recert

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// yearly is how old the last review that was signed off may be.
const yearly = 366 * day

// Controls states whether access is reviewed, and when it was last, for a review packet. It satisfies
// evidence.Source.
func (r *Campaigns) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	now := r.now()
	var open, late, exceptions int
	var signed time.Time
	for c, err := range r.store.List(ctx, t, "") {
		if err != nil {
			return nil, unavailable("reading campaigns", err)
		}
		switch {
		case c.State == Open:
			open++
			exceptions += c.Counts.Exception
			if !now.Before(c.Due) {
				late++
			}
		case c.Trigger == Trigger{} && c.SignOff.At.After(signed):
			signed = c.SignOff.At
		}
	}
	last := "never"
	if !signed.IsZero() {
		last = signed.Format(time.DateOnly)
	}
	c := evidence.Control{
		ID: "rbac.recertification", What: "Who may do what is reviewed regularly by somebody else; what nobody defends ends, and that is checked.",
		State:    evidence.InForce,
		Detail:   fmt.Sprintf("last signed off: %s, open: %d, past their due date: %d, exceptions: %d", last, open, late, exceptions),
		Verified: "read from the campaigns", Citations: []string{"45 CFR 164.308(a)(4)(ii)(C)", "45 CFR 164.308(a)(3)(ii)(C)"},
	}
	switch {
	case signed.IsZero() && open == 0:
		c.State, c.Warning = evidence.Failing, "Access was never reviewed."
	case now.Sub(signed) > yearly:
		c.State, c.Warning = evidence.Partly, "No review was signed off within a year."
	case late > 0 || exceptions > 0:
		c.State, c.Warning = evidence.Partly, "A review is past its due date, or has exceptions."
	}
	return []evidence.Control{c}, nil
}
