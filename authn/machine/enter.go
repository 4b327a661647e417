package machine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// Client is where a request comes from.
type Client struct {
	Addr   netip.Addr // as a trusted proxy reports it, never from a raw header
	Device string     // what the program calls itself, short
}

// How a program proved who it is, as audit.Actor.Methods has it. RFC 8176 has no value for a
// bearer secret.
const (
	MethodKey   = "api_key"
	MethodToken = "access_token"
)

// Enter says who acts with a key or an access token: for hosts that do not use Handler, gRPC for
// example. It counts as a request. The Actor has the principal's ID, kind and scopes, the key's ID
// as its Session, whom it acts for, AAL1 and never more, and no AuthTime.
//
// ErrInvalid, *LimitedError and ErrUnavailable all mean that nobody acts; what was refused is
// recorded.
func (m *Manager) Enter(ctx context.Context, credential authn.Secret, from Client) (audit.Actor, error) {
	f, err := m.identify(ctx, ActionEnter, credential, from)
	if err != nil {
		return audit.Actor{}, err
	}
	return f.actor(from), nil
}

// identify finds out whose a credential is, and whether they may act now from there.
func (m *Manager) identify(ctx context.Context, a audit.Action, secret authn.Secret, from Client) (Found, error) {
	asking, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	f, code, err := m.look(asking, secret)
	if err == nil && code == "" {
		err = m.charge(asking, a, f, from)
		if err == nil {
			code, err = m.allowed(asking, f, from.Addr)
		}
	}
	if err == nil && code == "" {
		err = m.touch(asking, f)
	}
	switch {
	case errors.Is(err, ErrLimited):
		return Found{}, err
	case err != nil:
		return Found{}, errors.Join(err, m.refused(ctx, a, f, from, audit.MajorFailure, CodeUnavailable))
	case code != "":
		return Found{}, m.turnedAway(ctx, a, f, from, code)
	}
	return f, nil
}

// look finds the rows of a credential and judges them. A code says why it is not valid; of f only
// what the credential itself names is set then.
func (m *Manager) look(ctx context.Context, secret authn.Secret) (f Found, code string, err error) {
	c, ok := parseCredential(m.o.Prefix, secret.Reveal())
	if !ok {
		return f, CodeMalformed, nil
	}
	if c.mark == markToken {
		f, err = m.p.Store.FindToken(ctx, c.id)
	} else {
		f, err = m.p.Store.FindKey(ctx, c.id)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return Found{}, CodeUnknown, nil
	case err != nil:
		return Found{}, "", unavailable("looking up a credential", err)
	}
	stored := f.Key.Hash
	if c.mark == markToken {
		stored = nil
		if f.Token != nil {
			stored = f.Token.Hash
		}
	}
	if !c.matches(stored) {
		return f, CodeSecret, nil
	}
	return f, f.judge(m.now()), nil
}

// judge says why a credential whose secret is right is not valid at now, "" if it is.
func (f Found) judge(now time.Time) string {
	switch p, k := f.Principal, f.Key; {
	case !k.Revoked.IsZero():
		return CodeRevoked
	case p.State != Active, !program(p.Kind), p.Kind == audit.KindAgent && p.OnBehalfOf == "":
		return CodeState
	case !k.Live(now), !p.Live(now), f.Token != nil && !now.Before(f.Token.Expires):
		return CodeExpired
	}
	return ""
}

// allowed asks what is not in the rows: from where, and for whom.
func (m *Manager) allowed(ctx context.Context, f Found, from netip.Addr) (code string, err error) {
	p := f.Principal
	if m.o.Network != nil {
		ok, err := m.o.Network.Allowed(ctx, p.Tenant, p.Kind, from)
		if err != nil {
			return "", unavailable("asking for network rules", err)
		}
		if !ok {
			return CodeNetwork, nil
		}
	}
	for _, id := range p.people() {
		ok, err := m.active(ctx, p.Tenant, id)
		if err != nil {
			return "", err
		}
		if !ok {
			return CodePerson, nil
		}
	}
	return "", nil
}

