package main

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
)

// allowed asks authn at each request whether somebody may work from where they are. The two need
// each other: sessions are made first.
type allowed struct{ *app }

// Allowed satisfies session.Network.
func (n allowed) Allowed(ctx context.Context, t audit.Tenant, k audit.Kind, from netip.Addr) (bool, error) {
	return n.people.Allowed(ctx, t, k, from)
}

// networkData is the form of the network rules, as it was typed.
type networkData struct {
	Version         int64
	Staff, Patients string // one network on each line
	Own             string // where the editor is
	OwnPasses       bool
	Readable        bool   // both lists are
	Try             string // an address to try
	Tried           []tried
	First, Yourself bool // what has to be confirmed before this is saved
	MayChange       bool
}

// tried says whether somebody would pass the rules in the form.
type tried struct {
	Who    string
	Passes bool
}

func (a *app) networkPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	p, err := a.people.Policy(r.Context(), tenant)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d := networkData{Version: p.Version, Staff: lines(p.Network.Staff), Patients: lines(p.Network.Patients)}
	a.showNetwork(w, r, http.StatusOK, d, p.Network, "")
}

func (a *app) showNetwork(w http.ResponseWriter, r *http.Request, status int, d networkData, rules authn.Network, problem string) {
	own := a.addr(r)
	d.MayChange = holds(r.Context(), a, settingsChange)
	d.Own, d.Readable, d.OwnPasses = own.String(), status != http.StatusUnprocessableEntity, rules.WouldAllow(audit.KindStaff, own)
	a.render(w, r, status, "network", view{Title: "Networks", Problem: problem, Data: d})
}

func lines(list []netip.Prefix) string {
	var b strings.Builder
	for _, p := range list {
		text := p.String()
		if p.IsSingleIP() {
			text = p.Addr().String()
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// saveNetwork saves the rules, or tries an address against what is in the form and saves nothing.
func (a *app) saveNetwork(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx, form := r.Context(), r.PostForm
	d := networkData{Staff: form.Get("staff"), Patients: form.Get("patients"), Try: strings.TrimSpace(form.Get("try"))}
	d.Version, _ = strconv.ParseInt(form.Get("version"), 10, 64)
	rules, problem := d.rules()
	if problem != "" {
		a.showNetwork(w, r, http.StatusUnprocessableEntity, d, authn.Network{}, problem)
		return
	}
	if form.Get("do") == "try" {
		a.tryNetwork(w, r, d, rules)
		return
	}
	p, err := a.people.Policy(ctx, tenant)
	if err == nil {
		p.Version, p.Network = d.Version, rules
		err = a.people.SavePolicy(ctx, tenant, p, form.Get("confirm") == "yes")
	}
	var out *authn.LockOutError
	if errors.As(err, &out) {
		d.First, d.Yourself = out.First, out.Yourself
		a.showNetwork(w, r, http.StatusConflict, d, rules, "Nothing is saved yet. Please read what is below and confirm it.")
		return
	}
	a.savedPolicy(w, r, err, "/settings/network?done=network", func(problem string) {
		a.showNetwork(w, r, http.StatusUnprocessableEntity, d, rules, problem)
	})
}

// rules reads both lists; the problem names the list and the line.
func (d networkData) rules() (n authn.Network, problem string) {
	var err error
	for _, list := range []struct {
		name, text string
		to         *[]netip.Prefix
	}{{"The team", d.Staff, &n.Staff}, {"Patients", d.Patients, &n.Patients}} {
		if *list.to, err = authn.ParseNetworks(list.text); err != nil {
			_, line, found := strings.Cut(err.Error(), "line ")
			where := list.name
			if found {
				where += ", line " + line
			}
			return authn.Network{}, "Nothing was saved. " + where + ": this is not an address such as 192.0.2.7 or a network such as 192.0.2.0/24 or 2001:db8::/48. The part behind the slash must fit, and a network of all addresses is an empty list."
		}
	}
	return n, ""
}

// tryNetwork answers "would I pass?" for an address, for the team and for patients.
func (a *app) tryNetwork(w http.ResponseWriter, r *http.Request, d networkData, rules authn.Network) {
	if d.Try == "" {
		d.Try = a.addr(r).String()
	}
	addr, err := netip.ParseAddr(d.Try)
	if err != nil {
		a.showNetwork(w, r, http.StatusUnprocessableEntity, d, rules, "To try an address, type one such as 192.0.2.7 or 2001:db8::7.")
		return
	}
	d.Tried = []tried{
		{"the team", rules.WouldAllow(audit.KindStaff, addr)},
		{"patients", rules.WouldAllow(audit.KindPatient, addr)},
	}
	a.showNetwork(w, r, http.StatusOK, d, rules, "")
}

// savedPolicy answers a change of what the clinic asks of sign-ins.
func (a *app) savedPolicy(w http.ResponseWriter, r *http.Request, err error, to string, ask func(problem string)) {
	switch {
	case err == nil:
		http.Redirect(w, r, to, http.StatusSeeOther)
	case errors.Is(err, authn.ErrPolicy), errors.Is(err, authn.ErrNetworkRules), errors.Is(err, errInput):
		ask("Nothing was saved. Please check what you typed.")
	case errors.Is(err, authn.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}
