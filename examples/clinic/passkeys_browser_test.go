package main

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// key is an authenticator in somebody's hands: what a phone, a laptop or a security key has in it.
type key struct {
	h  *hands
	id webauthn.AuthenticatorID
}

// plug gives somebody an authenticator that verifies who they are. What it keeps can be copied only
// if it is synced.
func (h *hands) plug(synced bool) *key {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, patience)
	defer cancel()
	_, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{})
	require.NoError(h.t, err)
	made, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true,
		AutomaticPresenceSimulation: true, DefaultBackupEligibility: synced, DefaultBackupState: synced,
	}})
	require.NoError(h.t, err)
	return &key{h, made.AuthenticatorID}
}

// credentials are the passkeys in an authenticator.
func (k *key) credentials() []*webauthn.Credential {
	k.h.t.Helper()
	found, err := chromedp.Call(k.h.ctx, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: k.id})
	require.NoError(k.h.t, err)
	return found.Credentials
}

// put writes a passkey into an authenticator. The command is written out because authenticators that
// know nothing of a newer property refuse it even where it is false.
func (k *key) put(c *webauthn.Credential) {
	k.h.t.Helper()
	add := cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}
	_, err := chromedp.Call(k.h.ctx, add, map[string]any{"authenticatorId": k.id, "credential": map[string]any{
		"credentialId": c.CredentialID, "isResidentCredential": true, "rpId": c.RpID, "privateKey": c.PrivateKey, "userHandle": c.UserHandle,
		"signCount": c.SignCount, "backupEligibility": c.BackupEligibility, "backupState": c.BackupState,
	}})
	require.NoError(k.h.t, err)
}

// verifies says whether the authenticator recognises who it is.
func (k *key) verifies(right bool) {
	k.h.t.Helper()
	_, err := chromedp.Call(k.h.ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: k.id, IsUserVerified: right})
	require.NoError(k.h.t, err)
}

// lies has the authenticator answer without saying that it verified anybody.
func (k *key) lies(badUV bool) {
	k.h.t.Helper()
	_, err := chromedp.Call(k.h.ctx, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: k.id, IsBadUV: &badUV})
	require.NoError(k.h.t, err)
}

// quiet keeps pages from suggesting passkeys: an authenticator that answers at once would sign in
// before anybody has looked at the page. The function it returns ends that.
func (h *hands) quiet() (suggest func()) {
	h.t.Helper()
	_, err := chromedp.Call(h.ctx, cdppage.Enable, cdppage.EnableParams{})
	require.NoError(h.t, err)
	script, err := chromedp.Call(h.ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
		Source: `if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false`,
	})
	require.NoError(h.t, err)
	return func() {
		_, err := chromedp.Call(h.ctx, cdppage.RemoveScriptToEvaluateOnNewDocument, cdppage.RemoveScriptToEvaluateOnNewDocumentParams(script))
		require.NoError(h.t, err)
	}
}

// leave signs out.
func (h *hands) leave() {
	h.t.Helper()
	h.push("Sign out")
	require.Contains(h.t, h.text(), "You are signed out")
}

// hasButton waits until the script of the page has shown the button.
func (h *hands) hasButton() {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		return ask[bool](h, `!!document.querySelector("form[data-passkey]:not([hidden]) button")`)
	}, patience, patience/1000, "no button on %s", h.path())
}

// ring pushes the button of a passkey; the authenticator answers by itself.
func (h *hands) ring(text string) {
	h.t.Helper()
	h.hasButton()
	h.tab(text, func(f focus) bool { return f.Text == text })
	h.press(kb.Enter)
}

// touch does so and waits for the page that it leads to.
func (h *hands) touch(text string) {
	h.t.Helper()
	h.hasButton()
	h.tab(text, func(f focus) bool { return f.Text == text })
	h.enter()
}

// TestPasskeysInChromium is what people do with passkeys, in a browser with authenticators of its own.
func TestPasskeysInChromium(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	p := &keyring{story: tell(t, "-data", t.TempDir())}
	p.alma, p.tom, p.other = sit(t, browser, p.clinic.base, true), sit(t, browser, p.clinic.base, true), sit(t, browser, p.clinic.base, true)
	p.tom.quiet()
	p.other.quiet()
	p.suggest = p.alma.quiet()
	p.begin()
	p.signIns()
	p.refusals()
	p.devices()
	p.clones()
}

type keyring struct {
	*story
	alma, tom, other *hands
	almas, toms      *key
	second           *key   // of tom too
	code             string // of tom's app, the last one that was used
	suggest          func() // lets the pages of alma suggest passkeys
}

func (p *keyring) step(name string, f func(t *testing.T)) {
	p.story.step(name, func(t *testing.T) {
		for _, h := range []*hands{p.alma, p.tom, p.other} {
			h.t = t
		}
		f(t)
	})
}

const passkeyButton = "Sign in with a passkey"

