package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestBrowserProof has axe-core look at the pages that prove the audit, and checks it, tampers with
// it and puts it back with the keyboard alone.
func TestBrowserProof(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	h := sit(t, browser, c.base, true)
	h.signIn(alma)
	h.open("/audit")
	i.look(h, "audit-with-proof")
	h.open("/audit/proof")
	i.look(h, "proof")
	h.verifies()
	require.Contains(t, h.text(), "Whole: all")
	i.look(h, "proof-whole")
	h.tab("older checkpoint", func(f focus) bool { return f.Text == "I have kept an older checkpoint" })
	h.press(kb.Enter)
	h.field("old", "nonsense")
	h.push("Verify now")
	require.Contains(t, h.text(), "This is no checkpoint of this clinic’s audit")
	i.look(h, "proof-nonsense")
	for _, how := range []string{"Blame somebody else", "Delete an event"} {
		h.open("/audit/proof")
		h.push(how)
		i.look(h, "proof-tampered")
		h.verifies()
		require.Contains(t, h.text(), "Changed: not all events")
		i.look(h, "proof-found")
		h.push("Put everything back")
	}
	h.open("/audit/exports")
	h.proves()
	i.look(h, "copies")
	h.open("/audit/exports?reason=missing")
	i.look(h, "copies-problem")
}

// verifies has the audit checked and waits for the result.
func (h *hands) verifies() {
	h.t.Helper()
	h.push("Verify now")
	require.Eventually(h.t, func() bool {
		h.open("/audit/proof")
		return !ask[bool](h, `document.querySelector("progress") != null`)
	}, patience, 200*time.Millisecond)
}
