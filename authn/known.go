package authn

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// A browser in which somebody has signed in wholly is known from then on, to the tenant and for
// this person: wrong passwords and codes that come from it are counted apart from everybody
// else's, and it has as many tries in a window as an address has, before it draws on the budgets of
// addresses and tenants. So whoever keeps guessing
// elsewhere keeps nobody out who works where they always do. It proves nothing and spares nobody
// a step: the state of a sign-in does not hold it, and only the throttle asks for it.
//
// The cookie is a 256-bit secret, of which the row has a hash, and a tag of it, keyed per tenant:
// what was not made here is told by the tag, without a store and without a key that the cookie
// could choose. Cookies of releases that knew no rows are strangers' until the next sign-in.

// KnownFor is how long a browser is known after the last sign-in in it.
const KnownFor = 90 * 24 * time.Hour

// maxDevices is how many browsers are known for one person; the one seen longest ago makes room.
const maxDevices = 20

// remember makes the browser of a finished sign-in known and returns its cookie: the one that it
// has, where it is known already. Zero where that fails, because the sign-in does not need it.
func (m *Manager) remember(ctx context.Context, a Account, c Client) Secret {
	now, label := m.now(), printable(c.Device, maxDevice)
	if d, ok := m.recognise(ctx, a.Person.Tenant, c.Known); ok && d.of(subject{account: a}) {
		err := m.p.Store.SeeDevice(ctx, d.Tenant, d.ID, label, now)
		if err == nil {
			return NewSecret(c.Known)
		}
		if !errors.Is(err, ErrNotFound) { // forgotten meanwhile, and signed in again
			m.warn(ctx, "authn: a browser could not be noted as seen")
			return Secret{}
		}
	}
	token, hash := newToken()
	tag, err := m.tag(ctx, a.Person.Tenant, token.Reveal())
	if err == nil {
		err = m.p.Store.PutDevice(ctx, Device{
			ID: audit.NewID(now), Tenant: a.Person.Tenant, Person: a.Person.ID, Hash: hash,
			Label: label, Created: now, Seen: now, Password: a.Password.Changed,
		}, a.Person.Version, maxDevices)
	}
	if err != nil {
		m.warn(ctx, "authn: a browser could not be made known")
		return Secret{}
	}
	return NewSecret(token.Reveal() + tag)
}

// tag returns what shows, without a store, that a secret was made here for tenant t.
func (m *Manager) tag(ctx context.Context, t audit.Tenant, secret string) (string, error) {
	term, err := m.p.Vault.LastingTerm(ctx, t, tagKnown, secret)
	return base64.RawURLEncoding.EncodeToString(term), err
}

// recognise returns the browser that a cookie makes known in tenant t, false if there is none:
// what was not made here, is too old or forgotten makes nobody known and is no error. Nor is a
// store that fails: a stranger's budgets are the narrower ones.
func (m *Manager) recognise(ctx context.Context, t audit.Tenant, cookie string) (d Device, ok bool) {
	if t == "" || len(cookie) <= tokenLen || len(cookie) > 2*tokenLen {
		return d, false
	}
	secret, claimed := cookie[:tokenLen], cookie[tokenLen:]
	hash, ok := hashToken(secret)
	if !ok {
		return d, false
	}
	tag, err := m.tag(ctx, t, secret)
	if err != nil || subtle.ConstantTimeCompare([]byte(tag), []byte(claimed)) != 1 {
		return d, false
	}
	d, err = m.p.Store.Device(ctx, t, hash)
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			m.warn(ctx, "authn: a known browser could not be looked up")
		}
		return Device{}, false
	}
	return d, d.lives(m.now())
}

// lives reports whether the browser is still known.
func (d Device) lives(now time.Time) bool { return now.Before(d.Seen.Add(KnownFor)) }

// of reports whether the browser is known for this subject. A new password makes all browsers
// strangers, also one that was set by a server of a release that knew no rows.
func (d Device) of(s subject) bool {
	return d.Person != "" && d.Person == s.account.Person.ID && d.Password.Equal(s.account.Password.Changed)
}

// from returns the subject with the browser that the client came with.
func (m *Manager) from(ctx context.Context, s subject, c Client) subject {
	d, ok := m.recognise(ctx, s.tenant, c.Known)
	s.known = ok && d.of(s)
	return s
}

// Known returns the family whose failures are counted for known browsers in the place of f.
func (f Family) Known() Family { return f + "/known" }

// bucket is where a subject's tries of a family are counted, and how many there are. Of the
// failures that disable an authenticator a fifth is kept for known browsers, so that both
// together never get more than Limits.Disable; where that is none there is one bucket for all.
func (m *Manager) bucket(s subject, f Family) (Family, Limits) {
	l := m.o.Throttle
	kept := l.Disable / 5
	switch {
	case kept == 0:
		return f, l
	case s.known:
		l.Disable = kept
		return f.Known(), l
	}
	l.Disable -= kept
	return f, l
}
