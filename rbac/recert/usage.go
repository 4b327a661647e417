package recert

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Entries is the log in which use is looked up; audit.Memory and auditsql.Store are some.
type Entries interface {
	// List is that of audit.Reader.
	List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error]
}

// MostEvents is how many events of one person are looked at; who did more has used what they hold.
const MostEvents = 20_000

// LogUsage is a Usage over the audit log: of each decision that was allowed, the grant that allowed
// it.
type LogUsage struct{ log Entries }

// NewLogUsage returns a LogUsage.
func NewLogUsage(log Entries) (*LogUsage, error) {
	if log == nil {
		return nil, errors.New("recert: a log is required")
	}
	return &LogUsage{log}, nil
}

// Used implements Usage. What cannot be read leaves the answer partial.
func (u *LogUsage) Used(ctx context.Context, t audit.Tenant, person audit.ActorID, since time.Time) (Use, error) {
	out, n := Use{Last: map[string]time.Time{}}, 0
	f := audit.Filter{Tenant: t, From: since, Actors: []audit.ActorID{person}, Outcomes: []audit.Outcome{audit.Success}}
	for entry, err := range u.log.List(ctx, f, audit.Newest, MostEvents+1) {
		if err != nil {
			return Use{}, fmt.Errorf("recert: reading the log: %w", err)
		}
		if n++; n > MostEvents {
			out.Partial = true
			break
		}
		e, err := audit.Decode(entry.Body)
		if err != nil || e.Tenant != t || audit.Leaf(entry.Body) != entry.Leaf {
			out.Partial = true
			continue
		}
		if e.Actor.ID != person {
			continue
		}
		if id := e.Decision.Grant; id != "" && e.Recorded.After(out.Last[id]) {
			out.Last[id] = e.Recorded
		}
		if e.Actor.Emergency != "" {
			out.Emergencies++
		}
	}
	return out, nil
}
