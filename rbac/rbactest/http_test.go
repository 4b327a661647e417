package rbactest_test

import (
	"context"
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
		},
		Relations: rbac.Relations{Own: own},
	})
	require.NoError(t, err)
	z, err := rbac.New(p, rbac.NewMemory(), audit.Discard{}, nil)
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
	return m
}

func TestDenialMatrix(t *testing.T) {
	t.Parallel()
	rbactest.DenialMatrix(t, rbactest.Matrix{Mux: mux(t), Tenant: "clinic", Fill: map[string]string{"id": "c1"}})
}

func TestDenialsSeesMistakes(t *testing.T) {
	t.Parallel()
	read := rbac.Define[chart]("chart.read", rbac.Columns{ID: "id", Tenant: "tenant"})
	p, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{read},
		Roles:   []rbac.Role{{Name: "admin", Label: "Admin", Allow: []rbac.Allow{rbac.In(rbac.Tenant, read)}}},
	})
	require.NoError(t, err)
	z, err := rbac.New(p, rbac.NewMemory(), audit.Discard{}, nil)
	require.NoError(t, err)
	m := rbac.NewMux(z, nil)
	rbac.For(m, func(ctx context.Context, r *http.Request) (chart, error) {
		a, _ := audit.ActorFrom(ctx)
		return chart{r.PathValue("id"), a.Tenant}, nil // the mistake: the tenant is not the row's
	}).Handle("GET /charts/{id}", read, func(http.ResponseWriter, *http.Request, rbac.Granted[chart]) {})
	err = rbactest.Denials(t.Context(), rbactest.Matrix{Mux: m, Tenant: "clinic", Fill: map[string]string{"id": "c1"}})
	require.ErrorContains(t, err, "wrong tenant GET /charts/{id}: rbactest: status 200")
	require.NotContains(t, err.Error(), "anonymous")

	err = rbactest.Denials(t.Context(), rbactest.Matrix{Mux: m, Tenant: "clinic"})
	require.ErrorContains(t, err, `Matrix.Fill has no "id"`)
	require.NoError(t, rbactest.Denials(t.Context(), rbactest.Matrix{Mux: mux(t), Tenant: "clinic", Fill: map[string]string{"id": "c1"}}))
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
