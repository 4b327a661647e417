package evidence

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// Actions of this package's events. Objects[0] is the attestation (type "attestation"), by its ID.
const (
	ActionAttest   audit.Action = "evidence.attest"   // made or renewed
	ActionWithdraw audit.Action = "evidence.withdraw" // it counts no more
)

// Codes of events about what did not happen.
const (
	CodeNotApplied  = "not_applied" // what was recorded before did not happen after all
	CodeUnconfirmed = "unconfirmed" // nor is it known whether it did
)

// HostPrefix begins the IDs of what people attest, so that none stands where something was checked.
const HostPrefix = "host."

// Bounds of what people write, in bytes.
const (
	maxWhat     = 300
	maxDetail   = 2000
	maxBy       = 200
	maxCitation = 100
	maxCited    = 10
)

// confirmWithin is how long it is asked for what became of a write.
const confirmWithin = 10 * time.Second

// AttestationOptions of NewAttestations. Nil means the defaults.
type AttestationOptions struct {
	// Author returns what a packet calls somebody who attests, for example "Dana Reyes, Privacy
	// Officer". It is asked when they do. Default: their ID.
	Author func(ctx context.Context, a audit.Actor) (string, error)
	// Longest is how long an attestation counts at most: whoever attests looks again after that.
	// Default and maximum 366 days.
	Longest time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Attestations keeps what people attest of controls that no program can see, until a date. It is a
// Source, keeps nothing between calls, and is safe for concurrent use.
//
// Each change is recorded before it takes effect. Who attests is the actor in the context; nobody
// attests for somebody else, and no program, agent or job does. Who may is the host's to decide.
type Attestations struct {
	store Store
	rec   audit.Recorder
	o     AttestationOptions
}

// NewAttestations returns Attestations over a store. Store and recorder are required.
func NewAttestations(s Store, rec audit.Recorder, o *AttestationOptions) (*Attestations, error) {
	if s == nil || rec == nil {
		return nil, errors.New("evidence: store and recorder are required")
	}
	a := &Attestations{store: s, rec: rec}
	if o != nil {
		a.o = *o
	}
	const longest = 366 * 24 * time.Hour
	if a.o.Longest < 0 || a.o.Longest > longest {
		return nil, errors.New("evidence: Longest: at most 366 days")
	}
	if a.o.Longest == 0 {
		a.o.Longest = longest
	}
	if a.o.Now == nil {
		a.o.Now = time.Now
	}
	if a.o.Author == nil {
		a.o.Author = func(_ context.Context, who audit.Actor) (string, error) { return string(who.ID), nil }
	}
	return a, nil
}

// Spoken is what somebody says when they attest.
type Spoken struct {
	ID        string // "host." and lower-case words: "host.training"
	What      string // one sentence, at most 300 bytes
	Detail    string // how one knows, at most 2,000 bytes; optional
	Expires   time.Time
	Citations []string // at most 10, of 100 bytes
	// Expect is the version that the person saw, 0 for an attestation that is new or was withdrawn.
	// Another one now: ErrConflict, so that nobody renews words that they have not read.
	Expect int64
}

// Attest makes an attestation, or renews one in the name of whoever does it now. Errors:
// ErrNotAPerson, ErrAttestation, ErrConflict, ErrUnavailable, ErrUnconfirmed.
func (a *Attestations) Attest(ctx context.Context, s Spoken) (Kept, error) {
	who, err := person(ctx)
	if err != nil {
		return Kept{}, err
	}
	now := a.o.Now().UTC().Truncate(time.Microsecond)
	by, err := a.o.Author(ctx, who)
	if err != nil {
		return Kept{}, unavailable("asking for a name", err)
	}
	next := Kept{Tenant: who.Tenant, Person: who.ID, Attestation: Attestation{
		ID: s.ID, What: s.What, Detail: s.Detail, By: by, At: now, Expires: s.Expires.UTC().Truncate(time.Microsecond), Citations: slices.Clone(s.Citations),
	}}
	if next.Validate() != nil || !next.bounded() || next.Expires.Sub(now) > a.o.Longest {
		return Kept{}, ErrAttestation
	}
	was, err := a.store.Get(ctx, who.Tenant, s.ID)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return Kept{}, unavailable("reading an attestation", err)
	}
	if seen := was.Version; s.Expect != seen && (s.Expect != 0 || was.Withdrawn.IsZero()) {
		return Kept{}, ErrConflict
	}
	return a.apply(ctx, who, ActionAttest, was.Version, next)
}

