package mfa

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// conflicts is how often a change is tried again when another write overtakes it.
const conflicts = 16

// Reset ends every second factor of somebody else, who lost their phone: an administrator's
// task. App, passkeys, verified number and recovery codes end together. The person's sessions
// end, they are told, and enrol anew: at once where a second factor is required, at their
// convenience otherwise. Why is the reason the administrator typed; it is kept with the event,
// sealed.
//
// The host has let the actor in the context confirm who they are and checked that they may
// do this (rbac). Reset refuses with ErrNotYours what no rule can allow: nobody signed in, or
// a person resetting their own factor. ErrNotEnrolled if there is nothing to reset, ErrPending
// if it is done but ending the sessions is not, an *audit.InvalidError if why is longer than
// audit.MaxPrivate bytes or no text. Sessions end before and after the change, so that none
// started meanwhile survives it.
func (f *Factors) Reset(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	if !f.wired() {
		return ErrUnwired
	}
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.ID == "" || a.Tenant == t && a.ID == person {
		return ErrNotYours
	}
	e := event(ctx, t, person, f.now(), ActionReset)
	e.Why = audit.NewPrivate(why)
	if err := e.Validate(); err != nil { // before anything happens: it could never be recorded
		return fmt.Errorf("mfa: resetting a factor: %w", err)
	}
	return f.end(ctx, t, person, ActionReset, why, f.reset)
}

// With returns Factors whose changes are written through store, usually a store over the
// host's own transaction (mfasql's WithTx), so that Reset becomes a part of it. They end no
// session and deliver nothing, because that must not happen inside a transaction: the host
// ends the person's sessions before it begins the transaction and calls Deliver after the
// commit; Run does what it forgets. They are meant for Reset and nothing else.
func (f *Factors) With(store Store) *Factors {
	return &Factors{store: store, vault: f.vault, rec: f.rec, issuer: f.issuer, o: f.o, joined: true}
}

// Disable ends the person's own authenticator app. Code is one of it or a recovery code, which
// proves that it is really them; it is used up. A wrong code is false. What they have beside the
// app stays, recovery codes too; where nothing of that can be used, it all ends, and is refused
// with ErrRequired where the person must have a second factor. ErrNotEnrolled without an app,
// ErrNotYours if somebody else asks, ErrPending if it is done but ending the sessions is not,
// further errors like Verify. The person's sessions end and they are told.
//
// Somebody who has just proven a passkey in their session may leave out the code.
func (f *Factors) Disable(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (ok bool, err error) {
	if !f.wired() {
		return false, ErrUnwired
	}
	if !themselves(ctx, t, person) {
		return false, ErrNotYours
	}
	was, err := f.read(ctx, t, person)
	if err == nil {
		_, err = f.disabled(ctx, was, f.now()) // before the code is used up
	}
	if err != nil {
		return false, err
	}
	_, err = f.prove(ctx, t, person, code)
	if errors.Is(err, errWrong) {
		return false, nil
	}
	if err == nil {
		err = f.end(ctx, t, person, ActionDisabled, "", f.disabled)
	}
	return err == nil || errors.Is(err, ErrPending), err
}

// disabled returns what is left of a person's factors without the app, nil for nothing.
func (f *Factors) disabled(ctx context.Context, was Credential, now time.Time) (*Credential, error) {
	if was.Confirmed.IsZero() {
		return nil, ErrNotEnrolled
	}
	keys, err := f.keys(ctx, was)
	if err != nil {
		return nil, err
	}
	return f.left(ctx, was.withoutApp(now), keys)
}

// reset leaves nothing.
func (f *Factors) reset(_ context.Context, was Credential, _ time.Time) (*Credential, error) {
	if was.ID == "" {
		return nil, ErrNotEnrolled
	}
	return nil, nil
}

func (f *Factors) wired() bool { return f.o.Sessions != nil && f.o.Notices != nil }

// end carries out revoke, apply, deliver for a change after which what remains returns is left.
func (f *Factors) end(ctx context.Context, t audit.Tenant, person audit.ActorID, a audit.Action, why string, remains func(context.Context, Credential, time.Time) (*Credential, error)) error {
	if err := f.revokeFirst(ctx, t, person, a); err != nil {
		return err
	}
	return f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		put, err := remains(ctx, was, now)
		if err != nil {
			return Change{}, err
		}
		messages, err := f.messages(ctx, was.Ref(), now, a, why, audit.MessageRevoke, audit.MessageAudit, audit.MessageNotice)
		return Change{Put: put, Messages: messages}, err
	})
}

// revokeFirst ends the person's sessions before a change; the change's own message ends those
// that began meanwhile.
func (f *Factors) revokeFirst(ctx context.Context, t audit.Tenant, person audit.ActorID, a audit.Action) error {
	if f.joined {
		return nil
	}
	if err := f.o.Sessions.EndAll(ctx, t, person, string(a)); err != nil {
		return unavailable("ending sessions", err)
	}
	return nil
}

// change reads the person's row (an empty ID: there is none), asks what shall become of it,
// writes that and delivers what follows.
func (f *Factors) change(ctx context.Context, t audit.Tenant, person audit.ActorID, decide func(was Credential, now time.Time) (Change, error)) error {
	for range conflicts {
		was, err := f.read(ctx, t, person)
		if err != nil {
			return err
		}
		now := f.now()
		c, err := decide(was, now)
		if err != nil {
			return err
		}
		c.Was, c.Version, c.Due = Ref{t, person, was.ID}, was.Version, now.Add(f.o.Retry)
		if f.joined {
			c.Due = now
		}
		err = f.store.Apply(ctx, c)
		if err == nil {
			return f.deliverNow(ctx, c.Messages)
		}
		if !errors.Is(err, ErrConflict) {
			return unavailable("changing a factor", err)
		}
	}
	return unavailable("changing a factor", ErrConflict)
}

// read returns the person's credential, a zero one if there is none.
func (f *Factors) read(ctx context.Context, t audit.Tenant, person audit.ActorID) (Credential, error) {
	c, err := f.store.Get(ctx, t, person)
	if errors.Is(err, ErrNotFound) {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, unavailable("reading a factor", err)
	}
	return c, nil
}
