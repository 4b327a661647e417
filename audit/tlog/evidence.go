package tlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// Controls states whether the log is covered by signed trees, for a review packet. It satisfies
// evidence.Source.
func (l *Log) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	head, root, note := l.covered(t)
	c := evidence.Control{
		ID: "audit.proof", What: "Events cannot be changed, removed or written anew unnoticed by whoever holds an old checkpoint.", State: evidence.InForce,
		Detail:   fmt.Sprintf("events covered: %d, entries of the root log: %d, sinks: %d", head.Size, root.Size, len(l.o.Sinks)),
		Verified: "the last integration was asked", Citations: []string{"45 CFR 164.312(c)(1)", "45 CFR 170.315(d)(3)"},
	}
	err := l.Health(ctx)
	switch {
	case errors.Is(err, ErrTampered):
		c.State, c.Warning = evidence.Failing, "What is stored is not what was signed."
	case err != nil || note == nil:
		c.State, c.Warning = evidence.Failing, "Nothing new is covered now."
	case len(l.o.Sinks) == 0:
		c.State, c.Warning = evidence.Partly, "No checkpoint is kept outside the database."
	}
	return []evidence.Control{c}, nil
}
