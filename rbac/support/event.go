package support

import (
	"context"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Actions of this package's events, in the tenant's log and in the platform's. Objects[0] is the access
// (type "support_access"). What people typed is a private value of the tenant's log; the platform's has
// codes only, and of the tenant's people no more than that it was one of them.
const (
	ActionRequest  audit.Action = "support.request"
	ActionApprove  audit.Action = "support.approve"
	ActionRefuse   audit.Action = "support.refuse"
	ActionWithdraw audit.Action = "support.withdraw"
	ActionEnter    audit.Action = "support.enter" // the operator came in
	ActionEnd      audit.Action = "support.end"   // lapsed, ended or expired
)

// Codes of events about what was not done.
const (
	CodeNotApplied  = "not_applied"
	CodeUnconfirmed = "unconfirmed" // the store did not tell what became of it
	CodeRights      = "rights"      // beyond the rights of who approves
	CodeSelf        = "self"        // by the platform's own people
	CodeWider       = "wider"       // more than was asked for
)

// ObjectAccess is the type of the object of this package's events.
const ObjectAccess = "support_access"

// note is what one step records.
type note struct {
	action  audit.Action
	by      audit.Actor // as the tenant's log names them
	text    string
	outcome audit.Outcome
	code    string
	ids     [2]string // of the events: the tenant's, the platform's
}

// events are a step in the tenant's log and in the platform's.
func (d *Desk) events(r *record, n note) []audit.Event {
	verb := audit.Update
	if n.action == ActionRequest {
		verb = audit.Create
	}
	base := audit.Event{
		Action: n.action, Verb: verb, Outcome: n.outcome, Code: n.code,
		Objects: []audit.Object{
			{Type: ObjectAccess, ID: r.ID, Version: strconv.FormatInt(r.Version, 10), Category: string(rbac.Users)},
			{Type: "person", ID: string(r.Visitor())},
		},
		Detail: r.detail(),
	}
	theirs, ours := base, base
	theirs.ID, theirs.Tenant, theirs.Actor, theirs.Why = n.ids[0], r.Tenant, n.by, audit.NewPrivate(n.text)
	ours.ID, ours.Tenant, ours.Actor = n.ids[1], d.p.Platform, d.seen(r, n.by)
	ours.Objects = append([]audit.Object{base.Objects[0]}, audit.Object{Type: "tenant", ID: string(r.Tenant)}, audit.Object{Type: "person", ID: string(r.Operator.ID)})
	ours.Detail = r.detail()
	ours.Detail["by"] = "tenant"
	switch n.by.ID {
	case r.Visitor():
		ours.Detail["by"] = "operator"
	case audit.System(r.Tenant, "support").ID:
		ours.Detail["by"] = "system"
	}
	return []audit.Event{theirs, ours}
}

// seen is the actor as the platform's log has it: the operator in person, and of everybody else nothing.
func (d *Desk) seen(r *record, by audit.Actor) audit.Actor {
	if by.ID != r.Visitor() {
		return audit.System(d.p.Platform, "support")
	}
	by.ID, by.Tenant, by.Organization = r.Operator.ID, r.Operator.Tenant, ""
	return by
}

// detail are the codes of an event: they name no person and no patient.
func (r *record) detail() map[string]string {
	out := map[string]string{
		"state": string(r.State), "role": string(r.Role), "reason": r.Access.Code,
		"length": r.Length.String(), "organization": string(r.Operator.Tenant),
	}
	if r.Ticket != "" {
		out["ticket"] = r.Ticket
	}
	if r.Closing != "" {
		out["closing"] = string(r.Closing)
	}
	if !r.Until.IsZero() {
		out["until"] = r.Until.Format("2006-01-02T15:04:05Z")
	}
	return out
}

// record makes a step durable in both logs before it is made.
func (d *Desk) record(ctx context.Context, r *record, n note) error {
	if err := d.p.Recorder.Record(ctx, d.events(r, n)...); err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// ids are the identifiers of two events to come.
func (d *Desk) ids() [2]string { return [2]string{audit.NewID(d.now()), audit.NewID(d.now())} }