func (p *keyring) begin() {
	p.step("guided_set_up_makes_a_passkey", func(t *testing.T) {
		h := p.alma
		p.almas = h.plug(true)
		h.open("/")
		h.field("email", alma)
		h.field("password", demoPassword)
		h.enter()
		require.Equal(t, "/sign-in/enrol", h.path(), h.text())
		require.Contains(t, h.text(), "With an authenticator app on your phone", "beside it")
		p.alma.touch("Make a passkey")
		require.Contains(t, h.text(), "Good day, Alma Reyes")
		require.Len(t, p.almas.credentials(), 1)
		require.Len(t, p.almas.credentials()[0].UserHandle, 64)
		require.Equal(t, "localhost", p.almas.credentials()[0].RpID)
		h.open("/security")
		require.Contains(t, h.text(), "on all your devices")
	})
	p.step("my_security_makes_one_beside_the_app", func(t *testing.T) {
		h := p.tom
		p.toms = h.plug(false)
		h.signIn(tom)
		p.code = h.phone(tom) // the one that was used, or already the next
		h.open("/security")
		h.follow("Make a passkey")
		h.hasButton()
		h.field("label", "Tom's laptop")
		p.tom.touch("Make the passkey")
		require.Equal(t, "/security?done=passkey-added", h.path(), h.text())
		require.Contains(t, h.text(), "Tom's laptop on one device only")
	})
}

func (p *keyring) signIns() {
	p.step("a_button_signs_in_without_a_name", func(t *testing.T) {
		h := p.alma
		p.alma.leave()
		p.alma.touch(passkeyButton)
		require.Equal(t, "/dashboard", h.path(), h.text())
		require.Contains(t, h.text(), "Good day, Alma Reyes")
	})
	p.step("the_field_suggests_a_passkey", func(t *testing.T) {
		h := p.alma
		h.leave()
		require.Equal(t, "username webauthn", ask[string](h, `document.getElementById("email").autocomplete`))
		p.suggest()
		h.do("the sign-in page, with somebody who picks the suggestion", chromedp.Navigate(h.base+"/sign-in"))
		require.Eventually(t, func() bool {
			at, err := chromedp.Run(h.ctx, chromedp.Evaluate[string](`location.pathname`))
			return err == nil && at == "/dashboard" // an error: the page is just being replaced
		}, patience, patience/300)
		p.suggest = h.quiet()
	})
	p.step("a_passkey_is_proof_enough_for_the_settings", func(t *testing.T) {
		h := p.alma
		h.open("/settings/accounts")
		require.Contains(t, h.text(), "Is it you?")
		p.alma.touch("Use your passkey")
		require.Equal(t, "/settings/accounts", h.path(), h.text())
		require.Contains(t, h.text(), "Sign in with a passkey alone")
	})
	p.step("a_passkey_unlocks_the_screen", func(t *testing.T) {
		h := p.alma
		h.open("/patients")
		h.push("Lock")
		require.Contains(t, h.text(), "This screen is locked")
		p.alma.touch("Use your passkey")
		require.NotContains(t, h.text(), "This screen is locked")
	})
	p.step("a_passkey_is_the_second_step_after_a_password", func(t *testing.T) {
		h := p.tom
		p.tom.leave()
		h.open("/sign-in")
		h.field("email", tom)
		h.field("password", demoPassword)
		h.enter()
		require.Equal(t, "/sign-in/code", h.path(), h.text())
		p.tom.touch("Use your passkey")
		require.Equal(t, "/dashboard", h.path(), h.text())
		h.open("/security")
		require.Contains(t, h.text(), "last used")
	})
}

func (p *keyring) refusals() {
	p.step("an_answer_is_worth_one_sign_in", func(t *testing.T) {
		h := p.tom
		p.tom.leave()
		h.hasButton()
		ask[bool](h, `(() => { HTMLFormElement.prototype.submit = function () { window.caught = this.querySelector("[data-response]").value }; return true })()`)
		p.tom.ring(passkeyButton)
		require.Eventually(t, func() bool { return ask[bool](h, `!!window.caught`) }, patience, patience/300)
		caught := ask[string](h, `window.caught`)
		require.Contains(t, caught, `"signature"`)
		send := func(h *hands) string {
			ask[bool](h, `window.leaving = true`)
			ask[bool](h, `(answer => { const f = document.querySelector("form[data-passkey]"), i = document.createElement("iframe");
				f.querySelector("[data-response]").value = answer; document.body.append(i);
				i.contentWindow.HTMLFormElement.prototype.submit.call(f); return true })(`+quoted(caught)+`)`)
			h.arrive()
			return h.path()
		}
		question := func(h *hands) {
			ask[bool](h, `fetch("/sign-in/offer", {method: "POST"}).then(() => { window.offered = true }), true`)
			require.Eventually(t, func() bool { return ask[bool](h, `!!window.offered`) }, patience, patience/1000)
		}
		require.Equal(t, "/dashboard", send(h), h.text())
		h.leave()
		require.Equal(t, "/sign-in?out=over", send(h), "in the same browser")
		question(h)
		require.Equal(t, "/sign-in/passkey", send(h), "with a fresh question")
		require.Contains(t, h.text(), "This passkey was not accepted")
		p.other.open("/sign-in")
		question(p.other)
		require.Equal(t, "/sign-in/passkey", send(p.other), "in another browser")
		p.other.open("/dashboard")
		require.Equal(t, "/sign-in", p.other.path())
	})
	p.step("nobody_gets_in_whom_the_device_does_not_know", func(t *testing.T) {
		h := p.tom
		h.open("/sign-in")
		h.hasButton()
		p.toms.verifies(false)
		p.tom.ring(passkeyButton)
		require.Eventually(t, func() bool { return strings.Contains(h.text(), "That was cancelled") }, patience, patience/300, "%s", h.text())
		require.Equal(t, "/sign-in", h.path())
		p.toms.verifies(true)
	})
	p.step("nor_with_an_answer_that_does_not_say_that_it_does", func(t *testing.T) {
		h := p.tom
		p.toms.lies(true)
		h.open("/sign-in")
		p.tom.touch(passkeyButton)
		require.Equal(t, "/sign-in/passkey", h.path())
		require.Contains(t, h.text(), "This passkey was not accepted")
		p.toms.lies(false)
	})
}