// charge counts a request of the principal. Of those that are too many in a minute the first is
// recorded: the others would be a flood of their own.
func (m *Manager) charge(ctx context.Context, a audit.Action, f Found, from Client) error {
	p, limit := f.Principal, m.o.ServiceRate
	if p.Kind == audit.KindAgent {
		limit = m.o.AgentRate
	}
	now := m.now()
	n, ends, err := m.p.Windows.Hit(ctx, p.Tenant, "machine/"+string(p.ID), rateWindow, now)
	if err != nil {
		return unavailable("counting a request", err)
	}
	if n <= limit {
		return nil
	}
	return m.limited(ctx, a, f, from, n == limit+1, CodeRate, ends.Sub(now))
}

// turnedAway records a failure, counts it against the address, and is the answer.
func (m *Manager) turnedAway(ctx context.Context, a audit.Action, f Found, from Client, code string) error {
	t := f.Principal.Tenant
	if t == "" {
		t = m.o.Tenant
	}
	now := m.now()
	n, ends, err := m.p.Windows.Hit(ctx, t, "machine/from/"+place(from.Addr), badWindow, now)
	if err != nil {
		return errors.Join(unavailable("counting a failure", err), m.refused(ctx, a, f, from, audit.MajorFailure, CodeUnavailable))
	}
	if n > m.o.BadKeys {
		return m.limited(ctx, a, f, from, n == m.o.BadKeys+1, CodeAddress, ends.Sub(now))
	}
	if err := m.failed(ctx, a, f, from, code); err != nil {
		return err
	}
	return ErrInvalid
}

// failed records a failure. A log cannot be emptied, and somebody with very many addresses has
// budgets without end: after so many of a tenant that lead to nobody one event says so, and none
// follows until the window is over. What names a principal is always recorded.
func (m *Manager) failed(ctx context.Context, a audit.Action, f Found, from Client, code string) error {
	if f.Principal.ID == "" {
		n, _, err := m.p.Windows.Hit(ctx, m.o.Tenant, "machine/strangers", badWindow, m.now())
		switch {
		case err != nil:
			return errors.Join(unavailable("counting a failure", err), m.refused(ctx, a, f, from, audit.MajorFailure, CodeUnavailable))
		case n > maxStrangers+1:
			return exempt(ctx, "recorded with the first that was one too many")
		case n > maxStrangers:
			code = CodeFlood
		}
	}
	return m.refused(ctx, a, f, from, audit.Failure, code)
}

// limited is the answer to who asks too often.
func (m *Manager) limited(ctx context.Context, a audit.Action, f Found, from Client, first bool, code string, wait time.Duration) error {
	err := exempt(ctx, "a program that asks too often; its first request too many is recorded")
	if first {
		err = m.failed(ctx, a, f, from, code)
	}
	if err != nil {
		return err
	}
	return &LimitedError{RetryAfter: max(time.Second, (wait + time.Second - 1).Truncate(time.Second))}
}

// touch notes that a principal was used, once a minute.
func (m *Manager) touch(ctx context.Context, f Found) error {
	now := m.now()
	if now.Sub(f.Key.Used) < touchGrain && now.Sub(f.Principal.Used) < touchGrain {
		return nil
	}
	if err := m.p.Store.Touch(ctx, f.Principal.Tenant, f.Principal.ID, f.Key.ID, now); err != nil {
		return unavailable("noting a use", err)
	}
	return nil
}

// still reports whether what let a request in would let it in now: for responses that last.
func (m *Manager) still(ctx context.Context, secret authn.Secret, from Client) error {
	f, code, err := m.look(ctx, secret)
	if err == nil && code == "" {
		code, err = m.allowed(ctx, f, from.Addr)
	}
	if err == nil && code != "" {
		err = ErrInvalid
	}
	return err
}

// scopes are what the credential may do at most: a token never has what its principal has lost.
func (f Found) scopes() []audit.Action {
	if f.Token == nil {
		return f.Principal.Scopes
	}
	var out []audit.Action
	for _, s := range f.Token.Scopes {
		if slices.Contains(f.Principal.Scopes, s) {
			out = append(out, s)
		}
	}
	return out
}

// actor is who acts.
func (f Found) actor(from Client) audit.Actor {
	method := MethodKey
	if f.Token != nil {
		method = MethodToken
	}
	a := audit.Actor{
		ID: f.Principal.ID, Kind: f.Principal.Kind, Tenant: f.Principal.Tenant, OnBehalfOf: f.Principal.OnBehalfOf,
		Session: f.Key.ID, Methods: []string{method}, Assurance: audit.AAL1,
		Origin: from.Addr, Device: audit.FitID(from.Device),
	}
	return a.Within(f.scopes()...)
}
