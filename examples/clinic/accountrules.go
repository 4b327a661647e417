package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
)

// accountRules are what the clinic asks of accounts, of the team and of patients apart.
type accountRules struct {
	Version   int64
	Kinds     []accountRule
	Both      bool // who is asked once more gives password and code
	Passkeys  string
	Texts     bool
	HasTexts  bool // somebody carries text messages
	MayChange bool
}

type accountRule struct {
	Kind, Name        string
	Required, Approve bool
	Days              string // without a sign-in, until the account is locked
}

const oneDay = 24 * time.Hour

// defaultDays is what a policy without a number means.
const defaultDays = 90

func accountRulesOf(p authn.Policy) accountRules {
	row := func(kind, name string, e authn.Enforcement, approve bool, inactive time.Duration) accountRule {
		days := int(inactive / oneDay)
		if days == 0 {
			days = defaultDays
		}
		return accountRule{kind, name, e != authn.Optional, approve, strconv.Itoa(days)}
	}
	return accountRules{Version: p.Version, Both: p.Reproof == authn.AllFactors, Passkeys: passkeyUse(p.Passkeys), Texts: p.Texts, Kinds: []accountRule{
		row("staff", "The team", p.Staff, p.ApproveStaff, p.InactiveStaff),
		row("patients", "Patients", p.Patients, p.ApprovePatients, p.InactivePatients),
	}}
}

// What a passkey is good for, as the form says it.
const (
	keysAlone  = "alone"
	keysSecond = "second"
	keysOff    = "off"
)

func passkeyUse(u authn.PasskeyUse) string {
	switch u {
	case authn.PasskeysAlone:
		return keysAlone
	case authn.PasskeysSecond:
		return keysSecond
	}
	return keysOff
}

func (a *app) accountRulesPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	p, err := a.people.Policy(r.Context(), tenant)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.showAccountRules(w, r, http.StatusOK, accountRulesOf(p), "")
}

func (a *app) showAccountRules(w http.ResponseWriter, r *http.Request, status int, d accountRules, problem string) {
	d.MayChange, d.HasTexts = holds(r.Context(), a, settingsChange), a.demo != nil
	a.render(w, r, status, "accounts", view{Title: "Accounts", Problem: problem, Data: d})
}

// saveAccountRules puts the form into force, at everybody's next step of signing in.
func (a *app) saveAccountRules(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx, form := r.Context(), r.PostForm
	p, err := a.people.Policy(ctx, tenant)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d := accountRulesOf(p)
	d.Version, _ = strconv.ParseInt(form.Get("version"), 10, 64)
	d.Both = form.Get("reproof") == "both"
	d.Passkeys, d.Texts = form.Get("passkeys"), form.Get("texts") == "yes"
	for i := range d.Kinds {
		k := &d.Kinds[i]
		k.Required, k.Approve = form.Get("factor-"+k.Kind) != "optional", form.Get("approve-"+k.Kind) == "yes"
		k.Days = strings.TrimSpace(form.Get("days-" + k.Kind))
	}
	if p, err = d.policy(p); err == nil {
		err = a.people.SavePolicy(ctx, tenant, p, false)
	}
	a.savedPolicy(w, r, err, "/settings/accounts?done=accounts", func(string) {
		a.showAccountRules(w, r, http.StatusUnprocessableEntity, d, "Nothing was saved. An account is locked after 1 to 730 days without a sign-in.")
	})
}

// policy makes a policy of the form; what the form does not show stays as p has it.
func (d accountRules) policy(p authn.Policy) (authn.Policy, error) {
	p.Version, p.Reproof = d.Version, authn.OneFactor
	if d.Both {
		p.Reproof = authn.AllFactors
	}
	p.Texts = d.Texts
	switch d.Passkeys {
	case keysAlone:
		p.Passkeys = authn.PasskeysAlone
	case keysSecond:
		p.Passkeys = authn.PasskeysSecond
	case keysOff:
		p.Passkeys = authn.PasskeysOff
	default:
		return p, errInput
	}
	for _, k := range d.Kinds {
		days, err := strconv.ParseUint(k.Days, 10, 16)
		if err != nil || days < 1 || days > 730 {
			return p, errInput
		}
		e := authn.Required
		if !k.Required {
			e = authn.Optional
		}
		if k.Kind == "staff" {
			p.Staff, p.ApproveStaff, p.InactiveStaff = e, k.Approve, time.Duration(days)*oneDay
		} else {
			p.Patients, p.ApprovePatients, p.InactivePatients = e, k.Approve, time.Duration(days)*oneDay
		}
	}
	return p, nil
}
