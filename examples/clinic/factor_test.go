package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/session"
)

// A thief with a colleague's password and phone is one step before the end of a sign-in when
// the administrator resets the factor. What the stolen phone has proven counts no more, not
// even once the colleague has set up a new one.
func TestResetFactorEndsSignInsInProgress(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080"})
	require.NoError(t, err)
	a, err := open(ctx, c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	require.NoError(t, a.seed(audit.WithActor(ctx, audit.System(tenant, "setup"))))

	from := authn.Client{Addr: netip.MustParseAddr("192.0.2.7")}
	signIn := func() authn.Step {
		s, err := a.people.SignIn(ctx, tenant, tom, authn.NewPassword(demoPassword), from)
		require.NoError(t, err)
		return s
	}
	answer := func(s authn.Step, with authn.Answer) authn.Step {
		s, err := a.people.Continue(ctx, s.Ticket.Reveal(), with, from)
		require.NoError(t, err)
		return s
	}
	code := func(s authn.Step, k *mfa.Key, at time.Time) authn.Answer {
		if s.Need == authn.NeedEnrolment {
			*k, err = mfa.ParseURI(s.Enrolment.URI.Reveal())
			require.NoError(t, err)
		}
		digits, err := k.Code(at)
		require.NoError(t, err)
		return authn.Answer{Code: digits}
	}

	var phone, newPhone mfa.Key
	s := signIn()
	require.Equal(t, authn.Done, answer(s, code(s, &phone, time.Now())).Need)
	admin := audit.Actor{ID: "demo-admin", Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2, Methods: []string{"pwd", "otp", "mfa"}}
	require.NoError(t, a.people.ExpirePassword(audit.WithActor(ctx, admin), tenant, tomID, "seen on a note"))
	s = signIn()
	thief := answer(s, code(s, &phone, time.Now().Add(30*time.Second)))
	require.Equal(t, authn.NeedPassword, thief.Need)

	token, err := a.sessions.Start(ctx, admin)
	require.NoError(t, err)
	post := func(path string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost:8080"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(session.CSRFHeader, identifier(t, a, token))
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			if c.Name == sessionCookie {
				token = c.Value
			}
		}
		return w
	}
	const reset = "/team/" + tomID + "/reset-factor"
	require.Equal(t, http.StatusUnauthorized, post(reset, nil).Code, "who is there?")
	w := post("/confirm", url.Values{
		fieldPassword: {demoPassword}, fieldTo: {reset}, fieldMethod: {http.MethodPost},
		fieldAction: {string(memberReset.Name())}, fieldType: {"person"}, fieldID: {tomID},
	})
	require.Equal(t, reset, w.Header().Get("Location"), w.Body.String())
	w = post(reset, nil)
	require.Equal(t, "/team/"+tomID+"?done=factor-reset", w.Header().Get("Location"), w.Body.String())
	s = signIn()
	require.Equal(t, authn.NeedEnrolment, s.Need)
	require.Equal(t, authn.NeedPassword, answer(s, code(s, &newPhone, time.Now())).Need)

	_, err = a.people.Continue(ctx, thief.Ticket.Reveal(), authn.Answer{Password: authn.NewPassword("this is the thief now")}, from)
	require.ErrorIs(t, err, authn.ErrTicket)
}