// Withdraw has an attestation count no more, whoever made it. version is the one that the person
// saw. Errors: ErrNotAPerson, ErrNotFound, ErrConflict, ErrUnavailable, ErrUnconfirmed.
func (a *Attestations) Withdraw(ctx context.Context, id string, version int64) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	was, err := a.store.Get(ctx, who.Tenant, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return ErrNotFound
	case err != nil:
		return unavailable("reading an attestation", err)
	case !was.Withdrawn.IsZero():
		return ErrNotFound
	case was.Version != version:
		return ErrConflict
	}
	next := was.clone()
	next.Withdrawn = a.o.Now().UTC().Truncate(time.Microsecond)
	_, err = a.apply(ctx, who, ActionWithdraw, was.Version, next)
	return err
}

// List returns the attestations of a tenant in order of ID, expired ones too, without those that
// were withdrawn.
func (a *Attestations) List(ctx context.Context, t audit.Tenant) ([]Kept, error) {
	var out []Kept
	for k, err := range a.store.List(ctx, t) {
		if err != nil {
			return nil, unavailable("listing attestations", err)
		}
		if k.Withdrawn.IsZero() {
			out = append(out, k)
		}
	}
	return out, nil
}

// Controls states what people attest, for a review packet. It satisfies Source.
func (a *Attestations) Controls(ctx context.Context, t audit.Tenant) ([]Control, error) {
	list, err := a.List(ctx, t)
	if err != nil {
		return nil, err
	}
	now := a.o.Now()
	out := make([]Control, len(list))
	for i := range list {
		out[i] = list[i].control(now)
	}
	return out, nil
}

// person returns whoever is signed in, if it is somebody who can say something for themselves.
func person(ctx context.Context) (audit.Actor, error) {
	who, ok := audit.ActorFrom(ctx)
	if !ok || who.ID == "" || who.Tenant == "" || who.Kind != audit.KindStaff || who.OnBehalfOf != "" {
		return audit.Actor{}, ErrNotAPerson
	}
	return who, nil
}

// bounded reports whether every text fits and is one that a page can show.
func (k *Kept) bounded() bool {
	fits := func(s string, most int) bool {
		return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' })
	}
	return strings.HasPrefix(k.ID, HostPrefix) && fits(k.What, maxWhat) && fits(k.Detail, maxDetail) && fits(k.By, maxBy) && len(k.Citations) <= maxCited &&
		!slices.ContainsFunc(k.Citations, func(c string) bool { return c == "" || strings.Contains(c, "\n") || !fits(c, maxCitation) })
}

// apply records what will be, and then writes it.
func (a *Attestations) apply(ctx context.Context, who audit.Actor, action audit.Action, version int64, next Kept) (Kept, error) {
	next.Version = version + 1
	if err := a.record(ctx, who, action, next, audit.Success, ""); err != nil { // it may be there all the same
		return Kept{}, errors.Join(err, a.record(context.WithoutCancel(ctx), who, action, next, audit.MajorFailure, CodeNotApplied))
	}
	err := a.store.Apply(ctx, next, version)
	if err == nil {
		return next, nil
	}
	return next, a.settle(context.WithoutCancel(ctx), who, action, version, next, err)
}

// settle finds out what became of a write that returned an error, and records it.
func (a *Attestations) settle(ctx context.Context, who audit.Actor, action audit.Action, version int64, next Kept, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	if errors.Is(cause, ErrConflict) {
		return errors.Join(ErrConflict, a.record(ctx, who, action, next, audit.MajorFailure, CodeNotApplied))
	}
	have, err := a.store.Get(ctx, next.Tenant, next.ID)
	switch {
	case err == nil && have.Version == next.Version && have.same(&next):
		return nil // done, but nobody heard of it
	case err == nil && have.Version == version || errors.Is(err, ErrNotFound) && version == 0:
		return errors.Join(unavailable("keeping an attestation", cause), a.record(ctx, who, action, next, audit.MajorFailure, CodeNotApplied))
	}
	return errors.Join(ErrUnconfirmed, a.record(ctx, who, action, next, audit.MajorFailure, CodeUnconfirmed))
}

// same reports whether two rows say the same.
func (k *Kept) same(o *Kept) bool {
	return k.Person == o.Person && k.What == o.What && k.Detail == o.Detail && k.By == o.By && k.At.Equal(o.At) &&
		k.Expires.Equal(o.Expires) && k.Withdrawn.Equal(o.Withdrawn) && slices.Equal(k.Citations, o.Citations)
}

// record makes durable what is about to be, or that it was not. What somebody wrote is private.
func (a *Attestations) record(ctx context.Context, who audit.Actor, action audit.Action, k Kept, o audit.Outcome, code string) error {
	err := a.rec.Record(ctx, audit.Event{
		Tenant: k.Tenant, Actor: who, Action: action, Verb: audit.Update, Outcome: o, Code: code,
		Objects: []audit.Object{{Type: "attestation", ID: k.ID}}, Why: audit.NewPrivate(strings.TrimSpace(k.What + "\n" + k.Detail)),
		Detail: map[string]string{"expires": k.Expires.Format(time.RFC3339)},
	})
	if err != nil {
		return unavailable("recording", err)
	}
	return nil
}
