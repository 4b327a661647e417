package session_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/session"
)

// toys replace the browser's clocks and its timer, so that tests say when time passes and by
// which clock: the wall's, which goes on while a machine sleeps, and the page's own.
const toys = `(() => {
	let wall = 1.8e12, own = 0, visible = "visible";
	const ticks = [], json = Response.prototype.json;
	Response.prototype.json = async function () {
		const answer = await json.call(this);
		setTimeout(() => toys.answered++); // once the page has made something of it
		return answer;
	};
	Date.now = () => wall;
	performance.now = () => own;
	window.setInterval = f => ticks.push(f);
	Object.defineProperty(document, "visibilityState", { get: () => visible });
	window.toys = {
		answered: 0,
		pass(w, o) { wall += w * 1000; own += o * 1000; },
		tick() { ticks.forEach(f => f()); },
		see(state) { visible = state; document.dispatchEvent(new Event("visibilitychange")); },
		turn(name, persisted) { window.dispatchEvent(new PageTransitionEvent(name, { persisted })); },
	};
})()`

// screen is somebody in front of a page of a live session.
type screen struct {
	t   *testing.T
	ctx context.Context
	*desk
	token string
	base  string
}

// chromium starts a browser that all screens share.
func chromium(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short: a browser finds no races")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		enginetest.Missing(t, "there is no Chromium on PATH")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.Flag("disable-component-update", true))
	if runtime.GOOS != "windows" && os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses to start as root otherwise
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeAll := chromedp.NewContext(ctx)
	t.Cleanup(closeAll)
	require.NoError(t, chromedp.Do(ctx), "starting Chromium")
	return ctx
}

// sit signs Ann in and opens a page with somebody's data and a draft on it.
func sit(t *testing.T, browser context.Context) *screen {
	t.Helper()
	s := &screen{t: t, desk: newDesk(t, session.NewMemory())}
	s.token = s.start(t, staff(ann))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /enter", func(w http.ResponseWriter, _ *http.Request) { s.SetCookie(w, s.token) })
	mux.HandleFunc("GET /over", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<title>Over</title>Please sign in.") })
	mux.HandleFunc("GET /chart", func(w http.ResponseWriter, r *http.Request) {
		live, ok := session.From(r.Context())
		require.True(t, ok)
		fmt.Fprintf(w, `<!doctype html><title>Ana Example</title><p>Ana Example, 900-12-3456</p><textarea id="draft"></textarea>`+
			`<script src="/session/countdown.js" nonce=%q data-session=%q data-csrf=%q data-end="/over" data-unlock="/unlock"></script>`,
			session.Nonce(r.Context()), live.ID, session.CSRF(r.Context()))
	})
	h, err := session.SecurityHeaders(s.Handler(mux), nil)
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	s.base = "http://localhost:" + port // Secure cookies are kept there

	ctx, leave := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(leave)
	s.ctx = ctx
	_, err = chromedp.Call(ctx, devtools.AddScriptToEvaluateOnNewDocument, devtools.AddScriptToEvaluateOnNewDocumentParams{Source: toys})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(s.base+"/enter"), chromedp.Navigate(s.base+"/chart")))
	ask[bool](s, `(document.getElementById("draft").value = "half a note", true)`)
	s.until("the first answer", func() bool { return s.answered() >= 1 })
	return s
}

// ask evaluates an expression on the page.
func ask[T any](s *screen, expression string) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(s.t, err, expression)
	return v
}

// until waits for what the browser does by itself.
func (s *screen) until(what string, so func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		require.True(s.t, time.Now().Before(end), what)
	}
}

// answered is how many answers about the time left the page has had.
func (s *screen) answered() int { s.t.Helper(); return ask[int](s, `toys.answered`) }

// enter gives the browser the cookie of s.token, as another tab would.
func (s *screen) enter() {
	s.t.Helper()
	_, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](`fetch("/enter").then(r => r.ok)`, chromedp.EvalAwaitPromise))
	require.NoError(s.t, err)
}

// pass lets time pass in the browser and on the server, and the browser's timer run.
func (s *screen) pass(d time.Duration) {
	s.t.Helper()
	s.clock.Add(d)
	ask[bool](s, fmt.Sprintf(`(toys.pass(%f, %f), toys.tick(), true)`, d.Seconds(), d.Seconds()))
}

