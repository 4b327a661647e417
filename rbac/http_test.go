package rbac_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// site is a house with routes.
type site struct {
	*house
	mux    *rbac.Mux
	served func(r *http.Request) // called by every handler behind a guard
	loads  int
	broken error // what load fails with
}

func newSite(t testing.TB, o *rbac.HTTPOptions) *site {
	t.Helper()
	s := &site{house: newHouse(t), served: func(*http.Request) {}}
	s.mux = rbac.NewMux(s.z, o)
	s.own.Link(clinic, "ana", "p1", time.Time{})
	s.grant(t, "ana", "therapist")
	s.grant(t, "adam", "admin")
	s.rec.take()

	patients := rbac.For(s.mux, s.load)
	show := func(w http.ResponseWriter, r *http.Request, g rbac.Granted[patient]) {
		s.served(r)
		_, _ = w.Write([]byte("patient " + g.Resource().id))
	}
	patients.Handle("GET /patients/{id}", s.PatientRead, show)
	patients.Handle("POST /patients/{id}", s.PatientUpdate, show)
	patients.Handle("POST /patients/{id}/ssn", s.PatientReveal, show)
	patients.Handle("POST /patients/{id}/purge", s.PatientPurge, show)
	rbac.HandleList(s.mux, "GET /patients", s.PatientRead, func(w http.ResponseWriter, r *http.Request, f rbac.Filter[patient]) {
		s.served(r)
		where, _ := f.SQL(rbac.SQLite, "p", 1)
		_, _ = w.Write([]byte(where))
	})
	rbac.For(s.mux, rbac.TenantOf).Handle("POST /team", s.TeamManage, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[rbac.InTenant]) {
		s.served(r)
		_, _ = w.Write([]byte("team of " + string(g.Resource().Tenant)))
	})
	s.mux.SignedIn("POST /sign-out", "everybody may leave", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.served(r) }))
	s.mux.Public("GET /healthz", "liveness, no data", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok"))
	}))
	return s
}

// load knows the clinic's patients p1 to p3, and one of another tenant by mistake.
func (s *site) load(_ context.Context, r *http.Request) (patient, error) {
	s.loads++
	if s.broken != nil {
		return patient{}, s.broken
	}
	switch id := r.PathValue("id"); id {
	case "p1", "p2", "p3":
		return patient{id, clinic, "north"}, nil
	case "foreign":
		return patient{id, other, "north"}, nil
	}
	return patient{}, rbac.ErrNotFound
}

