package audit

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// Tenant names the host's customer: a clinic, a practice group, a billing company.
// A tenant is one key root and one audit log; two tenants never share a row.
type Tenant string

// ActorID names a person, service or agent inside one tenant.
// It is an opaque identifier, never a name or an e-mail address.
type ActorID string

// Patient is the host's opaque identifier of a patient inside one tenant.
// It is never a name and never a medical record number.
type Patient string

// Kind says what sort of actor acts.
type Kind string

// The kinds of actor.
const (
	KindStaff     Kind = "staff"
	KindPatient   Kind = "patient"
	KindProxy     Kind = "proxy"     // family or guardian, acting for a patient
	KindService   Kind = "service"   // another program
	KindAgent     Kind = "agent"     // software that decides for itself, on a person's behalf
	KindSystem    Kind = "system"    // the host application itself: jobs, migrations
	KindAnonymous Kind = "anonymous" // not signed in
)

// Valid reports whether k is one of the kinds above.
func (k Kind) Valid() bool {
	switch k {
	case KindStaff, KindPatient, KindProxy, KindService, KindAgent, KindSystem, KindAnonymous:
		return true
	}
	return false
}

// Assurance is an authenticator assurance level of NIST SP 800-63B-4, section 2.
type Assurance uint8

// The assurance levels. The zero value has proven nothing.
const (
	AAL0 Assurance = iota
	AAL1
	AAL2
	AAL3
)

// Actor is who acts and how strongly that was proven. The session puts it into the
// context, rbac decides from it, audit attributes by it; nobody passes a user ID by hand.
type Actor struct {
	ID         ActorID
	Kind       Kind
	Tenant     Tenant
	OnBehalfOf ActorID // whose rights a service, agent or supporter uses

	Session           string    // public session id, never the token
	AuthTime          time.Time // when the person last proved who they are, with all that Assurance says
	Methods           []string  // how, as RFC 8176 amr values: "pwd", "otp", "hwk" …
	Assurance         Assurance
	PhishingResistant bool

	Origin netip.Addr // client address as the session layer determined it
	Device string     // short label such as "Firefox on Windows", never a fingerprint

	Emergency    string   // id of the emergency grant in use, empty if none
	Organization string   // the organization the actor belongs to, where it differs from the tenant
	Roles        []string // evidence written by rbac into the event; never an input to a decision

	scopes []Action // see Within
}

// Within returns a with the most that it may do, whatever its roles: the scopes of a service or
// an agent, which without any may do nothing. Nobody else has scopes, and no event holds them.
func (a Actor) Within(scopes ...Action) Actor {
	a.scopes = slices.Clone(scopes)
	return a
}

// Scopes returns what Within said; nobody writes to it.
func (a Actor) Scopes() []Action { return a.scopes }

// Anonymous is the actor of a request that nobody has signed in to.
func Anonymous(t Tenant, origin netip.Addr) Actor {
	return Actor{Kind: KindAnonymous, Tenant: t, Origin: origin}
}

// System is the actor of the host's own jobs; name says which, for example "retention".
func System(t Tenant, name string) Actor {
	return Actor{ID: ActorID("system:" + name), Kind: KindSystem, Tenant: t}
}

type actorKey struct{}

// WithActor returns a context that carries a.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns the actor in ctx. Without one it reports false,
// and callers that decide or record must refuse.
func ActorFrom(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}

// Attribute returns e as Record and Decide complete it from ctx, for other Recorders: an event
// that names no actor gets the one in ctx, an empty Tenant is the actor's, and an event without
// Correlation or Client gets those of the Trail. It returns ErrNoActor if nobody is named.
func Attribute(ctx context.Context, e Event) (Event, error) {
	err := e.attribute(ctx)
	return e, err
}

// attribute gives an event that names no actor the one in ctx, beside the roles and the emergency
// grant that are there as evidence, and lets it inherit from the context's Trail and from its actor.
func (e *Event) attribute(ctx context.Context) error {
	if e.Actor.ID == "" && e.Actor.Kind == "" {
		a, ok := ActorFrom(ctx)
		if !ok {
			return ErrNoActor
		}
		if len(e.Actor.Roles) > 0 {
			a.Roles = slices.Concat(a.Roles, e.Actor.Roles)
		}
		if e.Actor.Emergency != "" {
			a.Emergency = e.Actor.Emergency
		}
		a.Device = FitID(a.Device)
		e.Actor = a
	}
	if e.Tenant == "" {
		e.Tenant = e.Actor.Tenant
	}
	t, err := trailFrom(ctx)
	if err != nil {
		return nil
	}
	if e.Correlation == (Correlation{}) {
		e.Correlation = t.base.Correlation
	}
	if e.Client == (Client{}) {
		e.Client = t.base.Client
	}
	return nil
}
