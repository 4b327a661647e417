package emergency

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// history is what a person's earlier openings say about another one.
type history struct {
	number int64  // of the latest
	latest *Grant // nil for none
	open   *Grant // of this patient, open now
	words  *Grant // of this patient, whose words still count
	today  int    // how many within the limit's time
	first  time.Time
}

// deepest is how many openings of a person are looked at: more than MaxPerDay allows in MaxReprompt.
const deepest = 400

// history reads a person's earlier openings, as far back as they count.
func (d *Desk[R]) history(ctx context.Context, a audit.Actor, patient audit.Patient, now time.Time, s Settings) (*history, error) {
	h := &history{}
	distrusted := false
	for g, err := range d.p.Store.Of(ctx, a.Tenant, a.ID, 0) {
		if err != nil {
			return nil, unavailable("reading openings", err)
		}
		if h.latest == nil {
			h.latest, h.number = &g, g.Number
		}
		if h.number-g.Number >= deepest {
			break
		}
		if g.withdrawn() || !g.Opened.After(now.Add(-MaxReprompt)) {
			continue // and go on: numbers are in order, the clocks of servers need not be
		}
		if g.Opened.After(now.Add(-limit)) {
			h.today++
			h.first = g.Opened
		}
		if g.Patient != patient {
			continue
		}
		if h.open == nil && g.OpenAt(now) {
			h.open = &g
		}
		distrusted = distrusted || g.Verdict == NotJustified
		if h.words == nil && g.Again == "" && g.Opened.After(now.Add(-s.Reprompt)) && !g.Opened.After(now) {
			h.words = &g
		}
	}
	if distrusted {
		h.words = nil
	}
	return h, nil
}

// limited records that a person opened too many, and has somebody told once for each opening that came
// before.
func (d *Desk[R]) limited(ctx context.Context, o *opening, h *history, now time.Time) error {
	if err := d.record(ctx, "a refusal", refused(o.actor, o.patient, CodeLimited)); err != nil {
		return err
	}
	if g := *h.latest; g.Limited.IsZero() {
		g.Limited, g.Version = now, g.Version+1
		switch err := d.p.Store.Update(ctx, g); {
		case err == nil:
			d.tellLimited(ctx, g)
		case !errors.Is(err, ErrConflict): // somebody else changed it: with the next try
			d.o.Logger.WarnContext(ctx, "emergency: that somebody opens too many could not be kept for a notice")
		}
	}
	left := h.first.Add(limit).Sub(now)
	return &LimitedError{max(time.Second, left.Truncate(time.Second)+time.Second)}
}

// Form is what a page asks a person before opening a patient.
type Form struct {
	Settings Settings
	Words    bool  // words are needed
	Open     Grant // open already; the zero Grant for none
	Left     int   // how many openings the person has left
}

// Form returns what the person in ctx would be asked for this patient now. Errors: ErrNoActor,
// ErrUnavailable.
func (d *Desk[R]) Form(ctx context.Context, patient audit.Patient) (Form, error) {
	a, err := person(ctx)
	if err != nil {
		return Form{}, err
	}
	s, err := d.settings(ctx, a.Tenant)
	if err != nil {
		return Form{}, err
	}
	h, err := d.history(ctx, a, patient, d.now(), s)
	if err != nil {
		return Form{}, err
	}
	f := Form{Settings: s, Words: h.words == nil, Left: max(0, s.PerDay-h.today)}
	if h.open != nil {
		f.Open = *h.open
	}
	return f, nil
}
