package rbac_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// patient and note are the resources of the tests.
type patient struct {
	id       string
	tenant   audit.Tenant
	practice rbac.PracticeID
}

func (p patient) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: p.id, Tenant: p.tenant, Practice: p.practice, Patient: audit.Patient(p.id)}
}

type note struct {
	id       string
	tenant   audit.Tenant
	practice rbac.PracticeID
	patient  audit.Patient
	author   audit.ActorID
}

func (n note) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: n.id, Tenant: n.tenant, Practice: n.practice, Patient: n.patient, Owner: n.author}
}

// house is a small clinic: its actions, its policy, its people.
type house struct {
	own, self *rbac.MemoryRelation
	store     *rbac.Memory
	rec       *memo
	policy    *rbac.Policy
	z         *rbac.Authorizer
	now       time.Time
	labels    string // the column that the next rules name

	PatientRead, PatientUpdate, PatientReveal, PatientPurge rbac.Action[patient]
	NoteRead, NoteWrite                                     rbac.Action[note]
	TeamManage                                              rbac.Action[rbac.InTenant]
}

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other")
)

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{
		own: rbac.NewMemoryRelation(), self: rbac.NewMemoryRelation(),
		store: rbac.NewMemory(), rec: &memo{},
		now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC),
	}
	p, err := rbac.Compile(h.rules())
	require.NoError(t, err)
	h.policy = p
	h.z, err = rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
	require.NoError(t, err)
	return h
}

// rules defines the actions and returns the rules.
func (h *house) rules() rbac.Rules {
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "id", Labels: h.labels}
	h.PatientRead = rbac.Define[patient]("patient.read", cols, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Demographics))
	h.PatientUpdate = rbac.Define[patient]("patient.update", cols, rbac.Verb(audit.Update), rbac.PHI(), rbac.InCategory(rbac.Demographics))
	h.PatientReveal = rbac.Define[patient]("patient.reveal_ssn", cols, rbac.Verb(audit.Execute), rbac.PHI(), rbac.NeedReason(), rbac.Reveals(phi.ClassSSN))
	h.PatientPurge = rbac.Define[patient]("patient.purge", cols, rbac.Verb(audit.Delete), rbac.Destructive(), rbac.NeedReason())
	cols = rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "patient", Owner: "author", Labels: h.labels}
	h.NoteRead = rbac.Define[note]("note.read", cols, rbac.Verb(audit.Read), rbac.PHI())
	h.NoteWrite = rbac.Define[note]("note.write", cols, rbac.Verb(audit.Update), rbac.PHI())
	h.TeamManage = rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{}, rbac.InCategory(rbac.Users))
	return rbac.Rules{
		Actions:   []rbac.AnyAction{h.PatientRead, h.PatientUpdate, h.PatientReveal, h.PatientPurge, h.NoteRead, h.NoteWrite, h.TeamManage},
		Relations: rbac.Relations{Own: h.own, Self: h.self},
		Roles: []rbac.Role{
			{
				Name: "admin", Label: "Clinic Admin", Rank: 100, Seat: true,
				Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead, h.PatientPurge, h.TeamManage)},
				Sight: map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassPhone: phi.Partial},
			},
			{
				Name: "therapist", Label: "Therapist", Rank: 50, Seat: true,
				Allow: []rbac.Allow{
					rbac.In(rbac.Own, h.PatientRead, h.PatientUpdate, h.PatientReveal, h.NoteRead),
					rbac.In(rbac.Self, h.NoteWrite),
				},
				Sight: map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassPhone: phi.Full, phi.ClassSSN: phi.Mask, phi.ClassClinical: phi.Full},
			},
			{
				Name: "biller", Label: "Biller", Rank: 40, Seat: true,
				Allow: []rbac.Allow{rbac.In(rbac.Practice, h.PatientRead)},
				Sight: map[phi.Class]phi.Level{phi.ClassName: phi.Partial},
			},
			{
				Name: "patient", Label: "Patient", Rank: 1, Kind: audit.KindPatient,
				Allow: []rbac.Allow{rbac.In(rbac.Self, h.PatientRead, h.NoteRead)},
				Sight: map[phi.Class]phi.Level{phi.ClassName: phi.Full},
			},
		},
	}
}

// staff returns a signed-in member of staff of the clinic.
func staff(id audit.ActorID) audit.Actor {
	return audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, Session: "s-" + string(id)}
}

// as returns a context in which a acts, with a trail.
func (h *house) as(t testing.TB, a audit.Actor) context.Context {
	t.Helper()
	ctx, _ := audit.WithTrail(audit.WithActor(t.Context(), a), h.rec, audit.Event{})
	return ctx
}

// grant gives a person of the clinic a role.
func (h *house) grant(t testing.TB, person audit.ActorID, role rbac.RoleName, practices ...rbac.PracticeID) rbac.Grant {
	t.Helper()
	return h.grantIn(t, clinic, rbac.Grant{Person: person, Role: role, Practices: practices})
}

func (h *house) grantIn(t testing.TB, tenant audit.Tenant, g rbac.Grant) rbac.Grant {
	t.Helper()
	g, err := h.z.Grant(audit.WithActor(t.Context(), audit.System(tenant, "setup")), g)
	require.NoError(t, err)
	return g
}

// memo is a Recorder that remembers, and fails on demand.
type memo struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (m *memo) Record(_ context.Context, events ...audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	for _, e := range events {
		if err := e.Validate(); err != nil {
			return err
		}
	}
	m.events = append(m.events, events...)
	return nil
}

// flush makes the trail in ctx durable and returns everything recorded since the last call.
func (m *memo) flush(t testing.TB, ctx context.Context) []audit.Event {
	t.Helper()
	require.NoError(t, audit.Flush(ctx))
	return m.take()
}

func (m *memo) take() []audit.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.events
	m.events = nil
	return out
}

func (m *memo) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}
