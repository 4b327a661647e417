package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBrowserReview has axe-core look at the queue of findings and at a finding in every state, with
// the keyboard alone.
func TestBrowserReview(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	h := sit(t, browser, c.base, true)
	h.signIn(alma)
	h.open("/audit/review")
	i.look(h, "review-none")

	desk := newPerson(t, c)
	desk.signIn(iris, demoPassword)
	desk.post("/patients", url.Values{
		"name": {"Mia Lund"}, "birth": {"1990-01-02"}, "phone": {"+1 212 555 0199"}, "email": {"mia.lund@example.com"}, "therapist": {"demo-therapist-1"},
	})
	require.Eventually(t, func() bool {
		h.open("/audit/review")
		return strings.Contains(h.text(), "Patient with the same surname")
	}, time.Minute, 500*time.Millisecond)
	i.look(h, "review")
	h.follow("Patient with the same surname")
	i.look(h, "finding-open")
	h.push("Look into it")
	require.Contains(t, h.text(), "In review")
	i.look(h, "finding-in-review")
	h.push("Make it an incident")
	require.Contains(t, h.text(), "Open the incident")
	i.look(h, "finding-escalated")
}