// seen is what somebody in front of the screen can read, with the title.
func (s *screen) seen() string {
	s.t.Helper()
	return ask[string](s, `document.title + " | " + (document.body.checkVisibility() ? document.body.innerText : "") + " | " +
		[...document.querySelectorAll("dialog[open] > *")].filter(e => e.checkVisibility()).map(e => e.textContent).join(" ")`)
}

func (s *screen) shows() bool { s.t.Helper(); return strings.Contains(s.seen(), "900-12-3456") }

// blank asserts that nothing of the patient is to be seen, and the draft is still there.
func (s *screen) blank() {
	s.t.Helper()
	require.NotContains(s.t, s.seen(), "900-12-3456")
	require.NotContains(s.t, s.seen(), "Ana Example", "in the title neither")
	require.Equal(s.t, "half a note", ask[string](s, `document.getElementById("draft").value`))
	require.True(s.t, ask[bool](s, `(document.getElementById("draft").focus(), document.activeElement.id !== "draft")`), "no key reaches it")
}

// gone waits until the browser has left the page for good.
func (s *screen) gone() {
	s.t.Helper()
	s.until("the page is left", func() bool { // while it goes, nobody answers
		at, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`location.pathname`))
		return err == nil && at == "/over"
	})
	require.Contains(s.t, s.seen(), "Please sign in.")
}

func TestCountdown(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	for name, story := range map[string]func(*testing.T, *screen){
		"warns_two_minutes_before_and_goes_at_the_end":    warnsAndGoes,
		"stays_when_asked_to":                             stays,
		"another_tab_keeps_it":                            anotherTab,
		"signing_out_elsewhere_is_seen_within_a_minute":   signedOutElsewhere,
		"blanks_without_the_network_and_comes_back":       offline,
		"blanks_when_nothing_was_ever_answered":           neverAnswered,
		"a_machine_that_slept":                            slept,
		"a_wall_clock_that_steps_back":                    stepsBack,
		"a_page_out_of_the_back_forward_cache":            cameBack,
		"a_page_out_of_the_back_forward_cache_of_another": cameBackToAnother,
		"locked_and_unlocked_with_the_draft_kept":         lockedAndUnlocked,
		"a_token_that_is_changed":                         changedToken,
	} {
		t.Run(name, func(t *testing.T) { story(t, sit(t, browser)) }) // one after the other: only one tab is in front
	}
}

func warnsAndGoes(t *testing.T, s *screen) {
	for range 12 {
		n := s.answered()
		s.pass(time.Minute)
		s.until("once a minute the page asks", func() bool { return s.answered() > n })
		require.True(t, s.shows())
		require.NotContains(t, s.seen(), "signed out soon")
	}
	s.pass(time.Minute + time.Second) // a second more, for what the page knows of the minute before is rounded up
	s.until("it warns", func() bool { return strings.Contains(s.seen(), "signed out soon") })
	require.Regexp(t, "2:00|1:59", s.seen())
	require.True(t, s.shows(), "there is time to finish the sentence")
	s.pass(89 * time.Second)
	s.until("it counts", func() bool { return strings.Contains(s.seen(), "0:30") || strings.Contains(s.seen(), "0:31") })
	require.Zero(t, s.store.count("Touch"), "none of this is activity")
	s.pass(30 * time.Second)
	s.gone()
}

func stays(t *testing.T, s *screen) {
	s.pass(13*time.Minute + 30*time.Second)
	s.until("it warns", func() bool { return strings.Contains(s.seen(), "signed out soon") })
	ask[bool](s, `(document.querySelector("#session-countdown button").click(), true)`)
	s.until("the warning goes", func() bool { return !strings.Contains(s.seen(), "signed out soon") })
	require.Equal(t, 1, s.store.count("Touch"))
	s.pass(12 * time.Minute)
	require.True(t, s.shows())
	require.NoError(t, s.state(s.token))
}

