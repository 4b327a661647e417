package bench_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionsql"
)

const (
	clinic = audit.Tenant("clinic")
	ana    = audit.ActorID("p-ana")
)

// patient is a host's record with one sealed field.
type patient struct {
	ID   string   `phi:",row,patient"`
	Name phi.Text `phi:"name,class=name"`
}

func (p *patient) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: p.ID, Tenant: clinic, Patient: audit.Patient(p.ID)}
}

// stores are what a host keeps, but for its own rows.
type stores struct {
	audit   audit.Store
	session session.Store
	rbac    rbac.Store
}

// host is a server with one guarded route, and a cookie of somebody who may use it.
type host struct {
	http.Handler
	cookie *http.Cookie
}

func newHost(tb testing.TB, s stores, reveal bool) host {
	tb.Helper()
	ctx := tb.Context()
	vault, err := phi.Open(ctx, "bench", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(tb, err)
	log, err := audit.New(s.audit, phi.NewSealer(vault), nil)
	require.NoError(tb, err)
	sessions, err := session.New(s.session, log, session.RemoteAddr, nil)
	require.NoError(tb, err)
	codec, err := phi.For[patient](vault, "patient")
	require.NoError(tb, err)
	sealed, err := codec.Seal(ctx, clinic, &patient{ID: "c-1", Name: phi.NewText("Ana Example")})
	require.NoError(tb, err)
	row := phi.Row{ID: "c-1", Cols: map[string]phi.Sealed{"name": sealed.Col("name")}}

	read := rbac.Define[*patient]("patient.read", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}, rbac.Verb(audit.Read), rbac.PHI())
	mux := rbac.NewMux(authorizer(tb, s.rbac, log, read), nil)
	load := func(ctx context.Context, _ *http.Request) (*patient, error) { return codec.Open(ctx, clinic, row) }
	rbac.For(mux, load).Handle("GET /patients/{id}", read, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[*patient]) {
		name := "hidden"
		if reveal {
			if name, err = g.Resource().Name.Reveal(r.Context()); err != nil {
				tb.Error(err)
			}
		}
		_, _ = io.WriteString(w, name)
	})
	require.NoError(tb, mux.Err())
	handler, err := audithttp.Hold(log, sessions.Handler(mux), nil)
	require.NoError(tb, err)

	token, err := sessions.Start(ctx, audit.Actor{ID: ana, Kind: audit.KindStaff, Tenant: clinic, AuthTime: time.Now(), Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2})
	require.NoError(tb, err)
	w := httptest.NewRecorder()
	sessions.SetCookie(w, token)
	return host{handler, w.Result().Cookies()[0]}
}

// authorizer lets ana read the patients she cares for, one of 50.
func authorizer(tb testing.TB, store rbac.Store, rec audit.Recorder, read rbac.Action[*patient]) *rbac.Authorizer {
	tb.Helper()
	care := rbac.NewMemoryRelation()
	care.Link(clinic, ana, "c-1", time.Time{})
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{read},
		Relations: rbac.Relations{Own: care},
		Roles: []rbac.Role{{
			Name: "therapist", Label: "Therapist", Allow: []rbac.Allow{rbac.In(rbac.Own, read)},
			Sight: map[phi.Class]phi.Level{phi.ClassName: phi.Full},
		}},
	})
	require.NoError(tb, err)
	z, err := rbac.New(policy, store, rec, nil)
	require.NoError(tb, err)
	_, err = z.Grant(audit.WithActor(tb.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: ana, Role: "therapist"})
	require.NoError(tb, err)
	return z
}

// ask sends one request and fails unless it was answered.
func (h host) ask(tb testing.TB, w *httptest.ResponseRecorder) {
	r := httptest.NewRequest(http.MethodGet, "/patients/c-1", http.NoBody)
	r.AddCookie(h.cookie)
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		tb.Fatal(w.Code, w.Body)
	}
}

func memory(testing.TB) stores {
	return stores{audit.NewMemory(), session.NewMemory(), rbac.NewMemory()}
}

func sqlite(tb testing.TB) stores {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(tb.TempDir(), "bench.db"))+
		"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	a, err := auditsql.SQLite(db)
	require.NoError(tb, err)
	s, err := sessionsql.SQLite(db)
	require.NoError(tb, err)
	z, err := rbacsql.SQLite(db)
	require.NoError(tb, err)
	for _, migrate := range []func(context.Context) error{a.Migrate, s.Migrate, z.Migrate} {
		require.NoError(tb, migrate(tb.Context()))
	}
	return stores{a, s, z}
}

// The route answers what it shall, or the numbers mean nothing.
func TestTheGuardedRouteWorks(t *testing.T) {
	for name, open := range map[string]func(testing.TB) stores{"memory": memory, "sqlite": sqlite} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, open(t), true)
			w := httptest.NewRecorder()
			h.ask(t, w)
			require.Equal(t, "Ana Example", w.Body.String())
			w = httptest.NewRecorder()
			h.cookie = &http.Cookie{Name: "none", Value: "none"}
			r := httptest.NewRequest(http.MethodGet, "/patients/c-1", http.NoBody)
			h.ServeHTTP(w, r)
			require.Equal(t, http.StatusUnauthorized, w.Code)
		})
	}
}

// BenchmarkGuardedRequest is a whole request: held, session looked up, decided, the record
// opened and, with "reveal", one field decrypted, and the event durable before the answer.
// "sqlite" waits for the disk, alone and with many requests sharing a commit.
func BenchmarkGuardedRequest(b *testing.B) {
	for _, c := range []struct {
		name     string
		open     func(testing.TB) stores
		reveal   bool
		parallel int
	}{
		{"memory", memory, false, 0},
		{"memory reveal", memory, true, 0},
		{"sqlite reveal", sqlite, true, 0},
		{"sqlite reveal, 64 at once", sqlite, true, 64},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newHost(b, c.open(b), c.reveal)
			r := httptest.NewRequest(http.MethodGet, "/patients/c-1", http.NoBody)
			r.AddCookie(h.cookie)
			b.ReportAllocs()
			if c.parallel > 0 {
				b.SetParallelism(c.parallel)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						h.ask(b, httptest.NewRecorder())
					}
				})
				return
			}
			w := sink{http.Header{}}
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// sink is a response writer that costs nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) WriteHeader(int)             {}
func (s sink) Write(p []byte) (int, error) { return len(p), nil }
