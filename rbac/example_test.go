package rbac_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// Chart is a host's own type.
type Chart struct {
	ID     string
	Tenant audit.Tenant
}

// RBAC says where the chart belongs: here a chart is about the patient of the same id.
func (c Chart) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: c.ID, Tenant: c.Tenant, Patient: audit.Patient(c.ID)}
}

// must keeps the examples short.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newChartHouse returns actions on charts, and an Authorizer by whose policy a therapist reads
// and reveals the charts of own patients, and an admin manages the team.
func newChartHouse() (read, reveal rbac.Action[Chart], team rbac.Action[rbac.InTenant], z *rbac.Authorizer) {
	columns := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}
	read = rbac.Define[Chart]("chart.read", columns, rbac.Verb(audit.Read), rbac.PHI())
	reveal = rbac.Define[Chart]("chart.reveal_ssn", columns, rbac.Verb(audit.Read), rbac.PHI(), rbac.NeedReason(), rbac.Reveals(phi.ClassSSN))
	team = rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{})

	care := rbac.NewMemoryRelation() // rbacsql.TableRelation over a table of the host
	care.Link("clinic", "ana", "c1", time.Time{})
	policy := must(rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{read, reveal, team},
		Relations: rbac.Relations{Own: care},
		Roles: []rbac.Role{
			{
				Name: "admin", Label: "Clinic Admin", Rank: 100, Seat: true,
				Allow: []rbac.Allow{rbac.In(rbac.Tenant, team)},
			},
			{
				Name: "therapist", Label: "Therapist", Rank: 50, Seat: true,
				Allow: []rbac.Allow{rbac.In(rbac.Own, read, reveal)},
				Sight: map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassSSN: phi.Mask},
			},
		},
	}))
	z = must(rbac.New(policy, rbac.NewMemory(), audit.Discard{}, nil))
	setup := audit.WithActor(context.Background(), audit.System("clinic", "setup"))
	must(z.Grant(setup, rbac.Grant{Person: "ana", Role: "therapist"}))
	must(z.Grant(setup, rbac.Grant{Person: "adam", Role: "admin"}))
	return read, reveal, team, z
}

// signedIn is what audithttp.Hold and the session's handler do for a request.
func signedIn(id audit.ActorID) context.Context {
	ctx, _ := audit.WithTrail(context.Background(), audit.Discard{}, audit.Event{})
	return audit.WithActor(ctx, signedInAs(id))
}

func signedInAs(id audit.ActorID) audit.Actor {
	return audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2}
}

func ExampleCheck() {
	read, _, _, z := newChartHouse()
	for _, c := range []Chart{{"c1", "clinic"}, {"c2", "clinic"}, {"c1", "elsewhere"}} {
		d, err := rbac.Check(signedIn("ana"), z, read, c)
		fmt.Println(d.Allowed, d.Code, d.Scope, err)
	}
	// Output:
	// true allowed own <nil>
	// false out_of_scope nothing <nil>
	// false other_tenant nothing <nil>
}

func ExampleAuthorize() {
	read, reveal, _, z := newChartHouse()
	ctx := signedIn("ana")
	_, err := rbac.Authorize(ctx, z, reveal, Chart{"c1", "clinic"})
	fmt.Println(err)

	ctx = rbac.WithReason(ctx, "the insurer asks for it")
	g, err := rbac.Authorize(ctx, z, reveal, Chart{"c1", "clinic"})
	sight, _ := phi.SightFrom(g.Context(ctx))
	fmt.Println(g.Resource().ID, g.Allows(reveal), g.Allows(read), sight.Level(phi.ClassSSN), err)
	// Output:
	// rbac: denied: a reason is needed
	// c1 true false full <nil>
}

func ExampleVisible() {
	read, _, _, z := newChartHouse()
	f, err := rbac.Visible(signedIn("ana"), z, read)
	if err != nil {
		fmt.Println(err)
		return
	}
	where, args := f.SQL(rbac.Postgres, "c", 1)
	fmt.Println("SELECT c.id FROM chart c WHERE " + where)
	fmt.Println(args...)
	ok, err := f.Match(signedIn("ana"), Chart{"c2", "clinic"})
	fmt.Println(ok, err)
	// Output:
	// SELECT c.id FROM chart c WHERE (c.tenant = $1 AND (c.id <> '' AND c.id = $2))
	// clinic c1
	// false <nil>
}

