package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// Controls states when a tenant's sessions end and before what people prove again who they are,
// for a review packet. It satisfies evidence.Source.
func (m *Manager) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	p, err := m.Policy(ctx, t)
	if err != nil {
		return nil, err
	}
	const verified = "read from the policy in force"
	var kinds []string
	long := p.Limits.InsecureLong
	for k, l := range p.Kinds {
		kinds = append(kinds, fmt.Sprintf("%s: %v", k, l))
		long = long || l.InsecureLong
	}
	slices.Sort(kinds)
	limits := evidence.Control{
		ID: "session.limits", What: "Sessions end by themselves, when nothing happens and at the latest after a time.", State: evidence.InForce,
		Detail: strings.Join(append([]string{p.Limits.String()}, kinds...), "; "), Verified: verified,
		Citations: []string{"45 CFR 164.312(a)(2)(iii)", "NIST SP 800-63B-4, section 2.2.3"},
	}
	if long {
		limits.State, limits.Warning = evidence.Partly, "Some last longer than NIST recommends (InsecureLong)."
	}
	risk := evidence.Control{
		ID: "session.step_up", What: "Before what is of high risk people prove again who they are.", State: evidence.InForce,
		Detail: fmt.Sprintf("actions: %d", len(p.HighRisk)), Verified: verified, Citations: []string{"NIST SP 800-63B-4, section 5.2"},
	}
	if len(p.HighRisk) == 0 {
		risk.State = evidence.NotUsed
	}
	return []evidence.Control{limits, risk}, nil
}
