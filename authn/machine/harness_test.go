package machine_test

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clinic = audit.Tenant("clinic")
	ada    = audit.ActorID("p-ada")  // an administrator
	tess   = audit.ActorID("p-tess") // a therapist, who reaches her own patients only
	read   = audit.Action("patient.read")
	notes  = audit.Action("note.read")
	claims = audit.Action("claim.read")
)

var (
	office    = machine.Client{Addr: netip.MustParseAddr("192.0.2.7"), Device: "exporter/1.0"}
	elsewhere = machine.Client{Addr: netip.MustParseAddr("198.51.100.9"), Device: "curl/8"}
	errBroken = errors.New("broken")
)

// clock is a clock that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// wire is what every call to a part goes through: the n-th one fails, stalls, or is cut off after
// its effect.
type wire struct {
	mu    sync.Mutex
	calls int
	at    int // 0: never
	mode  string

	patience time.Duration // how long a stalled call lasts whose caller sets no end
}

func (w *wire) arm(at int, mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.at, w.mode = 0, at, mode
}

// hit reports whether the call was reached since arm.
func (w *wire) hit() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at > 0 && w.calls >= w.at
}

func (w *wire) call(ctx context.Context, effect func() error) error {
	w.mu.Lock()
	w.calls++
	mode := ""
	if w.at == w.calls {
		mode = w.mode
	}
	w.mu.Unlock()
	switch mode {
	case "fails":
		return errBroken
	case "stalls":
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(20*time.Millisecond, w.patience)): // a caller that waits for ever
			return errBroken
		}
	case "is cut off":
		if err := effect(); err != nil {
			return err
		}
		return errBroken // done, but nobody hears of it
	}
	return effect()
}

// wired is a store on a wire.
type wired struct {
	machine.Store
	w *wire
}

func (s wired) Get(ctx context.Context, t audit.Tenant, id audit.ActorID) (p machine.Principal, err error) {
	err = s.w.call(ctx, func() error { p, err = s.Store.Get(ctx, t, id); return err })
	return p, err
}

func (s wired) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[machine.Principal, error] {
	return func(yield func(machine.Principal, error) bool) {
		if err := s.w.call(ctx, func() error { return nil }); err != nil {
			yield(machine.Principal{}, err)
			return
		}
		s.Store.List(ctx, t, after)(yield)
	}
}

func (s wired) Apply(ctx context.Context, c machine.Change) error {
	return s.w.call(ctx, func() error { return s.Store.Apply(ctx, c) })
}

func (s wired) FindKey(ctx context.Context, id string) (f machine.Found, err error) {
	err = s.w.call(ctx, func() error { f, err = s.Store.FindKey(ctx, id); return err })
	return f, err
}

func (s wired) FindToken(ctx context.Context, id string) (f machine.Found, err error) {
	err = s.w.call(ctx, func() error { f, err = s.Store.FindToken(ctx, id); return err })
	return f, err
}

func (s wired) PutToken(ctx context.Context, tk machine.Token) error {
	return s.w.call(ctx, func() error { return s.Store.PutToken(ctx, tk) })
}

func (s wired) Touch(ctx context.Context, t audit.Tenant, p audit.ActorID, key string, now time.Time) error {
	return s.w.call(ctx, func() error { return s.Store.Touch(ctx, t, p, key, now) })
}

func (s wired) Sweep(ctx context.Context, now time.Time) error {
	return s.w.call(ctx, func() error { return s.Store.Sweep(ctx, now) })
}

// world is the people of the clinic, what they may do, and from where programs may come.
type world struct {
	w       *wire
	mu      sync.Mutex
	rights  map[audit.ActorID][]audit.Action
	left    []audit.ActorID
	blocked netip.Addr
}

func (o *world) MayGrant(ctx context.Context, a audit.Action, everywhere bool) (ok bool, err error) {
	err = o.w.call(ctx, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		who, _ := audit.ActorFrom(ctx)
		ok = slices.Contains(o.rights[who.ID], a) && (!everywhere || who.ID != tess)
		return nil
	})
	return ok, err
}

func (o *world) Active(ctx context.Context, t audit.Tenant, id audit.ActorID) (ok bool, err error) {
	err = o.w.call(ctx, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		ok = t == clinic && o.rights[id] != nil && !slices.Contains(o.left, id)
		return nil
	})
	return ok, err
}

