package session

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Network decides from where people of a tenant may work; package authn's rules are one.
type Network interface {
	// Allowed reports whether people of kind k in tenant t may use their sessions from addr,
	// which is the zero Addr where it is not known. An error closes: nobody is signed in.
	Allowed(ctx context.Context, t audit.Tenant, k audit.Kind, addr netip.Addr) (bool, error)
}

// Options are what may be left out. Nil and the zero value are the safe defaults.
type Options struct {
	// Now is the clock; nil is time.Now. The Manager guards it against steps backwards.
	Now func() time.Time
	// Policy holds for tenants that have saved none; zero Limits are
	// DefaultLimits.
	Policy Policy
	// Network is asked at each request whether a live session may be used from the address
	// it comes from; nil allows every address.
	Network Network
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
	// InsecureNoCSRF are http.ServeMux patterns whose requests need not carry the identifier
	// of their session, see CSRF; what is cross-origin is refused there too. It is for what
	// browsers send by themselves, such as reports. "/" is everything.
	InsecureNoCSRF []string
	// Path is where Handler itself answers how long the session lasts, without that being
	// activity, and sends the script that shows it: Path + "left" and Path + "countdown.js".
	// It begins and ends with a slash; empty is "/session/".
	Path string
	// Tenant says whose log keeps what happens before anybody is signed in, for example by
	// the host name; nil and "" mean unknown, and then a refused request leaves a line in
	// Logger instead of an event.
	Tenant TenantFunc
	// Refuse writes the page for a request that is not let through; nil writes one plain
	// line. Status and code are: 400 "two_tokens", 403 "cross_origin", 403 "csrf",
	// 503 "unavailable".
	Refuse RefuseFunc
	// Timeout bounds each call of the recorder and of a store other than Memory; 0 is 5
	// seconds.
	Timeout time.Duration
	// Logger is told what goes wrong, without identifiers or values; nil is silent.
	Logger *slog.Logger
}

const (
	defaultCookie  = "__Host-session"
	defaultPath    = "/session/"
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
	if c.Policy = c.Policy.Clone(); c.Policy.Limits == (Limits{}) {
		c.Policy.Limits = DefaultLimits()
	}
	if err := c.Policy.Validate(); err != nil {
		return c, err
	}
	if c.CookieName == "" {
		c.CookieName = defaultCookie
	}
	if !validCookieName(c.CookieName) {
		return c, errors.New("session: the cookie's name must be __Host- and letters, digits, dashes, underscores")
	}
	if c.Path == "" {
		c.Path = defaultPath
	}
	if !strings.HasPrefix(c.Path, "/") || !strings.HasSuffix(c.Path, "/") {
		return c, errors.New("session: the path must begin and end with a slash")
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
