package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
)

// browser starts a Chromium that talks to this machine only.
func browser(t *testing.T) context.Context {
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
		chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-US"), chromedp.WindowSize(1280, 900))
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

// hands are somebody at a keyboard, in a browser profile of their own. There is no mouse.
type hands struct {
	t    *testing.T
	base string
	ctx  context.Context
}

// sit gives somebody a fresh profile.
func sit(t *testing.T, browser context.Context, base string, script bool) *hands {
	t.Helper()
	ctx, leave := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(leave)
	h := &hands{t, base, ctx}
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)))
	if !script {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		require.NoError(t, err)
	}
	return h
}

// patience is how long the browser may take for anything.
const patience = 90 * time.Second

func (h *hands) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, patience)
	defer cancel()
	require.NoError(h.t, chromedp.Do(ctx, steps...), what)
}

// ask evaluates an expression as the developer tools do, also where pages may not run script.
func ask[T any](h *hands, expression string) T {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(h.t, err)
	return v
}

// open types an address.
func (h *hands) open(path string) {
	h.t.Helper()
	h.do("opening "+path, chromedp.Navigate(h.base+path))
}

// text is what one reads on the page.
func (h *hands) text() string {
	h.t.Helper()
	return strings.Join(strings.Fields(ask[string](h, `document.body.innerText`)), " ")
}

// path is where one is.
func (h *hands) path() string {
	h.t.Helper()
	return ask[string](h, `location.pathname + location.search`)
}

// focus is the element that the next key goes to.
type focus struct {
	ID, Href, Text, Label string
	Visible               bool // one can see where it is
}

func (h *hands) focus() focus {
	h.t.Helper()
	return ask[focus](h, `(() => {
		const e = document.activeElement, s = getComputedStyle(e), a = n => e.getAttribute(n) || "";
		return {
			ID: e.id, Href: a("href"), Text: e.tagName == "BODY" ? "" : (e.innerText || "").trim(), Label: a("aria-label"),
			Visible: s.outlineStyle != "none" && parseFloat(s.outlineWidth) >= 2,
		};
	})()`)
}

// tab presses Tab until the focus is where it is wanted.
func (h *hands) tab(what string, wanted func(focus) bool) {
	h.t.Helper()
	for range 250 {
		h.press(kb.Tab)
		at := h.focus()
		if wanted(at) {
			require.True(h.t, at.Visible, "one cannot see the focus on %s", what)
			return
		}
	}
	h.t.Fatalf("Tab never reaches %s on %s:\n%s", what, h.path(), h.text())
}

func (h *hands) press(keys string) {
	h.t.Helper()
	h.do("a key", chromedp.KeyEvent(keys))
}

// field goes to an input and types.
func (h *hands) field(id, text string) {
	h.t.Helper()
	h.tab(id, func(f focus) bool { return f.ID == id })
	h.press(text)
}

// enter presses Enter and waits for the page it leads to.
func (h *hands) enter() {
	h.t.Helper()
	ask[bool](h, `window.leaving = true`)
	h.press(kb.Enter)
	h.arrive()
}