// ask sends a request as a through the audit gate.
func (s *site) ask(t testing.TB, a *audit.Actor, method, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a != nil {
			r = r.WithContext(audit.WithActor(r.Context(), *a))
		}
		s.mux.ServeHTTP(w, r)
	})
	h, err := audithttp.Hold(s.rec, inner, &audithttp.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func ptr(a audit.Actor) *audit.Actor { return &a }

func stranger() *audit.Actor {
	return ptr(audit.Anonymous(clinic, netip.MustParseAddr("192.0.2.7")))
}

func TestGuardsAnswer(t *testing.T) {
	t.Parallel()
	weak := staff("ana")
	weak.Assurance = audit.AAL1
	reason := url.Values{"reason": {"the insurer asks"}}
	for name, c := range map[string]struct {
		actor        *audit.Actor
		method, path string
		form         url.Values
		status       int
		body         string
		code         rbac.Code // recorded; "" for success
	}{
		"own patient":                {ptr(staff("ana")), "GET", "/patients/p1", nil, 200, "patient p1", ""},
		"own patient, head":          {ptr(staff("ana")), "HEAD", "/patients/p1", nil, 200, "patient p1", ""},
		"another's patient":          {ptr(staff("ana")), "GET", "/patients/p2", nil, 404, "", rbac.CodeOutOfScope},
		"no such patient":            {ptr(staff("ana")), "GET", "/patients/p99", nil, 404, "", rbac.CodeNotFound},
		"patient of another tenant":  {ptr(staff("adam")), "GET", "/patients/foreign", nil, 404, "", rbac.CodeOtherTenant},
		"no role":                    {ptr(staff("zoe")), "GET", "/patients/p1", nil, 404, "", rbac.CodeNoPermission},
		"not signed in":              {stranger(), "GET", "/patients/p1", nil, 401, "", rbac.CodeAnonymous},
		"not signed in enough":       {&weak, "GET", "/patients/p1", nil, 401, "", rbac.CodeAssurance},
		"may read but not change":    {ptr(staff("adam")), "POST", "/patients/p1", nil, 403, "", rbac.CodeNoPermission},
		"may neither read nor purge": {ptr(staff("ana")), "POST", "/patients/p2/purge", reason, 404, "", rbac.CodeNoPermission},
		"may read but not purge":     {ptr(staff("ana")), "POST", "/patients/p1/purge", reason, 403, "", rbac.CodeNoPermission},
		"purge":                      {ptr(staff("adam")), "POST", "/patients/p1/purge", reason, 200, "patient p1", ""},
		"no reason":                  {ptr(staff("ana")), "POST", "/patients/p1/ssn", nil, 422, "", rbac.CodeReason},
		"reason in the address":      {ptr(staff("ana")), "POST", "/patients/p1/ssn?reason=x", nil, 422, "", rbac.CodeReason},
		"reason":                     {ptr(staff("ana")), "POST", "/patients/p1/ssn", reason, 200, "patient p1", ""},
		"reason does not help":       {ptr(staff("ana")), "POST", "/patients/p2/ssn", reason, 404, "", rbac.CodeOutOfScope},
		"list":                       {ptr(staff("adam")), "GET", "/patients", nil, 200, "(p.tenant = ?)", ""},
		"list of nothing":            {ptr(staff("zoe")), "GET", "/patients", nil, 403, "", rbac.CodeNothing},
		"list, not signed in":        {stranger(), "GET", "/patients", nil, 401, "", rbac.CodeAnonymous},
		"team":                       {ptr(staff("adam")), "POST", "/team", nil, 200, "team of clinic", ""},
		"team without the role":      {ptr(staff("ana")), "POST", "/team", nil, 403, "", rbac.CodeNoPermission},
		"team, not signed in":        {stranger(), "POST", "/team", nil, 401, "", rbac.CodeAnonymous},
		"sign out":                   {ptr(staff("zoe")), "POST", "/sign-out", nil, 200, "", ""},
		"sign out, not signed in":    {stranger(), "POST", "/sign-out", nil, 401, "", rbac.CodeAnonymous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			reached := 0
			s.served = func(*http.Request) { reached++ }
			w := s.ask(t, c.actor, c.method, c.path, c.form)
			require.Equal(t, c.status, w.Code, w.Body)
			events := s.rec.take()
			require.Len(t, events, 1, "one decision, one event")
			require.Equal(t, string(c.code), events[0].Code)
			if c.status == 200 {
				require.Equal(t, 1, reached)
				require.Equal(t, c.body, w.Body.String())
				require.Equal(t, audit.Success, events[0].Outcome)
				return
			}
			require.Zero(t, reached, "no handler runs")
			require.Equal(t, audit.Failure, events[0].Outcome)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, http.StatusText(c.status)+"\n", w.Body.String(), "every answer of a status is the same")
		})
	}
}

func TestDeniedAndMissingLookTheSame(t *testing.T) {
	t.Parallel()
	s := newSite(t, &rbac.HTTPOptions{Error: func(w http.ResponseWriter, _ *http.Request, status int, code rbac.Code) {
		http.Error(w, string(code), status) // what a host could show
	}})
	missing := s.ask(t, ptr(staff("ana")), "GET", "/patients/p99", nil)
	for _, path := range []string{"/patients/p2", "/patients/foreign", "/no/such/page"} {
		denied := s.ask(t, ptr(staff("ana")), "GET", path, nil)
		require.Equal(t, missing.Code, denied.Code)
		require.Equal(t, missing.Body.String(), denied.Body.String())
		for _, w := range []*httptest.ResponseRecorder{missing, denied} {
			w.Header().Del("X-Request-Id")
		}
		require.Equal(t, missing.Header(), denied.Header())
	}
}

func TestListsOweAReasonToo(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	rbac.HandleList(s.mux, "POST /search", s.PatientReveal, func(_ http.ResponseWriter, r *http.Request, _ rbac.Filter[patient]) { s.served(r) })
	reached := 0
	s.served = func(*http.Request) { reached++ }
	require.Equal(t, 422, s.ask(t, ptr(staff("ana")), "POST", "/search", nil).Code)
	require.Equal(t, string(rbac.CodeReason), s.rec.take()[0].Code)
	require.Zero(t, reached)
	require.Equal(t, 200, s.ask(t, ptr(staff("ana")), "POST", "/search", url.Values{"reason": {"x"}}).Code)
	why, _ := s.rec.take()[0].Why.Reveal()
	require.Equal(t, "x", why)
	require.Equal(t, 1, reached)
}

