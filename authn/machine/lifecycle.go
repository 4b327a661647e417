package machine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

const (
	// MaxName is how long a principal's name is at most, in bytes.
	MaxName = 100
	// MaxScopes is how many scopes a principal has at most.
	MaxScopes = 100
	// MaxWhy is how long the reason of a change is at most, in bytes; the rest is cut off.
	MaxWhy = 1024
)

// Spec is what a principal shall be.
type Spec struct {
	Kind       audit.Kind    // audit.KindService or audit.KindAgent
	Name       string        // what people call it, MaxName bytes at most; no personal data
	Owner      audit.ActorID // who answers for it; empty: whoever makes it
	OnBehalfOf audit.ActorID // required for agents
	Scopes     []audit.Action
	Expires    time.Time
}

// Edit is what of a principal can change. A zero field stays as it is.
type Edit struct {
	Name    string
	Owner   audit.ActorID
	Scopes  []audit.Action
	Expires time.Time
}

// Each change below is of the tenant of the actor in ctx. What lets a program in, or hands out a
// key, needs a person with AAL2 whose own rights have every scope: everywhere in the tenant, unless it
// acts for that person. What ends something needs a person or the host's system. Who may do it is the host's to decide, with rbac, before the call. The change
// is durable in the audit log before it is made; should it then not be made, a second event says
// so, with the code not_applied, or unconfirmed where the store did not tell.
//
// The answers: ErrNoActor, ErrAssurance, ErrScope, *SpecError, ErrKeys, ErrState, ErrNotFound,
// ErrConflict: nothing was changed. ErrUnavailable: ask Get.

// Create makes a principal and its first key, which is shown this once and lives as long as the
// principal. It may do nothing before rbac grants roles to its ID.
func (m *Manager) Create(ctx context.Context, s Spec) (Principal, authn.Secret, error) {
	by, err := granter(ctx)
	if err != nil {
		return Principal{}, authn.Secret{}, err
	}
	if s.Owner == "" {
		s.Owner = by.ID
	}
	now := m.now()
	p := Principal{
		Tenant: by.Tenant, ID: audit.ActorID(audit.NewID(now)), Kind: s.Kind, Name: s.Name, Owner: s.Owner, OnBehalfOf: s.OnBehalfOf,
		Scopes: sorted(s.Scopes), State: Active, Expires: micros(s.Expires), Created: now, CreatedBy: by.ID,
	}
	if err := m.possible(ctx, p, now); err != nil {
		return Principal{}, authn.Secret{}, err
	}
	text, k := m.newKey(by.ID, now, p.Expires)
	c := change{action: ActionCreate, verb: audit.Create, by: by, key: k.ID}
	p, err = m.apply(ctx, c, p, func(p *Principal) error {
		p.Keys = []Key{k}
		return nil
	})
	if err != nil {
		return Principal{}, authn.Secret{}, err
	}
	p.Keys[0].Hash = nil
	return p, text, nil
}

// Change edits a principal that was read with this version: another one is ErrConflict. Keys that
// would outlive it end with it.
func (m *Manager) Change(ctx context.Context, id audit.ActorID, version int64, e Edit) (Principal, error) {
	by, err := granter(ctx)
	if err != nil {
		return Principal{}, err
	}
	return m.edit(ctx, id, change{action: ActionChange, by: by, grants: true, expect: version}, func(p *Principal) error {
		if p.State != Active {
			return ErrState
		}
		set(&e.Name, p.Name)
		set(&e.Owner, p.Owner)
		if e.Scopes == nil {
			e.Scopes = p.Scopes
		}
		if e.Expires.IsZero() {
			e.Expires = p.Expires
		}
		p.Name, p.Owner, p.Scopes, p.Expires = e.Name, e.Owner, sorted(e.Scopes), micros(e.Expires)
		shorten(p.Keys, p.Expires)
		return nil
	})
}

// Suspend shuts an active principal out with its next request, on every server. Why is what the
// person typed, kept with the event, sealed.
func (m *Manager) Suspend(ctx context.Context, id audit.ActorID, why string) error {
	return m.end(ctx, id, change{action: ActionSuspend, why: why}, func(p *Principal) error { return move(p, Suspended, Active) })
}

// Resume lets a suspended principal in again, with the keys that live still.
func (m *Manager) Resume(ctx context.Context, id audit.ActorID, why string) error {
	by, err := granter(ctx)
	if err != nil {
		return err
	}
	_, err = m.edit(ctx, id, change{action: ActionResume, by: by, why: why, grants: true}, func(p *Principal) error {
		return move(p, Active, Suspended)
	})
	return err
}

// Remove ends a principal and all its keys for good. It stays in lists, as evidence.
func (m *Manager) Remove(ctx context.Context, id audit.ActorID, why string) error {
	now := m.now()
	return m.end(ctx, id, change{action: ActionRemove, verb: audit.Delete, why: why}, func(p *Principal) error {
		for i := range p.Keys {
			revoke(&p.Keys[i], now)
		}
		return move(p, Removed, Active, Suspended)
	})
}

