package emergency

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// Review says what somebody found who looked at a grant in this version, and why. Decide before who may
// review, with an action of its own on the page. It has to be over, and reviewed by a member of staff
// with a second factor, who acts for nobody and under no emergency, and who is not its person. The words are in
// the event. Justified and NotJustified are final; FollowUp is not: the first one moves Due, by as long as
// the review had at first, and after that somebody is reminded until there is a verdict.
//
// Errors: ErrNoActor, ErrAssurance, ErrInput, ErrNotFound, ErrOwn (which is recorded), ErrOpen, ErrOver,
// ErrConflict, ErrUnavailable.
func (d *Desk[R]) Review(ctx context.Context, id string, version int64, v Verdict, words string) (Grant, error) {
	a, err := proven(ctx)
	switch {
	case err != nil:
		return Grant{}, err
	case a.Emergency != "":
		return Grant{}, ErrNoActor
	case v != Justified && v != NotJustified && v != FollowUp:
		return Grant{}, &InputError{"verdict"}
	case letters(words) == 0 || len(words) > MaxWords || !printable(words):
		return Grant{}, &InputError{"words"}
	}
	c := change{do: "reviewing"}
	return d.change(ctx, a.Tenant, id, &c, func(g Grant, now time.Time) (Grant, *audit.Event, error) {
		e := g.event(ActionReview, audit.Execute)
		e.Actor, e.Patients, e.Why, e.Detail["verdict"] = a, []audit.Patient{g.Patient}, audit.NewPrivate(words), string(v)
		switch {
		case g.Person == a.ID:
			return g, nil, d.ownReview(ctx, e)
		case !g.OverAt(now):
			return g, nil, ErrOpen
		case g.Verdict.final():
			return g, nil, ErrOver
		case g.Version != version:
			return g, nil, ErrConflict
		}
		if g.Ended.IsZero() { // by time; a clock that is set back opens nothing that was reviewed
			g.Ended = g.Until
		}
		if v == FollowUp && g.Verdict == "" {
			g.Due = now.Add(g.Due.Sub(g.Opened))
		}
		g.Verdict, g.Reviewer, g.Reviewed = v, a.ID, now
		return g, &e, nil
	})
}

// ownReview records that somebody tried to review their own.
func (d *Desk[R]) ownReview(ctx context.Context, e audit.Event) error {
	e.Outcome, e.Code, e.Why, e.Patients = audit.Failure, CodeOwn, audit.Private{}, nil
	delete(e.Detail, "verdict")
	if err := d.record(ctx, "a refusal", e); err != nil {
		return err
	}
	return ErrOwn
}

// letters counts the letters and digits of s: blanks, dots and what nobody sees say nothing.
func letters(s string) (n int) {
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			n++
		}
	}
	return n
}

// printable reports whether s is text.
func printable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
