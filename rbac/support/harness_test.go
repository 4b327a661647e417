package support_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clinic   = audit.Tenant("clinic")
	platform = audit.Tenant("platform")
	adam     = audit.ActorID("p-adam") // administers the clinic
	dana     = audit.ActorID("p-dana") // works at its desk
	noor     = audit.ActorID("o-noor") // an operator
	omar     = audit.ActorID("o-omar") // another
)

var errBroken = errors.New("broken")

// words is a text that must not be found in clear, nor in the platform's log.
const words = "M. Example cannot be found in the schedule."

// wire is what every call to a part goes through: the n-th one fails, or is cut off after its effect.
type wire struct {
	mu    sync.Mutex
	calls int
	at    int // 0: never
	mode  string
}

func (w *wire) arm(at int, mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.at, w.mode = 0, at, mode
}

func (w *wire) hit() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at > 0 && w.calls >= w.at
}

func (w *wire) call(effect func() error) error {
	w.mu.Lock()
	w.calls++
	mode := ""
	if w.at > 0 && (w.calls == w.at || w.mode == "fails from here on" && w.calls > w.at) {
		mode = w.mode
	}
	w.mu.Unlock()
	switch mode {
	case "fails", "fails from here on":
		return errBroken
	case "is cut off":
		if err := effect(); err != nil {
			return err
		}
		return errBroken // done, but nobody hears of it
	}
	return effect()
}

type wiredStore struct {
	support.Store
	w *wire
}

func (s wiredStore) Get(ctx context.Context, t audit.Tenant, id string) (r support.Row, err error) {
	err = s.w.call(func() error { r, err = s.Store.Get(ctx, t, id); return err })
	return r, err
}

func (s wiredStore) Open(ctx context.Context, t audit.Tenant, by support.Account) (r support.Row, err error) {
	err = s.w.call(func() error { r, err = s.Store.Open(ctx, t, by); return err })
	return r, err
}

func (s wiredStore) Apply(ctx context.Context, r support.Row, expect int64) error {
	return s.w.call(func() error { return s.Store.Apply(ctx, r, expect) })
}

func (s wiredStore) List(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
	return through(s.w, s.Store.List(ctx, q, below))
}

func (s wiredStore) Active(ctx context.Context) iter.Seq2[support.Row, error] {
	return through(s.w, s.Store.Active(ctx))
}

func through[T any](w *wire, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := w.call(func() error { return nil }); err != nil {
			yield(zero, err)
			return
		}
		seq(yield)
	}
}

type wiredGrants struct {
	rbac.Store
	w *wire
}

func (s wiredGrants) Grants(ctx context.Context, t audit.Tenant, p audit.ActorID) (g []rbac.Grant, err error) {
	err = s.w.call(func() error { g, err = s.Store.Grants(ctx, t, p); return err })
	return g, err
}

func (s wiredGrants) Version(ctx context.Context, t audit.Tenant) (v int64, err error) {
	err = s.w.call(func() error { v, err = s.Store.Version(ctx, t); return err })
	return v, err
}

func (s wiredGrants) Apply(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
	return s.w.call(func() error { return s.Store.Apply(ctx, t, v, c) })
}

// sealer is AES-GCM, bound to tenant and label.
type sealer struct {
	aead cipher.AEAD
	w    *wire
}

func (s sealer) Seal(_ context.Context, t audit.Tenant, label string, plain []byte) (out []byte, err error) {
	err = s.w.call(func() error {
		out = s.aead.Seal(nil, nil, plain, []byte(string(t)+"\x00"+label))
		return nil
	})
	return out, err
}

func (s sealer) Unseal(_ context.Context, t audit.Tenant, label string, sealed []byte) (out []byte, err error) {
	err = s.w.call(func() error {
		out, err = s.aead.Open(nil, nil, sealed, []byte(string(t)+"\x00"+label))
		return err
	})
	return out, err
}

// memo is a Recorder that remembers; an event of an ID that is there is not added again.
type memo struct {
	mu     sync.Mutex
	w      *wire
	events []audit.Event
}

func (m *memo) Record(_ context.Context, events ...audit.Event) error {
	return m.w.call(func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, e := range events {
			if err := e.Validate(); err != nil {
				return err
			}
			if e.ID == "" || !slices.ContainsFunc(m.events, func(o audit.Event) bool { return o.ID == e.ID }) {
				m.events = append(m.events, e)
			}
		}
		return nil
	})
}

