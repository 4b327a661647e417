package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBrowserSupport has axe-core look at the pages of the platform's support, from both sides, and at the strip that
// says who is inside; all of it by keyboard alone.
func TestBrowserSupport(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	admin, operator := sit(t, browser, c.base, true), sit(t, browser, c.base, true)
	operator.open("/platform/sign-in")
	i.look(operator, "platform-sign-in")
	operator.field("email", noor)
	operator.field("password", demoPassword)
	operator.enter()
	operator.field("code", operator.phone(noor))
	operator.enter()
	require.Equal(t, "/platform", operator.path())
	i.look(operator, "platform")
	operator.field("text", "Mails to the clinic bounce.")
	operator.field("ticket", "T-4711")
	operator.push("Ask the clinic")
	i.look(operator, "platform-asked")

	admin.signIn(alma)
	require.Contains(t, admin.text(), "Noor Haddad, platform support, asks to come in.")
	i.look(admin, "dashboard-support-asks")
	admin.follow("Answer")
	i.look(admin, "support-asked")
	admin.tab("how long", func(f focus) bool { return strings.HasPrefix(f.ID, "minutes-") })
	admin.press("1 hour")
	admin.push("Let them in")
	if strings.Contains(admin.text(), "Is it you?") {
		admin.proves()
	}
	require.Contains(t, admin.text(), "may come in now")
	i.look(admin, "support-approved")

	operator.open("/platform")
	i.look(operator, "platform-approved")
	operator.push("Enter the clinic")
	if strings.Contains(operator.text(), "Is it you?") {
		operator.proves()
	}
	require.Contains(t, operator.text(), "You are inside Harbor Clinic")
	i.look(operator, "inside-settings")
	admin.open("/dashboard")
	require.Contains(t, admin.text(), "is inside until")
	i.look(admin, "dashboard-support-inside")
	admin.open("/support")
	i.look(admin, "support-inside")
	admin.push("End now")
	require.Contains(t, admin.text(), "It is ended.")
	i.look(admin, "support-over")
	operator.open("/settings")
	require.Contains(t, operator.text(), "has not let you in")
	i.look(operator, "turned-away")
	operator.open("/platform")
	i.look(operator, "platform-over")
}
