// App is the server side of a clinic's app for phones: e-mail, password and code once, then Face ID
// or a fingerprint, which is a passkey, until it is turned off. It plays both sides: the API of
// api.go is asked over HTTP by a phone in software. docs/mobile.md has the other half, for real
// phones.
//
//	go run ./examples/app
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

const clinic audit.Tenant = "my-clinic"

// androidApp is the origin that the app on Android sends.
const androidApp = "android:apk-key-hash:qrvMABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8w"

// relyingParty is who passkeys are made for: the website, the app on iOS and the app on Android.
func relyingParty() passkey.RelyingParty {
	return passkey.RelyingParty{
		ID: "clinic.example", Name: "Example Clinic",
		Origins: []string{"https://app.clinic.example", "https://clinic.example", androidApp},
	}
}

// post takes the notices of both: mfa.Factors is made before authn.Manager, which sends them on.
type post struct{ people *authn.Manager }

func (p *post) Notify(ctx context.Context, m audit.Message) error { return p.people.Notify(ctx, m) }

// host wires the parts; examples/clinic and docs/host.md have stores that last. The link lets the
// first person choose a password.
func host(ctx context.Context, now func() time.Time) (handler http.Handler, link string) {
	vault := must(phi.Open(ctx, "app", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil))
	events := must(audit.New(audit.NewMemory(), phi.NewSealer(vault), &audit.Options{Now: now}))
	sessions := must(session.New(session.NewMemory(), events, session.RemoteAddr, &session.Options{Now: now}))

	passkeys := must(passkey.New(relyingParty(), &passkey.Options{Now: now}))
	notices := &post{}
	factors := must(mfa.New(mfa.NewMemory(), vault, events, "Example Clinic",
		&mfa.Options{Sessions: sessions, Notices: notices, WebAuthn: passkeys, Now: now}))
	people := must(authn.New(authn.Parts{
		Store: authn.NewMemory(), Vault: vault, Sessions: sessions, Factor: factors, Recorder: events,
		Mailer:  authn.MailerFunc(func(context.Context, authn.Notice) error { return nil }),
		BaseURL: "https://app.clinic.example",
	}, &authn.Options{Passkeys: factors, Now: now}))
	notices.people = people

	read := rbac.Define[rbac.InTenant]("report.read", rbac.Columns{}, rbac.Verb(audit.Read))
	policy := must(rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{read},
		Roles:   []rbac.Role{{Name: "admin", Label: "Admin", Allow: []rbac.Allow{rbac.In(rbac.Tenant, read)}}},
	}))
	mux := rbac.NewMux(must(rbac.New(policy, rbac.NewMemory(), events, nil)), &rbac.HTTPOptions{Tenant: clinic})
	api := &API{Clinic: clinic, People: people, Factors: factors, Sessions: sessions, Client: session.RemoteAddr}
	api.Routes(mux)
	mux.Public("POST /api/link/{token}", "the link is the proof", api.handle(func(r *http.Request, q question) (answer, error) {
		return shown(people.CompleteSetUp(r.Context(), r.PathValue("token"), given(q), api.client(r, q)))
	}))
	check(mux.Err())

	setup := audit.WithActor(ctx, audit.System(clinic, "setup"))
	first := must(people.SetUp(setup, clinic, authn.Newcomer{ID: "ana", Identifier: "ana@example.com"}))
	held := must(audithttp.Hold(events, sessions.Handler(mux), nil))
	return must(session.SecurityHeaders(held, nil)), first.Reveal()
}

func main() {
	clock := &clock{now: time.Now()}
	handler, link := host(context.Background(), clock.Now)
	play(os.Stdout, clock, handler, link)
}

// play is a phone's life.
func play(out io.Writer, c *clock, handler http.Handler, link string) {
	say := func(format string, values ...any) { fmt.Fprintf(out, format+"\n", values...) }
	ana := newPhone(handler)
	ana.setUp(c, link)
	say("Ana has a password and an authenticator app.")

	say("A phone without a passkey: %s", ana.tap())
	ana.signIn(c)
	say("She signs in on the phone, with password and code: %s", ana.need)
	say("Fingerprint is switched on: %d", ana.add())
	ana.token = ""
	say("The next morning: %s", ana.tap())
	say("A thief's copy of that response, sent again: %d", ana.again())

	c.pass(20 * time.Minute)
	ana.tap()
	say("One more passkey, a while after signing in: %d", ana.addLater(c))
	say("The same after a fresh proof: %d", ana.addProven())
	say("Passkeys: %d", len(ana.passkeys()))
	say("Fingerprint is switched off: %d", ana.removeFirst())
	say("Her sessions are over: %d", ana.call("GET /api/passkeys", question{}))
}

// must ends the program where a part cannot be made: nothing is served half-wired.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
