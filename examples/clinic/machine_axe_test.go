package main

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestBrowserPrograms has axe-core look at the pages of API keys and agents, and makes, replaces and
// revokes a key with the keyboard alone.
func TestBrowserPrograms(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	h := sit(t, browser, c.base, true)
	h.signIn(alma)
	h.open("/programs")
	i.look(h, "programs-none")
	h.field("name", "Note helper")
	h.tab("agent", func(f focus) bool { return f.ID == "kind-service" })
	h.press(kb.ArrowDown)
	h.tab("scope", func(f focus) bool { return f.ID == "scope-patient.read" })
	h.press(" ")
	h.push("Make it")
	require.Contains(t, h.text(), "Please choose for whom the agent acts")
	i.look(h, "programs-problem")
	h.tab("for", func(f focus) bool { return f.ID == "for" })
	h.press("Tomas")
	h.push("Make it")
	require.Contains(t, h.text(), "it is not shown again")
	i.look(h, "program-key")
	h.follow("I have kept it")
	require.Contains(t, h.text(), "Tomas Berg")
	i.look(h, "program")
	h.tab("replace", func(f focus) bool { return f.Text == "Replace the key …" })
	h.press(kb.Enter)
	i.look(h, "program-replace")
	h.push("Make a new key")
	require.Contains(t, h.text(), "it is not shown again")
	h.follow("I have kept it")
	h.push("Revoke the key ")
	require.Contains(t, h.text(), "The key is revoked.")
	i.look(h, "program-revoked")
	h.open("/programs")
	i.look(h, "programs")
}
