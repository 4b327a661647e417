package rbac_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// glass is emergency access in memory: ids by patient, for everybody.
type glass struct {
	*rbac.MemoryRelation
	open   map[audit.Patient]string
	err    error
	asked  int
	listed int
}

func (g *glass) Grant(_ context.Context, t audit.Tenant, _ audit.ActorID, p audit.Patient, _ time.Time) (string, error) {
	g.asked++
	return g.open[p], g.err
}

func (g *glass) Open(context.Context, audit.Tenant, audit.ActorID, time.Time) (ids []string, err error) {
	g.listed++
	for _, id := range g.open {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, g.err
}

// urgent is a house whose therapists read in emergencies, psychotherapy notes excepted, and whose
// billers, who see less, do so too.
func urgent(t testing.TB) (*house, *glass) {
	t.Helper()
	h := newHouse(t)
	g := &glass{MemoryRelation: rbac.NewMemoryRelation(), open: map[audit.Patient]string{}}
	h.labels = "labels"
	rules := h.rules()
	rules.Relations.Emergency = g
	rules.Roles[1].Allow = append(rules.Roles[1].Allow, rbac.In(rbac.Emergency, h.PatientRead, h.NoteRead))
	rules.Roles[2].Allow = append(rules.Roles[2].Allow, rbac.In(rbac.Emergency, h.PatientRead), rbac.In(rbac.Or(rbac.Emergency, rbac.And(rbac.Own, rbac.Emergency)), h.NoteRead))
	rules.Forbid = []rbac.Forbid{{Name: "vip", Labels: rbac.LabelVIP, Actions: []rbac.AnyAction{h.PatientRead}, Except: rbac.Or(rbac.Own, rbac.Emergency)}}
	h.renew(t, rules)
	return h, g
}

func (h *house) renew(t testing.TB, rules rbac.Rules) {
	t.Helper()
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	h.policy = p
	h.z, err = rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
	require.NoError(t, err)
}

// last flushes and returns the last event.
func (h *house) last(t testing.TB, ctx context.Context) audit.Event {
	t.Helper()
	events := h.rec.flush(t, ctx)
	require.NotEmpty(t, events)
	return events[len(events)-1]
}

// TestEmergencyAccessIsNamedWhereNothingElseAllows: in the decision, in the event, for a list.
func TestEmergencyAccessIsNamedWhereNothingElseAllows(t *testing.T) {
	t.Parallel()
	h, g := urgent(t)
	h.grant(t, "ana", "therapist")
	p := patient{"p1", clinic, ""}
	ctx := h.as(t, staff("ana"))
	_, err := rbac.Authorize(ctx, h.z, h.PatientRead, p)
	require.ErrorIs(t, err, rbac.ErrDenied)
	require.Equal(t, 1, g.asked)

	g.open["p1"], g.open["p2"] = "e1", "e2"
	ctx = h.as(t, staff("ana"))
	granted, err := rbac.Authorize(ctx, h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.Equal(t, "e1", granted.Decision().Emergency)
	require.Equal(t, "emergency", granted.Decision().Scope.String())
	e := h.last(t, ctx)
	require.Equal(t, "e1", e.Actor.Emergency)
	require.Equal(t, audit.ActorID("ana"), e.Actor.ID)
	require.Contains(t, e.Actor.Roles, "therapist")
	require.Contains(t, e.Objects, audit.Object{Type: rbac.EmergencyObject, ID: "e1"})

	_, err = rbac.Visible(ctx, h.z, h.PatientRead)
	require.NoError(t, err)
	e = h.last(t, ctx)
	require.Empty(t, e.Actor.Emergency, "the rows of one's own patients were not seen in an emergency")
	require.Contains(t, e.Objects, audit.Object{Type: rbac.EmergencyObject, ID: "e2"}, "a list names every grant whose rows it may have")
	h.grant(t, "bo", "biller", "north")
	ctx2 := h.as(t, staff("bo"))
	_, err = rbac.Visible(ctx2, h.z, h.NoteRead)
	require.NoError(t, err)
	e = h.last(t, ctx2)
	require.Equal(t, "e1", e.Actor.Emergency, "there is nothing else in it")
	require.Contains(t, e.Objects, audit.Object{Type: rbac.EmergencyObject, ID: "e2"})

	h.own.Link(clinic, "ana", "p1", time.Time{})
	g.asked = 0
	granted, err = rbac.Authorize(ctx, h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.Empty(t, granted.Decision().Emergency)
	require.Zero(t, g.asked, "what is allowed anyhow asks for no emergency")
	require.Empty(t, h.last(t, ctx).Actor.Emergency)
}

// TestEmergencyAccessDoesNotShowMore: who may read anyhow sees what they see without it.
func TestEmergencyAccessDoesNotShowMore(t *testing.T) {
	t.Parallel()
	h, g := urgent(t)
	g.open["p1"] = "e1"
	h.grant(t, "bo", "biller", "north")
	h.grant(t, "bo", "therapist")
	ctx := h.as(t, staff("bo"))
	d, err := rbac.Check(ctx, h.z, h.PatientRead, patient{"p1", clinic, "north"})
	require.NoError(t, err)
	require.Equal(t, rbac.RoleName("biller"), d.Role)
	require.Equal(t, phi.Hide, d.Sight().Level(phi.ClassPhone), "the therapist's sight comes with the emergency only")
	d, err = rbac.Check(ctx, h.z, h.PatientRead, patient{"p1", clinic, "south"})
	require.NoError(t, err)
	require.Equal(t, "e1", d.Emergency)
	require.Equal(t, phi.Full, d.Sight().Level(phi.ClassPhone))
}

// TestEmergencyAccessLiftsWhatAForbidExcepts, and nothing else.
func TestEmergencyAccessLiftsWhatAForbidExcepts(t *testing.T) {
	t.Parallel()
	h, g := urgent(t)
	h.grant(t, "ana", "therapist")
	h.grant(t, "adam", "admin")
	vip := lettered{patient{"p1", clinic, ""}, rbac.LabelVIP}
	may := rbac.Define[lettered]("vip.read", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id", Labels: "labels"}, rbac.Verb(audit.Read))
	rules := h.rules()
	rules.Relations.Emergency = g
	rules.Actions = append(rules.Actions, may)
	for i := range 2 {
		rules.Roles[i].Allow = append(rules.Roles[i].Allow, rbac.In([]rbac.Scope{rbac.Tenant, rbac.Emergency}[i], may))
	}
	for _, except := range []rbac.Scope{nil, rbac.Emergency} {
		rules.Forbid = []rbac.Forbid{{Name: "vip", Labels: rbac.LabelVIP, Actions: []rbac.AnyAction{may}, Except: except}}
		h.renew(t, rules)
		for _, who := range []audit.ActorID{"ana", "adam"} {
			g.open = map[audit.Patient]string{}
			d, err := rbac.Check(h.as(t, staff(who)), h.z, may, vip)
			require.NoError(t, err)
			require.False(t, d.Allowed)
			g.open["p1"] = "e1"
			d, err = rbac.Check(h.as(t, staff(who)), h.z, may, vip)
			require.NoError(t, err)
			require.Equal(t, except != nil, d.Allowed, "%s %s", who, d.Code)
			if except == nil {
				require.Equal(t, "vip", d.Forbid)
			} else {
				require.Equal(t, "e1", d.Emergency)
			}
		}
	}
}

type lettered struct {
	patient
	labels rbac.Labels
}

func (l lettered) RBAC() rbac.Attrs {
	a := l.patient.RBAC()
	a.Labels = l.labels
	return a
}

// TestEmergencyAccessIsForStaffWhoActForNobody: what a person opened, no program and no helper has.
func TestEmergencyAccessIsForStaffWhoActForNobody(t *testing.T) {
	t.Parallel()
	h, g := urgent(t)
	g.open["p1"] = "e1"
	h.grant(t, "ana", "therapist")
	rules := h.rules()
	rules.Relations.Emergency = g
	rules.Roles[1].Allow = append(rules.Roles[1].Allow, rbac.In(rbac.Emergency, h.PatientRead))
	rules.Roles = append(rules.Roles, rbac.Role{Name: "bot", Label: "Bot", Rank: 7, Kind: audit.KindAgent, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead)}})
	h.renew(t, rules)
	h.grant(t, "robot", "bot")
	p := patient{"p1", clinic, ""}
	agent := audit.Actor{ID: "robot", Kind: audit.KindAgent, Tenant: clinic, Assurance: audit.AAL1, OnBehalfOf: "ana"}.Within("patient.read")
	helper := staff("ana")
	helper.OnBehalfOf = "ben"
	for name, c := range map[string]struct {
		a    audit.Actor
		want bool
	}{"staff": {staff("ana"), true}, "agent": {agent, false}, "helper": {helper, false}} {
		ctx := h.as(t, c.a)
		d, err := rbac.Check(ctx, h.z, h.PatientRead, p)
		require.NoError(t, err)
		require.Equal(t, c.want, d.Allowed, name)
		f, err := rbac.Visible(ctx, h.z, h.PatientRead)
		if err == nil {
			match, err := f.Match(ctx, p)
			require.NoError(t, err)
			require.False(t, match && !c.want, name)
			where, _ := f.SQL(rbac.SQLite, "", 1)
			require.Equal(t, c.want, strings.Contains(where, " OR "), "%s: %s", name, where)
		}
	}
	ctx, err := h.z.Load(h.as(t, staff("ana")))
	require.NoError(t, err)
	d, err := rbac.Check(audit.WithActor(ctx, helper), h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.False(t, d.Allowed, "grants that were loaded for the person are not the helper's")
}

// TestAnEmergencyThatCannotBeNamedIsUndecided.
func TestAnEmergencyThatCannotBeNamedIsUndecided(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*glass){
		"fails":  func(g *glass) { g.err = errors.New("down") },
		"bad id": func(g *glass) { g.open["p1"] = "e\x00" },
		"long":   func(g *glass) { g.open["p1"] = strings.Repeat("e", 300) },
	} {
		h, g := urgent(t)
		broken(g)
		h.grant(t, "ana", "therapist")
		ctx := h.as(t, staff("ana"))
		_, err := rbac.Authorize(ctx, h.z, h.PatientRead, patient{"p1", clinic, ""})
		require.ErrorIs(t, err, rbac.ErrUndecided, name)
		_, err = rbac.Visible(ctx, h.z, h.PatientRead)
		require.ErrorIs(t, err, rbac.ErrUndecided, name)
		require.NotErrorIs(t, err, rbac.ErrDenied)
	}
}

// TestCompileLetsEmergenciesOnlyRead: whatever could do more than let staff read is refused.
func TestCompileLetsEmergenciesOnlyRead(t *testing.T) {
	t.Parallel()
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id", Labels: "labels"}
	read := rbac.Define[patient]("patient.read", cols, rbac.Verb(audit.Read))
	for name, c := range map[string]struct {
		action rbac.Action[patient]
		scope  rbac.Scope
		kind   audit.Kind
		forbid *rbac.Forbid
		want   string
	}{
		"read":        {read, rbac.Or(rbac.Own, rbac.Emergency), "", nil, ""},
		"twice not":   {read, rbac.Not(rbac.Not(rbac.Emergency)), "", nil, ""},
		"not":         {read, rbac.And(rbac.Own, rbac.Not(rbac.Emergency)), "", nil, "only widens"},
		"write":       {rbac.Define[patient]("patient.x", cols, rbac.Verb(audit.Update)), rbac.Emergency, "", nil, "for reading"},
		"execute":     {rbac.Define[patient]("patient.x", cols), rbac.Or(rbac.Own, rbac.Emergency), "", nil, "for reading"},
		"destructive": {rbac.Define[patient]("patient.x", cols, rbac.Verb(audit.Read), rbac.Destructive(), rbac.NeedReason()), rbac.Emergency, "", nil, "for reading"},
		"export":      {rbac.Define[patient]("patient.x", cols, rbac.Verb(audit.Read), rbac.InCategory(rbac.Exports)), rbac.Emergency, "", nil, "for reading"},
		"agent":       {read, rbac.Emergency, audit.KindAgent, nil, "emergency access is for staff"},
		"proxy":       {read, rbac.And(rbac.Proxy, rbac.Emergency), audit.KindProxy, nil, "emergency access is for staff"},
		"forbid all":  {read, rbac.Own, "", &rbac.Forbid{Name: "f", Labels: rbac.LabelVIP, Except: rbac.Emergency}, "names the actions"},
		"forbid not":  {read, rbac.Own, "", &rbac.Forbid{Name: "f", Labels: rbac.LabelVIP, Except: rbac.Not(rbac.Emergency), Actions: []rbac.AnyAction{read}}, "only widens"},
		"forbid":      {read, rbac.Own, "", &rbac.Forbid{Name: "f", Labels: rbac.LabelVIP, Except: rbac.Emergency, Actions: []rbac.AnyAction{read}}, ""},
	} {
		rules := rbac.Rules{
			Actions:   []rbac.AnyAction{c.action},
			Relations: rbac.Relations{Own: rbac.NewMemoryRelation(), Proxy: rbac.NewMemoryRelation(), Emergency: &glass{MemoryRelation: rbac.NewMemoryRelation()}},
			Roles:     []rbac.Role{{Name: "r", Label: "R", Rank: 1, Kind: c.kind, Allow: []rbac.Allow{rbac.In(c.scope, c.action)}}},
		}
		if c.forbid != nil {
			rules.Forbid = []rbac.Forbid{*c.forbid}
		}
		_, err := rbac.Compile(rules)
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.want, name)
		}
	}
}

