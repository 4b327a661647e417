package authn_test

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func TestInvitationToSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	ctx := t.Context()
	p, token := h.invite(audit.KindStaff)
	require.Equal(t, authn.Invited, p.State)

	l, err := h.m.PeekLink(ctx, token)
	require.NoError(t, err)
	require.Equal(t, authn.PurposeInvitation, l.Purpose)
	_, err = h.m.PeekLink(ctx, token)
	require.NoError(t, err, "looking uses nothing up")

	s, err := h.m.CompleteSetUp(ctx, token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need)
	require.Equal(t, "otpauth://totp/"+ada, s.Enrolment.URI.Reveal())
	require.Equal(t, "ABCD EFGH", s.Enrolment.Manual.Reveal())
	require.Zero(t, h.sessions.count(), "no session before enrolment")

	shown, err := h.m.Show(ctx, s.Ticket.Reveal())
	require.NoError(t, err)
	require.Equal(t, s.Enrolment.URI.Reveal(), shown.Enrolment.URI.Reveal())

	s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	require.Equal(t, p.ID, s.Person)

	a, live := h.sessions.of(s.Token.Reveal())
	require.True(t, live)
	require.Equal(t, audit.Actor{
		ID: p.ID, Kind: audit.KindStaff, Tenant: clinic, AuthTime: h.clock.Now(), Methods: []string{"pwd", "otp", "mfa"},
		Assurance: audit.AAL2, Origin: home.Addr, Device: home.Device,
	}, a)
	acct, err := h.m.Account(ctx, clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, h.clock.Now(), acct.Person.SignedIn)
	require.Equal(t, authn.Active, acct.Person.State)
}

func TestSignInWithSecondFactor(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, " ADA@Example.com ", pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	require.Zero(t, h.sessions.count())
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	require.Equal(t, []string{"authn.step password", "authn.step second_factor", "authn.sign_in"}, h.events())
	last, _ := h.rec.Last(authn.ActionSignIn)
	require.Equal(t, p.ID, last.Actor.ID)
	first, _ := h.rec.Last(authn.ActionStep)
	require.Equal(t, audit.KindAnonymous, first.Actor.Kind)
	require.Equal(t, string(p.ID), first.Objects[0].ID)
}

func TestPatientWithoutSecondFactor(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	a, _ := h.sessions.of(s.Token.Reveal())
	require.Equal(t, audit.AAL1, a.Assurance)
	require.Equal(t, []string{"pwd"}, a.Methods)
}

func TestOptionalFactorIsAskedOnceEnrolled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	h.factor.set(p.ID, true)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
}

func TestPolicyAppliesAtTheNextSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	require.NoError(t, h.m.SavePolicy(admin(t.Context()), clinic, authn.Policy{}, false)) // the zero policy requires a second factor of everybody
	s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need)
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	_, err := h.m.SignIn(t.Context(), clinic, ada, pw("not "+good), home)
	require.ErrorIs(t, err, authn.ErrDenied)
	e, ok := h.rec.Last(authn.ActionSignIn)
	require.True(t, ok)
	require.Equal(t, authn.CodeCredential, e.Code)
	require.Equal(t, audit.KindAnonymous, e.Actor.Kind)
	require.Equal(t, home.Addr, e.Actor.Origin)
	require.Equal(t, string(p.ID), e.Objects[0].ID)
}

// TestTypedIdentifierIsNowhere: people type passwords into the wrong field.
func TestTypedIdentifierIsNowhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	_, err := h.m.SignIn(t.Context(), clinic, "hunter2 typed here", pw("x"), home)
	require.ErrorIs(t, err, authn.ErrDenied)
	require.NotEmpty(t, h.rec.Events())
	for _, e := range h.rec.Events() {
		require.NotContains(t, fmt.Sprintf("%+v", e), "hunter2")
	}
	require.NotContains(t, err.Error(), "hunter2")
}

func TestWrongCodesEndTheSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	old := s.Ticket.Reveal()
	for range 4 {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: "000000"}, home)
		require.NoError(t, err)
		require.Equal(t, authn.NeedSecondFactor, s.Need)
		require.ErrorIs(t, s.Problem, authn.ErrWrongCode)
	}
	last := s.Ticket.Reveal()
	_, err = h.m.Continue(t.Context(), last, authn.Answer{Code: "000000"}, home)
	require.ErrorIs(t, err, authn.ErrDenied)
	for _, dead := range []string{old, last} {
		_, err = h.m.Continue(t.Context(), dead, authn.Answer{Code: code}, home)
		require.ErrorIs(t, err, authn.ErrTicket)
	}
	require.Zero(t, h.sessions.count())
}

