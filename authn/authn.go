package authn

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Sessions mints and ends sessions; session.Manager is one.
type Sessions interface {
	// Start makes a session for a and returns its token.
	Start(ctx context.Context, a audit.Actor) (token string, err error)
	// End ends the session of a token.
	End(ctx context.Context, token, reason string) error
	// EndAll ends every session of a person, at once and on every server.
	EndAll(ctx context.Context, t audit.Tenant, person audit.ActorID, reason string) error
}

// SecondFactor is the second step of a sign-in; mfa.Factors is one. Throttling is done
// here, not there.
type SecondFactor interface {
	// Enrolled reports whether the person has a confirmed second factor of any kind, passkeys and
	// numbers included, locked and disabled ones too: who has one never gets in by a password alone,
	// whatever of it is wired here.
	Enrolled(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error)
	// TakesCodes reports whether Verify may accept a code of the person: an app's, or a recovery
	// code.
	TakesCodes(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error)
	// Verify checks a code and burns it. It returns how the person proved to be who they
	// are as RFC 8176 amr values; a wrong code is (nil, nil). An error with a method
	// Disabled() bool that reports true says that the factor takes no codes any more, after too
	// many wrong ones (NIST SP 800-63B-4, section 3.2.2); every other error is a failure.
	Verify(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (methods []string, err error)
	// Begin starts an enrolment and returns the otpauth URI and the key in groups. One that
	// was not confirmed is replaced. For who has another factor already, and proved it, the context
	// carries them as actor.
	Begin(ctx context.Context, t audit.Tenant, person audit.ActorID, account string) (uri, manual string, err error)
	// Confirm ends an enrolment with a first code, which is burnt.
	Confirm(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (ok bool, err error)
}

// Mailer tells a person something: by mail, as a rule. It may be called twice with the same
// Notice.ID and may drop the repeat.
type Mailer interface {
	Send(ctx context.Context, n Notice) error
}

// MailerFunc is a function as a Mailer.
type MailerFunc func(ctx context.Context, n Notice) error

// Send calls f.
func (f MailerFunc) Send(ctx context.Context, n Notice) error { return f(ctx, n) }

// Parts is what a Manager is built from. Every field is required.
type Parts struct {
	Store    Store
	Vault    *phi.Vault
	Sessions Sessions
	Factor   SecondFactor
	Recorder audit.Recorder
	Mailer   Mailer
	// BaseURL is where links begin, for example "https://clinic.example.com". It is https,
	// or http on a loopback host. No request header ever decides where a link points.
	BaseURL string
}

// Manager is the one way in: it knows the people of every tenant, checks passwords, walks
// sign-ins from step to step and carries out lifecycle changes. It is safe for concurrent
// use.
type Manager struct {
	p       Parts
	o       Options
	base    *url.URL
	hash    *hasher
	blocked map[string]struct{}
	running *running
	joined  bool // inside a host's transaction: nothing is revoked or delivered here
}

// New returns a Manager. It refuses a missing part, a base URL that is not absolute https
// (http only on a loopback host) and options out of their ranges.
func New(p Parts, o *Options) (*Manager, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	base, err := baseURL(p.BaseURL)
	if err != nil {
		return nil, err
	}
	full, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if full.Windows == nil {
		full.Windows = p.Store
	}
	return &Manager{
		p: p, o: full, base: base,
		hash:    newHasher(full),
		blocked: blocklist(full.Blocklist),
		running: newRunning(),
	}, nil
}

// With returns a Manager whose changes are written through store, usually a store over the
// host's own transaction, for example authnsql.Store.WithTx. Such a Manager ends no
// sessions and delivers nothing, because neither may happen inside a transaction: the host
// ends the person's sessions before it begins the transaction and calls Deliver after the
// commit, or leaves that to Run. Sign-ins are refused with ErrState: they are no part of a
// transaction. The tenant's keys must exist already, which they do once anybody was invited.
func (m *Manager) With(store Store) *Manager {
	inner := *m
	inner.p.Store = store
	inner.joined = true
	return &inner
}

// check refuses missing parts, all of them at once: the zero value of none of them is safe.
func (p Parts) check() error {
	var missing []string
	for _, part := range []struct {
		missing bool
		name    string
	}{
		{p.Store == nil, "Store"},
		{p.Vault == nil, "Vault"},
		{p.Sessions == nil, "Sessions"},
		{p.Factor == nil, "Factor"},
		{p.Recorder == nil, "Recorder"},
		{p.Mailer == nil, "Mailer"},
		{p.BaseURL == "", "BaseURL"},
	} {
		if part.missing {
			missing = append(missing, part.name)
		}
	}
	if len(missing) > 0 {
		return errors.New("authn: Parts lacks " + strings.Join(missing, ", "))
	}
	return nil
}

// baseURL parses where links begin.
func baseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("authn: Parts.BaseURL is no URL")
	}
	switch {
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("authn: Parts.BaseURL needs scheme and host, and no user, query or fragment")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("authn: Parts.BaseURL must be https, http only on a loopback host")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
