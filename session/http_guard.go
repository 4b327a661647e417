package session

import (
	"errors"
	"fmt"
	"net/http"
)

// guard refuses what a browser sends on behalf of another site.
type guard struct {
	rules *http.CrossOriginProtection
	open  *http.ServeMux // patterns that need no identifier of the session
}

func newGuard(o Options) (g guard, err error) {
	g.rules, g.open = http.NewCrossOriginProtection(), http.NewServeMux()
	for _, origin := range o.TrustedOrigins {
		if err := g.rules.AddTrustedOrigin(origin); err != nil {
			return g, fmt.Errorf("session: trusted origins: %w", err)
		}
	}
	for _, pattern := range o.InsecureCrossSite {
		if !attempt(func() { g.rules.AddInsecureBypassPattern(pattern); g.open.Handle(pattern, open{}) }) {
			return g, errors.New("session: a pattern of InsecureCrossSite is not valid")
		}
	}
	for _, pattern := range o.InsecureNoCSRF {
		if !attempt(func() { g.open.Handle(pattern, open{}) }) {
			return g, errors.New("session: a pattern of InsecureNoCSRF is not valid, or there twice")
		}
	}
	return g, nil
}

// attempt reports whether f did not panic, as a bad pattern does.
func attempt(f func()) (ok bool) {
	defer func() { ok = recover() == nil }()
	f()
	return true
}

func (g guard) check(r *http.Request) error { return g.rules.Check(r) }

// unmarked reports whether the request itself matches a pattern that needs no identifier. An
// address that a ServeMux would only redirect to one that does is another address.
func (g guard) unmarked(r *http.Request) bool {
	h, _ := g.open.Handler(r)
	_, ok := h.(open)
	return ok
}

// open is what the patterns without an identifier lead to.
type open struct{}

func (open) ServeHTTP(http.ResponseWriter, *http.Request) {}
