package rbactest_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// mux has one guarded route of each kind.
func mux(t testing.TB) *rbac.Mux {
	t.Helper()
	m, _ := muxOver(t, rbac.NewMemory())
	return m
}

func muxOver(t testing.TB, store rbac.Store) (*rbac.Mux, rbac.Store) {
	t.Helper()
	read := rbac.Define[chart]("chart.read", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}, rbac.Verb(audit.Read))
	purge := rbac.Define[chart]("chart.purge", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}, rbac.Verb(audit.Delete), rbac.NeedReason())
	team := rbac.Define[rbac.InTenant]("team.open", rbac.Columns{})
	own := rbac.NewMemoryRelation()
	own.Link("clinic-rbactest", "rbactest-foreigner", "c1", time.Time{})
	p, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{read, purge, team},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Admin", Rank: 2, Allow: []rbac.Allow{rbac.In(rbac.Tenant, read, purge, team)}},
			{Name: "therapist", Label: "Therapist", Rank: 1, Allow: []rbac.Allow{rbac.In(rbac.Own, read)}},
			{Name: "patient", Label: "Patient", Rank: 0, Kind: audit.KindPatient, Allow: []rbac.Allow{rbac.In(rbac.Self, read)}},
		},
		Relations: rbac.Relations{Own: own, Self: rbac.NewMemoryRelation()},
	})
	require.NoError(t, err)
	z, err := rbac.New(p, store, audit.Discard{}, nil)
	require.NoError(t, err)
	m := rbac.NewMux(z, nil)
	charts := rbac.For(m, func(_ context.Context, r *http.Request) (chart, error) {
		if r.PathValue("id") != "c1" {
			return chart{}, rbac.ErrNotFound
		}
		return chart{"c1", "clinic"}, nil
	})
	reached := func(http.ResponseWriter, *http.Request, rbac.Granted[chart]) { t.Error("a handler ran") }
	charts.Handle("GET /charts/{id}", read, reached)
	charts.Handle("POST example.com/charts/{id}/purge", purge, reached)
	rbac.HandleList(m, "GET /charts/{$}", read, func(http.ResponseWriter, *http.Request, rbac.Filter[chart]) { t.Error("a list ran") })
	rbac.For(m, rbac.TenantOf).Handle("/team", team, func(http.ResponseWriter, *http.Request, rbac.Granted[rbac.InTenant]) {
		t.Error("a handler ran")
	})
	m.SignedIn("POST /sign-out", "everybody may leave", http.NotFoundHandler())
	m.Public("GET /healthz", "liveness", http.NotFoundHandler())
	return m, store
}

func fill() map[string]string { return map[string]string{"id": "c1"} }

func TestDenialMatrix(t *testing.T) {
	t.Parallel()
	m, store := muxOver(t, rbac.NewMemory())
	rbactest.DenialMatrix(t, rbactest.Matrix{Mux: m, Store: store, Tenant: "clinic", Fill: fill()})
}

// forgetful is a store that hands out grants without part of their life.
type forgetful struct {
	rbac.Store
	forget func(g *rbac.Grant)
}

func (f forgetful) Grants(ctx context.Context, t audit.Tenant, person audit.ActorID) (out []rbac.Grant, err error) {
	for g, err := range f.List(ctx, t, "") {
		if err != nil {
			return nil, err
		}
		f.forget(&g)
		if g.Person == person && g.Ended.IsZero() {
			out = append(out, g)
		}
	}
	return out, nil
}

