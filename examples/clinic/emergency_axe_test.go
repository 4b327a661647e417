package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBrowserEmergency has axe-core look at the pages of an emergency, from the therapist’s side and from
// that of who answers for privacy; all of it by keyboard alone.
func TestBrowserEmergency(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	nadia, admin := sit(t, browser, c.base, true), sit(t, browser, c.base, true)
	admin.signIn(alma)
	nadia.signIn(nad)
	nadia.open("/patients")
	nadia.follow("Open a record in an emergency")
	i.look(nadia, "emergency-find")
	nadia.field("q", demoPatient(0).MRN)
	born := demoPatient(0).Birth // typed month first
	nadia.field("birth", born[5:7]+born[8:10]+born[:4])
	nadia.push("Go on")
	if strings.Contains(nadia.text(), "Is it you?") {
		nadia.proves()
	}
	require.Contains(t, nadia.text(), "Before you go on")
	i.look(nadia, "emergency-ask")
	nadia.tab("why", func(f focus) bool { return f.ID == "reason" })
	nadia.press("The patient needs help now")
	nadia.field("words", collapsed)
	nadia.push("Open the record")
	if strings.Contains(nadia.text(), "Is it you?") {
		nadia.proves()
	}
	require.Contains(t, nadia.text(), "Emergency access:")
	i.look(nadia, "emergency-patient")

	admin.open("/dashboard")
	require.Contains(t, admin.text(), "open in an emergency now")
	i.look(admin, "dashboard-emergency")
	admin.follow("Look at the emergencies")
	i.look(admin, "emergencies")
	admin.tab("the emergency", func(f focus) bool { return strings.HasPrefix(f.Label, "Emergency of Nadia Okafor") })
	admin.enter()
	i.look(admin, "emergency-open")
	nadia.push("End now")
	require.Contains(t, nadia.text(), "Your emergency access is over.")
	admin.open(admin.path())
	i.look(admin, "emergency-to-review")
	admin.tab("verdict", func(f focus) bool { return f.ID == "verdict" })
	admin.press("It was justified")
	admin.field("words", "Iris saw it.")
	admin.push("Save the review")
	require.Contains(t, admin.text(), "The review is saved")
	i.look(admin, "emergency-reviewed")
}
