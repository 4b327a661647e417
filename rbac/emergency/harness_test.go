package emergency_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
	"github.com/wardkit/wardkit/rbac/emergency/emergencysql"
)

const (
	clinic = audit.Tenant("clinic")
	words  = "Patient collapsed in the waiting room, their therapist is away."
)

// memo is a Recorder and a Notices that remembers.
type memo struct {
	mu      sync.Mutex
	events  []audit.Event
	notices []emergency.Notice
	silent  bool // notices fail
}

func (m *memo) Record(_ context.Context, events ...audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range events {
		if err := events[i].Validate(); err != nil {
			return err
		}
	}
	m.events = append(m.events, events...)
	return nil
}

func (m *memo) Tell(_ context.Context, n emergency.Notice) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent {
		return errors.New("no mail server")
	}
	m.notices = append(m.notices, n)
	return nil
}

func (m *memo) of(a audit.Action) (out []audit.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Action == a {
			out = append(out, e)
		}
	}
	return out
}

func (m *memo) told(k emergency.NoticeKind) (out []emergency.Notice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.notices {
		if n.Kind == k {
			out = append(out, n)
		}
	}
	return out
}

// wire breaks the n-th call of a store or a recorder: it fails before it does anything, or its answer
// is lost after.
type wire struct {
	emergency.Store
	rec  *memo
	mu   sync.Mutex
	at   int
	mode string
	hits int
}

var errWire = errors.New("wire")

func (w *wire) arm(at int, mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.mode, w.hits = at, mode, 0
}

func (w *wire) call(do func() error) error {
	w.mu.Lock()
	w.at--
	now := w.at == 0
	if now {
		w.hits++
	}
	mode := w.mode
	w.mu.Unlock()
	if now && mode == "fails" {
		return errWire
	}
	err := do()
	if now {
		return errWire
	}
	return err
}

func (w *wire) Record(ctx context.Context, events ...audit.Event) error {
	return w.call(func() error { return w.rec.Record(ctx, events...) })
}

func (w *wire) Get(ctx context.Context, t audit.Tenant, id string) (g emergency.Grant, err error) {
	err = w.call(func() (err error) { g, err = w.Store.Get(ctx, t, id); return err })
	return g, err
}

func (w *wire) Create(ctx context.Context, g emergency.Grant) error {
	return w.call(func() error { return w.Store.Create(ctx, g) })
}

func (w *wire) Update(ctx context.Context, g emergency.Grant) error {
	return w.call(func() error { return w.Store.Update(ctx, g) })
}

func (w *wire) Of(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64) iter.Seq2[emergency.Grant, error] {
	return w.list(w.Store.Of(ctx, t, p, below))
}

func (w *wire) List(ctx context.Context, t audit.Tenant, pending bool, below string) iter.Seq2[emergency.Grant, error] {
	return w.list(w.Store.List(ctx, t, pending, below))
}

func (w *wire) list(seq iter.Seq2[emergency.Grant, error]) iter.Seq2[emergency.Grant, error] {
	if err := w.call(func() error { return nil }); err != nil {
		return func(yield func(emergency.Grant, error) bool) { yield(emergency.Grant{}, err) }
	}
	return seq
}

// house is a clinic with two servers.
type house struct {
	t     testing.TB
	mu    sync.Mutex
	at    time.Time
	rec   *memo
	wire  *wire
	own   *rbac.MemoryRelation
	owed  bool // a step-up
	set   emergency.Settings
	z     *rbac.Authorizer
	desks [2]*emergency.Desk[chart]

	open, read, notes, write rbac.Action[chart]
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// StepUp makes a house the step-ups of its people.
func (h *house) StepUp(_ context.Context, _ audit.Action, _ audit.Object, within time.Duration) (bool, error) {
	return within > 0 && h.owed, nil
}

// backing is a store with its relation.
type backing struct {
	store    emergency.Store
	relation rbac.EmergencyRelation
}

func newHouse(t testing.TB) *house {
	m := emergency.NewMemory()
	return newHouseOver(t, backing{m, m.Relation()})
}

// overStores runs a test over every kind of store.
func overStores(t *testing.T, f func(t *testing.T, open func(testing.TB) backing)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		f(t, func(testing.TB) backing {
			m := emergency.NewMemory()
			return backing{m, m.Relation()}
		})
	})
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		f(t, func(t testing.TB) backing {
			e := engine(t)
			open := emergencysql.SQLite
			if e.Dialect == sqlkit.Postgres {
				open = emergencysql.Postgres
			}
			s, err := open(e.Pool)
			require.NoError(t, err)
			require.NoError(t, s.Migrate(t.Context()))
			r, err := s.Relation()
			require.NoError(t, err)
			return backing{s, r}
		})
	})
}

