package recert

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Population knows who has which access. NewGrants is the one for rbac's grants; a host writes others
// for proxies and machines, and puts them together with Together.
type Population interface {
	// Accesses yields every access of the kinds that is there at now in tenant t, or will be without
	// anybody's doing, in any order, each once, administrators included. No kinds: all that it knows.
	// An error is the last thing yielded: a population that may be incomplete is none.
	Accesses(ctx context.Context, t audit.Tenant, kinds []Kind, now time.Time) iter.Seq2[Access, error]
}

// Reviewers finds who reviews an access first, by the rule that Spec.Rule names: the administrator of
// its practice, the manager of its subject. NewManagers is one over rbac's grants.
type Reviewers interface {
	// Reviewers returns the people in order of preference; nobody is no error. Who must not review it is
	// left out by the caller.
	Reviewers(ctx context.Context, t audit.Tenant, rule string, a Access) ([]audit.ActorID, error)
}

// Effects makes true what was decided about one kind of access. NewGrants is the one for rbac's. Each
// method is called for the system's actor in ctx.
type Effects interface {
	// Allowed asks whether Apply would carry the order out now, and changes nothing: ErrLastAdmin,
	// ErrRefused, ErrGone.
	Allowed(ctx context.Context, o Order) error

	// Apply carries out an order. What was carried out before, also half-way and by another server, is
	// not done again and no error: Order.ID is the same each time. What there is in place of the access
	// afterwards, if anything, has Order.ID as its ID. ErrLastAdmin and ErrRefused: it cannot be done
	// now, and nothing changed. ErrGone: something is to be given in place of Order.There, and that is
	// not there any more: who ended it is not overruled.
	Apply(ctx context.Context, o Order) error

	// Check asks, the way a request is decided, whether anything of Order.All gives something now,
	// what has Order.ID left out. What is there and gives nothing yet is not denied. It must not believe
	// what Apply has just written. It is also asked, without an ID, before access is certified and
	// before a date ends it.
	Check(ctx context.Context, o Order) (Checked, error)
}

// Order is what Effects.Apply does.
type Order struct {
	ID     string // UUIDv7
	Tenant audit.Tenant
	Do     Change
	Access Access    // as it was frozen
	All    []string  // the ID of the access and of all that may be in its place after earlier orders
	Reach  Reach     // of ChangeReduce: what stays
	Until  time.Time // of ChangeLimit
	At     time.Time // when it was ordered
	There  string    // the ID of Order.All that should be there now; empty if an earlier order ended it
}

// Checked is what Effects.Check found.
type Checked struct {
	Denied bool     // nothing of Order.All gives anything
	Asked  int      // how many questions that took
	Others []string // other accesses of the subject that give some of the same
}

// Usage knows how access was used. NewLogUsage is one over the audit log.
type Usage interface {
	// Used returns how person used their accesses since then.
	Used(ctx context.Context, t audit.Tenant, person audit.ActorID, since time.Time) (Use, error)
}

// Use is how one person used their accesses.
type Use struct {
	Last        map[string]time.Time // by Access.ID, the last time
	Emergencies int                  // decisions under emergency access
	Partial     bool                 // there was too much to look at all of it: what is missing in Last may have been used
}

// OnlyOne knows whether somebody cannot be missed.
type OnlyOne interface {
	// OnlyOne reports whether patients in open care would be without a clinician if a's subject lost a.
	// It is asked before access is ended because nobody decided in time. An error means that it could
	// not be found out: the access stays, and that is escalated.
	OnlyOne(ctx context.Context, t audit.Tenant, a Access) (bool, error)
}

// Notices tells people.
type Notices interface {
	// Notify delivers n to n.To. A repeat of the same n.ID is dropped by who delivers it.
	Notify(ctx context.Context, n Notice) error
}

// Notice is one message to one person about one campaign. It names no item and no subject.
type Notice struct {
	ID       string
	Tenant   audit.Tenant
	Campaign string
	Name     string // Spec.Name
	To       audit.ActorID
	What     What
	// Open are the items that wait for To; of NoticeOverdue those that are overdue, to the owner all
	// that are; of NoticeSuspended all that are suspended, of NoticeException all with an exception.
	Open int
	Due  time.Time
}

// What is why somebody is told.
type What string

// The notices.
const (
	NoticeAssigned  What = "assigned"  // items wait for To
	NoticeReminder  What = "reminder"  // and the due date is near: 7, 3 and 1 days before
	NoticeOverdue   What = "overdue"   // once a day from the due date on, to the reviewer and to the owner
	NoticeSuspended What = "suspended" // to the owner, once a day while access is suspended because nobody decided
	NoticeException What = "exception" // to the owner, once a day while there is one
	NoticeSign      What = "sign"      // to the owner: nothing is open, somebody may sign off
)

// Triggers tells what happened that calls for a review outside the calendar. NewGrantTriggers finds
// most of it in rbac's grants; a host adds emergency uses.
type Triggers interface {
	// Triggers yields what happened in tenant t since then, in any order. Yielding the same again is no
	// harm: a Trigger leads to one review. An error is the last thing yielded.
	Triggers(ctx context.Context, t audit.Tenant, since time.Time) iter.Seq2[Trigger, error]
}

// TriggerKind is what calls for a review.
type TriggerKind string

// The triggers.
const (
	TriggerRoleChange TriggerKind = "role_change"    // somebody got another role and kept the old one
	TriggerUnused     TriggerKind = "unused"         // an access was not used for 90 days
	TriggerContract   TriggerKind = "contractor_end" // a contract ends, or has ended
	TriggerEmergency  TriggerKind = "emergency"      // emergency access was used: reviewed within 72 hours
)

// Trigger is one thing that happened.
type Trigger struct {
	Kind    TriggerKind   `json:"kind"`
	ID      string        `json:"id"` // of what happened, 1 to 256 bytes; with Kind it leads to one review, once
	Subject audit.ActorID `json:"subject"`
	Access  string        `json:"access,omitempty"` // the ID of the one access that it is about; empty: all of Subject
	At      time.Time     `json:"at"`
}
