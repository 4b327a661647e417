package rbac

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// subject is who asks, with the grants as one read returned them.
type subject struct {
	z         *Authorizer
	known     bool // somebody is signed in
	tenant    audit.Tenant
	id        audit.ActorID
	kind      audit.Kind
	assurance audit.Assurance
	held      []held // highest rank first
	read      time.Time
}

// maxAge is how long grants that were read are used, should a context outlive its request.
const maxAge = 30 * time.Second

// held is one grant whose role the policy knows and the actor may use.
type held struct {
	grant     Grant
	role      int
	practices []PracticeID
}

type subjectKey struct{}

// Load reads the grants of the actor in ctx and returns a context that carries them: what
// asks with it needs no further read. It belongs to one request. A revocation that comes
// after Load is effective from the next request on; long responses are rechecked.
//
// NewMux does it for each request; jobs and tests that ask many questions call it once. It
// returns an error that wraps ErrUndecided if the store failed.
func (z *Authorizer) Load(ctx context.Context) (context.Context, error) {
	now := z.now()
	if z.loaded(ctx, now) != nil {
		return ctx, nil
	}
	s, err := z.read(ctx, now)
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, subjectKey{}, s), nil
}

// loaded returns the subject in ctx, if z loaded it, not long ago, for the actor that ctx
// carries now; nil otherwise.
func (z *Authorizer) loaded(ctx context.Context, now time.Time) *subject {
	s, ok := ctx.Value(subjectKey{}).(*subject)
	if !ok || s.z != z {
		return nil
	}
	a := actor(ctx)
	same := s.tenant == a.Tenant && s.id == a.ID && s.kind == a.Kind && s.assurance == a.Assurance
	if !same || now.Sub(s.read) > maxAge {
		return nil
	}
	return s
}

// subject returns the subject in ctx, or reads it.
func (z *Authorizer) subject(ctx context.Context, now time.Time) (*subject, error) {
	if s := z.loaded(ctx, now); s != nil {
		return s, nil
	}
	return z.read(ctx, now)
}

// read loads the actor's grants: the only place where a decision reads the store.
func (z *Authorizer) read(ctx context.Context, now time.Time) (*subject, error) {
	if z == nil || z.policy == nil {
		return nil, fmt.Errorf("%w: no authorizer", ErrUndecided)
	}
	a := actor(ctx)
	s := &subject{z: z, known: signedIn(a), tenant: a.Tenant, id: a.ID, kind: a.Kind, assurance: a.Assurance, read: now}
	if !s.known {
		return s, nil
	}
	grants, err := z.store.Grants(ctx, a.Tenant, a.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: reading grants: %w", ErrUndecided, err)
	}
	for _, g := range grants {
		s.add(g)
	}
	slices.SortStableFunc(s.held, func(a, b held) int {
		return cmp.Compare(z.policy.roles[b.role].Rank, z.policy.roles[a.role].Rank)
	})
	return s, nil
}

// signedIn reports whether a is somebody.
func signedIn(a audit.Actor) bool {
	return a.ID != "" && a.Tenant != "" && a.Kind != "" && a.Kind != audit.KindAnonymous
}

// add takes a grant, unless it is somebody else's, names a role that the policy does not
// have, or one that is not for this kind of actor.
func (s *subject) add(g Grant) {
	i, ok := s.z.policy.byName[g.Role]
	if !ok || g.Tenant != s.tenant || g.Person != s.id || s.z.policy.roles[i].Kind != s.kind {
		return
	}
	practices := slices.DeleteFunc(slices.Clone(g.Practices), func(p PracticeID) bool { return !validID(string(p)) })
	slices.Sort(practices)
	s.held = append(s.held, held{g, i, slices.Compact(practices)})
}

// inForce returns the roles whose grants count at now.
func (s *subject) inForce(now time.Time) roleSet {
	var set roleSet
	for i := range s.held {
		if s.held[i].grant.InForce(now) {
			set |= 1 << s.held[i].role
		}
	}
	return set
}
