package machine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// Access is an access token as it is handed out, once.
type Access struct {
	Token   authn.Secret
	Expires time.Time
	Scopes  []audit.Action
}

// Grant hands out an access token for client credentials (RFC 6749, section 4.4): client is the
// principal's ID and secret one of its keys. Scopes narrow what the token may do; none means all
// that the principal has. A token ends with its key, and buys no other.
//
// Errors are those of Enter, and ErrScope for a scope that the principal does not have. It counts
// as a request. What is handed out is recorded.
func (m *Manager) Grant(ctx context.Context, client string, secret authn.Secret, scopes []audit.Action, from Client) (Access, error) {
	f, err := m.identify(ctx, ActionToken, secret, from)
	if err != nil {
		return Access{}, err
	}
	switch {
	case f.Token != nil:
		return Access{}, m.turnedAway(ctx, ActionToken, f, from, CodeOther)
	case client != string(f.Principal.ID):
		return Access{}, m.turnedAway(ctx, ActionToken, f, from, CodeClient)
	}
	scopes = sorted(scopes)
	if len(scopes) == 0 {
		scopes = f.Principal.Scopes
	}
	if slices.ContainsFunc(scopes, func(s audit.Action) bool { return !slices.Contains(f.Principal.Scopes, s) }) {
		return Access{}, errors.Join(ErrScope, m.refused(ctx, ActionToken, f, from, audit.Failure, CodeScope))
	}
	return m.handOut(ctx, f, scopes, from)
}

// handOut records a token, keeps its hash, and returns it.
func (m *Manager) handOut(ctx context.Context, f Found, scopes []audit.Action, from Client) (Access, error) {
	text, c := newCredential(m.o.Prefix, markToken)
	now := m.now()
	tk := Token{
		ID: c.id, Hash: c.hash[:], Tenant: f.Principal.Tenant, Principal: f.Principal.ID, Key: f.Key.ID,
		Scopes: scopes, Created: now, Expires: earliest(now.Add(m.o.TokenLife), f.Key.Expires, f.Principal.Expires),
	}
	d := map[string]string{"expires": tk.Expires.Format(time.RFC3339)}
	scopesIn(d, scopes)
	err := m.note(ctx, audit.Event{
		Tenant: tk.Tenant, Action: ActionToken, Verb: audit.Create, Actor: f.actor(from), Objects: objects(f.Principal, tk.ID), Detail: d,
	})
	if err != nil {
		return Access{}, err
	}
	if err := m.p.Store.PutToken(ctx, tk); err != nil {
		return Access{}, errors.Join(unavailable("keeping an access token", err), m.refused(ctx, ActionToken, f, from, audit.MajorFailure, CodeNotApplied))
	}
	return Access{Token: text, Expires: tk.Expires, Scopes: scopes}, nil
}

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

// scopeText writes scopes as RFC 6749, section 3.3, has them.
func scopeText(scopes []audit.Action) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, " ")
}