func TestStrangersBodiesAreNotRead(t *testing.T) {
	t.Parallel()
	read := false
	s := newSite(t, &rbac.HTTPOptions{Reason: func(*http.Request) string { read = true; return "x" }})
	s.ask(t, stranger(), "POST", "/patients/p1/ssn", nil)
	require.False(t, read)
	require.Equal(t, 200, s.ask(t, ptr(staff("ana")), "POST", "/patients/p1/ssn", nil).Code)
	require.True(t, read)
}

func TestStepUpIsAsked(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	weak := staff("ana")
	weak.Assurance = audit.AAL1
	w := s.ask(t, &weak, "GET", "/patients/p1", nil)
	require.Equal(t, `Bearer error="insufficient_user_authentication", acr_values="aal2"`, w.Header().Get("WWW-Authenticate"))
	require.Zero(t, s.loads)
}

// fresh says who proved who they are just now, and approvers who approved; errors are theirs.
type fresh struct {
	people map[audit.ActorID]bool
	err    error
}

func (f *fresh) StepUp(ctx context.Context, _ audit.Action, _ audit.Object, within time.Duration) (bool, error) {
	a, _ := audit.ActorFrom(ctx)
	return within > 0 && !f.people[a.ID], f.err
}

func (f *fresh) Approved(ctx context.Context, _ audit.Action, _ audit.Object) (audit.ActorID, error) {
	a, _ := audit.ActorFrom(ctx)
	if f.people[a.ID] {
		return "boss", f.err
	}
	return "", f.err
}

func (f *fresh) Licensed(_ context.Context, _ audit.Tenant, person audit.ActorID, _ rbac.Licence, _ time.Time) (bool, error) {
	return f.people[person], f.err
}

// TestOwedDutiesOverHTTP: what a person can mend is told to who may do it otherwise, and to
// nobody else; what cannot be found out is neither allowed nor denied.
func TestOwedDutiesOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}
	read := rbac.Define[patient]("patient.read", cols, rbac.Verb(audit.Read))
	export := rbac.Define[patient]("patient.export", cols, rbac.Verb(audit.Execute), rbac.StepUp(5*time.Minute))
	purge := rbac.Define[patient]("patient.purge", cols, rbac.Verb(audit.Delete), rbac.TwoPerson())
	sign := rbac.Define[patient]("patient.sign", cols, rbac.Verb(audit.Update), rbac.NeedLicence(rbac.NPI))
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{read, export, purge, sign},
		Roles:     []rbac.Role{{Name: "therapist", Label: "Therapist", Allow: []rbac.Allow{rbac.In(rbac.Own, read, export, purge, sign)}}},
		Relations: rbac.Relations{Own: s.own},
	})
	require.NoError(t, err)
	for _, missing := range []rbac.Options{{}, {StepUps: &fresh{}}, {StepUps: &fresh{}, Approvals: &fresh{}}, {Approvals: &fresh{}, Licences: &fresh{}}} {
		_, err := rbac.New(policy, s.store, s.rec, &missing)
		require.Error(t, err)
	}
	f := &fresh{people: map[audit.ActorID]bool{}}
	s.z, err = rbac.New(policy, s.store, s.rec, &rbac.Options{StepUps: f, Approvals: f, Licences: f})
	require.NoError(t, err)
	s.mux = rbac.NewMux(s.z, nil)
	patients := rbac.For(s.mux, s.load)
	for name, a := range map[string]rbac.Action[patient]{"export": export, "purge": purge, "sign": sign} {
		patients.Handle("POST /patients/{id}/"+name, a, func(http.ResponseWriter, *http.Request, rbac.Granted[patient]) {})
	}
	require.NoError(t, s.mux.Err())
	s.grant(t, "zoe", "therapist") // and nobody in her care
	for name, want := range map[string]int{"export": 401, "purge": 403, "sign": 403} {
		s.rec.take()
		w := s.ask(t, ptr(staff("ana")), "POST", "/patients/p1/"+name, nil)
		require.Equal(t, want, w.Code, name)
		challenge := ""
		if want == 401 {
			challenge = `Bearer error="insufficient_user_authentication", max_age=300`
		}
		require.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
		require.Equal(t, audit.Failure, s.rec.take()[0].Outcome)
		w = s.ask(t, ptr(staff("zoe")), "POST", "/patients/p1/"+name, nil)
		require.Equal(t, 404, w.Code, name)
		require.Empty(t, w.Header().Get("WWW-Authenticate"))

		f.people["ana"] = true
		require.Equal(t, 200, s.ask(t, ptr(staff("ana")), "POST", "/patients/p1/"+name, nil).Code, name)
		f.err = errors.New("connection refused")
		s.rec.take()
		require.Equal(t, 503, s.ask(t, ptr(staff("ana")), "POST", "/patients/p1/"+name, nil).Code, name)
		require.Equal(t, audit.MajorFailure, s.rec.take()[0].Outcome)
		f.err, f.people = nil, map[audit.ActorID]bool{}
	}
}

