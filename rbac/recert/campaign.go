package recert

import (
	"time"

	"github.com/wardkit/wardkit/audit"
)

// State is where a campaign stands.
type State string

// The states of a campaign.
const (
	Open   State = "open"   // items are decided, or could be
	Signed State = "signed" // signed off; it never changes again, but for Next
)

// Campaign is one review of who has which access: a frozen snapshot of it, and what people decided.
// Its items are rows of their own, see Store.Items.
type Campaign struct {
	Tenant  audit.Tenant `json:"tenant"`
	ID      string       `json:"id"`      // UUIDv7, of the time at which it began
	Version int64        `json:"version"` // 1 and up; every change of the campaign or of an item counts
	Active  bool         `json:"active"`  // Tick looks at it: it is open, or Next is set

	Spec   Spec   `json:"spec"`
	State  State  `json:"state"`
	Series string `json:"series"` // the ID of the first campaign that recurs, its own there
	Round  int    `json:"round"`  // 1 for the first
	// Trigger says what a standing review began with, empty for a campaign of the calendar.
	Trigger Trigger `json:"trigger,omitzero"`

	Started   time.Time     `json:"started"`
	StartedBy audit.ActorID `json:"started_by"` // "system:recert" for rounds and standing reviews
	Due       time.Time     `json:"due"`
	Anchor    time.Time     `json:"anchor"`        // when the first round began
	Next      time.Time     `json:"next,omitzero"` // when the next round begins; zero: none, or it has begun

	Snapshot Snapshot `json:"snapshot"`
	Counts   Counts   `json:"counts"`
	Late     Late     `json:"late,omitzero"`
	SignOff  SignOff  `json:"sign_off,omitzero"`

	// Told is how far people were told: by notice and person, the last stage.
	Told map[string]string `json:"told,omitempty"`
}

// Spec is what somebody wants reviewed, and how. It is frozen when the campaign begins; rounds of a
// series share it.
type Spec struct {
	Name  string   `json:"name"`            // for people, 1 to 200 bytes; no personal data
	Kinds []Kind   `json:"kinds,omitempty"` // which kinds of access; none: all that the population yields
	Roles []string `json:"roles,omitempty"` // only these roles, which there must be; none: all
	// Days is how long reviewers have, 1 to 366. Default: 30.
	Days int `json:"days"`
	// Every is after how many months the next round begins: 0 for one campaign, or 1, 3, 6, 12.
	Every int `json:"every,omitempty"`
	// Rule names who reviews first, for Parts.Reviewers. Empty: Named begin.
	Rule string `json:"rule,omitempty"`
	// Named review what nobody of the rule may, in this order.
	Named []audit.ActorID `json:"named,omitempty"`
	// Owner answers for the campaign, reviews what is left, and hears every day of what is overdue,
	// suspended or an exception. Required. Owner and Named have to be there (Parts.Directory).
	Owner audit.ActorID `json:"owner"`
	// OnDue says what becomes of undecided access after the due date, by risk. Missing: Suspend.
	OnDue map[Risk]OnDue `json:"on_due,omitempty"`
	// KeepWhy is a code that says why something is kept undecided; required with Keep.
	KeepWhy string `json:"keep_why,omitempty"`
	// Hold is for how many days a suspension can be taken back before it is a revocation, 1 to 90.
	// Default: 14.
	Hold int `json:"hold"`
}

// Risk is the class of an item.
type Risk string

// The classes, the highest first; access that is of several is of the highest.
const (
	RiskAdmin Risk = "admin" // it administers: gives rights to others or changes settings
	RiskPHI   Risk = "phi"   // it reaches protected health information
	RiskOther Risk = "other"
)

// OnDue is what becomes of access that nobody has decided about in time.
type OnDue string

// What can become of it.
const (
	Suspend OnDue = "suspend" // ended, and given back on request for Spec.Hold days; then revoked
	Revoke  OnDue = "revoke"  // ended at once
	Keep    OnDue = "keep"    // kept for the reason Spec.KeepWhy, and escalated every day
)

// Snapshot is the head of what was frozen: proof that the population is complete and was made by a
// program.
type Snapshot struct {
	At     time.Time `json:"at"`
	Policy string    `json:"policy"` // digest of the policy in force
	Query  string    `json:"query"`  // what was asked for, as text
	Count  int       `json:"count"`
	Digest string    `json:"digest"` // FrozenDigest of the items
	Event  string    `json:"event"`  // of the audit log
}

// Counts are how many items of a campaign are in which state.
type Counts struct {
	Open      int `json:"open"`
	Pending   int `json:"pending"`
	Suspended int `json:"suspended"`
	Closed    int `json:"closed"`
	Exception int `json:"exception"` // items with an Exception, in whatever state
}

// Late is what Tick saw last of what came after the snapshot.
type Late struct {
	At    time.Time `json:"at,omitzero"`
	Count int       `json:"count"` // accesses that are not in this campaign: for the next one
	// Accesses are the first 200 of them, as "kind/id", sorted.
	Accesses []string `json:"accesses,omitempty"`
}

// SignOff is who says that the review is complete.
type SignOff struct {
	By     audit.ActorID `json:"by"`
	At     time.Time     `json:"at"`
	Event  string        `json:"event"`  // of the audit log
	Digest string        `json:"digest"` // ContentDigest of the campaign, its items, and the fields above
}

// IsZero reports whether nobody has signed.
func (s SignOff) IsZero() bool { return s == SignOff{} }
