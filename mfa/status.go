package mfa

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// State is where a person's authenticator app stands.
type State string

// The states.
const (
	Off     State = "off"     // none
	Pending State = "pending" // a key was shown, no code confirmed it yet
	On      State = "on"      // every sign-in asks for a code
	Locked  State = "locked"  // disabled after too many wrong codes; only a reset helps
)

// Status is what the person themselves and their administrators may see of second factors.
type Status struct {
	Person   audit.ActorID
	State    State     // of the authenticator app
	Since    time.Time // when it was confirmed; zero unless On or Locked
	LastUsed time.Time // when a code of it was last accepted; zero if never
	Failures int       // consecutive wrong codes
	Codes    int       // recovery codes left; List does not say
	Passkeys int       // how many there are, disabled ones among them; ListPasskeys tells more

	Text TextStatus // of codes by text message; List knows State, On or Off, and Since
}

// Status returns where the person's second factors stand; Off if there is no app.
func (f *Factors) Status(ctx context.Context, t audit.Tenant, person audit.ActorID) (Status, error) {
	c, err := f.read(ctx, t, person)
	if err != nil {
		return Status{}, err
	}
	set, err := f.openSet(ctx, c)
	if err != nil {
		return Status{}, err
	}
	c.Person = person
	s := f.statusOf(c)
	s.Codes = len(set.hashes)
	if s.Text, err = f.TextStatus(ctx, t, person); err != nil {
		return Status{}, err
	}
	return s, nil
}

// List yields the status of everybody in the tenant who has a second factor, or an app that is
// Pending, ordered by person, for a team page. An error ends it.
func (f *Factors) List(ctx context.Context, t audit.Tenant) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		for c, err := range f.store.List(ctx, t, "") {
			if err != nil {
				yield(Status{}, unavailable("listing factors", err))
				return
			}
			if s := f.statusOf(c); (s.State != Off || c.enrolled()) && !yield(s, nil) {
				return
			}
		}
	}
}

func (f *Factors) statusOf(c Credential) Status {
	s := Status{Person: c.Person, State: Off, Since: c.Confirmed, LastUsed: c.Used, Failures: c.Failures, Passkeys: c.Passkeys, Text: textedSince(c.Texted)}
	switch {
	case !c.Confirmed.IsZero() && !c.Locked.IsZero():
		s.State = Locked
	case !c.Confirmed.IsZero():
		s.State = On
	case confirmable(c, f.now()) == nil:
		s.State = Pending
	}
	return s
}
