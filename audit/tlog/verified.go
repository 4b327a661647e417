package tlog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
)

// Verified is how far a verification has come, so that it can go on after it was interrupted, and
// the next one begins where it ended. It is data (JSON) for whoever verifies to keep, outside the
// database; it holds tenants' names and no event.
type Verified struct {
	Checkpoint string                        `json:"checkpoint"` // the one that was the latest
	Tenants    map[audit.Tenant]VerifiedTree `json:"tenants"`
}

// VerifiedTree is the part of a tenant's tree whose events were read and found whole.
type VerifiedTree struct {
	Size  int64  `json:"size"`
	Peaks []Hash `json:"peaks"`
	// Waiting are those of them without bytes that no purge covered so far; a later one may.
	Waiting []audit.Span `json:"waiting,omitempty"`
}

func (s *Verified) note() []byte {
	if s == nil {
		return nil
	}
	return []byte(s.Checkpoint)
}

// since takes over what an earlier verification found whole. ErrProof if it cannot be.
func (v *verification) since() error {
	if v.o.Since == nil {
		return nil
	}
	for t, tree := range v.o.Since.Tenants {
		p, err := NewPeaks(tree.Size, tree.Peaks)
		if err != nil {
			return err
		}
		if len(tree.Waiting) > maxWaiting || !spans.Are(tree.Waiting, 0, tree.Size) {
			return ErrProof
		}
		v.done[t] = &course{*p, tree.Waiting}
	}
	return nil
}

// saveEvery is how many events are read between two calls of Save.
const saveEvery = 100_000

// maxWaiting is how many spans may wait for their purge where Save is called.
const maxWaiting = 10_000

// save tells how far this has come.
func (v *verification) save(t audit.Tenant, c *course, end bool) error {
	if v.o.Save == nil || !end && v.report.Events-v.saved < cmp.Or(v.o.every, saveEvery) {
		return nil
	}
	waiting := spans.Union(slices.Concat(c.waiting, v.missing))
	if !end && len(waiting) > maxWaiting {
		return nil
	}
	v.done[t] = &course{Peaks{c.size, slices.Clone(c.hashes)}, waiting}
	v.saved = v.report.Events
	state := Verified{string(v.note), map[audit.Tenant]VerifiedTree{}}
	for t, c := range maps.All(v.done) {
		state.Tenants[t] = VerifiedTree{c.Size(), c.Hashes(), c.waiting}
	}
	return v.o.Save(state)
}