// of returns the events of an action in a tenant's log.
func (m *memo) of(t audit.Tenant, a audit.Action) (out []audit.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Tenant == t && e.Action == a {
			out = append(out, e)
		}
	}
	return out
}

// mails are notices by ID.
type mails struct {
	mu   sync.Mutex
	w    *wire
	sent map[string]support.Notice
}

func (m *mails) Tell(_ context.Context, n support.Notice) error {
	return m.w.call(func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sent[n.ID] = n
		return nil
	})
}

// kinds are what was told of an access, sorted.
func (m *mails) kinds(id string) (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.sent {
		if n.Access == id {
			out = append(out, string(n.Kind)+" "+string(n.To))
		}
	}
	slices.Sort(out)
	return out
}

// crew is what the platform knows.
type crew struct {
	mu   sync.Mutex
	w    *wire
	gone map[audit.ActorID]bool
	same map[audit.ActorID]audit.ActorID // operator → person of the clinic
}

func (c *crew) May(_ context.Context, operator support.Account, t audit.Tenant) (ok bool, err error) {
	err = c.w.call(func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		ok = t != "nobody" && operator.Tenant == platform && !c.gone[operator.ID]
		return nil
	})
	return ok, err
}

func (c *crew) Ours(_ context.Context, operator, other support.Account) (ok bool, err error) {
	err = c.w.call(func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		ok = operator.Tenant == platform && slices.Contains(slices.Collect(maps.Values(c.same)), other.ID)
		return nil
	})
	return ok, err
}

func (c *crew) fire(id audit.ActorID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone[id] = true
}

// proofs say who owes a fresh proof.
type proofs struct {
	owed  bool
	w     *wire
	mu    sync.Mutex
	asked []audit.Object
}

func (p *proofs) StepUp(_ context.Context, action audit.Action, o audit.Object, within time.Duration) (owed bool, err error) {
	err = p.w.call(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if action == support.ActionApprove && within > 0 {
			p.asked = append(p.asked, o)
		}
		owed = p.owed
		return nil
	})
	return owed, err
}

// house is a platform and a clinic with two servers.
type house struct {
	t      testing.TB
	mu     sync.Mutex
	clock  time.Time
	w      *wire // of everything
	store  support.Store
	grants *rbac.Memory
	policy *rbac.Policy
	z      *rbac.Authorizer
	log    *memo
	sent   *mails
	crew   *crew
	proofs *proofs
	sealer sealer
	desk   *support.Desk
	other  *support.Desk // on another server

	slots   rbac.Action[rbac.InTenant]
	write   rbac.Action[rbac.InTenant]
	people  rbac.Action[rbac.InTenant]
	opening rbac.Action[rbac.InTenant]
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

func newHouse(t testing.TB) *house { return newHouseOver(t, support.NewMemory()) }

func newHouseOver(t testing.TB, store support.Store) *house {
	t.Helper()
	w := &wire{}
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	h := &house{
		t: t, clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), w: w, store: store, grants: rbac.NewMemory(), sealer: sealer{aead, w},
		log: &memo{w: w}, sent: &mails{w: w, sent: map[string]support.Notice{}}, proofs: &proofs{w: w},
		crew: &crew{w: w, gone: map[audit.ActorID]bool{}, same: map[audit.ActorID]audit.ActorID{}},
	}
	h.policy, err = rbac.Compile(h.rules())
	require.NoError(t, err)
	h.z, err = rbac.New(h.policy, wiredGrants{h.grants, w}, h.log, &rbac.Options{Now: h.now})
	require.NoError(t, err)
	for person, role := range map[audit.ActorID]rbac.RoleName{adam: "admin", dana: "desk"} {
		_, err = h.z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: person, Role: role})
		require.NoError(t, err)
	}
	h.desk, h.other = h.server(nil), h.server(nil)
	return h
}