// Each person of the matrix sees a mistake that nobody else does.
func TestDenialsSeesMistakes(t *testing.T) {
	t.Parallel()
	read := rbac.Define[chart]("chart.read", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}, rbac.Verb(audit.Read))
	roles := []rbac.Role{
		{Name: "admin", Label: "Admin", Rank: 2, Allow: []rbac.Allow{rbac.In(rbac.Tenant, read)}},
		{Name: "patient", Label: "Patient", Rank: 1, Kind: audit.KindPatient, Allow: []rbac.Allow{rbac.In(rbac.Self, read)}},
		{Name: "family", Label: "Family", Rank: 0, Kind: audit.KindProxy, Allow: []rbac.Allow{rbac.In(rbac.Self, read)}},
	}
	row := func(_ audit.Actor, id string) chart { return chart{id, "clinic"} }
	whole := func(*rbac.Grant) {}
	for name, mistake := range map[string]struct {
		row    func(a audit.Actor, id string) chart
		forget func(g *rbac.Grant)
	}{
		"wrong tenant":    {func(a audit.Actor, id string) chart { return chart{id, a.Tenant} }, whole},
		"not yet":         {row, func(g *rbac.Grant) { g.From = time.Time{} }},
		"expired":         {row, func(g *rbac.Grant) { g.Until = time.Time{} }},
		"revoked":         {row, func(g *rbac.Grant) { g.Ended = time.Time{} }},
		"other patient":   {row, whole},
		"proxy of nobody": {row, whole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			relations := rbac.NewMemoryRelation()
			switch name {
			case "other patient":
				relations.Link("clinic", "rbactest-patient", "c1", time.Time{})
			case "proxy of nobody":
				relations.Link("clinic", "rbactest-proxy", "c1", time.Time{})
			}
			policy, err := rbac.Compile(rbac.Rules{Actions: []rbac.AnyAction{read}, Roles: roles, Relations: rbac.Relations{Self: relations}})
			require.NoError(t, err)
			store := rbac.NewMemory()
			z, err := rbac.New(policy, forgetful{store, mistake.forget}, audit.Discard{}, nil)
			require.NoError(t, err)
			m := rbac.NewMux(z, nil)
			rbac.For(m, func(ctx context.Context, r *http.Request) (chart, error) {
				a, _ := audit.ActorFrom(ctx)
				return mistake.row(a, r.PathValue("id")), nil
			}).Handle("GET /charts/{id}", read, func(http.ResponseWriter, *http.Request, rbac.Granted[chart]) {})
			err = rbactest.Denials(t.Context(), rbactest.Matrix{Mux: m, Store: store, Tenant: "clinic", Fill: fill()})
			require.EqualError(t, err, name+" GET /charts/{id}: rbactest: status 200, want one of [404]")
		})
	}
}

func TestDenialsNeedsToKnowTheHost(t *testing.T) {
	t.Parallel()
	m, store := muxOver(t, rbac.NewMemory())
	err := rbactest.Denials(t.Context(), rbactest.Matrix{Mux: m, Store: store, Tenant: "clinic"})
	require.ErrorContains(t, err, `Matrix.Fill has no "id"`)
	err = rbactest.Denials(t.Context(), rbactest.Matrix{Mux: m, Tenant: "clinic", Fill: fill()})
	require.ErrorContains(t, err, "Matrix.Store is required")
}

func TestUnguardedSeesForgottenRoutes(t *testing.T) {
	t.Parallel()
	routes := func(pairs ...string) iter.Seq2[string, string] {
		return func(yield func(string, string) bool) {
			for i := 0; i < len(pairs); i += 2 {
				if !yield(pairs[i], pairs[i+1]) {
					return
				}
			}
		}
	}
	complaints := func(pairs ...string) string {
		return complains(t, func(tb testing.TB) { rbactest.Unguarded(tb, mux(tb), routes(pairs...)) })
	}
	require.Empty(t, complaints("GET", "/charts/{id:[0-9]+}", "get", "/charts/:id", "HEAD", "/charts/{id}", "GET", "/charts/{$}", "PUT", "/team", "", "/team", "POST", "/sign-out"))
	for _, forgotten := range [][]string{
		{"POST", "/charts/{id}"},
		{"", "/charts/{id}"},
		{"*", "/sign-out"},
		{"HEAD", "/sign-out"},
		{"GET", "/charts/*"},
		{"GET", "/charts/{rest...}"},
		{"GET", "/charts/{id}/notes"},
		{"GET", "/teams"},
		{"GET", "/charts"},
		{"GET", "/charts/"}, // for net/http everything below
		{"", "/"},
		{"GET", "/*"},
	} {
		require.Contains(t, complaints(forgotten...), "no guard decides", forgotten)
	}
	require.NotEmpty(t, complaints(), "a router without routes")
}

