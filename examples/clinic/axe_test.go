package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
)

const (
	// axeVariable names the file axe.min.js of axe-core.
	axeVariable = "WARDKIT_AXE"
	// shotsVariable names a folder where the pages are saved as pictures, for people to look at.
	shotsVariable = "WARDKIT_SCREENSHOTS"
)

// narrowest is the width that pages must fit without scrolling sideways (WCAG 2.2, 1.4.10).
const narrowest = 320

var sizes = []struct{ width, height int64 }{{1280, 900}, {390, 844}, {narrowest, 640}}

// violation is a rule of axe-core that a page breaks.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML    string
		Summary string `json:"failureSummary"`
	}
}

// inspector looks at pages the way assistive technology does.
type inspector struct {
	t   *testing.T
	axe string
	n   int
}

// look checks the page that is open, in every size.
func (i *inspector) look(h *hands, name string) {
	h.t.Helper()
	i.n++
	i.t.Run(name, func(t *testing.T) {
		mine := *h
		mine.t = t
		ask[bool](&mine, i.axe+"; true")
		for _, size := range sizes {
			mine.do("resizing", chromedp.EmulateViewport(size.width, size.height))
			wide := ask[int64](&mine, `document.documentElement.scrollWidth`)
			require.LessOrEqual(t, wide, size.width, "at %d pixels the page scrolls sideways", size.width)
			if size.width == narrowest {
				continue
			}
			i.shoot(&mine, fmt.Sprintf("%02d-%s-%d", i.n, name, size.width))
			for _, v := range mine.violations() {
				t.Errorf("at %d pixels, %s: %s (%s)\n  %s\n  %s", size.width, v.Impact, v.ID, v.Help, v.Nodes[0].HTML, v.Nodes[0].Summary)
			}
		}
		mine.do("resizing", chromedp.EmulateViewport(1280, 900))
	})
}

// violations runs axe-core on the page with all its rules.
func (h *hands) violations() (all []violation) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](
		`axe.run(document, {resultTypes: ["violations"]}).then(r => {
			if (r.passes.length < 5) throw new Error("axe looked at nothing");
			return JSON.stringify(r.violations);
		})`, chromedp.EvalAwaitPromise))
	require.NoError(h.t, err)
	require.NoError(h.t, json.Unmarshal([]byte(text), &all))
	return all
}

