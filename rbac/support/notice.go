package support

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Notice says that something happened to an access. It holds no words that anybody typed.
type Notice struct {
	ID       string // the same for the same notice; whoever delivers drops a repeat
	Tenant   audit.Tenant
	Access   string
	Kind     Kind
	To       Audience
	Operator Account
	Role     rbac.RoleName
	State    State
	Closing  Closing
	Until    time.Time // the end of the access; of a request the time at which it lapses
}

// Audience is who gets a notice.
type Audience string

// The audiences.
const (
	ToTenant   Audience = "tenant"   // whoever answers requests there
	ToOperator Audience = "operator" // Notice.Operator
)

// Kind is what a notice is about.
type Kind string

// The kinds.
const (
	NoticeRequested Kind = "requested"
	NoticeReminder  Kind = "reminder" // nobody has answered yet
	NoticeApproved  Kind = "approved"
	NoticeEntered   Kind = "entered" // the operator came in for the first time
	NoticeEnding    Kind = "ending"  // in a quarter of an hour
	NoticeClosed    Kind = "closed"  // State and Closing say how
)

// soon is how long before its end people are told that an access ends.
const soon = 15 * time.Minute

// owed is a notice that has come due, by its kind and audience.
type owed struct {
	kind Kind
	to   Audience
}

func (o owed) id(r *record) string { return r.ID + "/" + string(o.kind) + "/" + string(o.to) }

// owing returns what people should have been told of r by now.
func (d *Desk) owing(r *record, now time.Time) []owed {
	out := r.untold(now)
	waits := r.State == Requested && !now.Before(r.Requested.Add(d.o.Remind))
	if reminder := (owed{NoticeReminder, ToTenant}); waits && !slices.Contains(r.Told, reminder.id(r)) {
		out = append(out, reminder)
	}
	return out
}

// untold returns the notices that r itself shows to be owed at now and were not given.
func (r *record) untold(now time.Time) []owed {
	var due []owed
	switch {
	case r.State == Requested:
		due = append(due, owed{NoticeRequested, ToTenant})
	case r.State == Approved:
		due = append(due, owed{NoticeApproved, ToTenant}, owed{NoticeApproved, ToOperator})
	default:
		due = append(due, owed{NoticeClosed, ToTenant}, owed{NoticeClosed, ToOperator})
	}
	if !r.Entered.IsZero() {
		due = append(due, owed{NoticeEntered, ToTenant})
	}
	if r.State == Approved && !r.Entered.IsZero() && !now.Before(r.Until.Add(-soon)) && r.Until.Sub(r.Approved) > 2*soon {
		due = append(due, owed{NoticeEnding, ToTenant}, owed{NoticeEnding, ToOperator})
	}
	return slices.DeleteFunc(due, func(o owed) bool { return slices.Contains(r.Told, o.id(r)) })
}

// tell hands over what is owed and marks it.
func (d *Desk) tell(ctx context.Context, r record) (record, error) {
	due := d.owing(&r, d.now())
	if len(due) == 0 {
		return r, nil
	}
	next := r.clone()
	for _, o := range due {
		n := Notice{
			ID: o.id(&r), Tenant: r.Tenant, Access: r.ID, Kind: o.kind, To: o.to, Operator: r.Operator, Role: r.Role,
			State: r.State, Closing: r.Closing, Until: r.Until,
		}
		if r.State == Requested {
			n.Until = r.Lapses
		}
		if err := d.p.Notices.Tell(ctx, n); err != nil {
			return r, unavailable("telling", err)
		}
		next.Told = append(next.Told, n.ID)
	}
	return d.mark(ctx, next)
}

// tellNow tells at once what can be told; the rest is Run's.
func (d *Desk) tellNow(ctx context.Context, r record) record {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	next, err := d.tell(ctx, r)
	if err != nil {
		d.later(ctx, err)
		return r
	}
	return next
}
