package authn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// A browser in which somebody has signed in wholly is known from then on, to the tenant and for
// this person: wrong passwords and codes that come from it are counted apart from everybody
// else's, and it has as many tries in a window as an address has, before it draws on the budgets of
// addresses and tenants. So whoever keeps guessing
// elsewhere keeps nobody out who works where they always do. It proves nothing and spares nobody
// a step: the state of a sign-in does not hold it, and only the throttle asks for it.

// knownLife is how long a browser is known after the last sign-in in it.
const knownLife = 90 * 24 * time.Hour

// maxKnown is how long a cookie is looked at, in bytes.
const maxKnown = 2048

// knownRow stands for the row of what is sealed into cookies: they have none.
const knownRow = "browser"

// knownState is what the cookie of a known browser holds, sealed for the tenant.
type knownState struct {
	Person  audit.ActorID `json:"person"`
	Since   int64         `json:"since"`   // when the password was set, Unix microseconds: a new one makes all browsers strangers
	Expires int64         `json:"expires"` // Unix microseconds
}

// remember returns what makes the browser of a sign-in known, zero where it cannot be sealed: the
// sign-in does not need it.
func (m *Manager) remember(ctx context.Context, a Account) Secret {
	body, err := json.Marshal(knownState{a.Person.ID, a.Password.Changed.UnixMicro(), m.now().Add(knownLife).UnixMicro()})
	if err != nil {
		return Secret{}
	}
	sealed, err := m.p.Vault.Seal(ctx, at(a.Person.Tenant, fieldKnown, knownRow), body)
	if err != nil {
		m.warn(ctx, "authn: a browser could not be made known")
		return Secret{}
	}
	return NewSecret(base64.RawURLEncoding.EncodeToString(sealed))
}

// recognise returns whose browser a cookie makes known in tenant t, false if nobody's: what is
// not sealed here, or too old, makes nobody known and is no error.
func (m *Manager) recognise(ctx context.Context, t audit.Tenant, cookie string) (k knownState, ok bool) {
	if cookie == "" || len(cookie) > maxKnown || t == "" {
		return k, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil {
		return k, false
	}
	body, err := m.p.Vault.Unseal(ctx, at(t, fieldKnown, knownRow), sealed)
	if err != nil || json.Unmarshal(body, &k) != nil {
		return knownState{}, false
	}
	return k, k.Person != "" && m.now().UnixMicro() < k.Expires
}

// of reports whether the browser is known for this subject.
func (k knownState) of(s subject) bool {
	return k.Person != "" && k.Person == s.account.Person.ID && k.Since == s.account.Password.Changed.UnixMicro()
}

// from returns the subject with the browser that the client came with.
func (m *Manager) from(ctx context.Context, s subject, c Client) subject {
	k, ok := m.recognise(ctx, s.tenant, c.Known)
	s.known = ok && k.of(s)
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
