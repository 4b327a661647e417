package tlog

import (
	"maps"
	"slices"

	"github.com/wardkit/wardkit/audit"
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
		v.done[t] = p
	}
	return nil
}

// saveEvery is how many events are read between two calls of Save.
const saveEvery = 100_000

// save tells how far this has come.
func (v *verification) save(t audit.Tenant, p *Peaks, end bool) error {
	v.done[t] = &Peaks{p.size, slices.Clone(p.hashes)}
	if v.o.Save == nil || !end && v.report.Events-v.saved < saveEvery {
		return nil
	}
	v.saved = v.report.Events
	state := Verified{string(v.note), map[audit.Tenant]VerifiedTree{}}
	for t, p := range maps.All(v.done) {
		state.Tenants[t] = VerifiedTree{p.Size(), p.Hashes()}
	}
	return v.o.Save(state)
}
