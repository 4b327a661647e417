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

// Reset ends the second factor of somebody else, who lost their phone: an administrator's
// task. The person's sessions end, they are told, and enrol anew: at once where a second
// factor is required, at their convenience otherwise. Why is the reason the administrator
// typed; it is kept with the event, sealed.
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
	return f.end(ctx, t, person, ActionReset, why)
}

// With returns Factors whose changes are written through store, usually a store over the
// host's own transaction (mfasql's WithTx), so that Reset becomes a part of it. They end no
// session and deliver nothing, because that must not happen inside a transaction: the host
// ends the person's sessions before it begins the transaction and calls Deliver after the
// commit; Run does what it forgets. They are meant for Reset and nothing else.
func (f *Factors) With(store Store) *Factors {
	return &Factors{store: store, vault: f.vault, rec: f.rec, issuer: f.issuer, o: f.o, joined: true}
}

// Disable ends the person's own second factor and their recovery codes. Code is one of either,
// which proves that it is really them; it is used up. A wrong code is false. ErrRequired where the person must
// have a second factor, ErrNotYours if somebody else asks, ErrPending if it is done but ending
// the sessions is not, further errors like Verify. The person's sessions end and they are told.
func (f *Factors) Disable(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (ok bool, err error) {
	if !f.wired() {
		return false, ErrUnwired
	}
	if !themselves(ctx, t, person) {
		return false, ErrNotYours
	}
	if err := f.optional(ctx, t, person); err != nil {
		return false, err
	}
	_, err = f.prove(ctx, t, person, code)
	if errors.Is(err, errWrong) {
		return false, nil
	}
	if err == nil {
		err = f.end(ctx, t, person, ActionDisabled, "")
	}
	return err == nil || errors.Is(err, ErrPending), err
}

func (f *Factors) wired() bool { return f.o.Sessions != nil && f.o.Notices != nil }

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

// end carries out revoke, apply, deliver.
func (f *Factors) end(ctx context.Context, t audit.Tenant, person audit.ActorID, a audit.Action, why string) error {
	if err := f.revokeFirst(ctx, t, person, a); err != nil {
		return err
	}
	return f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		if was.ID == "" {
			return Change{}, ErrNotEnrolled
		}
		messages, err := f.messages(ctx, was.Ref(), now, a, why, audit.MessageRevoke, audit.MessageAudit, audit.MessageNotice)
		return Change{Messages: messages}, err
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
