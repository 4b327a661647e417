package incident

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// Controls states whether incidents are reported and handled in time, for a review packet. It
// satisfies evidence.Source.
func (d *Desk) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	law, err := d.law(ctx, t)
	if err != nil {
		return nil, err
	}
	today, now := DayOf(d.now(), law.Zone), d.now()
	var open, overdue, unowned, unheld int
	for c, err := range d.list(ctx, t, true, Newest) {
		if err != nil {
			return nil, err
		}
		if c.Held != c.State.Open() {
			unheld++
		}
		if !c.State.Open() {
			continue
		}
		open++
		if c.Owner == "" && now.Sub(c.Opened) >= d.o.Unowned {
			unowned++
		}
		for _, dl := range law.Deadlines(&c) {
			if dl.Overdue(today) {
				overdue++
				break
			}
		}
	}
	cases := evidence.Control{
		ID: "audit.incidents", What: "Everybody who is signed in can report an incident; each becomes a case with an owner.", State: evidence.InForce,
		Detail: fmt.Sprintf("open: %d, without an owner: %d", open, unowned), Verified: "the open cases were read",
		Citations: []string{"45 CFR 164.308(a)(6)", "45 CFR 164.530(d)"},
	}
	breaches := evidence.Control{
		ID: "audit.breaches", What: "Every case counts as a breach until two people agree that it is none, and its deadlines are kept.", State: evidence.InForce,
		Detail: fmt.Sprintf("overdue: %d", overdue), Verified: "deadlines were calculated from the open cases",
		Citations: []string{"45 CFR 164.402", "45 CFR 164.404", "45 CFR 164.406", "45 CFR 164.408", "45 CFR 164.410", "42 CFR 2.16"},
	}
	if unowned > 0 {
		cases.State, cases.Warning = evidence.Partly, "A case has waited too long for an owner."
	}
	if unheld > 0 {
		cases.State, cases.Warning = evidence.Failing, "A legal hold is not as it should be."
	}
	if overdue > 0 {
		breaches.State, breaches.Warning = evidence.Failing, "A deadline has passed."
	}
	return []evidence.Control{cases, breaches}, nil
}
