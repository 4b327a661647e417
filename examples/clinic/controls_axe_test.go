package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBrowserControls has axe-core look at the controls, at masks, retention and what destroys a patient, at disclosures, at what patients read of
// them, and at the pages of one's own factors.
func TestBrowserControls(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	admin, ava := sit(t, browser, c.base, true), sit(t, browser, c.base, true)
	admin.signIn(alma)
	admin.open("/settings/controls")
	require.Contains(t, admin.text(), "need a look")
	i.look(admin, "controls")
	for page, path := range map[string]string{"masks": maskHome, "retention": retentionPath} {
		admin.open(path)
		if ask[bool](admin, `document.getElementById("`+fieldPassword+`") != null`) {
			admin.proves()
		}
		require.Equal(t, path, admin.path(), admin.text())
		i.look(admin, page)
	}
	admin.open("/patients")
	admin.follow(demoPatient(1).Name)
	admin.follow("Destroy this patient’s data")
	i.look(admin, "destroy")
	admin.open("/patients")
	admin.follow(demoPatient(0).Name)
	admin.follow("What was disclosed about this patient")
	i.look(admin, "disclosures-none")
	for page, path := range map[string]string{"passkey-new": "/security/passkeys/new", "number": "/security/number", "my-factors": "/security"} {
		admin.open(path)
		i.look(admin, page)
	}
	ava.open("/sign-in")
	ava.field("email", demoPatient(0).Email)
	ava.field("password", demoPassword)
	ava.enter()
	require.Equal(t, "/me", ava.path(), ava.text())
	ava.open("/me/access")
	require.Contains(t, ava.text(), "worked with your record")
	i.look(ava, "viewers")
	ava.open("/me/disclosures")
	i.look(ava, "disclosures-own")
}
