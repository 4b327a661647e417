package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

const password = "several plain words here"

// clock is time that passes when the program says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// phone is Ana's: the app, what it keeps, and the device's own keys.
type phone struct {
	server http.Handler
	device *passkeytest.Device
	codes  mfa.Key // the authenticator app's
	token  string  // of the session; a real app keeps it in memory
	known  string  // a real app keeps it in the Keystore
	need   authn.Need

	last   answer
	posted question // the last answer to a passkey's question
}

func newPhone(server http.Handler) *phone {
	return &phone{server: server, device: passkeytest.New(androidApp)}
}

// call asks the server and keeps the answer.
func (p *phone) call(route string, q question) (status int) {
	method, path, _ := strings.Cut(route, " ")
	q.Known = p.known
	r := httptest.NewRequest(method, path, bytes.NewReader(must(json.Marshal(q))))
	if method == http.MethodGet || method == http.MethodDelete {
		r = httptest.NewRequest(method, path, http.NoBody)
	}
	r.Header.Set("User-Agent", "Clinic/1.0 (Android 16)")
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	p.last = answer{}
	if w.Code == http.StatusOK {
		check(json.Unmarshal(w.Body.Bytes(), &p.last))
	}
	if p.last.Token != "" {
		p.token = p.last.Token
	}
	if p.last.Known != "" {
		p.known = p.last.Known
	}
	p.need = p.last.Need
	return w.Code
}

// setUp takes up the invitation, with an authenticator app as the second factor.
func (p *phone) setUp(c *clock, link string) {
	u := must(url.Parse(link))
	p.call("POST /api/link/"+u.Path[strings.LastIndex(u.Path, "/")+1:], question{Password: password})
	p.codes = must(mfa.ParseURI(p.last.Enrolment))
	p.call("POST /api/sign-in/step", question{Ticket: p.last.Ticket, Code: p.code(c)})
	p.token, p.known = "", "" // that was at her desk
}

// code is what the authenticator app shows next: each code is good once.
func (p *phone) code(c *clock) string {
	c.pass(30 * time.Second)
	return must(p.codes.Code(c.Now()))
}

// signIn is the whole way.
func (p *phone) signIn(c *clock) {
	p.call("POST /api/sign-in", question{Email: "ana@example.com", Password: password})
	p.call("POST /api/sign-in/step", question{Ticket: p.last.Ticket, Code: p.code(c)})
}

// tap is "Sign in with my fingerprint".
func (p *phone) tap() string {
	p.call("POST /api/sign-in/offer", question{})
	response, err := p.device.Get(p.last.Passkey)
	if err != nil {
		return err.Error()
	}
	p.posted = question{Ticket: p.last.Ticket, Passkey: response}
	p.call("POST /api/sign-in/step", p.posted)
	return string(p.need)
}

// again sends what tap sent.
func (p *phone) again() int {
	token := p.token
	defer func() { p.token = token }()
	p.token = ""
	return p.call("POST /api/sign-in/step", p.posted)
}

// add makes a passkey, as somebody who has just signed in may.
func (p *phone) add() int {
	if status := p.call("POST /api/passkeys/begin", question{}); status != http.StatusOK {
		return status
	}
	ticket := p.last.Ticket
	response := must(p.device.Create(p.last.Passkey))
	return p.call("POST /api/passkeys", question{Ticket: ticket, Passkey: response, Label: "Ana's phone"})
}

// addLater makes one on a tablet, ten minutes after signing in.
func (p *phone) addLater(c *clock) int {
	c.pass(10 * time.Minute)
	return p.add()
}

// addProven proves who is there with the passkey of this phone first.
func (p *phone) addProven() int {
	p.call("POST /api/proof/begin", question{})
	ticket := p.last.Ticket
	p.call("POST /api/proof", question{Ticket: ticket, Passkey: must(p.device.Get(p.last.Passkey))})
	here := p.device
	defer func() { p.device = here }()
	p.device = passkeytest.New("https://app.clinic.example") // the browser of her tablet
	return p.add()
}

func (p *phone) passkeys() []mfa.Passkey {
	p.call("GET /api/passkeys", question{})
	return p.last.Passkeys
}

func (p *phone) removeFirst() int {
	return p.call("DELETE /api/passkeys/"+p.passkeys()[0].ID, question{})
}