func ExampleTableRelation() {
	care := rbac.TableRelation{
		Table: "care_team", Tenant: "tenant", Subject: "therapist", Object: "patient", Until: "until_at",
	}
	args := rbac.NewArgs(rbac.SQLite, 1)
	fmt.Println(care.SQL(args, "p.id", "clinic", "ana", time.Unix(1, 0)))
	fmt.Println(args.Values()...)
	// Output:
	// p.id IN (SELECT care_team.patient FROM care_team WHERE care_team.tenant = ? AND care_team.therapist = ? AND (COALESCE(care_team.until_at, 0) = 0 OR care_team.until_at > ?))
	// clinic ana 1000000
}

func ExampleMay() {
	_, _, _, z := newChartHouse()
	may, err := rbac.May(signedIn("ana"), z, Chart{"c1", "clinic"})
	fmt.Println(may.Has("chart.read"), may.Has("chart.reveal_ssn"), err)
	may, err = rbac.May(signedIn("adam"), z, Chart{"c1", "clinic"})
	fmt.Println(may.Has("chart.read"), may.Has("chart.reveal_ssn"), err)
	// Output:
	// true true <nil>
	// false false <nil>
}

func ExampleAuthorizer_Revoke() {
	read, _, _, z := newChartHouse()
	admin := signedIn("adam")
	g, err := z.Grant(admin, rbac.Grant{Person: "ben", Role: "therapist", Until: time.Now().Add(24 * time.Hour), Why: "holiday_cover"})
	fmt.Println(g.By, err)
	holds, _ := rbac.Holds(signedIn("ben"), z, read)
	fmt.Println(holds)

	fmt.Println(z.Revoke(admin, "ben", g.ID))
	holds, _ = rbac.Holds(signedIn("ben"), z, read)
	fmt.Println(holds)
	// Output:
	// adam <nil>
	// true
	// <nil>
	// false
}

func ExampleCompile() {
	read, _, _, _ := newChartHouse()
	_, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{read, rbac.Define[Chart]("chart.purge", rbac.Columns{}, rbac.Destructive())},
		Roles:   []rbac.Role{{Name: "patient", Label: "Patient", Kind: audit.KindPatient, Allow: []rbac.Allow{rbac.In(rbac.Tenant, read)}}},
	})
	fmt.Println(err)
	// Output:
	// rbac: policy refused:
	// action chart.purge: destructive without a reason
	// action chart.purge: columns ID and Tenant are required
	// role patient: a role of patients or proxies reaches no further than self, proxy, author and relations of its own
	// action chart.purge: no role grants it
}

func ExamplePresets() {
	columns := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}
	actions := []rbac.AnyAction{
		rbac.Define[Chart]("chart.read", columns, rbac.Verb(audit.Read), rbac.InCategory(rbac.Demographics)),
		rbac.Define[Chart]("note.write", columns, rbac.Verb(audit.Update), rbac.InCategory(rbac.Notes)),
		rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{}, rbac.InCategory(rbac.Users)),
	}
	policy := must(rbac.Compile(rbac.Rules{
		Actions: actions, Roles: rbac.Presets(actions, nil), Relations: rbac.Relations{Own: rbac.NewMemoryRelation()},
	}))
	for _, r := range policy.Roles() {
		fmt.Println(r.Label, r.Sight[phi.ClassSSN], r.Sight[phi.ClassClinical])
	}
	fmt.Println(policy.Label("therapist", "clinic_admin"))
	// Output:
	// Clinic Admin mask hide
	// Therapist mask full
	// Finance hide hide
	// Front Desk mask hide
	// Clinic Admin
}

