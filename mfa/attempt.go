package mfa

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// place is what a sealed key is bound to: moved to another person or tenant it does not open.
func place(t audit.Tenant, person audit.ActorID) phi.At {
	return phi.At{Tenant: t, Field: "mfa.totp", Row: string(person)}
}

// spend uses up a code of a confirmed authenticator and says of which enrolment; errWrong, or
// why it cannot be said.
func (f *Factors) spend(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (Ref, error) {
	c, err := f.usable(ctx, t, person)
	if err != nil {
		return Ref{}, err
	}
	now := f.now()
	if c.Confirmed.IsZero() {
		return Ref{}, f.wrongFor(ctx, c, now)
	}
	step, err := f.step(ctx, c, code, now)
	if err != nil {
		return Ref{}, err
	}
	ok, err := f.store.Advance(ctx, c.Ref(), step, now)
	if err != nil {
		return Ref{}, unavailable("using up a code", err)
	}
	if ok {
		return c.Ref(), nil
	}
	return Ref{}, f.used(ctx, c)
}

// used says why a right code was not accepted. It never returns nil.
func (f *Factors) used(ctx context.Context, c Credential) error {
	// Used before, or overtaken since it was read; the row's own step decided, not ours. A
	// replay is no guess, so it does not count towards locking.
	if err := f.overtaken(ctx, c); !errors.Is(err, errWrong) {
		return err
	}
	if err := f.note(ctx, c.Tenant, c.Person, ActionReplayed, audit.Failure, "used_before"); err != nil {
		return err
	}
	return errWrong
}

// step returns the time step that code belongs to. A wrong code is counted: errWrong, or
// ErrLocked where it was one too many.
func (f *Factors) step(ctx context.Context, c Credential, code string, now time.Time) (int64, error) {
	secret, err := f.vault.Unseal(ctx, place(c.Tenant, c.Person), phi.Sealed(c.Secret))
	if err != nil {
		return 0, f.unopened(ctx, c, err)
	}
	defer clear(secret)
	step, err := match(secret, code, now)
	if err != nil {
		return 0, unavailable("checking a code", err)
	}
	if step == 0 {
		return 0, f.wrong(ctx, c, now)
	}
	return step, nil
}

// unopened says that a key could not be opened, and records it unless the key store or the
// KMS was merely out of reach: the row was altered, or moved here from somewhere else.
func (f *Factors) unopened(ctx context.Context, c Credential, err error) error {
	cause := unavailable("opening a key", err)
	if errors.Is(err, phi.ErrUnavailable) {
		return cause
	}
	return errors.Join(cause, f.note(ctx, c.Tenant, c.Person, ActionFailed, audit.MajorFailure, "unreadable"))
}

// wrongFor is wrong for somebody who may have no app to guess at, only factors of other kinds;
// then there is nothing to count or to lock. It never returns nil.
func (f *Factors) wrongFor(ctx context.Context, c Credential, now time.Time) error {
	if !c.Confirmed.IsZero() {
		return f.wrong(ctx, c, now)
	}
	return cmp.Or(f.note(ctx, c.Tenant, c.Person, ActionFailed, audit.Failure, "wrong_code"), errWrong)
}

// wrong counts a wrong code. It never returns nil.
func (f *Factors) wrong(ctx context.Context, c Credential, now time.Time) error {
	n, err := f.store.Fail(ctx, c.Ref(), f.o.MaxFailures, now)
	if err != nil {
		return unavailable("counting a wrong code", err)
	}
	if n == 0 { // locked, ended or enrolled anew since it was read: nothing was tried
		return f.overtaken(ctx, c)
	}
	if err := f.note(ctx, c.Tenant, c.Person, ActionFailed, audit.Failure, "wrong_code"); err != nil {
		return err
	}
	if n >= f.o.MaxFailures {
		return f.locked(ctx, c.Ref())
	}
	return errWrong
}

// locked tells the person and records that the authenticator is disabled now. What disabled
// it was Fail, at once; a crash before this loses the notice, never the lock.
func (f *Factors) locked(ctx context.Context, r Ref) error {
	err := f.change(ctx, r.Tenant, r.Person, func(was Credential, now time.Time) (Change, error) {
		if was.ID != r.ID { // ended meanwhile
			return Change{}, ErrLocked
		}
		messages, err := f.messages(ctx, r, now, ActionLocked, "", audit.MessageAudit, audit.MessageNotice)
		return Change{Put: &was, Messages: messages}, err
	})
	if err != nil {
		return err
	}
	return ErrLocked
}

// usable returns the credential of somebody enrolled, with an app that is not locked or without.
func (f *Factors) usable(ctx context.Context, t audit.Tenant, person audit.ActorID) (Credential, error) {
	c, err := f.read(ctx, t, person)
	switch {
	case err != nil:
		return Credential{}, err
	case !c.enrolled():
		return Credential{}, ErrNotEnrolled
	case !c.Confirmed.IsZero() && !c.Locked.IsZero():
		return Credential{}, cmp.Or(f.note(ctx, t, person, ActionFailed, audit.Failure, "locked"), ErrLocked)
	}
	return c, nil
}

// overtaken says why a write found the row of c no longer as it was read: it was locked or
// ended, or else, errWrong, written by another attempt.
func (f *Factors) overtaken(ctx context.Context, c Credential) error {
	have, err := f.read(ctx, c.Tenant, c.Person)
	switch {
	case err != nil:
		return err
	case have.ID == "":
		return ErrNotEnrolled
	case !have.Locked.IsZero():
		return cmp.Or(f.note(ctx, c.Tenant, c.Person, ActionFailed, audit.Failure, "locked"), ErrLocked)
	}
	return errWrong
}
