package authn_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// texting is a house with ada in it, who has an app and a number, in a clinic that takes texts.
func texting(t testing.TB, store authn.Store) (*house, authn.Person) {
	t.Helper()
	h := newHouse(t, store)
	p := h.ada(audit.KindStaff)
	h.texts.phone(p.ID, "•• 12")
	h.rule(func(p *authn.Policy) { p.Texts = true })
	h.rec.Reset()
	return h, p
}

func TestSignInWithText(t *testing.T) {
	t.Parallel()
	h, p := texting(t, nil)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, []authn.Factor{authn.FactorApp, authn.FactorText}, s.Factors)
	require.Equal(t, authn.Text{Hint: "•• 12"}, s.Text)
	sent, _ := h.texts.counts()
	require.Zero(t, sent, "nothing is sent that nobody asked for")

	first := s.Ticket.Reveal()
	s, err = h.m.Continue(t.Context(), first, authn.Answer{Factor: authn.FactorText, Send: true}, home)
	require.NoError(t, err)
	require.NoError(t, s.Problem)
	require.Equal(t, authn.Text{Hint: "•• 12", Again: h.clock.Now().Add(time.Minute)}, s.Text)
	require.NotEqual(t, first, s.Ticket.Reveal())
	shown, err := h.m.Show(t.Context(), s.Ticket.Reveal())
	require.NoError(t, err)
	require.True(t, s.Text.Again.Equal(shown.Text.Again), "also after the page is loaded again")

	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Code: "000000"}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrWrongCode)
	require.False(t, s.Text.Again.IsZero(), "it still says that one was sent")
	right := h.texts.code(p.ID)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: right}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrWrongCode, "it is no code of the app")
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Code: right}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	a, _ := h.sessions.of(s.Token.Reveal())
	require.Equal(t, []string{"pwd", "sms", "mfa"}, a.Methods)
	require.Equal(t, audit.AAL2, a.Assurance)
	require.False(t, a.PhishingResistant)
	require.Contains(t, h.events(), "authn.step text")
}

// TestTextsThatAreNotSent: budgets and disabled codes are the step's Problem, before anything costs
// money.
func TestTextsThatAreNotSent(t *testing.T) {
	t.Parallel()
	h, p := texting(t, nil)
	send := authn.Answer{Factor: authn.FactorText, Send: true}
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	h.texts.spent = true
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), send, home)
	require.NoError(t, err)
	var later *authn.ThrottledError
	require.ErrorAs(t, s.Problem, &later)
	require.Equal(t, authn.ThrottledError{RetryAfter: 90 * time.Second}, *later)

	h.texts.spent = false
	for range 100 {
		_, _, err := h.store.Charge(t.Context(), clinic, p.ID, authn.FamilySecond, authn.Limits{Free: 100, Base: time.Second, Max: time.Second, Disable: 100}, h.clock.Now())
		require.NoError(t, err)
	}
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), send, home)
	require.NoError(t, err)
	require.ErrorAs(t, s.Problem, &later)
	require.True(t, later.Disabled)
	_, err = h.m.BeginProof(as(t.Context(), p), send, home)
	require.NoError(t, err)
	sent, _ := h.texts.counts()
	require.Zero(t, sent)
}

// TestOnlyOneTextIsLive: asking again sends no second code while the first can still be given.
func TestOnlyOneTextIsLive(t *testing.T) {
	t.Parallel()
	h, _ := texting(t, nil)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	for range 10 {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Send: true}, home)
		require.NoError(t, err)
		require.False(t, s.Text.Again.IsZero())
	}
	sent, _ := h.texts.counts()
	require.Equal(t, 1, sent)
}

// TestTextsAreNotGuessed: 256 tries at once, of sign-ins of their own, are no more tries than the
// throttle gives, on every engine; and the app's tries are the same ones.
func TestTextsAreNotGuessed(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h, p := texting(t, store)
		tickets := make([]string, guesses())
		for i := range tickets {
			s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err)
			tickets[i] = s.Ticket.Reveal()
		}
		s, err := h.m.Continue(t.Context(), tickets[0], authn.Answer{Factor: authn.FactorText, Send: true}, home)
		require.NoError(t, err)
		tickets[0] = s.Ticket.Reveal()
		before := h.factor.count()
		errs := atOnce(len(tickets), func(i int) error {
			a := authn.Answer{Factor: authn.FactorText, Code: fmt.Sprintf("%06d", i)}
			if i%2 == 1 {
				a.Factor = authn.FactorApp
			}
			s, err := h.m.Continue(t.Context(), tickets[i], a, home)
			if err == nil && s.Problem == nil {
				return errors.New("a guess got somebody on")
			}
			return err
		})
		for _, err := range errs {
			if !errors.Is(err, authn.ErrUnavailable) { // a store that was busy for too long is a closed answer too
				require.NoError(t, err)
			}
		}
		_, tries := h.texts.counts()
		tries += h.factor.count() - before
		require.LessOrEqual(t, tries, 5)
		a, err := h.m.Account(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		require.GreaterOrEqual(t, a.Second.Failures, tries, "a try is counted before it is made")
		require.LessOrEqual(t, a.Second.Failures, 5)
		if number(errs, authn.ErrUnavailable) == 0 {
			require.Equal(t, 5, tries)
		}
	})
}

// TestTextsSwitchedOff: a policy is in force with the next step, for a code that is under way too.
func TestTextsSwitchedOff(t *testing.T) {
	t.Parallel()
	h, p := texting(t, nil)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Send: true}, home)
	require.NoError(t, err)
	h.rule(func(p *authn.Policy) { p.Texts = false })
	right := h.texts.code(p.ID)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Code: right}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrNoFactor)
	require.Equal(t, right, h.texts.code(p.ID), "nobody looked at it")

	h.rule(func(p *authn.Policy) { p.Texts, p.Banner = true, authn.Banner{Version: "1"} })
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Code: right}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedBanner, s.Need)
	h.rule(func(p *authn.Policy) { p.Texts = false })
	_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: "1"}, home)
	require.ErrorIs(t, err, authn.ErrTicket, "what was proven does not count any more")
	require.Zero(t, h.sessions.count())
}