func TestRoutesSeesDifferences(t *testing.T) {
	t.Parallel()
	golden := filepath.Join(t.TempDir(), "routes.golden")
	require.NotEmpty(t, complains(t, func(tb testing.TB) { rbactest.Routes(tb, mux(tb), golden) }), "no file")
	text := ""
	for _, r := range mux(t).Routes() {
		text += r.String() + "\n"
	}
	require.NoError(t, os.WriteFile(golden, []byte(text), 0o600))
	require.Empty(t, complains(t, func(tb testing.TB) { rbactest.Routes(tb, mux(tb), golden) }))
	require.NotEmpty(t, complains(t, func(tb testing.TB) {
		m := mux(tb)
		m.Public("GET /new", "nobody looked", http.NotFoundHandler())
		rbactest.Routes(tb, m, golden)
	}), "a new route")
	require.NotEmpty(t, complains(t, func(tb testing.TB) {
		m := mux(tb)
		m.Public("GET /new", "", http.NotFoundHandler())
		rbactest.Routes(tb, m, golden)
	}), "a route that cannot be")
}

// A matrix in which everything is denied proves nothing.
func TestDenialsNeedsSomebodyWhoIsLetIn(t *testing.T) {
	t.Parallel()
	read := rbac.Define[chart]("chart.read", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}, rbac.Verb(audit.Read))
	care := rbac.NewMemoryRelation()
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{read},
		Roles:     []rbac.Role{{Name: "therapist", Label: "Therapist", Allow: []rbac.Allow{rbac.In(rbac.Own, read)}}},
		Relations: rbac.Relations{Own: care},
	})
	require.NoError(t, err)
	matrix := func(id string, load error) rbactest.Matrix {
		store := rbac.NewMemory()
		z, err := rbac.New(policy, store, audit.Discard{}, nil)
		require.NoError(t, err)
		m := rbac.NewMux(z, &rbac.HTTPOptions{Alarm: func(*http.Request, error) {}})
		rbac.For(m, func(_ context.Context, r *http.Request) (chart, error) {
			if r.PathValue("id") != "c1" {
				return chart{}, rbac.ErrNotFound
			}
			return chart{"c1", "clinic"}, load
		}).Handle("GET /charts/{id}", read, func(http.ResponseWriter, *http.Request, rbac.Granted[chart]) { t.Error("a handler ran") })
		return rbactest.Matrix{Mux: m, Store: store, Tenant: "clinic", Fill: map[string]string{"id": id}}
	}
	require.ErrorContains(t, rbactest.Denials(t.Context(), matrix("c2", nil)), "GET /charts/{id}: nobody gets as far as to a record")
	require.ErrorContains(t, rbactest.Denials(t.Context(), matrix("c1", nil)), "no route lets anybody in")
	require.ErrorContains(t, rbactest.Denials(t.Context(), matrix("c1", errors.New("connection refused"))), "undecided")
	care.Link("clinic", "ana", "c1", time.Time{})
	m := matrix("c1", nil)
	m.Insider = &audit.Actor{ID: "ana", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2}
	require.ErrorContains(t, rbactest.Denials(t.Context(), m), "no route lets anybody in", "she has no role")
	m = matrix("c1", nil)
	m.Insider = &audit.Actor{ID: "ana", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2}
	_, err = m.Mux.Authorizer().Grant(audit.WithActor(t.Context(), audit.System("clinic", "setup")), rbac.Grant{Person: "ana", Role: "therapist"})
	require.NoError(t, err)
	require.NoError(t, rbactest.Denials(t.Context(), m))
}

// A matrix over nothing proves nothing.
func TestDenialsNeedsARouteThatRefuses(t *testing.T) {
	t.Parallel()
	z, err := rbac.New(&rbac.Policy{}, rbac.NewMemory(), audit.Discard{}, nil)
	require.NoError(t, err)
	m := rbac.NewMux(z, nil)
	matrix := rbactest.Matrix{Mux: m, Store: rbac.NewMemory(), Tenant: "clinic"}
	require.Error(t, rbactest.Denials(t.Context(), matrix))
	m.Public("GET /", "the front page", http.NotFoundHandler())
	require.Error(t, rbactest.Denials(t.Context(), matrix))
}
