package authn

import (
	"errors"
	"net/http"
)

// TicketCookie is the cookie that binds a sign-in in progress to one browser. The prefix
// makes browsers refuse it over plain HTTP and from other hosts (RFC 6265bis, 4.1.3.2).
const TicketCookie = "__Host-wardkit-ticket"

// KnownCookie is the cookie of a browser in which somebody has signed in wholly, sealed. Signing
// out leaves it there.
const KnownCookie = "__Host-wardkit-known"

// SetTicket keeps the step's ticket in the browser, or removes the cookie when the step has
// none. When the sign-in is done it makes the browser known for 90 days.
func SetTicket(w http.ResponseWriter, s Step) {
	set := func(name string, value Secret, age int) {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value.Reveal(), Path: "/", MaxAge: age,
			Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	}
	age := 0
	if s.Ticket.IsZero() {
		age = -1
	}
	set(TicketCookie, s.Ticket, age)
	if !s.Known.IsZero() {
		set(KnownCookie, s.Known, int(KnownFor.Seconds()))
	}
}

// KnownFrom returns what makes the browser of a request known, for Client.Known; "" if there is
// nothing. Two cookies of the name are none.
func KnownFrom(r *http.Request) string { return only(r, KnownCookie) }

// only is the value of the one cookie of a name.
func only(r *http.Request, name string) string {
	all := r.CookiesNamed(name)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// TicketFrom returns the ticket that came with a request, "" if there is none. Two cookies
// of the name are none.
func TicketFrom(r *http.Request) string { return only(r, TicketCookie) }

// Status returns the HTTP status for an error of this package: 202 for ErrPending, because the
// change is made and what is left of it will be. An error of another package that has a method
// HTTPStatus() int, as those of session, mfa and machine have, has what that says; everything else
// is a part that failed, 503.
func Status(err error) int {
	for _, row := range statuses() {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	if confirm := (*LockOutError)(nil); errors.As(err, &confirm) {
		return http.StatusConflict
	}
	if known := (interface{ HTTPStatus() int })(nil); errors.As(err, &known) {
		if s := known.HTTPStatus(); s == http.StatusAccepted || s >= http.StatusBadRequest && s < 600 {
			return s
		}
	}
	return http.StatusServiceUnavailable
}

// refusal is a factor's answer to the making of a passkey: what its method HTTPStatus says is wrong
// with the person's state (409) or with what was sent (422) is handed on, so that Status and the
// host's pages know it. Everything else is a part that failed.
func refusal(what string, err error) error {
	known := (interface{ HTTPStatus() int })(nil)
	if errors.As(err, &known) && (known.HTTPStatus() == http.StatusConflict || known.HTTPStatus() == http.StatusUnprocessableEntity) {
		return err
	}
	return unavailable(what, err)
}

type status struct {
	err    error
	status int
}

// statuses are the errors in the order in which they count where one is joined of several.
func statuses() []status {
	return []status{
		{nil, http.StatusOK},
		{ErrPending, http.StatusAccepted}, // which wraps what keeps it waiting
		{ErrUnavailable, http.StatusServiceUnavailable},
		{ErrBusy, http.StatusServiceUnavailable},
		{ErrThrottled, http.StatusTooManyRequests},
		{ErrDenied, http.StatusUnauthorized},
		{ErrWrongCode, http.StatusUnauthorized},
		{ErrProof, http.StatusUnauthorized},
		{ErrNetwork, http.StatusForbidden},
		{ErrInactive, http.StatusForbidden},
		{ErrApproval, http.StatusForbidden},
		{ErrTicket, http.StatusUnauthorized},
		{ErrNoActor, http.StatusUnauthorized},
		{ErrLinkUnknown, http.StatusNotFound},
		{ErrLink, http.StatusGone},
		{ErrNotFound, http.StatusNotFound},
		{ErrBanner, http.StatusUnprocessableEntity},
		{ErrPassword, http.StatusUnprocessableEntity},
		{ErrIdentifier, http.StatusUnprocessableEntity},
		{ErrNetworkRules, http.StatusUnprocessableEntity},
		{ErrPolicy, http.StatusUnprocessableEntity},
		{ErrNoSeat, http.StatusConflict},
		{ErrRoleDenied, http.StatusForbidden},
		{ErrRole, http.StatusUnprocessableEntity},
		{ErrNoFactor, http.StatusConflict},
		{ErrExists, http.StatusConflict},
		{ErrConflict, http.StatusConflict},
		{ErrState, http.StatusConflict},
		{ErrSetUpDone, http.StatusConflict},
	}
}