func (o *world) Allowed(ctx context.Context, _ audit.Tenant, _ audit.Kind, from netip.Addr) (ok bool, err error) {
	err = o.w.call(ctx, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		ok = !o.blocked.IsValid() || from != o.blocked
		return nil
	})
	return ok, err
}

func (o *world) leave(ids ...audit.ActorID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = ids
}

// recorder and windows are parts on a wire.
type recorder struct {
	w *wire
	*audittest.Recorder
}

func (r recorder) Record(ctx context.Context, events ...audit.Event) error {
	return r.w.call(ctx, func() error { return r.Recorder.Record(ctx, events...) })
}

type windows struct {
	w *wire
	authn.Windows
}

func (o windows) Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (n int, ends time.Time, err error) {
	err = o.w.call(ctx, func() error { n, ends, err = o.Windows.Hit(ctx, t, key, length, now); return err })
	return n, ends, err
}

// house is a Manager with everything around it.
type house struct {
	t     testing.TB
	m     *machine.Manager
	parts machine.Parts
	o     machine.Options
	store machine.Store // without the wire
	clock *clock
	wire  *wire
	world *world
	rec   *audittest.Recorder
}

// newHouse returns a house over store, a memory one if nil.
func newHouse(t testing.TB, store machine.Store, edit ...func(*machine.Options)) *house {
	t.Helper()
	if store == nil {
		store = machine.NewMemory()
	}
	h := &house{t: t, store: store, clock: &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}, wire: &wire{}, rec: audittest.NewRecorder()}
	h.world = &world{w: h.wire, rights: map[audit.ActorID][]audit.Action{ada: {read, claims, notes}, tess: {read, notes}, "p-ben": {claims}}}
	h.parts = machine.Parts{
		Store: wired{store, h.wire}, Rights: h.world, People: h.world,
		Windows: windows{h.wire, authn.NewMemory()}, Recorder: recorder{h.wire, h.rec},
	}
	h.o = machine.Options{Now: h.clock.Now, Network: h.world, Tenant: clinic}
	for _, f := range edit {
		f(&h.o)
	}
	h.m = h.server()
	return h
}

// server returns another Manager over the same parts.
func (h *house) server() *machine.Manager {
	h.t.Helper()
	m, err := machine.New(h.parts, &h.o)
	require.NoError(h.t, err)
	return m
}

// as is the context of a signed-in member of staff.
func (h *house) as(id audit.ActorID) context.Context {
	return audit.WithActor(h.t.Context(), audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, Session: "s-" + string(id)})
}

// agent is what an agent of tess shall be.
func (h *house) agent() machine.Spec {
	return machine.Spec{
		Kind: audit.KindAgent, Name: "Note helper", OnBehalfOf: tess, Scopes: []audit.Action{read, notes},
		Expires: h.clock.Now().Add(30 * 24 * time.Hour),
	}
}

// service is what a service of ada shall be.
func (h *house) service() machine.Spec {
	return machine.Spec{Kind: audit.KindService, Name: "Billing export", Scopes: []audit.Action{claims}, Expires: h.clock.Now().Add(300 * 24 * time.Hour)}
}

// make creates a principal as ada.
func (h *house) make(s machine.Spec) (machine.Principal, authn.Secret) {
	h.t.Helper()
	p, key, err := h.m.Create(h.as(ada), s)
	require.NoError(h.t, err)
	return p, key
}

// enter tries a credential from the office.
func (h *house) enter(key authn.Secret) (audit.Actor, error) {
	return h.m.Enter(h.t.Context(), key, office)
}

// in requires that a credential lets in, out that it does not.
func (h *house) in(key authn.Secret) audit.Actor {
	h.t.Helper()
	a, err := h.enter(key)
	require.NoError(h.t, err)
	return a
}

func (h *house) out(key authn.Secret, code string) {
	h.t.Helper()
	a, err := h.enter(key)
	require.ErrorIs(h.t, err, machine.ErrInvalid)
	require.Zero(h.t, a)
	e := h.last()
	require.Equal(h.t, code, e.Code)
	require.Equal(h.t, machine.ActionEnter, e.Action)
	require.Equal(h.t, audit.Failure, e.Outcome)
	require.Equal(h.t, audit.KindAnonymous, e.Actor.Kind, "nobody acts")
}

// last returns the last event.
func (h *house) last() audit.Event {
	h.t.Helper()
	all := h.rec.Events()
	require.NotEmpty(h.t, all)
	return all[len(all)-1]
}
