package mfa

import (
	"bytes"
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// freshFor is how long a session's proof of a second factor allows changing the factors.
const freshFor = 15 * time.Minute

// enrolled reports whether the person has a second factor of any kind.
func (c Credential) enrolled() bool {
	return !c.Confirmed.IsZero() || c.Passkeys > 0 || !c.Texted.IsZero()
}

// withoutApp returns c without the authenticator app, as an enrolment of its own, so that what is
// under way with the app finds it gone. What else the person has stays.
func (c Credential) withoutApp(now time.Time) Credential {
	return Credential{
		Tenant: c.Tenant, Person: c.Person, ID: audit.NewID(now), Version: c.Version,
		Recovery: c.Recovery, Passkeys: c.Passkeys, Handle: c.Handle, Texted: c.Texted,
	}
}

// admit says whether a factor can be added to what was there. The first one can be by whoever
// enrols, before there is a session; a further one only by the person, who has just proven what
// they have: or whoever knows a password could bring a phone of their own.
func (f *Factors) admit(ctx context.Context, was Credential, now time.Time) error {
	if !was.enrolled() {
		return nil
	}
	if !themselves(ctx, was.Tenant, was.Person) {
		return ErrEnrolled
	}
	return proven(ctx, now)
}

// proven says whether the actor proved a second factor a short while ago.
func proven(ctx context.Context, now time.Time) error {
	a, _ := audit.ActorFrom(ctx)
	if a.Assurance < audit.AAL2 || now.Sub(a.AuthTime) > freshFor {
		return ErrUnproven
	}
	return nil
}

// bySession returns the person's enrolment if their session itself proves what a code of the app
// would: it was proven anew just now, with a passkey they have, or they have no app. Otherwise an
// empty Ref.
func (f *Factors) bySession(ctx context.Context, t audit.Tenant, person audit.ActorID) (Ref, error) {
	c, err := f.read(ctx, t, person)
	if err != nil {
		return Ref{}, err
	}
	a, _ := audit.ActorFrom(ctx)
	byPasskey := a.PhishingResistant && c.Passkeys > 0
	if !c.enrolled() || !themselves(ctx, t, person) || !byPasskey && !c.Confirmed.IsZero() {
		return Ref{}, nil
	}
	return c.Ref(), proven(ctx, f.now())
}

// keys returns the rows of the passkeys that belong to c. Others with the person's name are left
// from before a reset by a release that did not know them, and are dead.
func (f *Factors) keys(ctx context.Context, c Credential) ([]PasskeyRow, error) {
	if c.Passkeys == 0 {
		return nil, nil
	}
	rows, err := f.store.Passkeys(ctx, c.Tenant, c.Person)
	if err != nil {
		return nil, unavailable("reading passkeys", err)
	}
	var own []PasskeyRow
	for _, row := range rows {
		if row.of(c) {
			own = append(own, row)
		}
	}
	return own, nil
}

// of reports whether the passkey is one of those that c counts.
func (p PasskeyRow) of(c Credential) bool {
	return p.Tenant == c.Tenant && p.Person == c.Person && len(p.Handle) > 0 && bytes.Equal(p.Handle, c.Handle)
}

// left returns what to keep after a removal: put, if a factor in it can be used. Otherwise the
// person must be allowed to have none, and nothing is kept, nor what is locked or disabled: it
// would keep its owner out for good. ErrRequired where they are not.
func (f *Factors) left(ctx context.Context, put Credential, keys []PasskeyRow) (*Credential, error) {
	if !put.Confirmed.IsZero() && put.Locked.IsZero() || !put.Texted.IsZero() && f.o.Texts != nil {
		return &put, nil
	}
	for _, key := range keys {
		if key.Disabled.IsZero() && f.o.WebAuthn != nil {
			return &put, nil
		}
	}
	return nil, f.optional(ctx, put.Tenant, put.Person)
}

// optional says whether the person can do without a second factor.
func (f *Factors) optional(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	if f.o.Required == nil {
		return ErrRequired
	}
	required, err := f.o.Required(ctx, t, person)
	if err != nil {
		return unavailable("asking whether a factor is required", err)
	}
	if required {
		return ErrRequired
	}
	return nil
}