// arrive waits until another page is there.
func (h *hands) arrive() {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		ctx, cancel := context.WithTimeout(h.ctx, patience)
		defer cancel()
		there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.leaving && document.readyState == "complete"`))
		return err == nil && there // an error: the page is just being replaced
	}, patience, 10*time.Millisecond, "no page came")
}

// follow goes to a link by what it says and follows it.
func (h *hands) follow(text string) {
	h.t.Helper()
	h.tab(text, func(f focus) bool { return f.Href != "" && (f.Text == text || f.Label == text) })
	h.enter()
}

// push goes to a button by what it says and pushes it.
func (h *hands) push(text string) {
	h.t.Helper()
	h.tab(text, func(f focus) bool { return f.Href == "" && (f.Text == text || strings.HasPrefix(f.Label, text)) })
	h.enter()
}

// otherTab waits for the tab that a link opened and goes there.
func (h *hands) otherTab(suffix string) *hands {
	h.t.Helper()
	var found *hands
	require.Eventually(h.t, func() bool {
		all, err := chromedp.Targets(h.ctx)
		require.NoError(h.t, err)
		for _, info := range all {
			if info.Type == "page" && strings.HasSuffix(info.URL, suffix) {
				ctx, leave := chromedp.NewContext(h.ctx, chromedp.WithTargetID(info.TargetID))
				h.t.Cleanup(leave)
				require.NoError(h.t, chromedp.Do(ctx))
				found = &hands{h.t, h.base, ctx}
				return true
			}
		}
		return false
	}, patience, 20*time.Millisecond, "no tab shows %s", suffix)
	found.arrive()
	return found
}

// phone reads the code of an account from the demo page, in another tab.
func (h *hands) phone(account string) string {
	h.t.Helper()
	ctx, leave := chromedp.NewContext(h.ctx)
	defer leave()
	require.NoError(h.t, chromedp.Do(ctx))
	demo := &hands{h.t, h.base, ctx}
	demo.open("/demo")
	return demo.code(account)
}

func (h *hands) code(account string) string {
	h.t.Helper()
	return ask[string](h, fmt.Sprintf(`[...document.querySelectorAll("#phone tbody tr")]
		.filter(r => r.cells[0].innerText.includes(%q)).map(r => r.cells[1].innerText)[0]`, account))
}

// proves gives the password again, on the page that asks for it.
func (h *hands) proves() {
	h.t.Helper()
	h.field(fieldPassword, demoPassword)
	h.enter()
}

// signIn is a first sign-in up to the dashboard.
func (h *hands) signIn(email string) {
	h.t.Helper()
	h.open("/")
	h.field("email", email)
	h.field("password", demoPassword)
	h.enter()
	require.Equal(h.t, "/sign-in/enrol", h.path(), h.text())
	h.field("code", h.phone(email))
	h.enter()
	require.Equal(h.t, "/dashboard", h.path(), h.text())
}

// TestBrowserWalk is the walk in Chromium, by keyboard alone, on pages that run no script.
func TestBrowserWalk(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	k := &keyboards{story: tell(t, "-data", t.TempDir())}
	for _, who := range []**hands{&k.alma, &k.greta, &k.tom, &k.iris} {
		*who = sit(t, browser, k.clinic.base, false)
	}
	k.arrive()
	k.join()
	k.work()
	k.watch()
	k.leave()
}

// keyboards are the people of the walk in their browsers.
type keyboards struct {
	*story
	alma, greta, tom, iris *hands
}

func (k *keyboards) step(name string, f func(t *testing.T)) {
	k.story.step(name, func(t *testing.T) {
		for _, h := range []*hands{k.alma, k.greta, k.tom, k.iris} {
			h.t = t
		}
		f(t)
	})
}

func (k *keyboards) arrive() {
	k.step("pages_run_no_script", func(t *testing.T) {
		h := k.alma
		h.do("a page with a script", chromedp.Navigate(`data:text/html,<title>off</title><script>document.title="on"</script>`))
		require.Equal(t, "off", ask[string](h, "document.title"))
	})
	k.step("newcomer_finds_account_and_phone_on_the_demo_page", func(t *testing.T) {
		h := k.alma
		h.open("/")
		require.Equal(t, "/sign-in", h.path())
		h.tab("the demo page", func(f focus) bool { return f.Href == "/demo" })
		h.press(kb.Enter)
		demo := h.otherTab("/demo")
		require.Contains(t, demo.text(), "Every password is "+demoPassword)
		require.Contains(t, demo.text(), alma)
		h.field("email", alma)
		h.field("password", demoPassword)
		h.enter()
		require.Equal(t, "/sign-in/enrol", h.path())
		demo.follow("Reload")
		code := demo.code(alma)
		h.field("code", code)
		h.enter()
		require.Contains(t, h.text(), "Good day, Alma Reyes")
	})
	k.step("skip_link_jumps_over_the_navigation", func(t *testing.T) {
		h := k.alma
		h.open("/patients")
		h.press(kb.Tab)
		require.Equal(t, "Skip to the page", h.focus().Text)
		h.press(kb.Enter)
		h.press(kb.Tab)
		require.Equal(t, "q", h.focus().ID)
	})
}

func (k *keyboards) join() {
	k.step("admin_invites_a_therapist", func(t *testing.T) {
		h := k.alma
		h.follow("Team")
		h.field("name", newcomer.name)
		h.field("email", newcomer.email)
		h.field("role", "Ther")
		h.push("Send invitation")
		require.Contains(t, h.text(), "The invitation is on its way.")
		require.Contains(t, h.text(), newcomer.name+" Therapist Invited")
	})
	k.step("therapist_joins_by_the_link_in_the_mailbox", func(t *testing.T) {
		h := k.greta
		h.open("/demo#mail")
		h.tab("the link", func(f focus) bool { return strings.Contains(f.Href, "/link/") })
		h.enter()
		h.field("password", newcomer.password)
		h.enter()
		require.Equal(t, "/sign-in/enrol", h.path())
		h.field("code", h.phone(newcomer.email))
		h.enter()
		require.Contains(t, h.text(), "Good day, Greta Holm You are signed in as Therapist.")
	})
}

func (k *keyboards) work() {
	k.step("front_desk_registers_a_patient", func(t *testing.T) {
		h, form := k.iris, walkIn()
		h.signIn(iris)
		h.follow("Patients")
		h.follow("Register a patient")
		h.field("name", form.Get("name"))
		h.field("mrn", form.Get("mrn"))
		h.field("birth", "11231988")
		h.tab("phone", func(f focus) bool { return f.ID == "phone" })
		h.press(form.Get("phone"))
		h.field("email", form.Get("email"))
		h.field("ssn", form.Get("ssn"))
		h.field("therapist", "Greta")
		h.push("Register")
		require.Contains(t, h.text(), "The patient is registered.")
		require.Contains(t, h.text(), "Matteo Villanueva wx 7731-5 1988-11-23 (646) 555-0177 Greta Holm")
	})
	k.step("therapist_finds_opens_and_reveals", func(t *testing.T) {
		h := k.tom
		h.signIn(tom)
		require.Contains(t, h.text(), "30")
		h.follow("Patients")
		h.field("q", "(212) 555-0100")
		h.enter()
		require.Contains(t, h.text(), "1 found")
		h.follow(demoPatient(0).Name)
		require.Contains(t, h.text(), mask)
		h.field("reason", revealReason)
		h.enter()
		require.Contains(t, h.text(), demoPatient(0).SSN)
		require.Contains(t, h.text(), "recorded with your reason")
	})
}

func (k *keyboards) watch() {
	k.step("admin_reads_who_saw_what", func(t *testing.T) {
		h := k.alma
		h.follow("Audit")
		h.field("who", "Tomas")
		h.push("Show")
		require.Contains(t, h.path(), "who="+tomID)
		require.Contains(t, h.path(), "period=24h")
		require.Contains(t, h.text(), "Tomas Berg Reveal a social security number "+demoPatient(0).Name)
		h.tab("the reveal", func(f focus) bool { return strings.HasPrefix(f.Label, "Details of Reveal a social") })
		h.enter()
		require.Contains(t, h.text(), revealReason)
	})
	k.step("admin_finds_out_who_viewed_a_patient", func(t *testing.T) {
		h := k.alma
		h.follow("Audit")
		h.field("q", "(212) 555-0100")
		h.enter()
		require.Contains(t, h.text(), "Only about "+demoPatient(0).Name)
		require.NotContains(t, h.path(), "555", "no number in the address")
		h.follow("Who")
		require.Contains(t, h.path(), "sort=who")
		h.follow("Who viewed this patient")
		require.Contains(t, h.text(), "Tomas Berg Therapist")
		require.Contains(t, h.text(), "reveal a social security number")
		h.follow("History of the record")
		require.Contains(t, h.text(), "Reveal a social security number Tomas Berg")
		h.follow("The clinical note")
		require.Contains(t, h.text(), "Read a clinical note Tomas Berg")
		h.follow("Audit")
		h.follow("Is everything recorded?")
		require.Contains(t, h.text(), "Order and clock are watched yes")
	})
	k.step("admin_ends_the_session", func(t *testing.T) {
		h := k.alma
		h.follow("Team")
		h.follow("Tomas Berg")
		h.push("End the session on")
		require.Contains(t, h.text(), "The session is ended.")
	})
	k.step("ended_session_is_dead_on_the_next_click", func(t *testing.T) {
		h := k.tom
		h.follow("Dashboard")
		require.Equal(t, "/sign-in?out=ended", h.path())
		require.Contains(t, h.text(), "This session was ended.")
	})
}

func (k *keyboards) leave() {
	k.step("after_kill_and_restart_the_browser_is_still_signed_in", func(t *testing.T) {
		k.clinic.kill()
		k.args = append(k.args, "-addr", strings.TrimPrefix(k.clinic.base, "http://"))
		k.restart(t)
		h := k.alma
		h.follow("Audit")
		require.Contains(t, h.text(), "Tomas Berg")
	})
	k.step("signing_out_leaves", func(t *testing.T) {
		h := k.iris
		h.push("Sign out")
		require.Contains(t, h.text(), "You are signed out, on every device.")
	})
}
