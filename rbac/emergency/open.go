package emergency

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Request is what a person says when opening a patient.
type Request struct {
	Reason string        // a code of Settings.Reasons; may be empty where words are not needed
	Words  string        // what happened, kept in the event alone; see Form.Words
	For    time.Duration // how long, a minute at least; 0: Settings.Longest, which is also the most
}

// limit is over which time Settings.PerDay counts.
const limit = 24 * time.Hour

// tries is how often an opening is tried again because another one of the same person was quicker.
const tries = 8

// Open opens the patient of g to the person in ctx. g is the proof that the guard of Parts.Action let
// this person through, with a fresh step-up. The person has to be a member of staff with a second
// factor who acts for nobody, who may not do Parts.Reads anyhow and could do one of them then.
//
// The opening is recorded first, durably, and then written; whoever is to be told is told before Open
// returns, or, if that fails, by Run. In between the policy's relation is asked whether it knows the
// grant, and one that it does not know is ended at once. With an error nothing is open: without a record there is no
// emergency access. Within Settings.Reprompt after an opening with words, the same patient needs no
// new ones, unless a review found one of the last seven days not justified; everything else is as the first time.
//
// Errors: ErrNoActor, ErrAssurance, ErrProof, ErrNotNeeded, ErrClosed, ErrInput, ErrOpen (with the open
// grant), ErrLimited (a LimitedError), ErrUnavailable, ErrRelation (one that stays).
func (d *Desk[R]) Open(ctx context.Context, g rbac.Granted[R], r Request) (Grant, error) {
	o, err := d.opening(ctx, g)
	if err != nil {
		return Grant{}, err
	}
	if err := d.needed(ctx, g, o); err != nil {
		return Grant{}, err
	}
	if o.settings, err = d.settings(ctx, o.actor.Tenant); err != nil {
		return Grant{}, err
	}
	o.request = r
	for i := range tries {
		grant, err := d.try(ctx, o)
		if !errors.Is(err, ErrConflict) {
			return grant, d.concluded(ctx, o, err)
		}
		if i < tries-1 {
			wait(ctx, time.Duration(1+rand.IntN(5<<i))*time.Millisecond)
		}
	}
	return Grant{}, d.concluded(ctx, o, unavailable("opening", ErrConflict))
}

// opening is an opening on its way.
type opening struct {
	actor    audit.Actor
	patient  audit.Patient
	request  Request
	settings Settings
	recorded *audit.Event // once it is on record
}

// opening says who wants to open whom, if g is a proof of that.
func (d *Desk[R]) opening(ctx context.Context, g rbac.Granted[R]) (*opening, error) {
	a, err := proven(ctx)
	if err != nil {
		return nil, err
	}
	attrs := g.Resource().RBAC()
	if who, at := g.Decided(); who != a.ID || d.now().Sub(at) > MaxStepUp {
		return nil, ErrProof // a colleague's, or one that was kept
	}
	if !g.Allows(d.p.Action) || g.Decision().Emergency != "" || attrs.Tenant != a.Tenant || attrs.Patient == "" {
		return nil, ErrProof
	}
	dec, err := rbac.Check(ctx, d.p.Authorizer, d.p.Action, g.Resource())
	switch {
	case err != nil:
		return nil, unavailable("deciding", err)
	case !dec.Allowed: // any more
		return nil, ErrProof
	}
	return &opening{actor: a, patient: attrs.Patient}, nil
}

// needed reports whether an emergency would let the person read more. Who tried what the policy closes
// is on record.
func (d *Desk[R]) needed(ctx context.Context, g rbac.Granted[R], o *opening) error {
	anyhow := true
	for _, a := range d.p.Reads {
		without, with, err := rbac.SupposeEmergency(ctx, d.p.Authorizer, a, g.Resource())
		switch {
		case err != nil:
			return unavailable("deciding", err)
		case with.Allowed && !without.Allowed:
			return nil
		}
		anyhow = anyhow && without.Allowed
	}
	if anyhow {
		return ErrNotNeeded
	}
	if err := d.record(ctx, "a refusal", refused(o.actor, o.patient, CodeClosed)); err != nil {
		return err
	}
	return ErrClosed
}

