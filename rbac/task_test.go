package rbac_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// bots is the house with roles for programs: as much as an administrator and a therapist together.
func bots(t testing.TB, o rbac.Options) *house {
	t.Helper()
	h := newHouse(t)
	rules := h.rules()
	all := []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead, h.PatientUpdate, h.PatientReveal, h.NoteRead, h.TeamManage)}
	sight := map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassPhone: phi.Full, phi.ClassSSN: phi.Full}
	rules.Roles = append(
		rules.Roles,
		rbac.Role{Name: "agent", Label: "Agent", Rank: 6, Kind: audit.KindAgent, Allow: all, Sight: sight},
		rbac.Role{Name: "service", Label: "Service", Rank: 4, Kind: audit.KindService, Allow: all, Sight: sight},
	)
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	o.Now = func() time.Time { return h.now }
	h.policy = p
	h.z, err = rbac.New(p, h.store, h.rec, &o)
	require.NoError(t, err)
	h.grant(t, "bot", "agent")
	h.grant(t, "lab", "service")
	return h
}

// bot is the agent, who acts for somebody, within scopes.
func bot(of audit.ActorID, scopes ...audit.Action) audit.Actor {
	return audit.Actor{ID: "bot", Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: of, Assurance: audit.AAL1, Session: "k-1"}.Within(scopes...)
}

