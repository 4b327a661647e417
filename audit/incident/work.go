package incident

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Each change below is of a case of the tenant of the member of staff in ctx, who has proven AAL2
// and is not a subject of the case. Who may do it is the host's to decide, with rbac, before the
// call. The version is the one that the caller read. The change is durable in the audit log before
// it is made; should it then not be made, a second event says so, with the code not_applied, or
// unconfirmed where the store did not tell. Each returns the case as it is then.
//
// The answers: ErrNoActor, ErrAssurance, ErrNotFound, ErrConflict, ErrState, *InputError, ErrFull and
// what each names: nothing was changed. ErrUnavailable: ask Get. ErrDamaged.

// work makes a change for the member of staff in ctx.
func (d *Desk) work(ctx context.Context, id string, version int64, o op, edit func(*Case, *op) error) (Case, error) {
	by, err := staff(ctx, true)
	if err != nil {
		return Case{}, err
	}
	o.by = by
	if err := clean(&o.text, "text", o.textNeeded()); err != nil {
		return Case{}, err
	}
	return d.edit(ctx, id, version, o, edit)
}

// textNeeded says which changes nobody makes without saying why.
func (o *op) textNeeded() bool {
	return slices.Contains([]audit.Action{ActionNote, ActionDiscover, ActionDelay, ActionDismiss, ActionReopen}, o.action)
}

// Triage is what somebody says of a case at first sight.
type Triage struct {
	Kind  string          // a code
	PHI   Involved        // whether protected health information was involved
	Part2 bool            // whether substance use disorder records were among it (42 CFR 2.16)
	Owner audit.ActorID   // who answers for the case
	About []audit.ActorID // its subjects, all of them
	Text  string          // why, may be empty
}

// Triage says what the case is. It can be said again until the assessment. ErrSubject if the owner, or
// whoever says it, is among the subjects.
func (d *Desk) Triage(ctx context.Context, id string, version int64, t Triage) (Case, error) {
	o := op{action: ActionTriage, may: []State{Reported, Triaged, Investigating}, text: t.Text}
	return d.work(ctx, id, version, o, func(c *Case, o *op) error {
		about, err := subjects(t.About)
		switch {
		case err != nil:
			return err
		case !isCode(t.Kind):
			return wrong("kind")
		case t.PHI != Unknown && t.PHI != Yes && t.PHI != No:
			return wrong("phi")
		case !isID(string(t.Owner)):
			return wrong("owner")
		}
		c.Kind, c.PHI, c.Part2, c.Owner, c.About, c.Triaged = t.Kind, t.PHI, t.Part2, t.Owner, about, o.by.ID
		if c.hidden(o.by) || c.Is(c.Owner) {
			return ErrSubject
		}
		if c.State == Reported {
			c.State = Triaged
		}
		o.detail = string(t.Owner)
		o.codes = map[string]string{"kind": t.Kind, "phi": "unknown", "owner": string(t.Owner)}
		if t.PHI != Unknown {
			o.codes["phi"] = string(t.PHI)
		}
		return nil
	})
}

// Assign gives the case to another owner, who is not its subject (ErrSubject).
func (d *Desk) Assign(ctx context.Context, id string, version int64, owner audit.ActorID, why string) (Case, error) {
	return d.work(ctx, id, version, op{action: ActionAssign, text: why}, func(c *Case, o *op) error {
		switch {
		case !isID(string(owner)):
			return wrong("owner")
		case c.Is(owner):
			return ErrSubject
		}
		c.Owner, o.detail, o.codes = owner, string(owner), map[string]string{"owner": string(owner)}
		return nil
	})
}

// Start begins the investigation.
func (d *Desk) Start(ctx context.Context, id string, version int64, why string) (Case, error) {
	return d.work(ctx, id, version, op{action: ActionStart, may: []State{Triaged}, text: why}, func(c *Case, _ *op) error {
		c.State = Investigating
		return nil
	})
}

// Note adds a line to the timeline. Nothing takes one out again.
func (d *Desk) Note(ctx context.Context, id string, version int64, text string) (Case, error) {
	return d.work(ctx, id, version, op{action: ActionNote, text: text}, func(*Case, *op) error { return nil })
}

// Discovered moves the day of discovery earlier, never later, with the reason: it was known, or would
// have been by reasonable diligence (45 CFR 164.404(a)(2)).
func (d *Desk) Discovered(ctx context.Context, id string, version int64, day Day, why string) (Case, error) {
	return d.work(ctx, id, version, op{action: ActionDiscover, text: why, detail: day.String()}, func(c *Case, o *op) error {
		if day <= 0 || day >= c.Discovered {
			return wrong("discovered")
		}
		o.codes = map[string]string{"before": c.Discovered.String(), "discovered": day.String()}
		c.Discovered = day
		return nil
	})
}

