package mfa

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// textTimeout bounds how long a sender has for one message.
const textTimeout = 10 * time.Second

// TextHint returns what may be shown of the person's verified number: its last two digits, as
// "•• 23". It is "" if there is none, and where text messages are not set up.
func (f *Factors) TextHint(ctx context.Context, t audit.Tenant, person audit.ActorID) (string, error) {
	if f.o.Texts == nil {
		return "", nil
	}
	n, err := f.readNumber(ctx, t, person)
	if err != nil || n.Confirmed.IsZero() {
		return "", err
	}
	phone, err := f.openPhone(ctx, n, numberPlace(n), n.Phone)
	return phone.Hint(), err
}

// SendText sends a code to the person's verified number; there is no way to name another. While
// one is live nothing is sent. Again is when the next one can be. ErrNotEnrolled without a
// number, ErrTextLocked after too many wrong codes, a *TextLimitError where a budget is used up,
// ErrRegion, ErrTextRisk, ErrTextNotSent, ErrNoTexts; then nothing was sent, or what was sent is
// dead.
func (f *Factors) SendText(ctx context.Context, t audit.Tenant, person audit.ActorID) (again time.Time, err error) {
	if f.o.Texts == nil {
		return time.Time{}, ErrNoTexts
	}
	return f.sendText(ctx, t, person, nil)
}

// sendText makes a code, keeps it, and only then asks whether it may be sent and sends it: of
// many requests at once one does. Next is the number to be confirmed, nil for the one there is.
func (f *Factors) sendText(ctx context.Context, t audit.Tenant, person audit.ActorID, next *Phone) (again time.Time, err error) {
	code, err := newTextCode()
	if err != nil {
		return time.Time{}, err
	}
	var n Number
	var phone Phone
	err = f.changeNumber(ctx, t, person, func(was Number, now time.Time) (c NumberChange, err error) {
		n, phone, err = f.prepareText(ctx, was, code, next, now)
		return NumberChange{Put: &n}, err
	})
	var live *liveError
	if errors.As(err, &live) {
		return live.until, f.exempted(ctx, "a code is live", nil)
	}
	if err == nil {
		err = f.handOver(ctx, n, phone, code)
	}
	if err != nil {
		return time.Time{}, err
	}
	return n.Expires, nil
}

// liveError says that the code which was asked for is live already.
type liveError struct{ until time.Time }

func (*liveError) Error() string { return "mfa: a code is live" }

// prepareText returns the row with a new code and the number that it goes to.
func (f *Factors) prepareText(ctx context.Context, was Number, code TextCode, next *Phone, now time.Time) (n Number, phone Phone, err error) {
	if err := f.sendable(ctx, was, next != nil, now); err != nil {
		return Number{}, Phone{}, err
	}
	n = was
	if n.Confirmed.IsZero() && (n.ID == "" || f.lockedText(n)) { // nothing to protect yet: it begins anew
		n = Number{Tenant: was.Tenant, Person: was.Person, ID: audit.NewID(now), Created: now}
	}
	n.CodeID, n.Enrols, n.Tries = audit.NewID(now), next != nil, 0
	n.Sent, n.Expires = now, now.Add(f.o.Texts.Lifetime)
	n.Next = nil
	if next != nil {
		phone = *next
		n.Next, err = f.sealPhone(ctx, nextNumberPlace(n), phone)
	} else {
		phone, err = f.openPhone(ctx, n, numberPlace(n), n.Phone)
	}
	if err == nil {
		n.Code, err = f.keepText(ctx, n, code)
	}
	return n, phone, err
}

// sendable says why no code can be made now.
func (f *Factors) sendable(ctx context.Context, n Number, enrols bool, now time.Time) error {
	switch {
	case !enrols && n.Confirmed.IsZero():
		return ErrNotEnrolled
	case !n.Confirmed.IsZero() && f.lockedText(n):
		return f.stayLocked(ctx, n)
	case !f.textLive(n, now):
		return nil
	case !enrols && !n.Enrols:
		return &liveError{n.Expires}
	}
	return f.exempted(ctx, "a code is live", limitedUntil(n.Expires, now))
}

// textLive reports whether n has a code that can be tried.
func (f *Factors) textLive(n Number, now time.Time) bool {
	return n.CodeID != "" && now.Before(n.Expires) && n.Tries < f.o.Texts.Tries
}

// lockedText reports whether there were too many wrong codes. The count decides, so that nothing
// is lost by a crash before Locked was written.
func (f *Factors) lockedText(n Number) bool {
	return !n.Locked.IsZero() || n.Failures >= f.o.MaxFailures
}

// handOver sends a code that is kept already. Whatever goes wrong, the code dies.
func (f *Factors) handOver(ctx context.Context, n Number, phone Phone, code TextCode) error {
	err := f.affordable(ctx, n, phone)
	if err == nil {
		err = f.declareText(ctx, n)
	}
	if err == nil {
		err = f.dispatch(ctx, n, phone, code)
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, f.dropText(ctx, n))
}

// declareText makes the record of the message durable. It precedes the message, which nothing
// takes back.
func (f *Factors) declareText(ctx context.Context, n Number) error {
	if err := f.note(ctx, n.Tenant, n.Person, ActionTextSent, audit.Success, purposeOf(n)); err != nil {
		return err
	}
	if err := audit.Flush(ctx); err != nil && !errors.Is(err, audit.ErrNoTrail) {
		return unavailable("recording", err)
	}
	return nil
}

// purposeOf says what the code of n is for.
func purposeOf(n Number) string {
	if n.Enrols {
		return TextEnrol
	}
	return TextVerify
}

// dispatch gives the message to the sender. What the sender says about a failure may hold the
// number, so it stays here.
func (f *Factors) dispatch(ctx context.Context, n Number, phone Phone, code TextCode) error {
	short, cancel := context.WithTimeout(ctx, textTimeout)
	defer cancel()
	m := TextMessage{ID: n.CodeID, Tenant: n.Tenant, Person: n.Person, Number: phone, Code: code}
	if err := f.o.Texts.Sender.Send(short, m); err != nil {
		return errors.Join(ErrTextNotSent, f.note(ctx, n.Tenant, n.Person, ActionTextFailed, audit.Failure, "not_sent"))
	}
	return nil
}

// dropText ends a code that was not sent, whether or not the request still waits. Where that
// fails the code lives on for its minutes; nobody knows it.
func (f *Factors) dropText(ctx context.Context, n Number) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverTimeout)
	defer cancel()
	err := f.changeNumber(ctx, n.Tenant, n.Person, func(was Number, _ time.Time) (NumberChange, error) {
		if was.ID != n.ID || was.CodeID != n.CodeID {
			return NumberChange{}, errGone
		}
		put := was
		put.Next, put.Code, put.CodeID, put.Enrols, put.Expires = nil, nil, "", false, time.Time{}
		return NumberChange{Put: &put}, nil
	})
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// errGone is a code that ended by itself.
var errGone = errors.New("mfa: the code has ended")

// exempted says that nothing happened that would have to be recorded, and returns err.
func (f *Factors) exempted(ctx context.Context, why string, err error) error {
	if e := audit.Exempt(ctx, why); e != nil && !errors.Is(e, audit.ErrNoTrail) {
		return errors.Join(err, unavailable("recording", e))
	}
	return err
}