func (h *house) code(t testing.TB, a audit.Actor, p patient) rbac.Code {
	t.Helper()
	dec, err := rbac.Check(audit.WithActor(t.Context(), a), h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.Equal(t, dec.Allowed, dec.Code == rbac.CodeAllowed)
	return dec.Code
}

// What a program may do is the least of its scopes, its roles, and what the person may do now.
func TestProgramsHaveTheLeastOfRoleAndTask(t *testing.T) {
	t.Parallel()
	h := bots(t, rbac.Options{})
	h.grant(t, "tess", "therapist")
	h.own.Link(clinic, "tess", "p1", h.now.Add(time.Hour))
	p1, p2 := patient{id: "p1", tenant: clinic}, patient{id: "p2", tenant: clinic}

	require.Equal(t, rbac.CodeScopes, h.code(t, bot("tess"), p1), "without scopes nothing")
	require.Equal(t, rbac.CodeScopes, h.code(t, bot("tess", "note.read"), p1))
	require.Equal(t, rbac.CodeAllowed, h.code(t, bot("tess", "patient.read"), p1))
	require.Equal(t, rbac.CodePerson, h.code(t, bot("tess", "patient.read"), p2), "not a patient of hers")
	require.Equal(t, rbac.CodePerson, h.code(t, bot("nobody", "patient.read"), p1))
	require.Equal(t, rbac.CodePerson, h.code(t, bot("bot", "patient.read"), p1), "it is no person itself")
	require.Equal(t, rbac.CodePerson, h.code(t, bot("lab", "patient.read"), p1), "nor is another program")
	require.Equal(t, rbac.CodeAllowed, h.code(t, bot("", "patient.read"), p2), "it acts for nobody")
	roleless := bot("tess", "patient.read")
	roleless.ID = "other-bot"
	require.Equal(t, rbac.CodeNoPermission, h.code(t, roleless, p1), "never by the person's own roles")

	may, err := h.z.MayGrant(audit.WithActor(t.Context(), bot("tess", "patient.read")), "patient.read", false)
	require.NoError(t, err)
	require.False(t, may, "a program grants nothing")

	h.now = h.now.Add(time.Hour)
	require.Equal(t, rbac.CodePerson, h.code(t, bot("tess", "patient.read"), p1), "who loses a patient takes it from the agent")
	h.grant(t, "tess", "admin")
	require.Equal(t, rbac.CodeAllowed, h.code(t, bot("tess", "patient.read"), p2))
}

// Lists are narrowed as pages are, and nobody sees more through a program.
func TestProgramsListAndSeeWhatThePersonDoes(t *testing.T) {
	t.Parallel()
	h := bots(t, rbac.Options{})
	h.grant(t, "bill", "admin")
	ctx := rbactest.As(t.Context(), bot("bill", "patient.read"), audit.Discard{})
	g, err := rbac.Authorize(ctx, h.z, h.PatientRead, patient{id: "p1", tenant: clinic})
	require.NoError(t, err)
	require.Equal(t, phi.Partial, g.Decision().Sight().Level(phi.ClassPhone), "the administrator's")
	require.Equal(t, phi.Full, g.Decision().Sight().Level(phi.ClassName))
	require.Equal(t, phi.Hide, g.Decision().Sight().Level(phi.ClassSSN))
	f, err := rbac.Visible(ctx, h.z, h.PatientRead)
	require.NoError(t, err)
	require.Equal(t, phi.Partial, f.Sight().Level(phi.ClassPhone))
	where, args := f.SQL(rbac.Postgres, "", 3)
	require.Equal(t, "((tenant = $3) AND (tenant = $4))", where)
	require.Equal(t, []any{"clinic", "clinic"}, args)

	h.grant(t, "tess", "therapist")
	h.own.Link(clinic, "tess", "p1", time.Time{})
	f, err = rbac.Visible(rbactest.As(t.Context(), bot("tess", "patient.read"), audit.Discard{}), h.z, h.PatientRead)
	require.NoError(t, err)
	for id, want := range map[string]bool{"p1": true, "p2": false} {
		ok, err := f.Match(t.Context(), patient{id: id, tenant: clinic})
		require.NoError(t, err)
		require.Equal(t, want, ok, "hits of a search are narrowed too: %s", id)
	}

	ctx = rbactest.As(t.Context(), bot("nobody", "patient.read"), audit.Discard{})
	_, err = rbac.Visible(ctx, h.z, h.PatientRead)
	var denial *rbac.Denial
	require.ErrorAs(t, err, &denial)
	require.Equal(t, rbac.CodePerson, denial.Decision.Code)
	holds, err := rbac.Holds(ctx, h.z, h.PatientRead)
	require.NoError(t, err)
	require.False(t, holds)
}

// What was loaded for one task is not used for another.
func TestATaskIsNotLentToAnother(t *testing.T) {
	t.Parallel()
	h := bots(t, rbac.Options{})
	h.grant(t, "ana", "admin")
	p := patient{id: "p1", tenant: clinic}
	loaded, err := h.z.Load(audit.WithActor(t.Context(), bot("ana", "patient.read")))
	require.NoError(t, err)
	dec, err := rbac.Check(loaded, h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.True(t, dec.Allowed)
	for what, a := range map[string]audit.Actor{"scopes": bot("ana"), "person": bot("nobody", "patient.read")} {
		dec, err = rbac.Check(audit.WithActor(loaded, a), h.z, h.PatientRead, p)
		require.NoError(t, err)
		require.False(t, dec.Allowed, what)
	}
}

// lenient says that nobody owes a step-up.
type lenient struct{}

func (lenient) StepUp(context.Context, audit.Action, audit.Object, time.Duration) (bool, error) {
	return false, nil
}

// What asks for a second factor is never a program's, whatever it was granted, whatever it claims
// to have proven, and whoever answers for it.
func TestProgramsNeverPassWhatAsksForASecondFactor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "id"}
	plain := rbac.Define[patient]("patient.plain", cols, rbac.Verb(audit.Read))
	record := rbac.Define[patient]("patient.record", cols, rbac.Verb(audit.Read), rbac.PHI())
	export := rbac.Define[patient]("patient.export", cols, rbac.Verb(audit.Read), rbac.StepUp(time.Hour))
	actions := []rbac.AnyAction{plain, record, export}
	var roles []rbac.Role
	for i, k := range []audit.Kind{audit.KindService, audit.KindAgent, audit.KindStaff} {
		roles = append(roles, rbac.Role{Name: rbac.RoleName(k), Label: "All", Rank: i, Kind: k, Allow: []rbac.Allow{rbac.In(rbac.Tenant, actions...)}})
	}
	p, err := rbac.Compile(rbac.Rules{Actions: actions, Roles: roles})
	require.NoError(t, err)
	z, err := rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }, StepUps: lenient{}, PHIAssurance: audit.AAL2})
	require.NoError(t, err)
	mux := rbac.NewMux(z, nil)
	one := rbac.For(mux, func(context.Context, *http.Request) (patient, error) { return patient{id: "p1", tenant: clinic}, nil })
	for path, a := range map[string]rbac.Action[patient]{"/plain": plain, "/record": record, "/export": export} {
		one.Handle("GET "+path, a, func(w http.ResponseWriter, _ *http.Request, _ rbac.Granted[patient]) {
			w.WriteHeader(http.StatusNoContent)
		})
		rbac.HandleList(mux, "GET /all"+path, a, func(w http.ResponseWriter, _ *http.Request, _ rbac.Filter[patient]) {
			w.WriteHeader(http.StatusNoContent)
		})
	}
	require.NoError(t, mux.Err())
	h.z = z
	h.policy = p
	h.grant(t, "boss", "staff")
	for name, want := range map[audit.Action]bool{"patient.plain": true, "patient.export": false} {
		may, err := z.MayGrant(audit.WithActor(t.Context(), staff("boss")), name, true)
		require.NoError(t, err)
		require.Equal(t, want, may, "no program can do what asks for a step-up, so nobody grants it")
	}
	for _, kind := range []audit.Kind{audit.KindService, audit.KindAgent, audit.KindStaff} {
		id := audit.ActorID("x-" + kind)
		h.grant(t, id, rbac.RoleName(kind))
		a := audit.Actor{ID: id, Kind: kind, Tenant: clinic, OnBehalfOf: "boss", Assurance: audit.AAL3, AuthTime: h.now, Session: "s"}
		if kind != audit.KindStaff {
			a = a.Within("patient.plain", "patient.record", "patient.export")
		}
		want := map[string]int{"/plain": 204, "/record": 401, "/export": 401}
		if kind == audit.KindStaff {
			want = map[string]int{"/plain": 204, "/record": 204, "/export": 204}
		}
		for path, status := range want {
			for _, prefix := range []string{"", "/all"} {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, prefix+path, nil)
				mux.ServeHTTP(w, r.WithContext(rbactest.As(t.Context(), a, audit.Discard{})))
				require.Equal(t, status, w.Code, "%s %s%s", kind, prefix, path)
			}
		}
	}
}

