package session

import (
	"fmt"
	"net/http"
)

// guard refuses what a browser sends on behalf of another site.
type guard struct{ rules *http.CrossOriginProtection }

func newGuard(o Options) (g guard, err error) {
	g.rules = http.NewCrossOriginProtection()
	for _, origin := range o.TrustedOrigins {
		if err := g.rules.AddTrustedOrigin(origin); err != nil {
			return g, fmt.Errorf("session: trusted origins: %w", err)
		}
	}
	for _, pattern := range o.InsecureCrossSite {
		if err := addPattern(g.rules, pattern); err != nil {
			return g, err
		}
	}
	return g, nil
}

// addPattern turns the panic of a bad pattern into an error.
func addPattern(rules *http.CrossOriginProtection, pattern string) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("session: a pattern of InsecureCrossSite is not valid")
		}
	}()
	rules.AddInsecureBypassPattern(pattern)
	return nil
}

func (g guard) check(r *http.Request) error { return g.rules.Check(r) }
