package mfa

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// VerifyText checks a code that SendText sent, and burns it. It returns ["sms"], or nil for a
// wrong code and for one that ended. A code takes TextOptions.Tries tries, each counted before it
// is compared, so that any number at once get no more; a right answer counts once. Wrong ones of
// all codes add up: after Options.MaxFailures in a row the number is disabled (NIST SP 800-63B-4,
// section 3.2.2). ErrNotEnrolled without a verified number, ErrTextLocked once it is disabled,
// ErrNoTexts.
func (f *Factors) VerifyText(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (methods []string, err error) {
	if f.o.Texts == nil {
		return nil, ErrNoTexts
	}
	n, err := f.tryText(ctx, t, person, code, false)
	if err == nil {
		err = f.burnText(ctx, n)
	}
	switch {
	case errors.Is(err, errWrong):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := f.note(ctx, t, person, ActionTextVerified, audit.Success, ""); err != nil {
		return nil, err
	}
	return []string{MethodText}, nil
}

// tryText makes one try at the live code of this purpose and returns its row. A wrong one is
// errWrong, or ErrTextLocked where it was one too many.
func (f *Factors) tryText(ctx context.Context, t audit.Tenant, person audit.ActorID, typed string, enrols bool) (Number, error) {
	n, err := f.readNumber(ctx, t, person)
	if err != nil {
		return Number{}, err
	}
	now := f.now()
	switch {
	case n.ID == "" || !enrols && n.Confirmed.IsZero():
		return Number{}, ErrNotEnrolled
	case f.lockedText(n):
		return Number{}, f.stayLocked(ctx, n)
	case !f.textLive(n, now) || n.Enrols != enrols:
		return Number{}, f.wrongText(ctx, n, "no_code")
	}
	count, err := f.store.TryText(ctx, n.Ref(), n.CodeID, f.o.Texts.Tries, f.o.MaxFailures, now)
	if err != nil {
		return Number{}, unavailable("counting a try", err)
	}
	if count == 0 {
		return Number{}, f.overtakenText(ctx, n)
	}
	same, err := f.matchText(ctx, n, typed)
	if err != nil {
		return Number{}, err
	}
	if !same {
		return Number{}, f.missedText(ctx, n, count)
	}
	return n, nil
}

// burnText uses up the code of n.
func (f *Factors) burnText(ctx context.Context, n Number) error {
	phone, err := f.openPhone(ctx, n, numberPlace(n), n.Phone)
	if err != nil {
		return err
	}
	ok, err := f.store.BurnText(ctx, n.Ref(), n.CodeID, f.now())
	if err != nil {
		return unavailable("using up a code", err)
	}
	if !ok {
		return f.overtakenText(ctx, n)
	}
	f.cameBack(ctx, n, phone)
	return nil
}

// wrongText records a code that was refused. It never returns nil.
func (f *Factors) wrongText(ctx context.Context, n Number, why string) error {
	return cmp.Or(f.note(ctx, n.Tenant, n.Person, ActionTextFailed, audit.Failure, why), errWrong)
}

// missedText records a wrong code, and disables the number where it was one too many.
func (f *Factors) missedText(ctx context.Context, n Number, count int) error {
	err := f.wrongText(ctx, n, "wrong_code")
	if errors.Is(err, errWrong) && count >= f.o.MaxFailures {
		return f.lockText(ctx, n)
	}
	return err
}

// lockText writes down that the number is disabled and tells the person, once. What disabled it
// was the count. It never returns nil.
func (f *Factors) lockText(ctx context.Context, n Number) error {
	err := f.changeNumber(ctx, n.Tenant, n.Person, func(was Number, now time.Time) (NumberChange, error) {
		switch {
		case was.ID != n.ID || !was.Locked.IsZero():
			return NumberChange{}, ErrTextLocked
		case !f.lockedText(was): // a right code came in between
			return NumberChange{}, errWrong
		}
		put := was
		put.Locked = now
		put.Next, put.Code, put.CodeID, put.Enrols, put.Expires = nil, nil, "", false, time.Time{}
		messages, err := f.messages(ctx, was.Ref(), now, ActionTextLocked, "", audit.MessageAudit, audit.MessageNotice)
		return NumberChange{Put: &put, Messages: messages}, err
	})
	return cmp.Or(err, ErrTextLocked)
}

// stayLocked refuses what needs a number that is not disabled. It never returns nil.
func (f *Factors) stayLocked(ctx context.Context, n Number) error {
	if n.Locked.IsZero() { // the server that counted the last one got no further
		return f.lockText(ctx, n)
	}
	return cmp.Or(f.note(ctx, n.Tenant, n.Person, ActionTextFailed, audit.Failure, "locked"), ErrTextLocked)
}

// overtakenText says why a write found the row of n no longer as it was read. It never returns
// nil.
func (f *Factors) overtakenText(ctx context.Context, n Number) error {
	have, err := f.readNumber(ctx, n.Tenant, n.Person)
	switch {
	case err != nil:
		return err
	case have.ID == "":
		return ErrNotEnrolled
	case f.lockedText(have):
		return f.stayLocked(ctx, have)
	}
	return f.wrongText(ctx, n, "used_before")
}

// unopenedText is unopened for what belongs to a number.
func (f *Factors) unopenedText(ctx context.Context, n Number, err error) error {
	cause := unavailable("opening a number or its code", err)
	if errors.Is(err, phi.ErrUnavailable) {
		return cause
	}
	return errors.Join(cause, f.note(ctx, n.Tenant, n.Person, ActionTextFailed, audit.MajorFailure, "unreadable"))
}
