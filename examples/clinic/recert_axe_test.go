package main

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestBrowserRecertification has axe-core look at the pages of access reviews. One is begun and one
// decision is made with the keyboard alone.
func TestBrowserRecertification(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	i := inspect(t)
	c := start(t, "-data", t.TempDir())
	h, tomas := sit(t, browser, c.base, true), sit(t, browser, c.base, true)
	h.signIn(alma)
	h.open("/campaigns")
	i.look(h, "campaigns-none")
	h.tab("the form", func(f focus) bool { return f.Text == "Begin a review …" })
	h.press(kb.Enter)
	h.field("name", "Spring review")
	for _, choice := range []option{{"reviewer-0", "Tomas"}, {"reviewer-1", "Nadia"}, {"reviewer-2", "Iris"}} {
		h.tab(choice.ID, func(f focus) bool { return f.ID == choice.ID })
		h.press(choice.Name)
	}
	i.look(h, "campaigns-begin")
	h.push("Begin the review")
	require.Contains(t, h.text(), "0 of 5")
	i.look(h, "campaign")
	tomas.signIn(tom)
	tomas.open("/my-reviews")
	require.Contains(t, tomas.text(), "Given")
	i.look(tomas, "my-reviews")
	tomas.push("It stays")
	require.Contains(t, tomas.text(), "Please say in a few words why.")
	i.look(tomas, "my-reviews-why")
	h.open("/campaigns")
	i.look(h, "campaigns")
	h.follow("Spring review")
	h.push("Check it now")
	require.Contains(t, h.text(), "The evidence is whole.")
	i.look(h, "campaign-checked")
}