// rules are a small policy with a support role.
func (h *house) rules() rbac.Rules {
	tenant := func(name string, o ...rbac.Opt) rbac.Action[rbac.InTenant] {
		return rbac.Define[rbac.InTenant](name, rbac.Columns{}, o...)
	}
	h.slots = tenant("schedule.read", rbac.Verb(audit.Read), rbac.InCategory(rbac.Schedule))
	h.write = tenant("schedule.write", rbac.Verb(audit.Update), rbac.InCategory(rbac.Schedule), rbac.PHI())
	h.people = tenant("team.manage", rbac.InCategory(rbac.Users))
	h.opening = tenant("emergency.open", rbac.Verb(audit.Read))
	return rbac.Rules{
		Actions: []rbac.AnyAction{h.slots, h.write, h.people, h.opening},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Admin", Rank: 100, Seat: true, Sight: map[phi.Class]phi.Level{}, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.slots, h.write, h.people, h.opening)}},
			{Name: "desk", Label: "Desk", Rank: 5, Seat: true, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.slots)}},
			{Name: "support", Label: "Support", Rank: 15, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.slots)}},
		},
	}
}

func (h *house) parts() support.Parts {
	return support.Parts{
		Store: wiredStore{h.store, h.w}, Grants: wiredGrants{h.grants, h.w}, Authorizer: h.z, Recorder: h.log, Sealer: h.sealer, StepUps: h.proofs,
		Operators: h.crew, Notices: h.sent, Platform: platform, Roles: []rbac.RoleName{"support"},
	}
}

// server is a Desk of its own over the same stores.
func (h *house) server(change func(*support.Parts, *support.Options)) *support.Desk {
	h.t.Helper()
	p, o := h.parts(), &support.Options{Now: h.now, Never: []rbac.AnyAction{h.opening}}
	if change != nil {
		change(&p, o)
	}
	d, err := support.New(p, o)
	require.NoError(h.t, err)
	return d
}

// as is a member of the clinic's staff, op an operator of the platform.
func (h *house) as(id audit.ActorID) context.Context {
	return audit.WithActor(h.t.Context(), audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, Session: "s-" + string(id)})
}

func (h *house) op(id audit.ActorID) context.Context {
	return audit.WithActor(h.t.Context(), audit.Actor{
		ID: id, Kind: audit.KindStaff, Tenant: platform, Assurance: audit.AAL2, Session: "s-" + string(id), Methods: []string{"pwd", "otp"}, AuthTime: h.now(),
	})
}

func ask() support.Ask {
	return support.Ask{Tenant: clinic, Role: "support", Code: "ticket", Text: words, Ticket: "T-4711"}
}

// requested, approved and entered are accesses of noor so far.
func (h *house) requested() support.Access {
	h.t.Helper()
	a, err := h.desk.Request(h.op(noor), ask())
	require.NoError(h.t, err)
	return h.stored(a)
}

func (h *house) approved() support.Access {
	h.t.Helper()
	a := h.requested()
	a, err := h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
	require.NoError(h.t, err)
	return h.stored(a)
}

func (h *house) entered() support.Access {
	h.t.Helper()
	h.approved()
	_, a, err := h.desk.Enter(h.op(noor), clinic)
	require.NoError(h.t, err)
	return h.stored(a)
}

// stored is the access as it is read back.
func (h *house) stored(a support.Access) support.Access {
	h.t.Helper()
	a, err := h.other.Get(h.as(adam), clinic, a.ID)
	require.NoError(h.t, err)
	return a
}

// in reports whether the operator gets in, on either server, which must agree, and whether rbac would let the visitor do something.
func (h *house) in(id audit.ActorID) bool {
	h.t.Helper()
	actor, _, err := h.desk.Guard(h.op(id), clinic)
	_, _, other := h.other.Guard(h.op(id), clinic)
	require.Equal(h.t, err == nil, other == nil)
	if err != nil {
		return false
	}
	d, err := rbac.Check(audit.WithActor(h.t.Context(), actor), h.z, h.slots, rbac.InTenant{Tenant: clinic})
	require.NoError(h.t, err)
	require.True(h.t, d.Allowed, "whoever gets in has the role")
	return true
}

// held are the grants of noor as a visitor of the clinic.
func (h *house) held() []rbac.Grant {
	h.t.Helper()
	grants, err := h.grants.Grants(h.t.Context(), clinic, support.Person(support.Account{Tenant: platform, ID: noor}))
	require.NoError(h.t, err)
	return grants
}
