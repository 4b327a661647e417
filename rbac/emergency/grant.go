package emergency

import (
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Grant is one opening of one patient by one person, and what became of it. It holds no words: those
// are in its events. A grant is never changed back and never deleted.
type Grant struct {
	ID      string // a UUIDv7; also the ID of the event that recorded the opening, which has the words
	Tenant  audit.Tenant
	Person  audit.ActorID
	Number  int64 // of the person's openings in this tenant, dense from 1
	Patient audit.Patient
	Reason  string // a code of Settings.Reasons
	Again   string // the grant whose words still count, empty if there are words of its own

	Opened time.Time     // it counts from here
	Until  time.Time     // to here, exclusive
	Due    time.Time     // when it has to be reviewed; the first FollowUp gives as long again
	Ended  time.Time     // when it ended, by a person or by time; zero until that is written down
	By     audit.ActorID // who ended it; empty: time did, or, with Ended at Opened, it never let anybody in

	Verdict  Verdict // empty until it was reviewed
	Reviewer audit.ActorID
	Reviewed time.Time

	Told        time.Time // when the notice of the opening was delivered
	Limited     time.Time // when the person was refused a further one, with this as the latest
	LimitedTold time.Time // when the notice of that was delivered
	Reminders   int       // how often somebody was reminded that the review is overdue
	Reminded    time.Time // when last

	Version int64 // 1 and up, one more with each change
}

// Verdict is what a review found.
type Verdict string

// The verdicts.
const (
	Justified    Verdict = "justified"
	NotJustified Verdict = "not_justified"
	FollowUp     Verdict = "follow_up" // somebody has to do something first; one of the others may follow
)

// final reports whether no other verdict follows.
func (v Verdict) final() bool { return v == Justified || v == NotJustified }

// OpenAt reports whether the grant lets its person in at now: the same as the relation says.
func (g Grant) OpenAt(now time.Time) bool {
	return g.Ended.IsZero() && !now.Before(g.Opened) && now.Before(g.Until)
}

// OverAt reports whether the grant has been over for good at now, whether or not that was written down.
func (g Grant) OverAt(now time.Time) bool { return !g.Ended.IsZero() || !now.Before(g.Until) }

// OverdueAt reports whether it should have been reviewed before now.
func (g Grant) OverdueAt(now time.Time) bool { return !g.Verdict.final() && !now.Before(g.Due) }

// withdrawn reports whether it was ended as it opened, because it let nobody in.
func (g Grant) withdrawn() bool { return g.By == "" && !g.Ended.IsZero() && g.Ended.Equal(g.Opened) }

// Pending reports whether something is left to do with the grant: its end is not written down, it was
// not reviewed for good, or a notice was not delivered. Stores list such grants by it.
func (g Grant) Pending() bool {
	return g.Ended.IsZero() || !g.Verdict.final() || g.Told.IsZero() || g.alarmed()
}

// alarmed reports whether the notice of a refused opening was not delivered.
func (g Grant) alarmed() bool { return !g.Limited.IsZero() && g.LimitedTold.IsZero() }

// Query returns the query for everything in the audit log that names the grant: its own events, and
// every page and list that it let its person see. What the person was refused meanwhile, such as a write,
// names no grant and is not in it: look for the person's failed events between Opened and Ended. Whoever
// serves it records that.
func (g Grant) Query() audit.Query {
	return audit.Query{Tenant: g.Tenant, ResourceType: rbac.EmergencyObject, ResourceID: g.ID}
}

// Read reports whether an event of Query is something of the patient that the person was shown under the
// grant, and not one of its own events, nor a list in which the patient was not.
func (g Grant) Read(e audit.Event) bool {
	return e.Tenant == g.Tenant && e.Actor.ID == g.Person && slices.Contains(e.Patients, g.Patient) && e.Outcome == audit.Success && !own(e.Action)
}

// own reports whether an action is one of this package.
func own(a audit.Action) bool {
	switch a {
	case ActionOpen, ActionEnd, ActionExpire, ActionTell, ActionReview, ActionOverdue:
		return true
	}
	return false
}