// TestCodesAreCountedPerPerson: a new sign-in does not buy new tries.
func TestCodesAreCountedPerPerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	for range 5 {
		s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
		require.NoError(t, err)
		_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: "000000"}, home)
		require.NoError(t, err)
	}
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	tried := h.factor.count()
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	var throttled *authn.ThrottledError
	require.ErrorAs(t, s.Problem, &throttled)
	require.Equal(t, time.Second, throttled.RetryAfter)
	require.Equal(t, tried, h.factor.count(), "a throttled try is no try")

	h.clock.Advance(time.Second)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	acct, err := h.m.Account(t.Context(), clinic, s.Person)
	require.NoError(t, err)
	require.Zero(t, acct.Second.Failures, "success resets")
}

func TestEnrolmentTicketOnlyEnrols(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	_, token := h.invite(audit.KindStaff)
	s, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: "000000", Password: pw(other)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need)
	require.ErrorIs(t, s.Problem, authn.ErrWrongCode)
	require.NotEmpty(t, s.Enrolment.URI.Reveal(), "the same key is shown again")
	_, err = h.m.SignIn(t.Context(), clinic, ada, pw(other), home)
	require.ErrorIs(t, err, authn.ErrDenied, "the password was not changed")
	require.Zero(t, h.sessions.count())
}

func TestDuePassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	require.NoError(t, h.m.ExpirePassword(admin(t.Context()), clinic, p.ID, "found in a breach"))
	s, err := h.signIn(good)
	require.NoError(t, err)
	require.Equal(t, authn.NeedPassword, s.Need)
	require.Equal(t, 8, s.MinPassword)

	var refused *authn.PolicyError
	for password, reason := range map[string]authn.Reason{good: authn.Same, "short": authn.TooShort} {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Password: pw(password)}, home)
		require.NoError(t, err)
		require.ErrorAs(t, s.Problem, &refused)
		require.Equal(t, reason, refused.Reason)
	}
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Password: pw(other)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	a, live := h.sessions.of(s.Token.Reveal())
	require.True(t, live)
	require.Equal(t, audit.AAL2, a.Assurance)
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrDenied)
}

func TestOldHashIsRenewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	h.options.InsecureArgon2 = &authn.Argon2{Memory: 16, Time: 1, Threads: 1}
	h.m = h.manager()
	before, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	_, err = h.signIn(good)
	require.NoError(t, err)
	after, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Contains(t, before.Password.Hash, "$m=8,t=1,p=1$")
	require.Contains(t, after.Password.Hash, "$m=16,t=1,p=1$")
	require.Equal(t, before.Person.Version, after.Person.Version, "nobody is signed out by it")
	_, err = h.signIn(good)
	require.NoError(t, err)
}

func TestUnicodeSpellingsAreOnePassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	_, token := h.invite(audit.KindPatient)
	_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw("cafe\u0301 au lait at noon")}, home)
	require.NoError(t, err)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw("caf\u00e9 au lait at noon"), home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
}

func TestTrailIsDecided(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	ask := func(f func(ctx ctxT) error) error {
		ctx, trail := audit.WithTrail(t.Context(), h.rec, audit.Event{})
		before := h.rec.Len()
		err := f(ctx)
		require.True(t, trail.Decided())
		require.Equal(t, before, h.rec.Len(), "recorded by whoever holds the trail")
		require.NoError(t, trail.Flush(ctx))
		return err
	}
	require.NoError(t, ask(func(ctx ctxT) error {
		_, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
		return err
	}))
	require.ErrorIs(t, ask(func(ctx ctxT) error {
		_, err := h.m.SignIn(ctx, clinic, ada, pw("x"), home)
		return err
	}), authn.ErrDenied)
	require.ErrorIs(t, ask(func(ctx ctxT) error {
		_, err := h.m.Continue(ctx, "no ticket", authn.Answer{}, home)
		return err
	}), authn.ErrTicket)
	require.ErrorIs(t, ask(func(ctx ctxT) error {
		_, err := h.m.PeekLink(ctx, "no link")
		return err
	}), authn.ErrLinkUnknown)
	require.NoError(t, ask(func(ctx ctxT) error { return h.m.RequestReset(ctx, clinic, ada, home) }))
	require.Equal(t, []string{"authn.step password", "authn.sign_in! credential", "authn.request_reset"}, h.events())
}

func TestFailingPartDecidesTheRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	h.wire.watch(failAt(0))
	ctx, trail := audit.WithTrail(t.Context(), h.rec, audit.Event{})
	_, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	require.ErrorIs(t, err, errBroken)
	require.True(t, trail.Decided(), "or the host's 503 page could not go out")
}

func TestOddDevicesDoNotLockAnybodyOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	c := home
	c.Device = strings.Repeat("x\x00\xff\u202e", 10_000)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), c)
	require.NoError(t, err)
	a, _ := h.sessions.of(s.Token.Reveal())
	require.LessOrEqual(t, len(a.Device), 128)
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	done, err := h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	n := h.mail.all(authn.TopicInvitation)[0]
	acct, err := h.m.Account(t.Context(), clinic, s.Person)
	require.NoError(t, err)
	wrapped := struct {
		p authn.Password
		s authn.Secret
	}{pw(good), done.Token}
	var log strings.Builder
	text, asJSON := slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))
	for _, v := range []any{
		pw(good), s, done, &s, n, &n,
		authn.Answer{Code: code, Password: pw(good)},
		done.Token, s.Ticket, wrapped, &wrapped,
		acct, acct.Password, &acct,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			log.WriteString(fmt.Sprintf(verb, v) + "\n")
		}
		text.Info("value", "v", v)
		asJSON.Info("value", "v", v)
		b, err := json.Marshal(v)
		require.NoError(t, err)
		log.Write(b)
		if m, ok := v.(encoding.TextMarshaler); ok {
			b, err := m.MarshalText()
			require.NoError(t, err)
			log.Write(b)
		}
		if m, ok := v.(interface{ String() string }); ok {
			log.WriteString(m.String() + v.(fmt.GoStringer).GoString())
		}
	}
	for _, secret := range []string{good, code, ada, s.Ticket.Reveal(), done.Token.Reveal(), n.Link.Reveal(), acct.Password.Hash} {
		require.NotContains(t, log.String(), secret)
		require.NotContains(t, log.String(), fmt.Sprintf("%x", secret))
	}
	require.Contains(t, log.String(), "[password]")
}

func TestDecisionsOfOneTenantOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	_, err := h.m.SignIn(t.Context(), "elsewhere", ada, pw(good), home)
	require.ErrorIs(t, err, authn.ErrDenied)
	require.False(t, errors.Is(err, authn.ErrUnavailable))
}

// lockedFactor is what a second factor answers once it takes no codes any more.
type lockedFactor struct{}

func (lockedFactor) Error() string  { return "factor: no more codes" }
func (lockedFactor) Disabled() bool { return true }

// A factor that takes no codes any more is an answer to the person, not a failure of the server.
func TestALockedFactorIsAnAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	h.wire.watch(func(_ int, name string) error {
		if name == "factor.Verify" {
			return fmt.Errorf("wrapped: %w", lockedFactor{})
		}
		return nil
	})
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	var throttled *authn.ThrottledError
	require.ErrorAs(t, s.Problem, &throttled)
	require.True(t, throttled.Disabled)
	require.Contains(t, h.events(), "authn.step! disabled")
	require.Zero(t, h.sessions.count())
}

// looked is a second factor whose codes are recovery codes.
type looked struct{ authn.SecondFactor }

func (f looked) Verify(ctx context.Context, t audit.Tenant, p audit.ActorID, c string) ([]string, error) {
	methods, err := f.SecondFactor.Verify(ctx, t, p, c)
	if len(methods) > 0 {
		methods = []string{"recovery"}
	}
	return methods, err
}

// How somebody proved who they are reaches the session as the factor said it: after a recovery code
// a host offers new ones.
func TestARecoveryCodeShowsInTheSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	h.parts.Factor = looked{h.factor}
	h.m = h.manager()
	s, err := h.signIn(good)
	require.NoError(t, err)
	a, live := h.sessions.of(s.Token.Reveal())
	require.True(t, live)
	require.Equal(t, []string{"pwd", "recovery", "mfa"}, a.Methods)
	require.Equal(t, audit.AAL2, a.Assurance)
	again, err := h.m.Prove(as(t.Context(), p), authn.Answer{Password: pw(good), Code: code}, home)
	require.NoError(t, err)
	require.Contains(t, again.Methods, "recovery")
}