func (i *inspector) shoot(h *hands, name string) {
	h.t.Helper()
	dir := os.Getenv(shotsVariable)
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(h.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(h.t, err)
	require.NoError(h.t, os.MkdirAll(dir, 0o755))
	require.NoError(h.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

func inspect(t *testing.T) *inspector {
	t.Helper()
	path := os.Getenv(axeVariable)
	if path == "" {
		enginetest.Missing(t, axeVariable+" is not set to the file axe.min.js of axe-core")
	}
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	return &inspector{t: t, axe: string(source)}
}

// TestBrowserAccessibility has axe-core look at every kind of page.
func TestBrowserAccessibility(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	admin, therapist, guest := sit(t, browser, c.base, true), sit(t, browser, c.base, true), sit(t, browser, c.base, true)
	biller := sit(t, browser, c.base, true)

	t.Run("axe_finds_what_is_wrong", func(t *testing.T) {
		h := *guest
		h.t = t
		h.do("a bad page", chromedp.Navigate(`data:text/html,<html><body><img src="x"><input></body></html>`))
		ask[bool](&h, i.axe+"; true")
		found := map[string]bool{}
		for _, v := range h.violations() {
			found[v.Impact] = true
		}
		require.True(t, found["critical"] && found["serious"], "have %v", found)
	})
	i.strangers(guest)
	i.signingIn(admin)
	i.admins(admin, guest)
	i.therapists(therapist)
	i.billers(biller)
	i.auditors(admin)
	i.settings(admin)
	i.roles(admin)
	i.endings(admin, therapist)
}

// strangers: what one sees without signing in.
func (i *inspector) strangers(h *hands) {
	h.open("/sign-in")
	i.look(h, "sign-in")
	h.field("email", alma)
	h.field("password", "not the password")
	h.enter()
	i.look(h, "sign-in-refused")
	h.open("/sign-in?as=demo-admin")
	i.look(h, "sign-in-picked")
	h.open("/demo")
	i.look(h, "demo-empty")
	h.open("/link/nobody")
	i.look(h, "link-dead")
	h.open("/none")
	i.look(h, "not-found")
}

func (i *inspector) signingIn(h *hands) {
	h.open("/sign-in")
	h.field("email", alma)
	h.field("password", demoPassword)
	h.enter()
	i.look(h, "enrol")
	h.field("code", "000000")
	h.enter()
	i.look(h, "enrol-wrong-code")
	h.field("code", h.phone(alma))
	h.enter()
	i.look(h, "dashboard-admin")
}

func (i *inspector) admins(h, guest *hands) {
	guest.open("/sign-in")
	guest.field("email", alma)
	guest.field("password", demoPassword)
	guest.enter()
	i.look(guest, "code")
	h.open("/patients")
	i.look(h, "patients")
	h.field("q", demoPatient(3).Phone)
	h.enter()
	i.look(h, "patients-found")
	h.follow(demoPatient(3).Name)
	i.look(h, "patient-admin")
	h.open("/patients")
	h.field("q", "555")
	h.enter()
	i.look(h, "patients-none")
	h.open("/patients/new")
	i.look(h, "register")
	h.open("/team")
	i.look(h, "team")
	h.field("name", newcomer.name)
	h.field("email", newcomer.email)
	h.field("role", "Ther")
	h.push("Send invitation")
	i.look(h, "team-invited")
	h.follow(newcomer.name)
	i.look(h, "member-invited")
	guest.open("/demo")
	i.look(guest, "demo")
	guest.tab("the link", func(f focus) bool { return strings.Contains(f.Href, "/link/") })
	guest.enter()
	i.look(guest, "set-up")
	guest.field("password", "harbor clinic")
	guest.enter()
	i.look(guest, "set-up-refused")
	h.open("/audit")
	i.look(h, "audit")
	h.tab("an event", func(f focus) bool { return strings.HasPrefix(f.Label, "Details of ") })
	h.enter()
	i.look(h, "event")
	h.open("/audit?who=demo-finance")
	i.look(h, "audit-empty")
	h.open("/security")
	i.look(h, "security")
}

func (i *inspector) therapists(h *hands) {
	h.signIn(tom)
	i.look(h, "dashboard-therapist")
	h.open("/patients")
	i.look(h, "patients-therapist")
	h.follow(demoPatient(0).Name)
	i.look(h, "patient")
	h.tab("reason", func(f focus) bool { return f.ID == "reason" })
	h.press(" ")
	h.enter()
	i.look(h, "patient-reason-missing")
	h.field("reason", revealReason)
	h.enter()
	i.look(h, "patient-revealed")
	h.follow("Edit the note")
	i.look(h, "note")
	h.field("note", "Not finished")
	h.push("Lock")
	i.look(h, "locked")
	h.proves()
	require.Contains(h.t, h.text(), "It is not saved yet.")
	i.look(h, "note-kept")
	h.open("/patients")
	h.follow(demoPatient(0).Name)
	h.follow("Letter to the family doctor")
	i.look(h, "letter")
	h.open("/audit")
	i.look(h, "not-for-your-role")
}

func (i *inspector) billers(h *hands) {
	h.signIn(paul)
	h.open("/claims")
	i.look(h, "claims-none")
	h.open("/patients")
	h.follow(demoPatient(0).Name)
	i.look(h, "patient-finance")
	h.tab("the form", func(f focus) bool { return f.Text == "Submit a claim …" })
	h.press(kb.Enter)
	h.field("served", "03022026")
	h.field("payer", "Lighthouse Mutual")
	h.field("amount", "140")
	h.enter()
	i.look(h, "claim-submitted")
	h.field("reason-deny", "Not")
	h.push("The insurer denied it")
	h.push("Appeal")
	i.look(h, "claim-appealed")
	h.open("/claims")
	i.look(h, "claims")
}

// auditors: what the administrator sees of all that.
func (i *inspector) auditors(h *hands) {
	h.open("/audit?sort=who&who=" + tomID)
	i.look(h, "audit-sorted")
	h.field("q", demoPatient(0).Phone)
	h.enter()
	i.look(h, "audit-patient")
	h.follow("Who viewed this patient")
	i.look(h, "access")
	h.follow("History of the record")
	i.look(h, "history")
	h.follow("The clinical note")
	i.look(h, "history-note")
	h.open("/audit?period=dates&from=2026-01-05&to=x")
	i.look(h, "audit-problem")
	h.open("/audit?page=x")
	i.look(h, "audit-cursor")
	h.open("/audit/health")
	i.look(h, "audit-health")
}

// settings: what administrators set up.
func (i *inspector) settings(h *hands) {
	h.open("/settings")
	i.look(h, "confirm")
	h.field("proof-password", "wrong")
	h.enter()
	i.look(h, "confirm-wrong")
	h.proves()
	i.look(h, "settings")
	h.open("/settings/sign-in")
	i.look(h, "rules")
	h.field("idle-staff", "99")
	h.push("Save")
	require.Contains(h.t, h.text(), "Nothing was saved.")
	i.look(h, "rules-refused")
	h.open("/settings/keys")
	i.look(h, "keys")
	h.open("/settings/keys?reason=missing#renew")
	i.look(h, "keys-reason-missing")
	h.tab("the form", func(f focus) bool { return f.Text == "Renew the keys …" })
	h.press(kb.Enter)
	h.field("reason", "yearly renewal")
	h.tab("the box", func(f focus) bool { return f.ID == "confirm" })
	h.press(" ")
	h.push("Renew")
	h.proves()
	require.Contains(h.t, h.text(), "Keys are being renewed")
	i.look(h, "keys-renewing")
}

// roles: who may see what, and a change of it.
func (i *inspector) roles(h *hands) {
	h.open("/roles")
	i.look(h, "roles")
	h.tab("a role", func(f focus) bool { return f.Text == "What Finance may do" })
	h.press(kb.Enter)
	i.look(h, "role-open")
	h.open("/team/" + tomID + "/rights")
	i.look(h, "rights")
	h.field("q", demoPatient(1).Phone)
	h.enter()
	i.look(h, "rights-record")
	h.tab("the form", func(f focus) bool { return f.Text == "Change the roles …" })
	h.press(kb.Enter)
	h.field("give", "Fin")
	i.look(h, "roles-change")
	h.push("See what would change")
	require.Contains(h.t, h.text(), "Nothing is saved yet.")
	i.look(h, "roles-proposed")
	h.field("reason", "bills for the clinic from now on")
	h.push("Save the change")
	h.proves()
	require.Contains(h.t, h.text(), "The change is saved.")
	i.look(h, "roles-changed")
	h.open("/roles/deleting")
	i.look(h, "deleting")
	h.tab("a box", func(f focus) bool { return f.Label == "Therapist may delete: Letters" })
	h.press(" ")
	h.push("See what would change")
	i.look(h, "deleting-proposed")
	h.open("/audit/sign-ins")
	i.look(h, "sign-ins")
}

func (i *inspector) endings(admin, therapist *hands) {
	admin.open("/team/" + tomID)
	i.look(admin, "member")
	admin.push("End the session on")
	i.look(admin, "member-session-ended")
	therapist.open("/patients")
	i.look(therapist, "session-ended")
	admin.push("Sign out")
	admin.press(kb.Tab)
	i.look(admin, "signed-out")
}