// Assess writes a risk assessment. Whoever writes it cannot sign it. What was assessed before stays,
// and the case counts as a breach again until somebody else has signed. ErrAssessment if the answers
// do not allow the conclusion.
func (d *Desk) Assess(ctx context.Context, id string, version int64, a Assessment, why string) (Case, error) {
	if err := a.check(); err != nil {
		return Case{}, err
	}
	o := op{action: ActionAssess, may: []State{Investigating, Assessed, Notifying}, text: why, detail: string(a.Conclusion)}
	return d.work(ctx, id, version, o, func(c *Case, o *op) error {
		if len(c.Assessments) >= MaxDrafts {
			return ErrFull
		}
		a.By, a.At, a.Signed, a.SignedAt, a.Declined = o.by.ID, d.now(), "", time.Time{}, false
		c.Assessments, c.State = append(c.Assessments, a), Investigating
		o.codes = map[string]string{"conclusion": string(a.Conclusion)}
		return nil
	})
}

// Sign agrees with the latest assessment, or declines it, which takes another person than its author:
// ErrSecond. Without one that waits: ErrState. If its author has turned out to be a subject: ErrSubject.
func (d *Desk) Sign(ctx context.Context, id string, version int64, agree bool, why string) (Case, error) {
	return d.work(ctx, id, version, op{action: ActionSign, may: []State{Investigating}, text: why}, func(c *Case, o *op) error {
		a := c.Latest()
		switch {
		case a == nil || a.Signed != "" || a.Declined:
			return ErrState
		case a.By == o.by.ID || o.by.OnBehalfOf != "":
			return ErrSecond
		case c.Is(a.By):
			return ErrSubject
		}
		o.detail = string(a.Conclusion)
		o.codes = map[string]string{"conclusion": string(a.Conclusion), "author": string(a.By), "answer": "agreed"}
		a.SignedAt = d.now()
		if !agree {
			a.Declined, o.codes["answer"] = true, "declined"
			return nil
		}
		a.Signed, c.State = o.by.ID, Assessed
		return nil
	})
}

// Dismiss says that the case is no incident. It takes two people: one who said that no protected
// health information was involved, and another who dismisses it (ErrSecond). Otherwise the way out is an
// assessment: ErrState.
func (d *Desk) Dismiss(ctx context.Context, id string, version int64, why string) (Case, error) {
	c, err := d.work(ctx, id, version, op{action: ActionDismiss, may: []State{Triaged, Investigating}, text: why}, func(c *Case, o *op) error {
		switch {
		case c.PHI != No:
			return ErrState
		case c.Triaged == o.by.ID || o.by.OnBehalfOf != "":
			return ErrSecond
		}
		c.State, c.Closed = Dismissed, d.now()
		return nil
	})
	if err != nil {
		return Case{}, err
	}
	return d.settleHold(ctx, c), nil
}

// Close ends the case. ErrOwed while somebody has to be told, or while nobody has said how many
// people a breach affects.
func (d *Desk) Close(ctx context.Context, id string, version int64, why string) (Case, error) {
	c, err := d.work(ctx, id, version, op{action: ActionClose, may: []State{Assessed, Notifying}, text: why}, func(c *Case, _ *op) error {
		law, err := d.law(ctx, c.Tenant)
		if err != nil {
			return err
		}
		if total, _ := c.Affected(); c.Presumed() && total == 0 {
			return ErrOwed
		}
		for _, dl := range law.Deadlines(c) {
			if dl.Done == 0 {
				return ErrOwed
			}
		}
		c.State, c.Closed = Closed, d.now()
		return nil
	})
	if err != nil {
		return Case{}, err
	}
	return d.settleHold(ctx, c), nil
}

// Reopen opens a case again that was closed or dismissed. It counts as a breach until it is assessed
// anew, or dismissed anew.
func (d *Desk) Reopen(ctx context.Context, id string, version int64, why string) (Case, error) {
	c, err := d.work(ctx, id, version, op{action: ActionReopen, may: []State{Closed, Dismissed}, text: why}, func(c *Case, _ *op) error {
		c.State, c.PHI, c.Reminded = Investigating, Unknown, nil
		c.Closed = time.Time{}
		if !c.Held { // a hold that was released stays so; the next one has an ID of its own
			c.Round++
		}
		return nil
	})
	if err != nil {
		return Case{}, err
	}
	return d.settleHold(ctx, c), nil
}
