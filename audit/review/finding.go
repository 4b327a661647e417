package review

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// State is how far people have come with a finding.
type State string

// The states. A finding that is not reviewed any more, Explained, Escalated or Closed, takes up
// nothing new: what comes then is a new finding.
const (
	Open      State = "open"
	InReview  State = "in_review" // somebody, the Assignee, looks into it
	Explained State = "explained" // there was a reason, which the note says
	Escalated State = "escalated" // it is an incident now, see Finding.Incident
	Closed    State = "closed"    // with a Verdict
)

// States returns all of them.
func States() []State { return []State{Open, InReview, Explained, Escalated, Closed} }

// Verdict is what a closed finding came to.
type Verdict string

// The verdicts.
const (
	NoIssue   Verdict = "no_issue"  // nothing was wrong
	Violation Verdict = "violation" // somebody did what they may not
	Unclear   Verdict = "unclear"   // it could not be found out
)

// MaxEvents is how many events a finding names at most.
const MaxEvents = 50

// Finding is something in the log that somebody should look at. It says what was counted and names
// the events; it holds no patient and nobody's name, and it is no verdict.
type Finding struct {
	ID      string       `json:"id"` // a UUID, made of the rule, the actor and the event that made it one
	Tenant  audit.Tenant `json:"tenant"`
	Version int64        `json:"version"` // 1, one more with each change
	Rule    Name         `json:"rule"`
	Index   int64        `json:"index"` // of the event that made it one

	Actor audit.ActorID `json:"actor,omitempty"` // whom it is about; empty for nobody signed in, or for the review itself
	Kind  audit.Kind    `json:"kind,omitempty"`
	For   audit.ActorID `json:"for,omitempty"` // on whose behalf a service or an agent acted

	From time.Time `json:"from"` // when the first and the last of its events were recorded, UTC
	To   time.Time `json:"to"`

	Count  int           `json:"count"`            // the most that was counted in Window
	Limit  int           `json:"limit"`            // from how many on it is a finding, as set then
	Window time.Duration `json:"window,omitempty"` // in which was counted
	Usual  int           `json:"usual"`            // the median for this actor, on Days days
	Days   int           `json:"days"`             // with history, of the last 30; 0: Usual says nothing
	Times  int           `json:"times"`            // how often something was added, the first included

	Events []string `json:"events"` // IDs, oldest first
	Left   int      `json:"left"`   // events that are not named any more

	State    State         `json:"state"`
	Assignee audit.ActorID `json:"assignee,omitempty"`
	Verdict  Verdict       `json:"verdict,omitempty"`
	Incident string        `json:"incident,omitempty"`
	Changed  time.Time     `json:"changed"`        // when people changed the state last, UTC; zero: never
	Note     []byte        `json:"note,omitempty"` // the last one, sealed; see Reviewer.Note
}

// Mark returns where the finding stands among others.
func (f Finding) Mark() Mark { return Mark{f.Index, f.ID} }

// Waits reports whether nobody is done with the finding: it is open or in review.
func (f Finding) Waits() bool { return f.State == Open || f.State == InReview }

// findingID is a UUID (version 8, RFC 9562, section 5.8) that whoever comes to the same finding
// makes, too: after a crash, or on another server.
func findingID(t audit.Tenant, rule Name, actor audit.ActorID, index int64) string {
	h := sha256.New()
	for _, s := range []string{"wardkit review finding 1", string(t), string(rule), string(actor)} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(index))
	h.Write(n[:])
	b := h.Sum(nil)[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
