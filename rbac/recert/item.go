package recert

import (
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Kind is what sort of access is reviewed.
type Kind string

// The kinds.
const (
	KindGrant     Kind = "grant"     // a role of a person
	KindSupport   Kind = "support"   // access of the platform's operators
	KindProxy     Kind = "proxy"     // family and guardians
	KindMachine   Kind = "machine"   // API keys, services, agents
	KindEmergency Kind = "emergency" // one use of emergency access
)

// Access is one thing that somebody can do somewhere, as it was when the snapshot was made: one grant,
// person × practice × role × scope. It is frozen.
type Access struct {
	Kind    Kind          `json:"kind"`
	ID      string        `json:"id"`               // of the grant, key, link …; unique within its kind
	Subject audit.ActorID `json:"subject"`          // who has it
	For     audit.ActorID `json:"for,omitempty"`    // who answers for a program, or whose rights it uses; does not review it
	Role    string        `json:"role,omitempty"`   // or what stands for one
	Reach   Reach         `json:"reach,omitzero"`   // where
	From    time.Time     `json:"from,omitzero"`    // in force from here on
	Until   time.Time     `json:"until,omitzero"`   // and until here; zero: no end
	Granted time.Time     `json:"granted,omitzero"` // when it was given
	By      audit.ActorID `json:"by,omitempty"`     // by whom
	Why     string        `json:"why,omitempty"`    // a code
	Source  string        `json:"source,omitempty"` // where it comes from
	Admin   bool          `json:"admin,omitempty"`  // RiskAdmin
	PHI     bool          `json:"phi,omitempty"`    // RiskPHI
	Context Context       `json:"context,omitzero"` // what helps to decide
}

// Reach is where access counts; an empty list says nothing about its dimension.
type Reach struct {
	Practices []string `json:"practices,omitempty"`
	Locations []string `json:"locations,omitempty"`
	Queues    []string `json:"queues,omitempty"`
}

// Context is what a reviewer should know beside the access itself, as of the snapshot.
type Context struct {
	Looked      time.Time `json:"looked,omitzero"`       // the log was searched from here on; zero: it was not
	LastUsed    time.Time `json:"last_used,omitzero"`    // the last decision that this access allowed; zero: none since Looked
	Emergencies int       `json:"emergencies,omitempty"` // uses of emergency access by the subject since Looked
	Conflicts   []string  `json:"conflicts,omitempty"`   // rules of separation of duties that the subject's roles break
	Peers       int       `json:"peers"`                 // how many others hold the same role
	Recommend   Recommend `json:"recommend,omitempty"`
}

// Recommend is what the facts suggest. It decides nothing.
type Recommend string

// RecommendRevoke: never used within the last 90 days, although it was there all the time.
const RecommendRevoke Recommend = "revoke_unused"

// Risk returns the class of the access.
func (a *Access) Risk() Risk {
	switch {
	case a.Admin:
		return RiskAdmin
	case a.PHI:
		return RiskPHI
	}
	return RiskOther
}

// Justify reports whether decisions about it need words, one by one.
func (a *Access) Justify() bool { return a.Admin || a.PHI }

// ItemState is where an item stands.
type ItemState string

// The states of an item.
const (
	ItemOpen      ItemState = "open"      // waits for its reviewer
	ItemPending   ItemState = "pending"   // decided, or due; the last of Effects is not confirmed yet
	ItemSuspended ItemState = "suspended" // ended by the due date, and can be given back until Hold
	ItemClosed    ItemState = "closed"    // Outcome says how
)

// Outcome is how an item was closed.
type Outcome string

// The outcomes.
const (
	Certified Outcome = "certified" // it stays
	Limited   Outcome = "limited"   // it stays until Decision.Until
	Reduced   Outcome = "reduced"   // less of it stays
	Revoked   Outcome = "revoked"   // it was ended, by a decision or by the due date
	Gone      Outcome = "gone"      // it ended by itself, or by somebody else
)

// Exception is why an item needs somebody's attention: a code. It is escalated every day.
type Exception string

// The exceptions.
const (
	ExceptionLastAdmin  Exception = "last_admin"  // due, and the tenant would be without an administrator
	ExceptionOnlyOne    Exception = "only_one"    // due, and the only clinician with open care
	ExceptionUnknown    Exception = "unknown"     // due, and the host could not say whether it is the only one
	ExceptionKept       Exception = "kept"        // due, and kept for Spec.KeepWhy
	ExceptionNoReviewer Exception = "no_reviewer" // nobody is left who may review it
	ExceptionFailed     Exception = "failed"      // its effect fails
	ExceptionRefused    Exception = "refused"     // a rule refuses its effect
	ExceptionNotDenied  Exception = "not_denied"  // its effect was made, and the access is still there
	ExceptionRegranted  Exception = "regranted"   // it was given again while the campaign is open
)

// Item is one access in a campaign, and what became of it.
type Item struct {
	Tenant   audit.Tenant `json:"tenant"`
	Campaign string       `json:"campaign"`
	Seq      int64        `json:"seq"` // in its campaign, dense from 1; never changes

	Access Access `json:"access"` // frozen
	Risk   Risk   `json:"risk"`   // frozen

	State    ItemState     `json:"state"`
	Reviewer audit.ActorID `json:"reviewer,omitempty"` // who decides, or decided; empty: nobody is left, see ExceptionNoReviewer
	// Fallback are who reviews after that, in this order.
	Fallback []audit.ActorID `json:"fallback,omitempty"`
	Steps    []Step          `json:"steps,omitempty"` // how the item was handed on
	Due      time.Time       `json:"due"`             // the campaign's, or later after a Resume
	Hold     time.Time       `json:"hold,omitzero"`   // until when a suspension can be taken back
	Resumed  time.Time       `json:"resumed,omitzero"`

	Decision  Decision  `json:"decision,omitzero"`
	Effects   []Effect  `json:"effects,omitempty"` // in order; only the last may be unconfirmed
	Outcome   Outcome   `json:"outcome,omitempty"`
	Closed    time.Time `json:"closed,omitzero"`
	Exception Exception `json:"exception,omitempty"`
	Since     time.Time `json:"since,omitzero"`    // of the exception
	Regrant   string    `json:"regrant,omitempty"` // the ID of the access that came in place of the revoked one
}

// Step is one handing on of an item: the delegation chain.
type Step struct {
	At    time.Time     `json:"at"`
	Do    Do            `json:"do"`           // Delegate, Abstain, PassOn or GiveBack
	By    audit.ActorID `json:"by"`           // "system:recert" for PassOn
	To    audit.ActorID `json:"to,omitempty"` // empty: nobody is left
	Code  string        `json:"code,omitempty"`
	Event string        `json:"event"` // of the audit log; it has the words
}

// Decision is what was decided about an item, by a person or by the due date.
type Decision struct {
	Do        Do            `json:"do"`
	By        audit.ActorID `json:"by"` // "system:recert" for the due date
	At        time.Time     `json:"at"`
	Code      string        `json:"code,omitempty"`
	Justified bool          `json:"justified"` // words were given; they are in the event, as a private value
	Until     time.Time     `json:"until,omitzero"`
	Reach     Reach         `json:"reach,omitzero"` // of Reduce: what stays
	Event     string        `json:"event"`          // of the audit log
}

// IsZero reports whether nothing was decided.
func (d Decision) IsZero() bool { return d.Do == "" }

// Effect is one change of access that an item led to.
type Effect struct {
	ID      string    `json:"id"` // the same for the same order, whoever carries it out and how often
	Do      Change    `json:"do"`
	Ordered time.Time `json:"ordered"` // when it was decided, or due
	Tries   int       `json:"tries"`
	Failed  Exception `json:"failed,omitempty"` // why the last try did not do
	Made    time.Time `json:"made,omitzero"`
	Grant   string    `json:"grant,omitempty"` // what there is instead, of Reduce, Limit and Resume
	// Checked is when the access was asked about afterwards; zero: not confirmed.
	Checked time.Time `json:"checked,omitzero"`
	Denied  bool      `json:"denied"`           // it gives nothing any more
	Asked   int       `json:"asked"`            // how many questions that took
	Others  []string  `json:"others,omitempty"` // other accesses of the subject that give some of the same
	Took    int64     `json:"took_us"`          // time to effect, microseconds from Ordered to Checked
}

// Done reports whether the effect was made and confirmed.
func (e *Effect) Done() bool { return !e.Checked.IsZero() }

// Change is what an effect does.
type Change string

// The changes.
const (
	ChangeRevoke  Change = "revoke"  // end it
	ChangeSuspend Change = "suspend" // end it for now
	ChangeResume  Change = "resume"  // give it back as it was
	ChangeReduce  Change = "reduce"  // less reach
	ChangeLimit   Change = "limit"   // an end
)
