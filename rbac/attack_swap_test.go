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
)

// A policy that is put in force while a request or a change is under way, with roles in another
// order or fewer of them: nobody may gain by it.

// revised compiles the house's actions with other roles.
func (h *house) revised(t testing.TB, roles ...rbac.Role) *rbac.Policy {
	t.Helper()
	p, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{h.PatientRead, h.PatientUpdate, h.PatientReveal, h.PatientPurge, h.NoteRead, h.NoteWrite, h.TeamManage},
		Roles:     roles,
		Relations: rbac.Relations{Own: h.own, Self: h.self},
	})
	require.NoError(t, err)
	return p
}

// role returns one of the house's roles.
func (h *house) role(t testing.TB, name rbac.RoleName) rbac.Role {
	t.Helper()
	for _, r := range h.policy.Roles() {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no role %s", name)
	return rbac.Role{}
}

// allOf is a role that may do everything, so that a policy of few roles leaves no action unheld.
func (h *house) allOf(name rbac.RoleName, rank int, sight map[phi.Class]phi.Level) rbac.Role {
	return rbac.Role{Name: name, Label: string(name), Rank: rank, Sight: sight, Allow: []rbac.Allow{rbac.In(rbac.Tenant,
		h.PatientRead, h.PatientUpdate, h.PatientReveal, h.PatientPurge, h.NoteRead, h.NoteWrite, h.TeamManage)}}
}

// onStepUp runs something in the middle of a request.
type onStepUp func()

func (f onStepUp) StepUp(context.Context, audit.Action, audit.Object, time.Duration) (bool, error) {
	f()
	return false, nil
}

func (h *house) swap(t testing.TB, next *rbac.Policy) {
	t.Helper()
	require.NoError(t, h.z.Swap(system(t), next))
}

func TestSwapDuringARequestWidensNoListsSight(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.grant(t, "bill", "biller", "north")
	next := s.revised(t, s.role(t, "biller"), s.role(t, "patient"), s.role(t, "therapist"), s.role(t, "admin"))
	during := func() {}
	z, err := rbac.New(s.policy, s.store, s.rec, &rbac.Options{Now: func() time.Time { return s.now }, StepUps: onStepUp(func() { during() })})
	require.NoError(t, err)
	s.z = z
	during = func() { s.swap(t, next) }
	mux := rbac.NewMux(z, nil)
	var got phi.Sight
	rbac.HandleList(mux, "GET /patients", s.PatientRead, func(_ http.ResponseWriter, r *http.Request, f rbac.Filter[patient]) {
		got, _ = phi.SightFrom(r.Context())
		require.Equal(t, f.Sight().Digest(), got.Digest())
	})
	w := ask(t, mux, s.rec, staff("bill"), "GET", "/patients")
	require.Equal(t, http.StatusOK, w.Code)
	require.Same(t, next, z.Policy())
	require.Equal(t, phi.Partial, got.Level(phi.ClassName))
	require.Equal(t, phi.Hide, got.Level(phi.ClassClinical), "a biller's, not a therapist's who has that place now")
}

// ask sends a request of somebody to a mux.
func ask(t testing.TB, mux http.Handler, rec audit.Recorder, a audit.Actor, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, _ := audit.WithTrail(audit.WithActor(t.Context(), a), rec, audit.Event{})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, path, nil).WithContext(ctx))
	return w
}

func TestSwapDuringARequestKeepsItsEvidence(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "bill", "biller", "north")
	next := h.revised(t, h.allOf("admin", 100, nil))
	mux := rbac.NewMux(h.z, nil)
	patients := rbac.For(mux, func(context.Context, *http.Request) (patient, error) {
		h.swap(t, next)
		return patient{}, rbac.ErrNotFound
	})
	patients.Handle("GET /patients/{id}", h.PatientRead, func(http.ResponseWriter, *http.Request, rbac.Granted[patient]) {})
	h.rec.take()
	ctx, trail := audit.WithTrail(audit.WithActor(t.Context(), staff("bill")), h.rec, audit.Event{})
	w := httptest.NewRecorder()
	require.NotPanics(t, func() { mux.ServeHTTP(w, httptest.NewRequest("GET", "/patients/p9", nil).WithContext(ctx)) })
	require.Equal(t, http.StatusNotFound, w.Code)
	require.NoError(t, trail.Flush(ctx))
	events := h.rec.take()
	last := events[len(events)-1]
	require.Equal(t, []string{"biller"}, last.Actor.Roles)
	require.Equal(t, h.policy.Digest(), last.Decision.Policy)
}

