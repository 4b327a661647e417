package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// LimitsFunc answers which limits hold for people of kind k in tenant t. It is asked at
// each request, so a change acts on the next one; it must be fast. Limits that Validate
// refuses, and an error, leave nobody signed in.
type LimitsFunc func(ctx context.Context, t audit.Tenant, k audit.Kind) (Limits, error)

// Options are what may be left out. Nil and the zero value are the safe defaults.
type Options struct {
	// Now is the clock; nil is time.Now. The Manager guards it against steps backwards.
	Now func() time.Time
	// Limits are the limits in force; nil is DefaultLimits for everybody.
	Limits LimitsFunc
	// CookieName begins with "__Host-" (RFC 6265bis, section 4.1.3.2); empty is
	// "__Host-session". Two applications on one host name need two names.
	CookieName string
	// TrustedOrigins may send unsafe requests from a browser although they are another
	// origin, as "https://app.example.com".
	TrustedOrigins []string
	// InsecureCrossSite are http.ServeMux patterns that any site may post to, such as the
	// address an identity provider posts its answer to. The handlers behind them must not
	// rely on the session.
	InsecureCrossSite []string
	// Tenant says whose log keeps what happens before anybody is signed in, for example by
	// the host name; nil and "" mean unknown, and then a refused request leaves a line in
	// Logger instead of an event.
	Tenant TenantFunc
	// Refuse writes the page for a request that is not let through; nil writes one plain
	// line. Status and code are: 400 "two_tokens", 403 "cross_origin", 503 "unavailable".
	Refuse RefuseFunc
	// Timeout bounds each call of the recorder and of a store other than Memory; 0 is 5
	// seconds.
	Timeout time.Duration
	// Logger is told what goes wrong, without identifiers or values; nil is silent.
	Logger *slog.Logger
}

const (
	defaultCookie  = "__Host-session"
	defaultTimeout = 5 * time.Second
)

// complete returns a copy of o with the defaults filled in, or why it cannot be used.
func (o *Options) complete() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Limits == nil {
		c.Limits = func(context.Context, audit.Tenant, audit.Kind) (Limits, error) { return DefaultLimits(), nil }
	}
	if c.CookieName == "" {
		c.CookieName = defaultCookie
	}
	if !validCookieName(c.CookieName) {
		return c, errors.New("session: the cookie's name must be __Host- and letters, digits, dashes, underscores")
	}
	if c.Timeout < 0 {
		return c, errors.New("session: the timeout is negative")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
