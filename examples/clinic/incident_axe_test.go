package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBrowserIncidents has axe-core look at the pages of incidents, and reports and sorts one with the
// keyboard alone.
func TestBrowserIncidents(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	h := sit(t, browser, c.base, true)
	h.signIn(alma)
	h.open("/incidents")
	i.look(h, "incidents-none")
	h.follow("Report a problem")
	i.look(h, "report")
	h.tab("kind", func(f focus) bool { return f.ID == "kind" })
	h.press("Something else")
	h.field("text", "A letter lay on the copier.")
	h.push("Send the report")
	require.Contains(t, h.text(), "Your report has the number 1.")
	i.look(h, "report-sent")
	h.open("/incidents")
	i.look(h, "incidents")
	h.follow("Incident 1")
	require.Contains(t, h.text(), "A letter lay on the copier.")
	i.look(h, "incident")
	h.tab("owner", func(f focus) bool { return f.ID == "triage-owner" })
	h.press("Tomas")
	h.push("Save")
	require.Contains(t, h.text(), "It is on record.")
	h.push("Begin the investigation")
	require.Contains(t, h.text(), "Being looked into")
	i.look(h, "incident-investigating")
}
