package rbac

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// subject is who asks, with the grants as one read returned them. It is the context that Load
// returns, so that finding it costs nothing: what a decision reads lies together.
type subject struct {
	context.Context // that it was loaded from, which carries its actor; nil if it was not loaded

	z         *Authorizer
	policy    *Policy // as it was when the grants were read: one for the whole request
	born      int64   // the second of z's pulse when it was loaded
	us        int64   // when it was read, in microseconds
	roles     roleSet // of held, in force then
	tenant    audit.Tenant
	known     bool // somebody is signed in
	lent      bool // who acts for somebody else
	suspended bool // and holds nothing therefore
	assurance audit.Assurance
	needs     audit.Assurance // for PHI
	id        audit.ActorID
	on        choices // of the tenant
	masks     *masking
	held      []held  // highest rank first
	room      [1]held // of held, which is mostly one
	kind      audit.Kind
	task      *task // of a service or an agent; nil for everybody else
}

// Value returns the subject as itself, and everything else from the context around it.
func (s *subject) Value(key any) any {
	if _, ok := key.(subjectKey); ok {
		return s
	}
	return s.Context.Value(key)
}

// maxAge is how long grants that were read are used, should a context outlive its request.
const maxAge = 30 * time.Second

// held is one grant whose role the policy knows and the actor may use. It counts from
// (inclusive) until (exclusive), in microseconds.
type held struct {
	from, until int64
	in          roleSet // the role alone
	role        *role
	id          string
	lists       lists
}

// inForce is Grant.InForce for what was not ended.
func (h *held) inForce(us int64) bool { return h.from <= us && us < h.until }

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
	s.Context, s.born = ctx, z.pulse.keep(now)
	return s, nil
}

// loaded returns the subject in ctx, if z loaded it, not long ago, for the actor that ctx
// carries now; nil otherwise.
func (z *Authorizer) loaded(ctx context.Context, now time.Time) *subject {
	if s := z.carried(ctx); s != nil && now.UnixMicro()-s.us <= maxAge.Microseconds() {
		return s
	}
	return nil
}

// carried returns the subject in ctx, if z loaded it for the actor that ctx carries now.
func (z *Authorizer) carried(ctx context.Context) *subject {
	if s, itself := ctx.(*subject); itself && s.z == z {
		return s
	}
	return z.wrapped(ctx)
}

// wrapped is carried for a context around the subject, which may carry another actor.
func (z *Authorizer) wrapped(ctx context.Context) *subject {
	if s, _ := ctx.Value(subjectKey{}).(*subject); s != nil && s.z == z && s.is(ctx) {
		return s
	}
	return nil
}

// at is when the subject was read.
func (s *subject) at() time.Time { return time.UnixMicro(s.us).UTC() }

// asked is subject for what only asks, and answers as of the instant at which the grants were
// read: it looks at the clock only where the host has set one.
func (z *Authorizer) asked(ctx context.Context) (*subject, error) {
	s := z.carried(ctx)
	switch {
	case s == nil:
		return z.read(ctx, z.now())
	case z.o.Now != nil:
		return z.subject(ctx, z.now())
	case z.pulse.seconds.Load()-s.born < int64(maxAge/beat):
		return s, nil
	}
	return z.read(ctx, z.now())
}

// is reports whether s was read for the actor that ctx carries.
func (s *subject) is(ctx context.Context) bool {
	a, _ := audit.ActorFrom(ctx)
	return s.tenant == a.Tenant && s.id == a.ID && s.kind == a.Kind && s.assurance == a.Assurance && s.lent == (a.OnBehalfOf != "") && (s.task == nil || s.task.is(a))
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
	p := z.Policy()
	if p == nil {
		return nil, fmt.Errorf("%w: no authorizer", ErrUndecided)
	}
	a := actor(ctx)
	s := &subject{z: z, policy: p, masks: p.masks, known: signedIn(a), lent: a.OnBehalfOf != "", tenant: a.Tenant, id: a.ID, kind: a.Kind, assurance: a.Assurance, needs: z.phiAssurance(a.Kind), us: now.UnixMicro()}
	s.held = s.room[:0]
	if visitor, stated := visiting(a); !s.known || visitor && !stated {
		return s, nil
	}
	grants, err := z.store.Grants(ctx, a.Tenant, a.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: reading grants: %w", ErrUndecided, err)
	}
	if err = z.chosen(ctx, s); err != nil {
		return nil, err
	}
	if s.task, err = z.task(ctx, s, a); err != nil {
		return nil, err
	}
	s.take(grants, now)
	return s, nil
}

// take keeps what counts of the grants.
func (s *subject) take(grants []Grant, now time.Time) {
	for _, g := range grants {
		s.add(g)
		s.suspended = s.suspended || g.Role == Suspended && g.Tenant == s.tenant && g.Person == s.id && g.InForce(now)
	}
	if s.suspended {
		s.held = nil
	}
	slices.SortStableFunc(s.held, func(a, b held) int {
		return cmp.Compare(b.role.Rank, a.role.Rank)
	})
	s.roles = s.among(s.us)
}

// chosen reads what the tenant switched on, and lowered, of what the policy leaves to it.
func (z *Authorizer) chosen(ctx context.Context, s *subject) error {
	if s.on = s.policy.defaults; z.o.Toggles == nil {
		return nil
	}
	t, err := z.o.Toggles.Toggles(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("%w: reading a tenant's toggles: %w", ErrUndecided, err)
	}
	s.on, s.masks = s.policy.chosen(t), s.policy.maskingOf(t)
	return nil
}

// signedIn reports whether a is somebody.
func signedIn(a audit.Actor) bool {
	return a.ID != "" && a.Tenant != "" && a.Kind != "" && a.Kind != audit.KindAnonymous
}

// add takes a grant, unless it is somebody else's, names a role that the policy does not
// have, or one that is not for this kind of actor.
func (s *subject) add(g Grant) {
	i, ok := s.policy.byName[g.Role]
	if !ok || g.Tenant != s.tenant || g.Person != s.id || !s.fits(s.policy.roles[i].Kind) || !g.Ended.IsZero() || !g.visitable() {
		return
	}
	until := int64(math.MaxInt64)
	if !g.Until.IsZero() {
		until = g.Until.UnixMicro()
	}
	s.held = append(s.held, held{g.From.UnixMicro(), until, 1 << i, &s.policy.roles[i], g.ID, lists{tidy(g.Practices), tidy(g.Locations), tidy(g.Queues)}})
}

// tidy returns a list of ids sorted, each once, without those that are none.
func tidy[T ~string](ids []T) []string {
	if len(ids) == 0 {
		return nil
	}
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if validID(string(id)) {
			out = append(out, string(id))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inForce returns the roles whose grants count at now.
func (s *subject) inForce(now time.Time) roleSet { return s.among(now.UnixMicro()) }

// among is inForce, at a time in microseconds.
func (s *subject) among(us int64) roleSet {
	if us == s.us && s.roles != 0 {
		return s.roles
	}
	var set roleSet
	for i := range s.held {
		if s.held[i].inForce(us) {
			set |= s.held[i].in
		}
	}
	return set
}