// TestTheHookHearsWhatWasRefused: where the person may know, and nowhere else.
func TestTheHookHearsWhatWasRefused(t *testing.T) {
	t.Parallel()
	type heard struct {
		status int
		denied rbac.Denied
		ok     bool
	}
	var last heard
	s := newSite(t, &rbac.HTTPOptions{Error: func(w http.ResponseWriter, r *http.Request, status int, _ rbac.Code) {
		last.status = status
		last.denied, last.ok = rbac.DeniedFrom(r.Context())
		w.WriteHeader(status)
	}})
	weak := staff("ana")
	weak.Assurance = audit.AAL1
	s.ask(t, &weak, "GET", "/patients/p1", nil)
	require.True(t, last.ok)
	challenge, ok := last.denied.Decision.Challenge()
	require.True(t, ok)
	require.Equal(t, audit.AAL2, challenge.Assurance)
	require.Equal(t, s.PatientRead.Name(), last.denied.Action)

	s.ask(t, ptr(staff("ana")), "POST", "/patients/p1/ssn", nil)
	require.Equal(t, 422, last.status)
	require.True(t, last.ok)
	require.Equal(t, rbac.CodeReason, last.denied.Decision.Code)
	require.Equal(t, audit.Object{Type: "patient", ID: "p1"}, last.denied.Object)

	for _, c := range []struct {
		who    *audit.Actor
		path   string
		status int
	}{{ptr(staff("ana")), "/patients/p2", 404}, {ptr(staff("ana")), "/patients/p99", 404}, {ptr(staff("ana")), "/nowhere", 404}, {stranger(), "/patients/p1", 401}} {
		s.ask(t, c.who, "GET", c.path, nil)
		require.Equal(t, c.status, last.status)
		require.False(t, last.ok, c.path)
	}
	s.broken = errors.New("connection refused")
	s.ask(t, ptr(staff("ana")), "GET", "/patients/p1", nil)
	require.Equal(t, 503, last.status)
	require.False(t, last.ok)
}

func TestResourceIsNotLoadedForWhoHasNoBusiness(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.ask(t, ptr(staff("zoe")), "GET", "/patients/p1", nil)
	s.ask(t, stranger(), "GET", "/patients/p1", nil)
	require.Zero(t, s.loads)
}

func TestDecisionIsDurableBeforeAnUnsafeHandler(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	before := -1
	s.served = func(*http.Request) { before = len(s.rec.take()) }
	s.ask(t, ptr(staff("ana")), "POST", "/patients/p1", nil)
	require.Equal(t, 1, before)

	s.rec.fail(errors.New("disk full"))
	s.served = func(*http.Request) { t.Error("the handler ran") }
	for _, path := range []string{"/patients/p1", "/team", "/sign-out"} {
		a := staff("ana")
		if path == "/team" {
			a = staff("adam")
		}
		w := s.ask(t, &a, "POST", path, nil)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, path)
	}
}

func TestHandlersGetTheSight(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	var got phi.Sight
	var ok bool
	s.served = func(r *http.Request) { got, ok = phi.SightFrom(r.Context()) }
	s.ask(t, ptr(staff("ana")), "GET", "/patients/p1", nil)
	require.True(t, ok)
	require.Equal(t, phi.Mask, got.Level(phi.ClassSSN))
	s.ask(t, ptr(staff("ana")), "POST", "/patients/p1/ssn", url.Values{"reason": {"x"}})
	require.Equal(t, phi.Full, got.Level(phi.ClassSSN))
	why, _ := s.rec.take()[1].Why.Reveal()
	require.Equal(t, "x", why)
	s.ask(t, ptr(staff("adam")), "GET", "/patients", nil)
	require.Equal(t, phi.Partial, got.Level(phi.ClassPhone))
	s.ask(t, ptr(staff("adam")), "POST", "/sign-out", nil)
	require.False(t, ok, "no sight without an action")
}

