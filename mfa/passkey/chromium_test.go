package passkey_test

import (
	"context"
	"encoding/json"
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

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
)

// chromium starts a browser.
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

// patience is how long the browser may take for anything.
const patience = 30 * time.Second

// tab is a page of a site on localhost, in a profile with one authenticator.
type tab struct {
	*passkey.Verifier

	t   *testing.T
	ctx context.Context
	id  webauthn.AuthenticatorID
}

func openTab(t *testing.T, browser context.Context, options webauthn.VirtualAuthenticatorOptions) *tab {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>Sign in</title><input autocomplete="username webauthn">`)
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	b := &tab{t: t}
	b.Verifier, err = passkey.New(passkey.RelyingParty{ID: "localhost", Name: "Example Clinic", Origins: []string{"http://localhost:" + port}}, nil)
	require.NoError(t, err)
	var leave context.CancelFunc
	b.ctx, leave = chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(leave)
	require.NoError(t, chromedp.Do(b.ctx), "opening a tab, which lives as long as this context")
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("http://localhost:"+port)))
	_, err = chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{})
	require.NoError(t, err)
	b.plug(options)
	return b
}

// plug puts another authenticator in the place of the one there is.
func (b *tab) plug(options webauthn.VirtualAuthenticatorOptions) {
	b.t.Helper()
	if b.id != "" {
		_, err := chromedp.Call(b.ctx, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: b.id})
		require.NoError(b.t, err)
	}
	added, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &options})
	require.NoError(b.t, err)
	b.id = added.AuthenticatorID
}

// ask runs a ceremony in the page and returns toJSON, or the error's name.
func (b *tab) ask(kind string, options []byte, more string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	parse := map[string]string{"create": "parseCreationOptionsFromJSON", "get": "parseRequestOptionsFromJSON"}[kind]
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(
		`navigator.credentials.%s({publicKey: PublicKeyCredential.%s(%s)%s}).then(c => JSON.stringify(c.toJSON()), e => e.name)`,
		kind, parse, options, more), chromedp.EvalAwaitPromise))
	require.NoError(b.t, err)
	return out
}

func (b *tab) register() mfa.PublicKey {
	b.t.Helper()
	options, state, err := b.Create(owner(1))
	require.NoError(b.t, err)
	key, err := b.Created(state, []byte(b.ask("create", options, "")))
	require.NoError(b.t, err)
	return key
}

func (b *tab) signIn(key mfa.PublicKey, more string, allow ...mfa.PublicKey) (mfa.Assertion, error) {
	b.t.Helper()
	options, state, err := b.Request(allow)
	require.NoError(b.t, err)
	response := []byte(b.ask("get", options, more))
	require.True(b.t, json.Valid(response), "%s", response)
	id, handle, err := b.Claimed(response)
	require.NoError(b.t, err)
	require.Equal(b.t, key.ID, id)
	require.Equal(b.t, key.Handle, handle)
	return b.Asserted(state, response, key)
}

// A real browser's JSON, with a laptop's own authenticator whose keys are synced, and with a key on USB.
func TestChromium(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	laptop := webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true, DefaultBackupEligibility: true, DefaultBackupState: true,
	}
	usb := laptop
	usb.Transport, usb.DefaultBackupEligibility, usb.DefaultBackupState = "usb", false, false
	usb.HasCmtgKey = true // or Chromium does not take the copy, which says that it has none

	t.Run("synced", func(t *testing.T) {
		b := openTab(t, browser, laptop)
		key := b.register()
		require.True(t, key.BackupEligible && key.BackedUp)
		require.Contains(t, key.Transports, "internal")
		for _, more := range []string{"", `, mediation: "conditional"`} {
			used, err := b.signIn(key, more)
			require.NoError(t, err, more)
			require.True(t, used.BackedUp)
			require.False(t, used.Cloned)
			key.Count = used.Count
		}
		_, err := b.signIn(key, "", key)
		require.NoError(t, err)

		options, _, err := b.Create(owner(1, key))
		require.NoError(t, err)
		require.Equal(t, "InvalidStateError", b.ask("create", options, ""), "there is one already")
	})
	t.Run("on USB, then a copy of it", func(t *testing.T) {
		b := openTab(t, browser, usb)
		key := b.register()
		require.False(t, key.BackupEligible || key.BackedUp)
		require.Contains(t, key.Transports, "usb")
		copied, err := chromedp.Call(b.ctx, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: b.id})
		require.NoError(t, err)
		require.Len(t, copied.Credentials, 1)
		for range 2 {
			used, err := b.signIn(key, "")
			require.NoError(t, err)
			require.Greater(t, used.Count, key.Count)
			require.False(t, used.Cloned)
			key.Count = used.Count
		}
		b.plug(usb)
		c := copied.Credentials[0]
		_, err = chromedp.Call(b.ctx, webauthn.AddCredential, webauthn.AddCredentialParams{AuthenticatorID: b.id, Credential: &webauthn.Credential{
			CredentialID: c.CredentialID, IsResidentCredential: true, RpID: "localhost",
			PrivateKey: c.PrivateKey, UserHandle: c.UserHandle, SignCount: c.SignCount,
		}})
		require.NoError(t, err)
		used, err := b.signIn(key, "")
		require.NoError(t, err)
		require.True(t, used.Cloned)
	})
	t.Run("broken or unwilling", func(t *testing.T) {
		b := openTab(t, browser, usb)
		key := b.register()
		yes := true
		for name, bits := range map[string]webauthn.SetResponseOverrideBitsParams{
			"signature": {IsBogusSignature: &yes}, "not verified": {IsBadUV: &yes}, "not present": {IsBadUP: &yes},
		} {
			bits.AuthenticatorID = b.id
			_, err := chromedp.Call(b.ctx, webauthn.SetResponseOverrideBits, bits)
			require.NoError(t, err)
			options, state, err := b.Request([]mfa.PublicKey{key})
			require.NoError(t, err)
			response := b.ask("get", options, "")
			if strings.HasSuffix(response, "Error") {
				continue // the browser refuses it first
			}
			_, err = b.Asserted(state, []byte(response), key)
			require.Error(t, err, name)
			refusedFor(t, err, noAssertion)
		}
		off := usb
		off.IsUserVerified = false // the wrong finger
		b.plug(off)
		options, _, err := b.Create(owner(2))
		require.NoError(t, err)
		require.Equal(t, "NotAllowedError", b.ask("create", options, ""))
	})
}
