package emergency

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// The actions in the audit log. An opening carries the words that the person wrote and audit.Actor.Emergency
// (DICOM PS3.16, CID 401: 110127, Emergency Override Started; purpose of use ETREAT, HL7 v3
// ActReason); every one that is about a grant names it as an
// object of type rbac.EmergencyObject.
const (
	ActionOpen    audit.Action = "emergency.open"    // somebody opened a patient, or was refused
	ActionEnd     audit.Action = "emergency.end"     // a person ended it
	ActionExpire  audit.Action = "emergency.expire"  // time ended it
	ActionTell    audit.Action = "emergency.tell"    // a notice was delivered
	ActionReview  audit.Action = "emergency.review"  // somebody reviewed it, or was refused
	ActionOverdue audit.Action = "emergency.overdue" // it was not reviewed in time
)

// purpose is ETREAT of HL7 v3 ActReason.
const purpose = "ETREAT"

// The codes of events about openings and reviews that were refused, and of changes that were recorded
// and then not made.
const (
	CodeClosed      = "closed"
	CodeLimited     = "limited"
	CodeOwn         = "own_emergency"
	codeNotApplied  = "not_applied"
	codeUnconfirmed = "unconfirmed"
)

// event is the evidence of something that happens to a grant.
func (g Grant) event(action audit.Action, verb audit.Verb) audit.Event {
	e := audit.Event{
		Tenant: g.Tenant, Action: action, Verb: verb, Outcome: audit.Success,
		Objects: []audit.Object{{Type: rbac.EmergencyObject, ID: g.ID}},
		Detail:  map[string]string{"reason": g.Reason},
	}
	if g.Reason == "" {
		delete(e.Detail, "reason")
	}
	return e
}

// opening is the event of an opening by a.
func (g Grant) opening(a audit.Actor, words string) audit.Event {
	e := g.event(ActionOpen, audit.Execute)
	e.ID, e.Actor, e.Purpose, e.Patients = g.ID, a, purpose, []audit.Patient{g.Patient}
	e.Actor.Emergency = g.ID
	if words != "" {
		e.Why = audit.NewPrivate(words)
	}
	e.Detail["until"] = g.Until.Format(time.RFC3339)
	if g.Again != "" {
		e.Detail["again"] = g.Again
	}
	return e
}

// refused is the event of an opening that was refused to a.
func refused(a audit.Actor, patient audit.Patient, code string) audit.Event {
	return audit.Event{
		Tenant: a.Tenant, Action: ActionOpen, Verb: audit.Execute, Outcome: audit.Failure, Code: code,
		Actor: a, Patients: []audit.Patient{patient}, Purpose: purpose,
	}
}

// unmade is the event that something recorded was not done, or that nobody knows.
func unmade(e audit.Event, code string) audit.Event {
	e.ID, e.Outcome, e.Code, e.Why = "", audit.MajorFailure, code, audit.Private{}
	return e
}

// record makes events durable.
func (d *Desk[R]) record(ctx context.Context, what string, events ...audit.Event) error {
	if err := d.p.Recorder.Record(ctx, events...); err != nil {
		return unavailable("recording "+what, err)
	}
	return nil
}

// system is the actor of what nobody does.
func system(t audit.Tenant) audit.Actor { return audit.System(t, "emergency") }
