package main

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// later lets a page's clock run ahead, and cuts it off from the server or not.
func (h *hands) later(d time.Duration, online bool) {
	h.t.Helper()
	ask[bool](h, `(() => {
		window.realNow ??= Date.now.bind(Date); window.realFetch ??= window.fetch.bind(window); window.ahead = (window.ahead || 0) + `+
		jsNumber(d)+`;
		Date.now = () => window.realNow() + window.ahead;
		window.fetch = `+map[bool]string{true: "window.realFetch", false: `() => Promise.reject(new TypeError("offline"))`}[online]+`;
		return true;
	})()`)
}

func jsNumber(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// tab opens another tab of the same browser profile.
func tab(t *testing.T, h *hands) context.Context {
	t.Helper()
	ctx, leave := chromedp.NewContext(h.ctx)
	t.Cleanup(leave)
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// shows waits until something is to be read on the page, dialogs included.
func (h *hands) shows(text string) {
	h.t.Helper()
	require.Eventually(h.t, func() bool { return strings.Contains(h.screen(), text) }, patience, 50*time.Millisecond, "it never says %q", text)
}

// screen is all that can be seen, also beside the body.
func (h *hands) screen() string {
	h.t.Helper()
	return strings.Join(strings.Fields(ask[string](h, `document.documentElement.innerText`)), " ")
}

// TestBrowserCountdown: a page warns two minutes before its session ends, and shows nothing of
// anybody once that is over, also without a network; a locked screen covers every tab.
func TestBrowserCountdown(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	c := start(t, "-data", t.TempDir())
	h := sit(t, browser, c.base, true)
	h.signIn(tom)
	h.open("/patients")
	h.follow(demoPatient(0).Name)
	require.Contains(t, h.screen(), demoPatient(0).Phone)
	require.Eventually(t, func() bool {
		return ask[int](h, `performance.getEntriesByName(new URL("/session/left", location).href).length`) > 0
	},
		patience, 50*time.Millisecond, "the page never asked how long is left")

	h.later(13*time.Minute+20*time.Second, false)
	h.shows("You will be signed out soon")
	require.Contains(t, h.screen(), demoPatient(0).Phone, "still there")
	h.later(2*time.Minute, false)
	h.shows("this page is hidden")
	require.NotContains(t, h.screen(), demoPatient(0).Phone)
	require.NotContains(t, h.screen(), demoPatient(0).Name)
	h.later(0, true)
	h.shows(demoPatient(0).Phone) // the server says that the session lives: it was only the network

	other := &hands{t, h.base, tab(t, h)}
	other.open("/dashboard")
	other.push("Lock")
	require.Contains(t, other.text(), "Tomas Berg locked it.")
	ask[bool](h, `document.dispatchEvent(new Event("resume"))`)
	h.shows("This screen is locked.")
	require.NotContains(t, h.screen(), demoPatient(0).Phone)
	other.proves()
	h.shows(demoPatient(0).Phone)
}