// A route that creates: the load function returns the record as it would be, the rule looks at
// whose patient it is about, and the handler checks the rest of the form.
func ExampleGuard_Handle() {
	columns := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}
	open := rbac.Define[Chart]("chart.open", columns, rbac.Verb(audit.Create), rbac.PHI())
	care := rbac.NewMemoryRelation()
	care.Link("clinic", "ana", "c1", time.Time{})
	policy := must(rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{open},
		Relations: rbac.Relations{Own: care},
		Roles:     []rbac.Role{{Name: "therapist", Label: "Therapist", Allow: []rbac.Allow{rbac.In(rbac.Own, open)}}},
	}))
	rec := audittest.NewRecorder() // an audit.Log in a program
	z := must(rbac.New(policy, rbac.NewMemory(), rec, nil))
	must(z.Grant(audit.WithActor(context.Background(), audit.System("clinic", "setup")), rbac.Grant{Person: "ana", Role: "therapist"}))

	mux := rbac.NewMux(z, nil)
	form := func(ctx context.Context, r *http.Request) (Chart, error) {
		a, _ := audit.ActorFrom(ctx)
		return Chart{ID: r.PostFormValue("patient"), Tenant: a.Tenant}, nil
	}
	rbac.For(mux, form).Handle("POST /charts", open, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[Chart]) {
		if r.PostFormValue("title") == "" { // allowed, but nothing was opened: a second event says so
			err := audit.Decide(r.Context(), audit.Event{
				Action: open.Name(), Verb: audit.Create, Outcome: audit.MinorFailure, Code: "no_title",
				Objects: []audit.Object{{Type: "chart", ID: g.Resource().ID}},
			})
			if err != nil {
				http.Error(w, "not available", http.StatusServiceUnavailable)
				return
			}
			http.Error(w, "a title is missing", http.StatusUnprocessableEntity)
			return
		}
		fmt.Fprint(w, "opened ", g.Resource().ID) // a store's method would take g
	})
	server := must(audithttp.Hold(rec, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(audit.WithActor(r.Context(), signedInAs("ana")))) // session does this
	}), nil))

	for _, body := range []string{"patient=c1&title=first", "patient=c2&title=first", "patient=c1"} {
		r := httptest.NewRequest(http.MethodPost, "/charts", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	for _, e := range rec.Find("chart.open") {
		fmt.Println(e.Outcome, e.Code, e.Objects[0].ID)
	}
	// Output:
	// 200 opened c1
	// 404 Not Found
	// 422 a title is missing
	// 0  c1
	// 8 out_of_scope c2
	// 0  c1
	// 4 no_title c1
}

func ExampleMux() {
	read, _, team, z := newChartHouse()
	mux := rbac.NewMux(z, nil)
	charts := rbac.For(mux, func(_ context.Context, r *http.Request) (Chart, error) {
		return Chart{r.PathValue("id"), "clinic"}, nil // a database would say rbac.ErrNotFound
	})
	charts.Handle("GET /charts/{id}", read, func(w http.ResponseWriter, _ *http.Request, g rbac.Granted[Chart]) {
		fmt.Fprint(w, "chart ", g.Resource().ID)
	})
	rbac.HandleList(mux, "GET /charts", read, func(http.ResponseWriter, *http.Request, rbac.Filter[Chart]) {})
	rbac.For(mux, rbac.TenantOf).Handle("POST /team", team, func(http.ResponseWriter, *http.Request, rbac.Granted[rbac.InTenant]) {})
	mux.Public("GET /healthz", "liveness, no data", http.NotFoundHandler())
	fmt.Println(mux.Err())
	for _, r := range mux.Routes() {
		fmt.Println(r)
	}

	sessions := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(audit.WithActor(r.Context(), signedInAs("ana"))))
	})
	server := must(audithttp.Hold(audit.Discard{}, sessions, nil))
	for _, path := range []string{"/charts/c1", "/charts/c2"} {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// <nil>
	// GET    /charts                                  list      chart.read phi
	// GET    /charts/{id}                             action    chart.read phi
	// GET    /healthz                                 public    "liveness, no data"
	// POST   /team                                    action    team.manage tenant-level
	// 200 chart c1
	// 404 Not Found
}
