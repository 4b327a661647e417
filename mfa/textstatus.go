package mfa

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// NoticeRestricted is the code of the notice that belongs beside codes by text message wherever
// they are offered: they can be read by whoever takes over the number, and better ways are
// there. The words are the host's.
const NoticeRestricted = "restricted_authenticator"

// TextStatus is what the person themselves may see of their codes by text message.
type TextStatus struct {
	State    State
	Hint     string    // the number's last two digits, as "•• 23"; "" unless On or Locked
	Since    time.Time // when the number was confirmed; zero unless On or Locked
	LastUsed time.Time // when a code was last accepted; zero if never
	Failures int       // consecutive wrong codes

	// Restricted is true unless State is Off: the telephone network is the one restricted
	// authenticator of NIST SP 800-63B-4, section 3.2.9. Who uses it has to be offered another
	// kind and be told of the risk, which Notice stands for.
	Restricted bool
	Notice     string // NoticeRestricted where Restricted
}

// TextStatus returns where the person's codes by text message stand; Off if there is no number,
// Pending while a number waits to be confirmed.
func (f *Factors) TextStatus(ctx context.Context, t audit.Tenant, person audit.ActorID) (TextStatus, error) {
	n, err := f.readNumber(ctx, t, person)
	if err != nil {
		return TextStatus{}, err
	}
	s := TextStatus{State: f.textState(n), LastUsed: n.Used, Failures: n.Failures}
	if s.State == Off {
		return TextStatus{State: Off}, nil
	}
	s.Restricted, s.Notice = true, NoticeRestricted
	if n.Confirmed.IsZero() {
		return s, nil
	}
	s.Since = n.Confirmed
	phone, err := f.openPhone(ctx, n, numberPlace(n), n.Phone)
	if err != nil {
		return TextStatus{}, err
	}
	s.Hint = phone.Hint()
	return s, nil
}

// textedSince is what the Credential alone says of a number.
func textedSince(then time.Time) TextStatus {
	if then.IsZero() {
		return TextStatus{State: Off}
	}
	return TextStatus{State: On, Since: then, Restricted: true, Notice: NoticeRestricted}
}

func (f *Factors) textState(n Number) State {
	switch {
	case n.Confirmed.IsZero() && f.o.Texts != nil && n.Enrols && f.textLive(n, f.now()):
		return Pending
	case n.Confirmed.IsZero():
		return Off
	case f.lockedText(n):
		return Locked
	}
	return On
}
