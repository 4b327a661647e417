package evidence

import (
	"context"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Log states the controls of an audit log, from its health now.
func Log(l *audit.Log) Source {
	return SourceFunc(func(ctx context.Context, _ audit.Tenant) ([]Control, error) {
		h := l.Health(ctx)
		c := Control{
			ID: "audit.recording", What: "What happens is recorded durably before it takes effect; what cannot be recorded does not happen.",
			State: InForce, Verified: "the log's health was asked", Citations: []string{"45 CFR 164.312(b)", "45 CFR 170.315(d)(2)"},
		}
		if !h.OK {
			c.State, c.Warning = Failing, "The log cannot be read now, so nothing of what it records is done."
		} else if len(h.Alarms) > 0 {
			c.State, c.Warning, c.Detail = Partly, "The log raises alarms.", strings.Join(h.Alarms, ", ")
		}
		return []Control{c}, nil
	})
}