func newHouseOver(t testing.TB, b backing) *house {
	t.Helper()
	h := &house{t: t, at: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC), rec: &memo{}, own: rbac.NewMemoryRelation(), set: emergency.Standard()}
	h.wire = &wire{Store: b.store, rec: h.rec}
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id", Labels: "labels"}
	h.open = rbac.Define[chart]("chart.open", cols, rbac.StepUp(5*time.Minute), rbac.PHI())
	h.read = rbac.Define[chart]("chart.read", cols, rbac.Verb(audit.Read), rbac.PHI())
	h.notes = rbac.Define[chart]("chart.notes", cols, rbac.Verb(audit.Read), rbac.PHI())
	h.write = rbac.Define[chart]("chart.write", cols, rbac.Verb(audit.Update), rbac.PHI())
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{h.open, h.read, h.notes, h.write},
		Relations: rbac.Relations{Own: h.own, Emergency: b.relation},
		Roles: []rbac.Role{
			{Name: "therapist", Label: "Therapist", Rank: 5, Allow: []rbac.Allow{
				rbac.In(rbac.Own, h.read, h.notes, h.write), rbac.In(rbac.Emergency, h.read, h.notes), rbac.In(rbac.Tenant, h.open),
			}},
			{Name: "desk", Label: "Front desk", Rank: 4, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.read), rbac.In(rbac.Emergency, h.notes), rbac.In(rbac.Tenant, h.open)}},
			{Name: "biller", Label: "Biller", Rank: 3, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.read)}},
			{Name: "bot", Label: "Bot", Rank: 2, Kind: audit.KindAgent, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.open, h.read)}},
		},
		Forbid: []rbac.Forbid{{Name: "part2", Labels: rbac.LabelPart2, Except: rbac.Own}},
	})
	require.NoError(t, err)
	grants := rbac.NewMemory()
	h.z, err = rbac.New(policy, grants, h.rec, &rbac.Options{Now: h.now, StepUps: h})
	require.NoError(t, err)
	for who, role := range map[audit.ActorID]rbac.RoleName{"ana": "therapist", "ben": "therapist", "dora": "desk", "bill": "biller", "bot": "bot"} {
		_, err := h.z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: who, Role: role})
		require.NoError(t, err)
	}
	for i := range h.desks {
		h.desks[i] = h.desk(nil)
	}
	return h
}

// desk is another server.
func (h *house) desk(change func(*emergency.Parts[chart], *emergency.Options)) *emergency.Desk[chart] {
	p := emergency.Parts[chart]{Store: h.wire, Recorder: h.wire, Authorizer: h.z, Notices: h.rec, Action: h.open, Reads: []rbac.Action[chart]{h.read, h.notes}}
	o := emergency.Options{Now: h.now, Settings: func(context.Context, audit.Tenant) (emergency.Settings, error) { return h.set, nil }}
	if change != nil {
		change(&p, &o)
	}
	d, err := emergency.New(p, &o)
	require.NoError(h.t, err)
	return d
}

func staff(id audit.ActorID) audit.Actor {
	return audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, Session: "s-" + string(id)}
}

// as returns a request's context in which somebody acts.
func (h *house) as(a audit.Actor) context.Context {
	ctx, _ := audit.WithTrail(audit.WithActor(h.t.Context(), a), h.rec, audit.Event{})
	return ctx
}

func (h *house) by(id audit.ActorID) context.Context { return h.as(staff(id)) }

func patient(id string) chart { return chart{id, clinic, 0} }

// proof is what the guard of the page hands over.
func (h *house) proof(ctx context.Context, c chart) rbac.Granted[chart] {
	h.t.Helper()
	g, err := rbac.Authorize(ctx, h.z, h.open, c)
	require.NoError(h.t, err)
	return g
}

func request() emergency.Request {
	return emergency.Request{Reason: "emergency_treatment", Words: words}
}

// opens opens a patient.
func (h *house) opens(who audit.ActorID, id string) emergency.Grant {
	h.t.Helper()
	ctx := h.by(who)
	g, err := h.desks[0].Open(ctx, h.proof(ctx, patient(id)), request())
	require.NoError(h.t, err)
	return g
}

// may reports whether somebody may do something, and by which emergency, in a request of its own.
func (h *house) may(who audit.ActorID, a rbac.Action[chart], c chart) (bool, string) {
	h.t.Helper()
	d, err := rbac.Check(h.by(who), h.z, a, c)
	require.NoError(h.t, err)
	return d.Allowed, d.Emergency
}

// stored is a grant as it is in the store.
func (h *house) stored(id string) emergency.Grant {
	h.t.Helper()
	g, err := h.desks[1].Get(h.t.Context(), clinic, id)
	require.NoError(h.t, err)
	return g
}
