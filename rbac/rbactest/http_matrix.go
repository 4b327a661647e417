package rbactest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Matrix says what DenialMatrix needs to know about a host.
type Matrix struct {
	Mux    *rbac.Mux
	Tenant audit.Tenant // whose resources Fill names
	// Fill holds, for the wildcards of the routes' paths, the ids of resources of Tenant that
	// are there: {"id": "p1"} for "/patients/{id}". A key may name the route: "GET /notes/{id} id".
	Fill map[string]string
	// Form is posted with every unsafe method. A field "reason" is added where there is none.
	Form url.Values
}

// DenialMatrix asks for every guarded route as people who may not: not signed in (401 or a
// redirect), signed in without a role, with every role of the policy but only from the year
// 9000 on, and with every role in another tenant (404 on resources, 403 on lists and on
// tenant-level actions, the latter two not asked in the other tenant, where they are allowed).
// It asserts the status, and that the trail holds the denial and nothing else.
//
// It writes grants into the mux's store; use a store of the test's own.
func DenialMatrix(t *testing.T, m Matrix) {
	t.Helper()
	people := m.people(t)
	for _, r := range m.Mux.Routes() {
		if r.Guard == "public" {
			continue
		}
		for _, p := range people {
			if want := p.expects(r); len(want) > 0 {
				t.Run(p.name+" "+r.Method+" "+r.Path, func(t *testing.T) { m.ask(t, r, p, want) })
			}
		}
	}
}

// person is a row of the matrix.
type person struct {
	name  string
	actor audit.Actor
}

// expects returns the statuses that refuse p on a route, nil where p is let in.
func (p person) expects(r rbac.Route) []int {
	anonymous := p.actor.Kind == audit.KindAnonymous
	switch {
	case anonymous:
		return []int{http.StatusUnauthorized, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect}
	case r.Guard == "signed_in":
		return nil
	case r.Guard == "action" && !r.TenantLevel:
		return []int{http.StatusNotFound}
	case p.name == "wrong tenant":
		return nil
	}
	return []int{http.StatusForbidden}
}

func (m Matrix) people(t *testing.T) []person {
	t.Helper()
	staff := func(id audit.ActorID, tenant audit.Tenant) audit.Actor {
		return audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL3, AuthTime: time.Now(), Session: "rbactest"}
	}
	people := []person{
		{"anonymous", audit.Anonymous(m.Tenant, netip.MustParseAddr("192.0.2.1"))},
		{"role-less", staff("rbactest-roleless", m.Tenant)},
		{"not yet", staff("rbactest-not-yet", m.Tenant)},
		{"wrong tenant", staff("rbactest-foreigner", m.Tenant+"-rbactest")},
	}
	m.grantAll(t, people[2].actor, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC))
	m.grantAll(t, people[3].actor, time.Time{})
	return people
}

// grantAll gives a person every role that staff can hold.
func (m Matrix) grantAll(t *testing.T, a audit.Actor, from time.Time) {
	t.Helper()
	z := m.Mux.Authorizer()
	ctx := audit.WithActor(t.Context(), audit.System(a.Tenant, "rbactest"))
	for _, role := range z.Policy().Roles() {
		if role.Kind != audit.KindStaff {
			continue
		}
		g := rbac.Grant{Person: a.ID, Role: role.Name, From: from}
		_, err := z.Grant(ctx, g)
		if err != nil { // a role with permissions in scope practice needs one
			g.Practices = []rbac.PracticeID{"rbactest"}
			_, err = z.Grant(ctx, g)
		}
		if err != nil {
			t.Fatalf("rbactest: granting %s: %v", role.Name, err)
		}
	}
}

// ask sends one request and looks at the answer and at the trail.
func (m Matrix) ask(t *testing.T, r rbac.Route, p person, want []int) {
	t.Helper()
	req, err := m.request(r)
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{}
	ctx, trail := audit.WithTrail(audit.WithActor(t.Context(), p.actor), rec, audit.Event{})
	w := httptest.NewRecorder()
	m.Mux.ServeHTTP(w, req.WithContext(ctx))
	if err := trail.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	refused := false
	for _, status := range want {
		refused = refused || w.Code == status
	}
	if !refused {
		t.Errorf("status %d, want one of %v", w.Code, want)
	}
	if len(rec.events) == 0 {
		t.Error("nothing was recorded")
	}
	for _, e := range rec.events {
		if e.Outcome == audit.Success || e.Code == "" {
			t.Errorf("recorded %s with outcome %d and code %q", e.Action, e.Outcome, e.Code)
		}
	}
}

// recorder keeps events for one request.
type recorder struct{ events []audit.Event }

func (r *recorder) Record(_ context.Context, events ...audit.Event) error {
	r.events = append(r.events, events...)
	return nil
}

// request fills a route's wildcards.
func (m Matrix) request(r rbac.Route) (*http.Request, error) {
	var missing error
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllStringFunc(r.Path, func(w string) string {
		name := strings.TrimSuffix(strings.Trim(w, "{}"), "...")
		if name == "$" {
			return ""
		}
		for _, key := range []string{r.Method + " " + r.Path + " " + name, name} {
			if v, ok := m.Fill[key]; ok {
				return url.PathEscape(v)
			}
		}
		missing = fmt.Errorf("rbactest: Matrix.Fill has no %q for %s", name, r.Path)
		return w
	})
	if missing != nil {
		return nil, missing
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	host, rest, _ := strings.Cut(path, "/")
	form := url.Values{"reason": {"the denial matrix asks"}}
	for k, v := range m.Form {
		form[k] = v
	}
	req := httptest.NewRequest(method, "/"+rest, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if host != "" {
		req.Host = host
	}
	return req, nil
}