func (p *keyring) devices() {
	p.step("a_device_makes_one_passkey_for_an_account", func(t *testing.T) {
		h := p.tom
		h.open("/sign-in")
		h.touch(passkeyButton)
		require.Equal(t, "/dashboard", h.path(), h.text())
		h.open("/security/passkeys/new")
		h.ring("Make the passkey")
		require.Eventually(t, func() bool { return strings.Contains(h.text(), "has a passkey for your account already") }, patience, patience/300, "%s", h.text())
	})
	p.step("a_second_device_has_one_of_its_own", func(t *testing.T) {
		h := p.other
		p.byApp(h)
		p.second = h.plug(true)
		h.open("/security/passkeys/new")
		h.touch("Make the passkey")
		require.Equal(t, "/security?done=passkey-added", h.path(), h.text())
		require.Equal(t, 2, ask[int](h, `document.querySelectorAll(".keys > li").length`))
		h.leave()
		h.touch(passkeyButton)
		require.Equal(t, "/dashboard", h.path(), h.text())
	})
	p.step("one_that_was_removed_signs_in_no_more_and_the_other_does", func(t *testing.T) {
		h := p.other
		h.open("/security")
		ask[bool](h, `(() => { document.querySelectorAll(".keys > li")[1].querySelectorAll("details")[1].open = true; return true })()`)
		h.tab("removing it", func(f focus) bool { return f.Text == "Yes, remove it" })
		h.enter()
		require.Equal(t, "/sign-in?done=passkey-removed", h.path(), h.text())
		h.touch(passkeyButton)
		require.Equal(t, "/sign-in/passkey", h.path(), h.text())
		require.Contains(t, h.text(), "This passkey was not accepted")
		p.tom.open("/sign-in")
		p.tom.touch(passkeyButton)
		require.Equal(t, "/dashboard", p.tom.path(), p.tom.text())
	})
}

// byApp signs tom in with his password and a code that was not used yet.
func (p *keyring) byApp(h *hands) {
	h.t.Helper()
	code := ""
	require.Eventually(h.t, func() bool {
		code = h.phone(tom)
		return code != p.code
	}, 2*patience, time.Second)
	p.code = code
	h.open("/sign-in")
	h.field("email", tom)
	h.field("password", demoPassword)
	h.enter()
	h.field("code", code)
	h.enter()
	require.Equal(h.t, "/dashboard", h.path(), h.text())
}

func (p *keyring) clones() {
	p.step("a_copy_of_a_key_that_cannot_be_copied_turns_it_off", func(t *testing.T) {
		h := p.tom
		h.leave()
		copied := p.toms.credentials()[0]
		require.Greater(t, copied.SignCount, 2.0)
		copied.SignCount = 1
		_, err := chromedp.Call(p.other.ctx, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: p.second.id})
		require.NoError(t, err)
		thief := p.other.plug(false)
		thief.put(copied)
		p.other.open("/sign-in")
		p.other.touch(passkeyButton)
		require.Equal(t, "/sign-in/passkey", p.other.path(), p.other.text())
		require.Contains(t, p.other.text(), "there may be a copy of it")
		h.open("/sign-in")
		p.tom.touch(passkeyButton)
		require.Contains(t, h.text(), "there may be a copy of it", "nobody knows which is the copy")
	})
	p.step("its_owner_is_told_and_gets_in_another_way", func(t *testing.T) {
		h := p.tom
		h.open("/demo#mail")
		require.Contains(t, h.text(), "A passkey of your account was turned off, because there may be a copy of it.")
		p.byApp(h)
		h.open("/security")
		require.Contains(t, h.text(), "Turned off on")
		p.alma.open("/team/" + url.PathEscape(tomID))
		require.Contains(t, p.alma.text(), "Turned off: there may be a copy")
		p.alma.open("/audit/sign-ins")
		require.Contains(t, p.alma.text(), "Find a copy of a passkey, and turn it off")
	})
}

// quoted is a text as JavaScript has it.
func quoted(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`", "$", "\\$").Replace(s) + "`"
}
