package recert_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other")
	words  = "still on the team, asked on the phone"
)

// chart is a record of a practice.
type chart struct {
	id       string
	practice rbac.PracticeID
}

func (c chart) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: c.id, Tenant: clinic, Practice: c.practice, Patient: audit.Patient(c.id)}
}

// house is a small clinic whose access is reviewed.
type house struct {
	mu      sync.Mutex
	now     time.Time
	chart   rbac.Action[chart]
	grants  *rbac.Memory
	z       *rbac.Authorizer
	rec     *memo
	store   recert.Store
	effects *effects
	desk    *recert.Grants
	mail    *mail
	care    care
	parts   recert.Parts
	r       *recert.Campaigns
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), grants: rbac.NewMemory(), rec: &memo{}, mail: &mail{}, care: care{}}
	h.chart = rbac.Define[chart]("chart.read", rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "id"}, rbac.Verb(audit.Read), rbac.PHI())
	team := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{}, rbac.InCategory(rbac.Users))
	slots := rbac.Define[rbac.InTenant]("slot.read", rbac.Columns{}, rbac.Verb(audit.Read))
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{h.chart, team, slots},
		Relations: rbac.Relations{Self: rbac.NewMemoryRelation(), Proxy: rbac.NewMemoryRelation()},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Admin", Rank: 100, Allow: []rbac.Allow{rbac.In(rbac.Tenant, team)}},
			{Name: "officer", Label: "Privacy Officer", Rank: 60, Allow: []rbac.Allow{rbac.In(rbac.Tenant, slots)}},
			{Name: "therapist", Label: "Therapist", Rank: 50, Allow: []rbac.Allow{rbac.In(rbac.Practice, h.chart)}},
			{Name: "desk", Label: "Front Desk", Rank: 10, Allow: []rbac.Allow{rbac.In(rbac.Tenant, slots)}},
			{Name: "feed", Label: "Lab feed", Rank: 3, Kind: audit.KindService, Allow: []rbac.Allow{rbac.In(rbac.Practice, h.chart)}},
			{Name: "parent", Label: "Parent", Rank: 2, Kind: audit.KindProxy, Allow: []rbac.Allow{rbac.In(rbac.Proxy, h.chart)}},
			{Name: "patient", Label: "Patient", Rank: 1, Kind: audit.KindPatient, Allow: []rbac.Allow{rbac.In(rbac.Self, h.chart)}},
		},
	})
	require.NoError(t, err)
	clock := func() time.Time { return h.clock() }
	h.z, err = rbac.New(policy, h.grants, audit.Discard{}, &rbac.Options{Now: clock, Grants: rbac.GrantRules{
		Exclusive: []rbac.Exclusive{{Name: "desk_treats_nobody", One: []rbac.RoleName{"desk"}, Other: []rbac.RoleName{"therapist"}}},
	}})
	require.NoError(t, err)
	h.desk, err = recert.NewGrants(h.z, h.grants, &recert.GrantOptions{
		Now: clock, Rules: map[string][]rbac.RoleName{"admins": {"admin"}},
		Exclusive: []rbac.Exclusive{{Name: "admin_treats_nobody", One: []rbac.RoleName{"admin"}, Other: []rbac.RoleName{"therapist"}}},
	})
	require.NoError(t, err)
	h.store, h.effects = recert.NewMemory(), &effects{Effects: h.desk}
	h.parts = recert.Parts{
		Store: h.store, Recorder: h.rec, Population: h.desk, Policy: h.desk.Policy, OnlyOne: h.care, Notices: h.mail, Reviewers: h.desk,
		Effects: map[recert.Kind]recert.Effects{},
	}
	for kind := range h.desk.Effects() {
		h.parts.Effects[kind] = h.effects
	}
	h.open(t)
	return h
}

// open makes another server.
func (h *house) open(t testing.TB) {
	t.Helper()
	var err error
	h.r, err = recert.New(h.parts, &recert.Options{Now: h.clock})
	require.NoError(t, err)
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) days(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.AddDate(0, 0, n)
}

// as returns a context in which somebody acts who signed in this minute.
func (h *house) as(who audit.ActorID) context.Context {
	return audit.WithActor(context.Background(), h.staff(who))
}

func (h *house) staff(who audit.ActorID) audit.Actor {
	return audit.Actor{ID: who, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, AuthTime: h.clock(), Session: "s-" + string(who)}
}

// give gives somebody a role.
func (h *house) give(t testing.TB, who audit.ActorID, role rbac.RoleName, practices ...rbac.PracticeID) rbac.Grant {
	t.Helper()
	g, err := h.z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: who, Role: role, Practices: practices, By: "founder"})
	require.NoError(t, err)
	return g
}

// staffed gives the clinic its people: two administrators, an officer, two therapists, a desk.
func (h *house) staffed(t testing.TB) {
	t.Helper()
	h.give(t, "adam", "admin")
	h.give(t, "ada", "admin")
	h.give(t, "olga", "officer")
	h.give(t, "tina", "therapist", "north", "south")
	h.give(t, "theo", "therapist", "north")
	h.give(t, "dora", "desk")
}

