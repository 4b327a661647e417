package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestBrowserAccounts has axe-core look at the pages of accounts, rules and the patient portal.
func TestBrowserAccounts(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	admin, desk := sit(t, browser, c.base, true), sit(t, browser, c.base, true)
	ava, guest := sit(t, browser, c.base, true), sit(t, browser, c.base, true)
	i.forgetful(guest)
	i.desk(desk)
	i.secured(admin)
	i.gates(admin)
	i.patients(ava)
}

func (i *inspector) forgetful(h *hands) {
	h.open("/forgot")
	i.look(h, "forgot")
	h.field("email", paul)
	h.enter()
	require.Contains(h.t, h.text(), "Look into your mailbox")
	i.look(h, "forgot-sent")
}

// desk: whether patients can sign in.
func (i *inspector) desk(h *hands) {
	h.signIn(iris)
	h.open("/patients")
	h.follow(demoPatient(0).Name)
	h.follow("Whether this patient can sign in")
	i.look(h, "portal")
	h.open("/patients")
	h.follow(demoPatient(1).Name)
	h.follow("Whether this patient can sign in")
	i.look(h, "portal-none")
	h.push("Invite to the portal")
	require.Contains(h.t, h.text(), "The invitation is on its way to the patient.")
	i.look(h, "portal-invited")
}

// secured: what somebody does about their own password and phone.
func (i *inspector) secured(h *hands) {
	h.signIn(alma)
	used := h.phone(alma)
	h.open("/security")
	i.look(h, "my-security")
	h.open("/security/password")
	i.look(h, "my-password")
	h.open("/security/codes")
	i.look(h, "codes")
	code := h.phone(alma)
	require.Eventually(h.t, func() bool { code = h.phone(alma); return code != used }, time.Minute, time.Second, "no new code")
	h.field("code", code)
	h.enter()
	i.look(h, "codes-new")
	recovery := ask[string](h, `document.querySelector(".key").innerText`)
	h.open("/security")
	i.look(h, "my-security-codes")
	h.open("/security/phone")
	i.look(h, "phone")
	h.field("code", recovery)
	h.enter()
	require.Contains(h.t, h.text(), "Until you finish, the old phone goes on working.")
	i.look(h, "phone-new")
	h.open("/team")
	i.look(h, "team-factors")
	h.open("/team/demo-desk")
	i.look(h, "member-account")
	h.tab("reset", func(f focus) bool { return f.Text == "Reset the second factor …" })
	h.press(kb.Enter)
	i.look(h, "member-reset")
	h.push("Yes, reset")
	i.look(h, "member-reset-confirm")
}

// gates: the rules of who gets in.
func (i *inspector) gates(h *hands) {
	h.open("/settings/accounts")
	h.proves()
	i.look(h, "accounts")
	h.open("/settings/network")
	i.look(h, "network")
	h.field("staff", "198.51.100.0/24")
	h.field("try", "198.51.100.7")
	h.push("Would it pass?")
	i.look(h, "network-tried")
	h.push("Save")
	require.Contains(h.t, h.text(), "You would lock yourself out.")
	i.look(h, "network-confirm")
	h.open("/settings/banner")
	i.look(h, "banner-form")
	h.field("words", "This system is for the people of Harbor Clinic. What you do here is on record.")
	h.push("Save")
	require.Contains(h.t, h.text(), "The banner is saved.")
	i.look(h, "banner-saved")
	h.open("/settings")
	i.look(h, "settings-tiles")
}

// patients: a patient's own pages, after the banner.
func (i *inspector) patients(h *hands) {
	h.open("/sign-in")
	h.field("email", demoPatient(0).Email)
	h.field("password", demoPassword)
	h.enter()
	require.Equal(h.t, "/sign-in/banner", h.path(), h.text())
	i.look(h, "banner")
	h.push("I have read this")
	require.Equal(h.t, "/me", h.path(), h.text())
	i.look(h, "my-record")
	h.follow("Show who")
	i.look(h, "my-access")
	h.open("/security")
	i.look(h, "security-patient")
	h.open("/security/phone")
	i.look(h, "phone-first")
	h.field("password", demoPassword)
	h.enter()
	i.look(h, "phone-scan")
	h.open("/patients")
	i.look(h, "patients-patient")
}
