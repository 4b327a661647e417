package authn

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// Actions of this package's events. The person is Objects[0]; whoever fails before there is
// a session is anonymous. No event holds an identifier as it was typed.
const (
	ActionSignIn   audit.Action = "authn.sign_in" // a session was handed out, or refused: see Code
	ActionStep     audit.Action = "authn.step"    // a step was passed, Code says which; or a wrong code
	ActionReprove  audit.Action = "authn.reauthenticate"
	ActionLink     audit.Action = "authn.link" // a link was looked at, or refused: see Code
	ActionThrottle audit.Action = "authn.throttle"

	ActionForgetDevice  audit.Action = "authn.forget_device"  // one known browser, Detail "device" says which
	ActionForgetDevices audit.Action = "authn.forget_devices" // all of a person

	ActionAddPasskey audit.Action = "authn.add_passkey"

	ActionPolicy audit.Action = "authn.policy" // the tenant's policy was saved, see Detail

	ActionSetUp          audit.Action = "authn.set_up"
	ActionInvite         audit.Action = "authn.invite"
	ActionResend         audit.Action = "authn.resend"
	ActionJoin           audit.Action = "authn.join" // a set-up or invitation link was completed
	ActionRequestReset   audit.Action = "authn.request_reset"
	ActionResetPassword  audit.Action = "authn.reset_password"
	ActionChangePassword audit.Action = "authn.change_password"
	ActionExpirePassword audit.Action = "authn.expire_password"
	ActionAdminReset     audit.Action = "authn.admin_reset"
	ActionResetFactor    audit.Action = "authn.reset_factor"
	ActionApprove        audit.Action = "authn.approve"
	ActionUnlock         audit.Action = "authn.unlock"
	ActionSuspend        audit.Action = "authn.suspend"
	ActionReinstate      audit.Action = "authn.reinstate"
	ActionRemove         audit.Action = "authn.remove"
	ActionNotice         audit.Action = "authn.notice" // a notice could not be delivered and was given up
)

// Codes of failures and of passed steps. They are API: words are the host's.
const (
	CodeCredential = "credential"    // unknown identifier, wrong password, or may not sign in
	CodeThrottled  = "throttled"     // too many tries of this person
	CodeDisabled   = "disabled"      // too many consecutive failures
	CodeAddress    = "address"       // too many tries from this address
	CodeBudget     = "tenant_budget" // too many tries in the whole tenant
	CodeNetwork    = "network"       // not from this address
	CodeInactive   = "inactive"      // locked after a long time without a sign-in
	CodeBanner     = "banner"        // step passed: banner acknowledged, Detail "banner" says which
	CodeTenant     = "tenant_closed" // nobody of this tenant gets in
	CodeApproval   = "approval"      // waits for approval
	CodeNoSeat     = "no_seat"       // Options.Admission refused
	CodeRole       = "role"          // Options.Admission refused the role
	CodeGivenUp    = "given_up"      // a notice that could not be delivered for a week
	CodeWrongCode  = "wrong_code"    // wrong second-factor code
	CodeTries      = "too_many"      // the last wrong code that this sign-in survives
	CodeOvertaken  = "overtaken"     // the account changed during the sign-in
	CodePassword   = "password"      // step passed: password
	CodeFactor     = "second_factor" // step passed: second factor
	CodeEnrolled   = "enrolment"     // step passed: second factor set up
	CodePasskey    = "passkey"       // step passed: a passkey and nothing else
	CodeText       = "text"          // step passed: a code was sent by text message
	CodeExpired    = "expired"
	CodeUsed       = "used"
	CodeUnknown    = "unknown"

	CodeWrongPasskey  = "wrong_passkey"  // a passkey's response that was not accepted
	CodePasswordFirst = "password_first" // a passkey alone, where the policy asks for a password
)

// person is the object of an event.
func person(id audit.ActorID) []audit.Object {
	if id == "" {
		return nil
	}
	return []audit.Object{{Type: "person", ID: string(id)}}
}

// note makes e durable before the caller goes on: as a decision of the request where the
// context carries a Trail, whose holder lets no byte out before it is recorded, and with
// the Recorder otherwise.
func (m *Manager) note(ctx context.Context, e audit.Event) error {
	if e.ID == "" {
		e.ID = audit.NewID(m.now())
	}
	if e.Verb == "" {
		e.Verb = audit.Execute
	}
	err := audit.Decide(ctx, e)
	if errors.Is(err, audit.ErrNoTrail) {
		err = m.p.Recorder.Record(ctx, e)
	}
	if err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// failed records a failure of somebody not signed in and returns the answer, or why it
// could not be recorded. id is "" for nobody.
func (m *Manager) failed(ctx context.Context, t audit.Tenant, c Client, a audit.Action, id audit.ActorID, code string, answer error) error {
	err := m.note(ctx, audit.Event{
		Tenant: t, Action: a, Outcome: audit.Failure, Code: code,
		Actor: anonymous(t, c), Objects: person(id),
	})
	if err != nil {
		return err
	}
	return answer
}

// passed records a step that somebody not yet signed in has passed.
func (m *Manager) passed(ctx context.Context, t audit.Tenant, c Client, a audit.Action, id audit.ActorID, code string) error {
	return m.note(ctx, audit.Event{Tenant: t, Action: a, Code: code, Actor: anonymous(t, c), Objects: person(id)})
}

// exempt marks the request as decided where there is no tenant whose log could take an event.
func exempt(ctx context.Context, why string) error {
	if err := audit.Exempt(ctx, why); err != nil && !errors.Is(err, audit.ErrNoTrail) {
		return unavailable("deciding", err)
	}
	return nil
}

// closing marks the request as decided where a part failed: nothing was tried, so there is
// nothing to record, and the host's 503 page may go out.
func closing(ctx context.Context, err *error) {
	if *err != nil && !errors.Is(*err, ErrDenied) {
		*err = exempted(ctx, "a part failed, nothing was decided", *err)
	}
}

// exempted is answer, with the request marked as decided without an event.
func exempted(ctx context.Context, why string, answer error) error {
	if err := exempt(ctx, why); err != nil {
		return errors.Join(answer, err)
	}
	return answer
}

// anonymous is who acts before there is a session.
func anonymous(t audit.Tenant, c Client) audit.Actor {
	a := audit.Anonymous(t, c.Addr)
	a.Device = printable(c.Device, maxDevice)
	return a
}

// acting is who carries out a lifecycle change: the actor in ctx, or this package.
func acting(ctx context.Context, t audit.Tenant) audit.Actor {
	if a, ok := audit.ActorFrom(ctx); ok {
		if a.Tenant == "" {
			a.Tenant = t
		}
		return a
	}
	return audit.System(t, "authn")
}

const (
	maxDevice = 128  // bytes
	maxWhy    = 1024 // bytes
)

// printable drops what an event could not hold and cuts s to limit bytes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	for len(s) > limit {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