// A program that goes beyond its scopes is told so (RFC 6750, section 3.1).
func TestBeyondItsScopesAProgramIsToldWhich(t *testing.T) {
	t.Parallel()
	h := bots(t, rbac.Options{})
	mux := rbac.NewMux(h.z, nil)
	rbac.HandleList(mux, "GET /patients", h.PatientRead, func(http.ResponseWriter, *http.Request, rbac.Filter[patient]) {})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/patients", nil)
	mux.ServeHTTP(w, r.WithContext(rbactest.As(t.Context(), bot("", "note.read"), audit.Discard{})))
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Equal(t, `Bearer error="insufficient_scope", scope="patient.read"`, w.Header().Get("WWW-Authenticate"))
}

// Nobody gives a program what they may not do themselves, or what no program can do.
func TestMayGrant(t *testing.T) {
	t.Parallel()
	h := bots(t, rbac.Options{})
	h.grant(t, "ana", "admin")
	h.grant(t, "tess", "therapist")
	h.grant(t, "bill", "biller", "north")
	for _, c := range []struct {
		who        audit.ActorID
		name       audit.Action
		everywhere bool
		want       bool
	}{
		{"ana", "patient.read", false, true},
		{"ana", "patient.read", true, true},
		{"ana", "team.manage", true, true},
		{"ana", "note.write", false, false},
		{"ana", "no.such", false, false},
		{"ana", "", false, false},
		{"tess", "patient.read", false, true},
		{"tess", "patient.read", true, false}, // a program would reach more than her own patients
		{"bill", "patient.read", false, true},
		{"bill", "patient.read", true, false},
		{"tess", "team.manage", false, false},
	} {
		may, err := h.z.MayGrant(audit.WithActor(t.Context(), staff(c.who)), c.name, c.everywhere)
		require.NoError(t, err)
		require.Equal(t, c.want, may, c)
	}
	weak := staff("ana")
	weak.Assurance = audit.AAL1
	may, err := h.z.MayGrant(audit.WithActor(t.Context(), weak), "patient.read", false)
	require.NoError(t, err)
	require.False(t, may, "not before they have proven enough to do it")
	may, err = h.z.MayGrant(t.Context(), "patient.read", false)
	require.NoError(t, err)
	require.False(t, may)
}

// A response that lasts ends when the person behind the program may see less, though not nothing.
func TestALongResponseEndsWithThePersonsRights(t *testing.T) {
	t.Parallel()
	h := bots(t, rbac.Options{})
	mux := rbac.NewMux(h.z, nil)
	served := 0
	watch := func(r *http.Request) {
		served++
		require.NoError(t, recheck(r))
		was := h.now
		h.now = h.now.Add(time.Minute) // the role of the whole tenant ends, the other stays
		require.Error(t, recheck(r))
		h.now = was
	}
	rbac.HandleList(mux, "GET /patients", h.PatientRead, func(_ http.ResponseWriter, r *http.Request, _ rbac.Filter[patient]) { watch(r) })
	rbac.For(mux, func(context.Context, *http.Request) (patient, error) { return patient{id: "p1", tenant: clinic}, nil }).
		Handle("GET /patient", h.PatientRead, func(_ http.ResponseWriter, r *http.Request, _ rbac.Granted[patient]) { watch(r) })
	h.own.Link(clinic, "tess", "p1", time.Time{})
	h.grant(t, "tess", "therapist")
	h.grantIn(t, clinic, rbac.Grant{Person: "tess", Role: "admin", Until: h.now.Add(time.Minute)})
	for _, path := range []string{"/patients", "/patient"} {
		ctx, trail := audit.WithTrail(audit.WithActor(t.Context(), bot("tess", "patient.read")), audit.Discard{}, audit.Event{})
		r := httptest.NewRequest(http.MethodGet, path, nil)
		mux.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithValue(ctx, trailKey{}, trail)))
	}
	require.Equal(t, 2, served)
}

type trailKey struct{}

// recheck asks what a long response asks.
func recheck(r *http.Request) error {
	return r.Context().Value(trailKey{}).(*audit.Trail).Recheck(r.Context())
}