func anotherTab(t *testing.T, s *screen) {
	s.pass(10 * time.Minute)
	require.NoError(t, s.state(s.token)) // somebody works there
	n := s.answered()
	s.pass(4 * time.Minute)
	s.until("the page asks", func() bool { return s.answered() > n })
	s.until("and need not warn", func() bool { return !strings.Contains(s.seen(), "signed out soon") && s.shows() })
}

func signedOutElsewhere(t *testing.T, s *screen) {
	require.NoError(t, s.EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
	s.pass(time.Minute)
	s.gone()
}

func offline(t *testing.T, s *screen) {
	s.store.breaks("Get", errors.New("down"))
	s.pass(15 * time.Minute)
	s.blank()
	for range 3 {
		s.pass(5 * time.Second)
		s.blank()
	}
	s.store.breaks("Get", nil)
	s.pass(5 * time.Second)
	s.gone()
}

func neverAnswered(t *testing.T, s *screen) {
	s.store.breaks("Get", errors.New("down"))
	s.pass(16 * time.Minute)
	s.blank()
}

// The page's own clock stood still, and no timer ran.
func slept(t *testing.T, s *screen) {
	s.store.breaks("Get", errors.New("the network is not up yet"))
	s.clock.Add(8 * time.Hour)
	ask[bool](s, `(toys.see("hidden"), toys.pass(8*3600, 0), toys.see("visible"), true)`)
	s.blank()
	s.store.breaks("Get", nil)
	s.pass(5 * time.Second)
	s.gone()
}

func stepsBack(t *testing.T, s *screen) {
	s.store.breaks("Get", errors.New("down"))
	ask[bool](s, `(toys.pass(-3600, 1), toys.tick(), true)`)
	require.True(t, s.shows())
	ask[bool](s, `(toys.pass(0, 900), toys.tick(), true)`)
	s.blank()
}

func cameBack(t *testing.T, s *screen) {
	ask[bool](s, `(toys.turn("pagehide", true), true)`)
	s.blank()
	s.store.breaks("Get", errors.New("down"))
	ask[bool](s, `(toys.turn("pageshow", true), true)`)
	s.blank()
	s.store.breaks("Get", nil)
	s.pass(5 * time.Second)
	s.until("it is still the same person", s.shows)
	require.Equal(t, "half a note", ask[string](s, `document.getElementById("draft").value`))
	require.Equal(t, "Ana Example", ask[string](s, `document.title`))
}

// Ann leaves, Bob signs in on the same workstation and presses Back.
func cameBackToAnother(t *testing.T, s *screen) {
	ask[bool](s, `(toys.turn("pagehide", true), true)`)
	require.NoError(t, s.EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
	s.token = s.start(t, staff(bob))
	s.enter()
	ask[bool](s, `(toys.turn("pageshow", true), true)`)
	s.gone()
}

func lockedAndUnlocked(t *testing.T, s *screen) {
	_, ctx := serve(s, get(s.token))
	require.NoError(t, s.Lock(ctx))
	s.pass(time.Minute)
	s.until("it says so", func() bool { return strings.Contains(s.seen(), "locked") })
	s.blank()
	require.Contains(t, s.seen(), "Unlock")
	_, ctx = serve(s, get(s.token))
	again := staff(ann)
	again.AuthTime = s.clock.Now()
	token, err := s.Unlock(ctx, again)
	require.NoError(t, err)
	s.token = token
	s.enter() // in the tab that unlocks
	s.until("the page is back", func() bool {
		s.pass(5 * time.Second)
		return s.shows()
	})
	require.Equal(t, "half a note", ask[string](s, `document.getElementById("draft").value`))
}

func changedToken(t *testing.T, s *screen) {
	_, ctx := serve(s, get(s.token))
	token, err := s.Rotate(ctx)
	require.NoError(t, err)
	n := s.answered()
	ask[bool](s, `(toys.see("visible"), true)`) // with the old cookie still
	s.until("it asks", func() bool { return s.answered() > n })
	require.True(t, s.shows())
	require.NotContains(t, s.seen(), "signed out soon")
	s.token = token
	s.enter()
	n = s.answered()
	s.pass(time.Second)
	s.until("and again, with the new one", func() bool { return s.answered() > n })
	require.True(t, s.shows())
}
