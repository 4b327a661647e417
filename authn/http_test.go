package authn_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func TestTicketCookie(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	authn.SetTicket(w, s)
	c := w.Result().Cookies()[0]
	require.Equal(t, authn.TicketCookie, c.Name)
	require.True(t, c.Secure && c.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, c.SameSite)
	require.Equal(t, "/", c.Path)
	require.Empty(t, c.Domain)
	require.Zero(t, c.MaxAge, "the server, not the browser, ends it")

	r := httptest.NewRequest(http.MethodPost, "/", nil)
	require.Empty(t, authn.TicketFrom(r))
	r.AddCookie(c)
	require.Equal(t, s.Ticket.Reveal(), authn.TicketFrom(r))
	r.AddCookie(&http.Cookie{Name: authn.TicketCookie, Value: "another"})
	require.Empty(t, authn.TicketFrom(r), "two are none")

	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	w = httptest.NewRecorder()
	authn.SetTicket(w, s)
	require.Negative(t, w.Result().Cookies()[0].MaxAge, "removed when done")
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
	}{
		{nil, 200},
		{authn.ErrDenied, 401},
		{authn.ErrTicket, 401},
		{authn.ErrWrongCode, 401},
		{authn.ErrBanner, 422},
		{&authn.LockOutError{First: true}, 409},
		{authn.ErrNoActor, 401},
		{&authn.ThrottledError{}, 429},
		{&authn.BusyError{}, 503},
		{&authn.PolicyError{}, 422},
		{authn.ErrIdentifier, 422},
		{authn.ErrLinkUnknown, 404},
		{authn.ErrLinkExpired, 410},
		{authn.ErrLinkUsed, 410},
		{authn.ErrNotFound, 404},
		{authn.ErrExists, 409},
		{authn.ErrState, 409},
		{authn.ErrSetUpDone, 409},
		{authn.ErrNoSeat, 409},
		{fmt.Errorf("x: %w", authn.ErrRole), 422},
		{errors.Join(authn.ErrRoleDenied, errors.New("y")), 403},
		{fmt.Errorf("x: %w", authn.ErrUnavailable), 503},
		{errors.Join(authn.ErrDenied, authn.ErrUnavailable), 503},
		{authn.ErrProof, 401},
		{authn.ErrNoFactor, 409},
		{authn.ErrNoPasskeys, 409},
		{authn.ErrPasskey, 401},
		{authn.ErrPasskeyDisabled, 401},
		{authn.ErrPasswordFirst, 401},
		{authn.ErrPolicy, 422},
		{fmt.Errorf("%w: %w", authn.ErrPending, authn.ErrUnavailable), 202},
		{errors.New("of another package"), 503},
		{coded(409), 409},
		{fmt.Errorf("x: %w", coded(202)), 202},
		{coded(200), 503},
		{errors.Join(authn.ErrUnavailable, coded(409)), 503},
	} {
		require.Equal(t, c.status, authn.Status(c.err), "%v", c.err)
	}
}

// coded is an error of another package that knows its own status.
type coded int

func (c coded) Error() string   { return "coded" }
func (c coded) HTTPStatus() int { return int(c) }
