package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/session"
)

// webAuthn is how browsers make passkeys for the clinic, nil where they make none: passkeys belong to
// a name, and an address such as 127.0.0.1 is no name (WebAuthn Level 3, section 4, RP ID).
func (c config) webAuthn() (mfa.WebAuthn, error) {
	base, err := url.Parse(c.baseURL)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(base.Hostname()); err == nil {
		return nil, nil //nolint:nilnil // both are right: there are none
	}
	return passkey.New(passkey.RelyingParty{ID: base.Hostname(), Name: clinicName, Origins: []string{c.baseURL}}, nil)
}

// passkeyForm is a form that a passkey answers, as static/passkeys.js reads it.
type passkeyForm struct {
	Ceremony string // "get" or "create"
	Action   string // where the answer goes
	Options  string // JSON of the browser's API
	Offer    string // where the options come from, in place of Options
	Name     string // of the field that takes the answer
	Text     string // of the button
	Label    bool   // the owner may give it a name
	CSRF     string
	Kept     []field // what else goes along
	// Elsewhere is the only address that passkeys work at, where the page was opened at another one.
	Elsewhere string
}

// The fields of the forms.
const (
	fieldPasskey = "passkey"
	fieldLabel   = "label"
)

// passkeyAt makes such a form; nil where there is nothing to ask.
func (a *app) passkeyAt(r *http.Request, f passkeyForm) *passkeyForm {
	base, err := url.Parse(a.config.baseURL)
	if err != nil || f.Options == "" && f.Offer == "" {
		return nil
	}
	if r.Host != base.Host {
		f.Elsewhere = a.config.baseURL
	}
	f.CSRF = session.CSRF(r.Context())
	if f.Name == "" {
		f.Name = fieldPasskey
	}
	return &f
}

// noPasskeys says in plain words why nobody makes a passkey at the address in use, "" where they can.
func (a *app) noPasskeys() string {
	if a.passkeys {
		return ""
	}
	return "Passkeys need a name: this clinic was started under an IP address. Start it with -url and a name, or open it as localhost."
}

// offeredPasskey is the button of the sign-in page, nil where a password comes first.
func (a *app) offeredPasskey(r *http.Request) *passkeyForm {
	p, err := a.people.Policy(r.Context(), tenant)
	if err != nil || !a.passkeys || p.Passkeys != authn.PasskeysAlone {
		return nil
	}
	return a.passkeyAt(r, passkeyForm{Ceremony: "get", Action: "/sign-in/passkey", Offer: "/sign-in/offer", Text: "Sign in with a passkey"})
}

// offerPasskey answers the script of the sign-in page with what a passkey is to sign. It says the
// same to everybody.
func (a *app) offerPasskey(w http.ResponseWriter, r *http.Request) {
	step, err := a.people.OfferPasskey(r.Context(), tenant, a.client(r))
	answer, status := map[string]any{"options": json.RawMessage(step.Passkey)}, http.StatusOK
	if err != nil {
		retryAfter(w, err)
		answer, status = map[string]any{"problem": passkeyProblem(err)}, authn.Status(err)
	} else {
		authn.SetTicket(w, step)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		a.fail(w, r, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// passkeyProblem turns an error of a passkey into plain words.
func passkeyProblem(err error) string {
	switch {
	case errors.Is(err, authn.ErrPasskeyDisabled):
		return "This passkey was turned off, because there may be a copy of it. Sign in another way, then remove it in My security and make a new one."
	case errors.Is(err, authn.ErrPasswordFirst):
		return "This clinic asks for the password first."
	case errors.Is(err, authn.ErrPasskey), errors.Is(err, authn.ErrDenied):
		return "This passkey was not accepted. Perhaps it was removed from your account, or the page was open for too long. Try again, or sign in with your password."
	}
	return signInProblem(err)
}