// spec is a campaign that everybody's access is in: olga reviews, or adam, or ada who answers for it.
func spec() recert.Spec {
	return recert.Spec{Name: "Spring review", Named: []audit.ActorID{"olga", "adam"}, Owner: "ada", Days: 30, Hold: 10}
}

func (h *house) start(t testing.TB, s recert.Spec) recert.Campaign {
	t.Helper()
	c, err := h.r.Start(h.as("ada"), s)
	require.NoError(t, err)
	return c
}

func (h *house) tick(t testing.TB) recert.Report {
	t.Helper()
	rep, err := h.r.Tick(t.Context(), h.clock())
	require.NoError(t, err)
	return rep
}

// of returns somebody's item.
func (h *house) of(t testing.TB, campaign string, who audit.ActorID) recert.Item {
	t.Helper()
	for i, err := range h.store.Items(context.Background(), clinic, campaign, recert.ItemFilter{}) {
		require.NoError(t, err)
		if i.Access.Subject == who {
			return i
		}
	}
	t.Fatal("no such item")
	return recert.Item{}
}

func (h *house) items(t testing.TB, campaign string) []recert.Item {
	t.Helper()
	var out []recert.Item
	for i, err := range h.store.Items(context.Background(), clinic, campaign, recert.ItemFilter{}) {
		require.NoError(t, err)
		out = append(out, i)
	}
	return out
}

// holds reports whether somebody holds a role now.
func (h *house) holds(t testing.TB, who audit.ActorID, role rbac.RoleName) bool {
	t.Helper()
	grants, err := h.grants.Grants(context.Background(), clinic, who)
	require.NoError(t, err)
	return slices.ContainsFunc(grants, func(g rbac.Grant) bool { return g.Role == role && g.InForce(h.clock()) })
}

// rest certifies all that is open.
func (h *house) rest(t testing.TB, campaign string) {
	t.Helper()
	for _, i := range h.items(t, campaign) {
		if i.State == recert.ItemOpen {
			_, err := h.r.Decide(h.as(i.Reviewer), campaign, i.Seq, recert.Verdict{Do: recert.Certify, Why: words})
			require.NoError(t, err)
		}
	}
}

// memo is a Recorder that keeps what an audit.Log would accept, and fails on request.
type memo struct {
	mu     sync.Mutex
	events []audit.Event
	fail   func() error
}

func (m *memo) Record(ctx context.Context, events ...audit.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(); err != nil {
			return err
		}
	}
	for _, e := range events {
		e, err := audit.Attribute(ctx, e)
		if err != nil {
			return err
		}
		if err := e.Validate(); err != nil {
			return err
		}
		m.events = append(m.events, e)
	}
	return nil
}

func (m *memo) of(a audit.Action) []audit.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []audit.Event
	for _, e := range m.events {
		if e.Action == a {
			out = append(out, e)
		}
	}
	return out
}

// mail keeps notices, each once.
type mail struct {
	mu   sync.Mutex
	sent []recert.Notice
	fail bool
}

func (m *mail) Notify(_ context.Context, n recert.Notice) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail {
		return errors.New("no mail today")
	}
	if !slices.ContainsFunc(m.sent, func(o recert.Notice) bool { return o.ID == n.ID }) {
		m.sent = append(m.sent, n)
	}
	return nil
}

func (m *mail) take() []recert.Notice {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.sent
	m.sent = nil
	return out
}

// care are the clinicians who cannot be missed; an error for whom nobody knows.
type care map[audit.ActorID]error

var errOnly = errors.New("the only one")

func (c care) OnlyOne(_ context.Context, _ audit.Tenant, a recert.Access) (bool, error) {
	err := c[a.Subject]
	if errors.Is(err, errOnly) {
		return true, nil
	}
	return false, err
}

// effects are those of rbac, that fail on request.
type effects struct {
	recert.Effects
	mu     sync.Mutex
	before error // of Apply, before anything is done
	after  error // of Apply, after it was done
	check  func(recert.Checked, error) (recert.Checked, error)
	hook   func(recert.Order)
	calls  int
}

func (e *effects) set(before, after error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before, e.after = before, after
}

func (e *effects) Apply(ctx context.Context, o recert.Order) error {
	e.mu.Lock()
	before, after, hook := e.before, e.after, e.hook
	e.calls++
	e.mu.Unlock()
	if hook != nil {
		hook(o)
	}
	if before != nil {
		return before
	}
	if err := e.Effects.Apply(ctx, o); err != nil {
		return err
	}
	return after
}

func (e *effects) Check(ctx context.Context, o recert.Order) (recert.Checked, error) {
	c, err := e.Effects.Check(ctx, o)
	if e.check != nil {
		return e.check(c, err)
	}
	return c, err
}

// population is one that a test makes up.
type population func(yield func(recert.Access, error) bool)

func (p population) Accesses(context.Context, audit.Tenant, []recert.Kind, time.Time) iter.Seq2[recert.Access, error] {
	return iter.Seq2[recert.Access, error](p)
}
