package mfa

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// nextPlace is what the sealed key of a new phone is bound to until it is confirmed: moved to
// the place of the confirmed one it does not open.
func nextPlace(t audit.Tenant, person audit.ActorID) phi.At {
	return phi.At{Tenant: t, Field: "mfa.totp.next", Row: string(person)}
}

// Replace begins the move to another authenticator app: a new phone, or a lost one. It makes a
// new key and returns it like Begin, while the old one goes on until ConfirmReplacement: there
// is no moment without a second factor, so it is for everybody, also where one is required.
//
// Only the person themselves replaces their authenticator, and proof is a code of the old app
// or a recovery code; it is used up. A wrong proof is false. Somebody who has just proven a
// passkey in their session may leave it out. ErrUnwired, ErrNotYours,
// ErrNotEnrolled and ErrName as elsewhere; ErrLocked for a code of an app that is disabled, not
// for a recovery code.
func (f *Factors) Replace(ctx context.Context, t audit.Tenant, person audit.ActorID, proof, account string) (uri, manual string, ok bool, err error) {
	if !f.wired() {
		return "", "", false, ErrUnwired
	}
	if !themselves(ctx, t, person) {
		return "", "", false, ErrNotYours
	}
	key, err := newKey(f.issuer, account)
	if err != nil {
		return "", "", false, err
	}
	defer clear(key.secret)
	of, err := f.prove(ctx, t, person, proof)
	if errors.Is(err, errWrong) {
		return "", "", false, nil
	}
	if err != nil {
		return "", "", false, err
	}
	sealed, err := f.vault.Seal(ctx, nextPlace(t, person), key.secret)
	if err != nil {
		return "", "", false, unavailable("sealing a key", err)
	}
	err = f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		if was.ID != of.ID || was.Confirmed.IsZero() { // ended since the proof
			return Change{}, ErrNotEnrolled
		}
		put := was
		put.Next, put.NextMade = sealed, now
		return Change{Put: &put}, nil
	})
	if err == nil {
		err = f.note(ctx, t, person, ActionBegun, audit.Success, "")
	}
	if err != nil {
		return "", "", false, err
	}
	return key.URI(), key.Manual(), true, nil
}

// ConfirmReplacement ends the move with the new app's first code, which is used up by it. The
// old app's codes stop working, a lock ends with the authenticator it was on, recovery codes
// stay. The person's sessions end and they are told. A wrong code is false and counts like any
// other. ErrNotEnrolled if no replacement waits, also one hour after Replace; ErrPending if it
// is done but ending the sessions is not.
func (f *Factors) ConfirmReplacement(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (ok bool, err error) {
	switch {
	case !f.wired():
		return false, ErrUnwired
	case !themselves(ctx, t, person):
		return false, ErrNotYours
	}
	c, step, err := f.newStep(ctx, t, person, code)
	if errors.Is(err, errWrong) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = f.revokeFirst(ctx, t, person, ActionReplaced)
	if err == nil {
		err = f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
			return f.swap(ctx, was, c, step, now)
		})
	}
	return err == nil || errors.Is(err, ErrPending), err
}

// newStep finds the step of the new key that code belongs to. It counts a wrong one.
func (f *Factors) newStep(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (Credential, int64, error) {
	c, err := f.read(ctx, t, person)
	if err != nil {
		return Credential{}, 0, err
	}
	now := f.now()
	if !replaceable(c, now) {
		return Credential{}, 0, ErrNotEnrolled
	}
	secret, err := f.vault.Unseal(ctx, nextPlace(t, person), phi.Sealed(c.Next))
	if err != nil {
		return Credential{}, 0, f.unopened(ctx, c, err)
	}
	defer clear(secret)
	step, err := match(secret, code, now)
	switch {
	case err != nil:
		return Credential{}, 0, unavailable("checking a code", err)
	case step == 0:
		return Credential{}, 0, f.wrong(ctx, c, now)
	}
	c.Secret, err = f.vault.Seal(ctx, place(t, person), secret)
	if err != nil {
		return Credential{}, 0, unavailable("sealing a key", err)
	}
	return c, step, nil
}

func replaceable(c Credential, now time.Time) bool {
	return !c.Confirmed.IsZero() && len(c.Next) > 0 && now.Sub(c.NextMade) <= pendingFor
}

// swap puts the new key, which c has as its Secret, in the place of the old one. It is an
// enrolment of its own, so whatever was under way with the old one finds it gone.
func (f *Factors) swap(ctx context.Context, was, c Credential, step int64, now time.Time) (Change, error) {
	if was.ID != c.ID || !was.NextMade.Equal(c.NextMade) || !replaceable(was, now) {
		return Change{}, ErrNotEnrolled // ended, replaced or begun anew meanwhile
	}
	put := was.withoutApp(now)
	put.Secret, put.Created, put.Confirmed, put.Used, put.Step = c.Secret, was.NextMade, now, now, step
	messages, err := f.messages(ctx, put.Ref(), now, ActionReplaced, "", audit.MessageRevoke, audit.MessageAudit, audit.MessageNotice)
	return Change{Put: &put, Messages: messages}, err
}