// try opens once. ErrConflict: another opening of the person was quicker, and the rules are to be asked
// again.
func (d *Desk[R]) try(ctx context.Context, o *opening) (Grant, error) {
	now := d.now()
	h, err := d.history(ctx, o.actor, o.patient, now, o.settings)
	switch {
	case err != nil:
		return Grant{}, err
	case h.open != nil:
		return *h.open, ErrOpen
	case h.today >= o.settings.PerDay:
		return Grant{}, d.limited(ctx, o, h, now)
	}
	g, err := o.grant(h, now)
	if err != nil {
		return Grant{}, err
	}
	if o.recorded == nil {
		e := g.opening(o.actor, o.request.Words)
		if err := d.record(ctx, "an opening", e); err != nil {
			return Grant{}, err
		}
		o.recorded = &e
	}
	g.ID = o.recorded.ID
	if err := d.create(ctx, g); err != nil {
		return Grant{}, err
	}
	g.Version = 1
	if g, err = d.inForce(ctx, g); err != nil {
		return Grant{}, err
	}
	return d.tellOpened(ctx, g), nil
}

// create writes the grant. A store that failed is asked whether it wrote: what is open is answered as
// open.
func (d *Desk[R]) create(ctx context.Context, g Grant) error {
	do, done := context.WithTimeout(context.WithoutCancel(ctx), createWithin)
	defer done()
	err := d.p.Store.Create(do, g)
	if err == nil || errors.Is(err, ErrConflict) {
		return err
	}
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	if _, gerr := d.p.Store.Get(ask, g.Tenant, g.ID); gerr == nil {
		return nil
	}
	// Not found proves little: what was cut off may be written a moment later.
	return &unconfirmedError{unavailable("opening", err)}
}

// createWithin is how long a grant is tried to be written, whatever becomes of the request.
const createWithin = 10 * time.Second

// confirmWithin is how long a store that failed is asked what became of it.
const confirmWithin = 2 * time.Second

// unconfirmedError: nobody knows whether it was written.
type unconfirmedError struct{ error }

func (e *unconfirmedError) Unwrap() error { return e.error }

// concluded makes what happened and what is on record agree.
func (d *Desk[R]) concluded(ctx context.Context, o *opening, err error) error {
	if err == nil || o.recorded == nil {
		return err
	}
	code := codeNotApplied
	var unknown *unconfirmedError
	if errors.As(err, &unknown) {
		code = codeUnconfirmed
	}
	return errors.Join(err, d.record(context.WithoutCancel(ctx), "what was not opened", unmade(*o.recorded, code)))
}

// grant is what is about to be written.
func (o *opening) grant(h *history, now time.Time) (Grant, error) {
	r, s := &o.request, &o.settings
	g := Grant{
		ID: audit.NewID(now), Tenant: o.actor.Tenant, Person: o.actor.ID, Number: h.number + 1, Patient: o.patient,
		Reason: r.Reason, Opened: now, Due: now.Add(s.Review),
	}
	words := strings.TrimSpace(r.Words)
	switch last := h.words; {
	case words != "" || last == nil:
		if letters(words) < s.MinWords || len(r.Words) > MaxWords || !printable(r.Words) {
			return g, &InputError{"words"}
		}
	default:
		g.Again = last.ID
		if g.Reason == "" {
			g.Reason = last.Reason
		}
	}
	if !slices.Contains(s.Reasons, g.Reason) {
		return g, &InputError{"reason"}
	}
	length := r.For
	if length == 0 {
		length = s.Longest
	}
	if length < time.Minute || length > s.Longest {
		return g, &InputError{"for"}
	}
	g.Until = now.Add(length).Truncate(time.Microsecond)
	return g, nil
}

// wait waits, at most until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