// TestSupposeEmergency: without and with, whatever is open, and nobody is let in by it.
func TestSupposeEmergency(t *testing.T) {
	t.Parallel()
	h, g := urgent(t)
	h.grant(t, "ana", "therapist")
	p := patient{"p1", clinic, ""}
	for _, open := range []string{"", "e1"} {
		if open != "" {
			g.open["p1"] = open
		}
		g.asked = 0
		without, with, err := rbac.SupposeEmergency(h.as(t, staff("ana")), h.z, h.PatientRead, p)
		require.NoError(t, err)
		require.False(t, without.Allowed)
		require.True(t, with.Allowed)
		require.Empty(t, with.Emergency)
		require.Zero(t, g.asked)
	}
	_, with, err := rbac.SupposeEmergency(h.as(t, staff("ana")), h.z, h.PatientUpdate, p)
	require.NoError(t, err)
	require.False(t, with.Allowed)
	_, with, err = rbac.SupposeEmergency(h.as(t, staff("ana")), h.z, h.PatientRead, patient{"p1", other, ""})
	require.NoError(t, err)
	require.False(t, with.Allowed)
	h.own.Link(clinic, "ana", "p1", time.Time{})
	without, _, err := rbac.SupposeEmergency(h.as(t, staff("ana")), h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.True(t, without.Allowed)
	require.Zero(t, h.PatientRead.StepUpWithin())
}
