package mfa

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Sessions ends what a person is signed in to; session.Manager is one.
type Sessions interface {
	EndAll(ctx context.Context, t audit.Tenant, person audit.ActorID, reason string) error
}

// Notices tells a person what happened to their second factor: by mail, text or push. The
// message carries no address and no words; the host knows the address of m.Person and the
// words for m.Topic, which is ActionEnrolled, ActionDisabled, ActionReset, ActionReplaced,
// ActionLocked, ActionCodesIssued, ActionRecovered, ActionPasskeyAdded, ActionPasskeyRemoved,
// ActionPasskeyCloned, ActionTextAdded, ActionTextReplaced, ActionTextRemoved or
// ActionTextLocked.
// The same message may come twice and has the same m.ID then.
type Notices interface {
	Notify(ctx context.Context, m audit.Message) error
}

// MaxFailures is the highest number of consecutive wrong codes after which an authenticator
// is disabled (NIST SP 800-63B-4, section 3.2.2), and the default.
const MaxFailures = 100

// Options are what New can be told. The zero value is safe.
type Options struct {
	// Sessions ends sessions after Reset and Disable. Without it both are refused.
	Sessions Sessions
	// Notices tells people. Without it Reset and Disable are refused, the other notices wait
	// in the outbox and Health says so. authn.Manager is one, but needs the Factors first: give
	// a value of the host's own, and let it pass on to the Manager once that is made.
	Notices Notices
	// Required says whether a person must have a second factor, so that Disable is refused
	// with ErrRequired. Nil: everybody must.
	Required func(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error)
	// WebAuthn is the protocol of passkeys; passkey.New makes one. Nil: there are none, and the
	// methods about them return ErrNoPasskeys. Turn it on once every server runs a release that
	// knows it, and off whenever you like: who has only a passkey counts as enrolled all the same.
	WebAuthn WebAuthn
	// Texts is how codes are sent by text message. Nil: none are. Turn it on once every server runs
	// a release that knows it, and off whenever you like, as with WebAuthn.
	Texts *TextOptions
	// MaxFailures is how many consecutive wrong codes disable an authenticator, 1 to 100.
	// 0: 100. Slowing guesses down is the job of whoever calls Verify.
	MaxFailures int
	// Retry is how long an undelivered message waits for its next attempt. 0: one minute.
	Retry time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	var problems []error
	if d.MaxFailures < 0 || d.MaxFailures > MaxFailures {
		problems = append(problems, errors.New("mfa: Options.MaxFailures must be 1 to 100, or 0 for 100"))
	}
	if d.Retry < 0 {
		problems = append(problems, errors.New("mfa: Options.Retry must be positive, or 0 for one minute"))
	}
	texts, err := d.Texts.withDefaults()
	d.Texts = texts
	if err := errors.Join(append(problems, err)...); err != nil {
		return Options{}, err
	}
	d.MaxFailures = cmp.Or(d.MaxFailures, MaxFailures)
	d.Retry = cmp.Or(d.Retry, time.Minute)
	if d.Now == nil {
		d.Now = time.Now
	}
	return d, nil
}
