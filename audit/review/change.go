package review

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// MaxNote is how long a note may be, in bytes.
const MaxNote = audit.MaxPrivate

// Change is a step with a finding. These lead on:
//
//	open                          → in_review                               by anybody who reviews
//	in_review                     → open, explained, escalated, closed      by the assignee
//	in_review                     → in_review                               taken over by somebody else
//	escalated                     → closed                                  by anybody who reviews
//	explained, escalated, closed  → in_review                               by anybody who reviews
type Change struct {
	To       State
	Verdict  Verdict // of Closed, and of nothing else
	Incident string  // of Escalated, and of nothing else: the host's ID, up to 128 bytes
	Note     string  // needed for Explained and Closed; up to MaxNote bytes of text
}

// Change makes a step with a finding that somebody looked at in this version: the actor in ctx,
// who has to be one of the tenant's staff and never whom the finding is about. It is recorded before it is
// made: ActionChanged, with the note as the reason. An attempt of whom the finding is about
// is recorded, too.
//
// Errors: ErrReviewer, ErrNotFound, ErrOwn, ErrChange, ErrConflict, ErrUnavailable.
func (r *Reviewer) Change(ctx context.Context, t audit.Tenant, id string, version int64, c Change) (Finding, error) {
	actor, err := reviewer(ctx, t)
	if err != nil {
		return Finding{}, err
	}
	if err := c.validate(); err != nil {
		return Finding{}, err
	}
	was, err := r.Finding(ctx, t, id)
	if err != nil {
		return Finding{}, err
	}
	e := event(actor, &was, &c)
	if was.about(actor) {
		e.Outcome, e.Code, e.Why = audit.Failure, "own_finding", audit.Private{}
		if err := r.rec.Record(ctx, e); err != nil {
			return Finding{}, unavailable("recording a refusal", err)
		}
		return Finding{}, ErrOwn
	}
	if was.Version != version {
		return Finding{}, ErrConflict
	}
	is, err := was.change(actor.ID, &c)
	if err != nil {
		return Finding{}, err
	}
	is.Changed = r.o.Now().UTC().Truncate(time.Microsecond)
	if is.Note, err = r.seal(ctx, &is, c.Note); err != nil {
		return Finding{}, err
	}
	if err := r.rec.Record(ctx, e); err != nil {
		return Finding{}, unavailable("recording a step", err)
	}
	if err := r.store.Update(ctx, is); errors.Is(err, ErrConflict) {
		return Finding{}, r.unmade(ctx, e, "conflict", ErrConflict)
	} else if err != nil {
		return Finding{}, r.unmade(ctx, e, "unavailable", unavailable("storing a step", err))
	}
	return is, nil
}

// reviewer returns the actor in ctx if it is one of the tenant's staff.
func reviewer(ctx context.Context, t audit.Tenant) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Kind != audit.KindStaff || a.ID == "" || a.Tenant != t || t == "" {
		return audit.Actor{}, ErrReviewer
	}
	return a, nil
}

// about reports whether the finding is about an actor: their own doing, or that of a program of theirs.
func (f Finding) about(a audit.Actor) bool {
	for _, id := range []audit.ActorID{a.ID, a.OnBehalfOf} {
		if id != "" && (id == f.Actor || id == f.For) {
			return true
		}
	}
	return false
}

func event(actor audit.Actor, was *Finding, c *Change) audit.Event {
	e := audit.Event{
		Tenant: was.Tenant, Action: ActionChanged, Verb: audit.Update, Actor: actor, Why: audit.NewPrivate(c.Note),
		Objects: []audit.Object{{Type: FindingObject, ID: was.ID, Version: strconv.FormatInt(was.Version+1, 10)}},
		Detail:  map[string]string{"rule": string(was.Rule), "from": string(was.State), "to": string(c.To)},
	}
	if c.Verdict != "" {
		e.Detail["verdict"] = string(c.Verdict)
	}
	if c.Incident != "" {
		e.Detail["incident"] = c.Incident
	}
	return e
}

// change returns the finding after the step.
func (f Finding) change(by audit.ActorID, c *Change) (Finding, error) {
	done := f.State == Explained || f.State == Escalated || f.State == Closed
	mine := f.State == InReview && f.Assignee == by
	switch c.To {
	case InReview:
		if mine {
			return f, wrong(ErrChange, "it is in review by this person")
		}
		f.Assignee, f.Verdict = by, ""
	case Open:
		if !mine {
			return f, wrong(ErrChange, "only who has it in review puts it back")
		}
		f.Assignee = ""
	case Explained, Escalated:
		if !mine {
			return f, wrong(ErrChange, "take it into review first")
		}
	case Closed:
		if !mine && f.State != Escalated {
			return f, wrong(ErrChange, "take it into review first")
		}
		if done {
			f.Assignee = by
		}
	}
	f.State, f.Verdict = c.To, c.Verdict
	if c.Incident != "" {
		f.Incident = c.Incident
	}
	f.Version++
	return f, nil
}

// validate looks at what the change holds.
func (c *Change) validate() error {
	switch {
	case c.To != Open && c.To != InReview && c.To != Explained && c.To != Escalated && c.To != Closed:
		return wrong(ErrChange, "no such state")
	case (c.To == Closed) != (c.Verdict != ""):
		return wrong(ErrChange, "a verdict goes with closing, and only with it")
	case c.Verdict != "" && c.Verdict != NoIssue && c.Verdict != Violation && c.Verdict != Unclear:
		return wrong(ErrChange, "no such verdict")
	case (c.To == Escalated) != (c.Incident != ""):
		return wrong(ErrChange, "an incident goes with escalating, and only with it")
	case len(c.Incident) > 128 || !printable(c.Incident):
		return wrong(ErrChange, "the incident's ID is not one")
	case (c.To == Explained || c.To == Closed) && strings.TrimSpace(c.Note) == "":
		return wrong(ErrChange, "it takes a note")
	case len(c.Note) > MaxNote || !utf8.ValidString(c.Note):
		return wrong(ErrChange, "the note is too long or no text")
	}
	return nil
}

// printable reports whether s is plain ASCII without spaces and controls.
func printable(s string) bool {
	for _, b := range []byte(s) {
		if b <= ' ' || b >= 0x7f {
			return false
		}
	}
	return true
}

// label is what a note is sealed for.
func label(f *Finding, version int64) string {
	return "audit.finding/" + f.ID + "/" + strconv.FormatInt(version, 10)
}

// seal seals a note for the version of the finding that it comes with. A step without a note keeps none: the one before
// is in its event.
func (r *Reviewer) seal(ctx context.Context, f *Finding, note string) ([]byte, error) {
	if note == "" {
		return nil, nil
	}
	sealed, err := r.sealer.Seal(ctx, f.Tenant, label(f, f.Version), []byte(note))
	if err != nil {
		return nil, unavailable("sealing a note", err)
	}
	return sealed, nil
}

// Note returns the words that came with the finding's last step, empty if there were none or none
// were kept. What came with earlier steps is in their events (audit.Log.Open). Who serves it
// records that. ErrUnavailable.
func (r *Reviewer) Note(ctx context.Context, f Finding) (string, error) {
	if len(f.Note) == 0 {
		return "", nil
	}
	note, err := r.sealer.Unseal(ctx, f.Tenant, label(&f, f.Version), f.Note)
	if err != nil {
		return "", unavailable("opening a note", err)
	}
	return string(note), nil
}
