package mfa

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// BeginText sends a code to a number that the person wants to get codes on; it is theirs once
// ConfirmText was told the code. A number that they have already goes on until then. Only the
// person themselves does it, signed in and with a proof of who they are that is at most 15
// minutes old (authn.Prove), of two factors where they have one: there is no way to it from a
// sign-in page. Again is when the next code can be sent.
//
// ErrNumber and ErrRegion for the number, ErrNotYours and ErrUnproven for who asks, ErrTextLocked
// for somebody whose number is disabled, ErrTextRisk, ErrTextNotSent; a *TextLimitError while a
// code is live, also one for signing in, and where a budget is used up; ErrNoTexts and ErrUnwired
// where something is not set up. In each case nothing was sent, or what was sent is dead.
func (f *Factors) BeginText(ctx context.Context, t audit.Tenant, person audit.ActorID, number string) (again time.Time, err error) {
	if err := f.mayChangeText(ctx, t, person); err != nil {
		return time.Time{}, err
	}
	phone, err := ParsePhone(number)
	if err != nil {
		return time.Time{}, err
	}
	was, err := f.read(ctx, t, person)
	if err == nil {
		err = f.admit(ctx, was, f.now())
	}
	if err != nil {
		return time.Time{}, err
	}
	return f.sendText(ctx, t, person, &phone)
}

