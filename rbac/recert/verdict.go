package recert

import (
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Do is what somebody does with an item.
type Do string

// What can be done.
const (
	Certify      Do = "certify"       // it stays as it is
	CertifyUntil Do = "certify_until" // it stays until Verdict.Until
	Reduce       Do = "reduce"        // only Verdict.Reach stays
	RevokeIt     Do = "revoke"        // it ends
	Delegate     Do = "delegate"      // Verdict.To decides
	Abstain      Do = "abstain"       // the next of the fallback chain decides
	PassOn       Do = "pass_on"       // of Tick: the reviewer is not there any more, and the next of the fallback chain decides
	GiveBack     Do = "give_back"     // what was suspended is given back, and decided anew; see Campaigns.Resume
)

// Verdict is what a reviewer decides about one item.
type Verdict struct {
	Do   Do
	Code string // why, as a code: lower-case letters, digits and underscores, 64 bytes at most
	// Why is why, in words: at least MinWhy letters and digits where they are required (ErrReason), 3500
	// bytes at most. They go into the event alone, as a private value.
	Why   string
	Until time.Time     // of CertifyUntil, in the future
	Reach Reach         // of Reduce: what stays, part of what there is
	To    audit.ActorID // of Delegate
}