func TestStoreDownIsToldApart(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	z, err := rbac.New(s.policy, &faulty{Store: s.store, err: errors.New("connection refused")}, s.rec, nil)
	require.NoError(t, err)
	m := rbac.NewMux(z, nil)
	never := func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }
	rbac.For(m, s.load).Handle("GET /patients/{id}", s.PatientRead, func(w http.ResponseWriter, r *http.Request, _ rbac.Granted[patient]) { never(w, r) })
	rbac.HandleList(m, "GET /patients", s.PatientRead, func(w http.ResponseWriter, r *http.Request, _ rbac.Filter[patient]) { never(w, r) })
	m.SignedIn("GET /me", "own data", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := z.Label(r.Context())
		require.ErrorIs(t, err, rbac.ErrUndecided)
	}))
	s.mux = m
	for _, path := range []string{"/patients/p1", "/patients"} {
		w := s.ask(t, ptr(staff("ana")), "GET", path, nil)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, path)
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		events := s.rec.take()
		require.Len(t, events, 1)
		require.Equal(t, audit.MajorFailure, events[0].Outcome, "failed, not denied")
		require.Equal(t, string(rbac.CodeUndecided), events[0].Code)
	}
	require.Equal(t, http.StatusOK, s.ask(t, ptr(staff("ana")), "GET", "/me", nil).Code, "signing out needs no grants")
}

func TestLoadAndRelationFailuresAreUndecided(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.broken = errors.New("connection refused")
	w := s.ask(t, ptr(staff("ana")), "GET", "/patients/p1", nil)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	events := s.rec.take()
	require.Equal(t, string(rbac.CodeUndecided), events[0].Code)
	require.Equal(t, audit.MajorFailure, events[0].Outcome)

	s = newSite(t, nil)
	rules := s.rules()
	rules.Relations.Own = failingRelation{s.own, errors.New("connection refused")}
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	z, err := rbac.New(p, s.store, s.rec, nil)
	require.NoError(t, err)
	s.mux = rbac.NewMux(z, nil)
	rbac.For(s.mux, s.load).Handle("GET /patients/{id}", s.PatientRead, func(http.ResponseWriter, *http.Request, rbac.Granted[patient]) { t.Error("the handler ran") })
	w = s.ask(t, ptr(staff("ana")), "GET", "/patients/p1", nil)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, string(rbac.CodeUndecided), s.rec.take()[0].Code)
}

func TestUnknownPagesAndMethods(t *testing.T) {
	t.Parallel()
	var status int
	var code rbac.Code
	s := newSite(t, &rbac.HTTPOptions{Error: func(w http.ResponseWriter, _ *http.Request, st int, c rbac.Code) {
		status, code = st, c
		w.WriteHeader(st)
	}})
	require.Equal(t, 404, s.ask(t, nil, "GET", "/nowhere", nil).Code)
	require.Equal(t, 404, status)
	require.Equal(t, rbac.CodeNotFound, code)
	w := s.ask(t, stranger(), "DELETE", "/patients/p1", nil)
	require.Equal(t, 405, w.Code)
	require.Equal(t, rbac.CodeNoMethod, code)
	require.Equal(t, "GET, HEAD, POST", w.Header().Get("Allow"))
	w = s.ask(t, nil, "GET", "//patients", nil)
	require.Equal(t, http.StatusTemporaryRedirect, w.Code)
	require.Equal(t, "/patients", w.Header().Get("Location"))
	require.Equal(t, 200, s.ask(t, nil, "GET", "/healthz", nil).Code)
	require.Empty(t, s.rec.take(), "decided, but not an access")
}

func TestSignInHook(t *testing.T) {
	t.Parallel()
	s := newSite(t, &rbac.HTTPOptions{SignIn: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	}})
	for _, path := range []string{"/patients/p1", "/patients"} {
		w := s.ask(t, stranger(), "GET", path, nil)
		require.Equal(t, http.StatusSeeOther, w.Code)
		require.Len(t, s.rec.take(), 1)
	}
}

func TestStrangersOfNoTenant(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, a := range []*audit.Actor{nil, ptr(audit.Anonymous("", netip.Addr{}))} {
		require.Equal(t, 401, s.ask(t, a, "GET", "/patients/p1", nil).Code)
		require.Empty(t, s.rec.take(), "there is no log that could take it")
	}
	s = newSite(t, &rbac.HTTPOptions{Tenant: "platform"})
	require.Equal(t, 401, s.ask(t, nil, "GET", "/patients/p1", nil).Code)
	events := s.rec.take()
	require.Len(t, events, 1)
	require.Equal(t, audit.Tenant("platform"), events[0].Tenant)
	require.Equal(t, audit.KindAnonymous, events[0].Actor.Kind)
}

func TestMuxWithoutATrailServesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.served = func(*http.Request) { t.Error("the handler ran") }
	for _, path := range []string{"/patients/p1", "/patients", "/healthz", "/nowhere"} {
		r := httptest.NewRequest("GET", path, nil)
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r.WithContext(audit.WithActor(r.Context(), staff("adam"))))
		require.Equal(t, http.StatusServiceUnavailable, w.Code, path)
	}
}

func TestRecheckAsksTheStoreAgain(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/patients/p1", "/patients"} {
		s := newSite(t, nil)
		ctx, trail := audit.WithTrail(t.Context(), s.rec, audit.Event{})
		r := httptest.NewRequest("GET", path, nil)
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r.WithContext(audit.WithActor(ctx, staff("ana"))))
		require.Equal(t, 200, w.Code)
		require.NoError(t, trail.Recheck(ctx), "the gate's context carries no actor")
		grants, err := s.store.Grants(ctx, clinic, "ana")
		require.NoError(t, err)
		require.NoError(t, s.z.Revoke(audit.WithActor(ctx, audit.System(clinic, "setup")), "ana", grants[0].ID))
		require.ErrorIs(t, trail.Recheck(ctx), rbac.ErrDenied)
	}
}

func TestRoutesThatCannotBeAreReported(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	require.NoError(t, s.mux.Err())
	m := rbac.NewMux(s.z, nil)
	h := func(http.ResponseWriter, *http.Request, rbac.Granted[patient]) { t.Error("the handler ran") }
	g := rbac.For(m, s.load)
	g.Handle("GET /zero", rbac.Action[patient]{}, h)
	g.Handle("GET /unlisted", rbac.Define[patient]("patient.read", rbac.Columns{}), h)
	g.Handle("GET /write/{id}", s.PatientUpdate, h)
	g.Handle("/any/{id}", s.PatientPurge, h)
	rbac.HandleList(m, "GET /zeros", rbac.Action[patient]{}, func(http.ResponseWriter, *http.Request, rbac.Filter[patient]) { t.Error("the handler ran") })
	m.Public("GET /public", "", http.NotFoundHandler())
	m.SignedIn("GET /me", "", http.NotFoundHandler())
	err := m.Err()
	for _, want := range []string{
		"GET /zero: the policy does not list", "GET /unlisted: the policy does not list", "GET /zeros: the policy does not list",
		"GET /write/{id}: its action writes", "/any/{id}: its action writes",
		"GET /public: no reason why it is public", "GET /me: no reason why it is signed_in",
	} {
		require.ErrorContains(t, err, want)
	}
	s.mux = m
	s.own.Link(clinic, "adam", "p1", time.Time{})
	s.grant(t, "adam", "therapist")
	for _, path := range []string{"/zero", "/unlisted", "/zeros", "/write/p1", "/any/p1", "/public", "/me"} {
		require.Equal(t, 503, s.ask(t, ptr(staff("adam")), "GET", path, nil).Code, path)
	}
	for name, f := range map[string]func(){
		"no authorizer": func() { rbac.NewMux(nil, nil) },
		"twice":         func() { g.Handle("GET /zero", s.PatientRead, h) },
		"no handler":    func() { g.Handle("GET /a", s.PatientRead, nil) },
		"no load":       func() { rbac.For[patient](m, nil).Handle("GET /b", s.PatientRead, h) },
		"no list":       func() { rbac.HandleList[patient](m, "GET /c", s.PatientRead, nil) },
		"no public":     func() { m.Public("GET /d", "x", nil) },
		"no signed in":  func() { m.SignedIn("GET /e", "x", nil) },
	} {
		require.Panics(t, f, name)
	}
}

func TestRoutesGolden(t *testing.T) {
	t.Parallel()
	rbactest.Routes(t, newSite(t, nil).mux, "testdata/routes.golden")
}

func TestDenialMatrix(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.served = func(*http.Request) { t.Error("a handler ran") }
	rbactest.DenialMatrix(t, rbactest.Matrix{Mux: s.mux, Store: s.store, Tenant: clinic, Fill: map[string]string{"id": "p1"}})
}