// EndAll suspends every principal that the person answers for, or that acts for them: it makes a
// Manager an authn.Ender. Reason is a code. None is no error.
func (m *Manager) EndAll(ctx context.Context, t audit.Tenant, person audit.ActorID, reason string) error {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Tenant != t {
		a = audit.System(t, "authn")
	}
	ctx = audit.WithActor(ctx, a)
	for p, err := range m.p.Store.List(ctx, t, "") {
		if err != nil {
			return unavailable("listing principals", err)
		}
		if p.State != Active || !p.concerns(person) {
			continue
		}
		c := change{action: ActionSuspend, by: a, reason: reason}
		_, err := m.edit(ctx, p.ID, c, func(p *Principal) error { return move(p, Suspended, Active) })
		if err != nil && !errors.Is(err, ErrState) { // suspended meanwhile
			return err
		}
	}
	return nil
}

// end is edit by whoever is in ctx.
func (m *Manager) end(ctx context.Context, id audit.ActorID, c change, edit func(*Principal) error) error {
	by, err := ender(ctx)
	if err != nil {
		return err
	}
	c.by = by
	_, err = m.edit(ctx, id, c, edit)
	return err
}

// move changes the state where it is one of from, and is ErrState otherwise.
func move(p *Principal, to State, from ...State) error {
	if !slices.Contains(from, p.State) {
		return ErrState
	}
	p.State = to
	return nil
}

// person reports whether a is a person of a tenant.
func person(a audit.Actor) bool {
	return a.ID != "" && a.Tenant != "" && (a.Kind == audit.KindStaff || a.Kind == audit.KindPatient || a.Kind == audit.KindProxy)
}

// program reports whether k is a kind of principals.
func program(k audit.Kind) bool { return k == audit.KindService || k == audit.KindAgent }

// granter is whoever may let a program in: a person with a second factor.
func granter(ctx context.Context) (audit.Actor, error) {
	a, _ := audit.ActorFrom(ctx)
	switch {
	case !person(a):
		return a, ErrNoActor
	case a.Assurance < audit.AAL2:
		return a, ErrAssurance
	}
	return a, nil
}

// ender is whoever may end something: a person or the host itself.
func ender(ctx context.Context) (audit.Actor, error) {
	a, _ := audit.ActorFrom(ctx)
	if !person(a) && (a.Kind != audit.KindSystem || a.Tenant == "") {
		return a, ErrNoActor
	}
	return a, nil
}

// possible checks what a principal shall be, and that the person in ctx may grant it.
func (m *Manager) possible(ctx context.Context, p Principal, now time.Time) error {
	switch {
	case !program(p.Kind):
		return bad(BadKind)
	case p.Name == "" || len(p.Name) > MaxName || !printable(p.Name):
		return bad(BadName)
	case p.OnBehalfOf == "" && p.Kind == audit.KindAgent:
		return bad(BadPerson)
	case len(p.Scopes) == 0 || len(p.Scopes) > MaxScopes || slices.ContainsFunc(p.Scopes, noScope):
		return bad(BadScopes)
	case !now.Before(p.Expires) || p.Expires.Sub(now) > m.longest(p.Kind):
		return bad(BadExpiry)
	}
	for i, id := range p.people() {
		ok, err := m.active(ctx, p.Tenant, id)
		if err != nil {
			return err
		}
		if !ok {
			return bad([]Reason{BadOwner, BadPerson}[i])
		}
	}
	return m.grantable(ctx, p)
}

// grantable is ErrScope unless the person in ctx may grant every scope. What acts for themselves is
// bound by what they may do; of everything else they must reach as much as it may.
func (m *Manager) grantable(ctx context.Context, p Principal) error {
	a, _ := audit.ActorFrom(ctx)
	for _, s := range p.Scopes {
		ok, err := m.p.Rights.MayGrant(ctx, s, p.OnBehalfOf != a.ID)
		if err != nil {
			return unavailable("asking for somebody's rights", err)
		}
		if !ok {
			return ErrScope
		}
	}
	return nil
}

// people are those without whom p does not act: who answers for it, and whom it acts for.
func (p Principal) people() []audit.ActorID {
	if p.OnBehalfOf == "" {
		return []audit.ActorID{p.Owner}
	}
	return []audit.ActorID{p.Owner, p.OnBehalfOf}
}

// active reports whether a person may act.
func (m *Manager) active(ctx context.Context, t audit.Tenant, id audit.ActorID) (bool, error) {
	if id == "" {
		return false, nil
	}
	ok, err := m.p.People.Active(ctx, t, id)
	if err != nil {
		return false, unavailable("asking whether somebody may act", err)
	}
	return ok, nil
}

// longest is how long a principal of a kind lives at most.
func (m *Manager) longest(k audit.Kind) time.Duration {
	if k == audit.KindAgent {
		return m.o.MaxAgent
	}
	return m.o.MaxService
}

// noScope reports whether s is no scope-token of RFC 6749, appendix A.4, or no name an event takes.
func noScope(s audit.Action) bool {
	odd := func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' }
	return s == "" || len(s) > audit.MaxName || strings.ContainsFunc(string(s), odd)
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// sorted returns the scopes in order, each once.
func sorted(scopes []audit.Action) []audit.Action {
	return slices.Compact(slices.Sorted(slices.Values(scopes)))
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