// ConfirmText ends what BeginText began: codes go to this number from now on, and to no other. A
// wrong code, and one that ended, is false; codes are tried and counted as by VerifyText. The
// person is told. Where it took the place of another number, their sessions end.
//
// Errors as of BeginText, ErrTextLocked after too many wrong codes, and ErrPending if it is done
// but ending the sessions is not.
func (f *Factors) ConfirmText(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (ok bool, err error) {
	if err := f.mayChangeText(ctx, t, person); err != nil {
		return false, err
	}
	n, err := f.tryText(ctx, t, person, code, true)
	if errors.Is(err, errWrong) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	phone, err := f.openPhone(ctx, n, nextNumberPlace(n), n.Next)
	if err != nil {
		return false, err
	}
	if !n.Confirmed.IsZero() {
		if err := f.revokeFirst(ctx, t, person, ActionTextReplaced); err != nil {
			return false, err
		}
	}
	err = f.change(ctx, t, person, func(was Credential, now time.Time) (Change, error) {
		return f.bindText(ctx, was, n, phone, now)
	})
	if errors.Is(err, errWrong) {
		return false, nil
	}
	if err == nil || errors.Is(err, ErrPending) {
		f.cameBack(ctx, n, phone)
		return true, err
	}
	return false, err
}

// bindText makes the number the person's, if the code of tried is still the one there is.
func (f *Factors) bindText(ctx context.Context, was Credential, tried Number, phone Phone, now time.Time) (Change, error) {
	t, person := tried.Tenant, tried.Person
	if err := f.admit(ctx, was, now); err != nil {
		return Change{}, err
	}
	have, err := f.readNumber(ctx, t, person)
	if err != nil {
		return Change{}, err
	}
	if have.ID != tried.ID || have.CodeID != tried.CodeID || !have.Locked.IsZero() {
		return Change{}, errWrong // used, ended or locked since
	}
	n := Number{Tenant: t, Person: person, ID: audit.NewID(now), Created: have.Created, Confirmed: now, Used: now}
	if n.Phone, err = f.sealPhone(ctx, numberPlace(n), phone); err != nil {
		return Change{}, err
	}
	action, kinds := ActionTextAdded, []audit.MessageKind{audit.MessageAudit, audit.MessageNotice}
	if !have.Confirmed.IsZero() {
		action, kinds = ActionTextReplaced, append([]audit.MessageKind{audit.MessageRevoke}, kinds...)
	}
	head := was
	if head.ID == "" {
		head = Credential{Tenant: t, Person: person, ID: audit.NewID(now)}
	}
	head.Texted = now
	messages, err := f.messages(ctx, Ref{t, person, head.ID}, now, action, "", kinds...)
	change := NumberChange{Was: Ref{t, person, have.ID}, Version: have.Version, Put: &n}
	return Change{Put: &head, Number: &change, Messages: messages}, err
}

// RemoveText ends codes by text message, also where they are disabled. Only the person themselves
// does it, with a fresh proof of who they are. Their sessions end and they are told. ErrRequired
// where it is their last factor and they must have one, ErrNotEnrolled if they have no number,
// ErrNotYours, ErrUnproven, ErrUnwired as elsewhere; ErrPending if it is done but ending the
// sessions is not.
func (f *Factors) RemoveText(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	if !f.wired() {
		return ErrUnwired
	}
	if !themselves(ctx, t, person) {
		return ErrNotYours
	}
	decide := func(was Credential, now time.Time) (Change, error) { return f.unbindText(ctx, was, now) }
	was, err := f.read(ctx, t, person)
	if err != nil {
		return err
	}
	if _, err := decide(was, f.now()); err != nil { // before any session ends
		return err
	}
	if err := f.revokeFirst(ctx, t, person, ActionTextRemoved); err != nil {
		return err
	}
	return f.change(ctx, t, person, decide)
}

// unbindText takes the number away. What is left of the person's factors, f.left decides.
func (f *Factors) unbindText(ctx context.Context, was Credential, now time.Time) (Change, error) {
	if was.Texted.IsZero() {
		return Change{}, ErrNotEnrolled
	}
	if err := f.admit(ctx, was, now); err != nil {
		return Change{}, err
	}
	have, err := f.readNumber(ctx, was.Tenant, was.Person)
	if err != nil {
		return Change{}, err
	}
	keys, err := f.keys(ctx, was)
	if err != nil {
		return Change{}, err
	}
	head := was
	head.Texted = time.Time{}
	left, err := f.left(ctx, head, keys)
	if err != nil {
		return Change{}, err
	}
	c := Change{Put: left}
	if have.ID != "" {
		c.Number = &NumberChange{Was: have.Ref(), Version: have.Version}
	}
	c.Messages, err = f.messages(ctx, was.Ref(), now, ActionTextRemoved, "", audit.MessageRevoke, audit.MessageAudit, audit.MessageNotice)
	return c, err
}

// mayChangeText says why numbers cannot be added by whoever asks.
func (f *Factors) mayChangeText(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	switch {
	case f.o.Texts == nil:
		return ErrNoTexts
	case !f.wired():
		return ErrUnwired
	case !themselves(ctx, t, person):
		return ErrNotYours
	}
	if a, _ := audit.ActorFrom(ctx); f.now().Sub(a.AuthTime) > freshFor {
		return ErrUnproven
	}
	return nil
}

// readNumber returns the person's row, a zero one if there is none. A number that the Credential
// does not know is none: a release that did not know numbers ended it, and left the row behind.
func (f *Factors) readNumber(ctx context.Context, t audit.Tenant, person audit.ActorID) (Number, error) {
	n, err := f.store.Number(ctx, t, person)
	if errors.Is(err, ErrNotFound) {
		return Number{Tenant: t, Person: person}, nil
	}
	if err != nil {
		return Number{}, unavailable("reading a number", err)
	}
	if n.Confirmed.IsZero() {
		return n, nil
	}
	head, err := f.read(ctx, t, person)
	if err != nil {
		return Number{}, err
	}
	if !head.Texted.Equal(n.Confirmed) {
		return Number{Tenant: t, Person: person, ID: n.ID, Version: n.Version, Created: n.Created}, nil
	}
	return n, nil
}

// changeNumber reads the person's row (an empty ID: there is none), asks what shall become of it,
// writes that and delivers what follows. It is for what does not change whether they are
// enrolled; that goes with the Credential.
func (f *Factors) changeNumber(ctx context.Context, t audit.Tenant, person audit.ActorID, decide func(was Number, now time.Time) (NumberChange, error)) error {
	for range conflicts {
		was, err := f.readNumber(ctx, t, person)
		if err != nil {
			return err
		}
		now := f.now()
		c, err := decide(was, now)
		if err != nil {
			return err
		}
		c.Was, c.Version, c.Due = Ref{t, person, was.ID}, was.Version, now.Add(f.o.Retry)
		err = f.store.ApplyNumber(ctx, c)
		if err == nil {
			return f.deliverNow(ctx, c.Messages)
		}
		if !errors.Is(err, ErrConflict) {
			return unavailable("changing a number", err)
		}
	}
	return unavailable("changing a number", ErrConflict)
}