// What was begun under another policy may show more than the new one lets it.
func TestSwapStopsLongResponses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/patients/p1", "/patients"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			ctx, trail := audit.WithTrail(t.Context(), s.rec, audit.Event{})
			w := httptest.NewRecorder()
			s.mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil).WithContext(audit.WithActor(ctx, staff("ana"))))
			require.Equal(t, http.StatusOK, w.Code)
			require.NoError(t, trail.Recheck(ctx))
			blind := s.role(t, "therapist")
			blind.Sight = nil
			s.swap(t, s.revised(t, s.role(t, "admin"), blind, s.role(t, "biller"), s.role(t, "patient")))
			require.ErrorIs(t, trail.Recheck(ctx), rbac.ErrDenied)
		})
	}
}

// onVersion is a store that does something when a change begins to read.
type onVersion struct {
	rbac.Store
	do func()
}

func (s onVersion) Version(ctx context.Context, t audit.Tenant) (int64, error) {
	s.do()
	return s.Store.Version(ctx, t)
}

func TestSwapDuringAChangeRaisesNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "tom", "therapist")
	admin, therapist, biller, pat := h.role(t, "admin"), h.role(t, "therapist"), h.role(t, "biller"), h.role(t, "patient")
	for name, next := range map[string]*rbac.Policy{
		"the places change": h.revised(t, therapist, admin, biller, pat),
		"there are more":    h.revised(t, admin, biller, pat, h.allOf("extra", 7, nil), therapist),
	} {
		var z *rbac.Authorizer
		z, err := rbac.New(h.policy, onVersion{h.store, func() {
			if z.Policy() != next {
				require.NoError(t, z.Swap(system(t), next))
			}
		}}, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
		require.NoError(t, err)
		require.NotPanics(t, func() {
			_, err = z.Grant(audit.WithActor(t.Context(), staff("tom")), rbac.Grant{Person: "eve", Role: "admin"})
		}, name)
		require.Error(t, err, name)
		held, err := h.store.Grants(t.Context(), clinic, "eve")
		require.NoError(t, err)
		require.Empty(t, held, name)
	}
}

func TestSwapCountsNobodyWhoCannotAdminister(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*house) *rbac.Policy{
		"whose holder is suspended": func(h *house) *rbac.Policy {
			idle := h.role(t, "admin")
			idle.Allow = []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead)}
			return h.revised(t, idle, h.allOf("boss", 200, nil))
		},
		"which is no role of staff": func(h *house) *rbac.Policy {
			robot := h.allOf("admin", 100, nil)
			robot.Kind = audit.KindService
			robots := h.allOf("boss", 200, nil)
			robots.Kind = audit.KindService
			return h.revised(t, robot, robots)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			p := h.revised(t, h.allOf("admin", 100, nil), h.allOf("boss", 200, nil))
			z, err := rbac.New(p, h.store, h.rec, &rbac.Options{
				Now: func() time.Time { return h.now }, Grants: rbac.GrantRules{Admins: []rbac.RoleName{"admin", "boss"}},
			})
			require.NoError(t, err)
			h.z = z
			h.grant(t, "ana", "admin")
			h.grant(t, "bo", "boss")
			h.grant(t, "bo", rbac.Suspended)
			require.ErrorIs(t, z.Swap(system(t), next(h), clinic), rbac.ErrLockout)
			require.Same(t, p, z.Policy())
		})
	}
}

// onRecord is a recorder that does something with each record.
type onRecord struct {
	audit.Recorder
	do func()
}

func (r onRecord) Record(ctx context.Context, events ...audit.Event) error {
	err := r.Recorder.Record(ctx, events...)
	r.do()
	return err
}

func TestSwapThatWasOvertakenIsOnRecordAsNotMade(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first, second := h.revised(t, h.allOf("admin", 100, nil)), h.revised(t, h.allOf("admin", 101, nil))
	var z *rbac.Authorizer
	once := true
	z, err := rbac.New(h.policy, h.store, onRecord{h.rec, func() {
		if once {
			once = false
			require.NoError(t, z.Swap(system(t), second))
		}
	}}, &rbac.Options{Now: func() time.Time { return h.now }})
	require.NoError(t, err)
	require.ErrorIs(t, z.Swap(system(t), first), rbac.ErrConflict)
	require.Same(t, second, z.Policy())
	events := h.rec.take()
	require.Len(t, events, 3)
	last := events[2]
	require.Equal(t, rbac.ActionSwap, last.Action)
	require.Equal(t, first.Digest(), last.Objects[0].ID)
	require.Equal(t, audit.MajorFailure, last.Outcome)
	require.Equal(t, "not_applied", last.Code)
}
