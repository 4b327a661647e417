package rbactest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Matrix says what DenialMatrix needs to know about a host.
type Matrix struct {
	Mux    *rbac.Mux
	Store  rbac.Store   // the store of the Mux's Authorizer
	Tenant audit.Tenant // whose resources Fill names
	// Fill holds, for the wildcards of the routes' paths, the ids of resources of Tenant that
	// are there: {"id": "p1"} for "/patients/{id}". A key may name the route: "GET /notes/{id} id".
	Fill map[string]string
	// Form is posted with every unsafe method. A field "reason" is added where there is none.
	Form url.Values
	// Insider is somebody of Tenant, with grants in Store, who may open one of the routes at least:
	// needed only where nobody may who holds every role and has nobody in their care.
	Insider *audit.Actor
}

// DenialMatrix asks for every guarded route as people who may not:
//
//   - not signed in: 401 or a redirect;
//   - signed in without a role, with every role of the policy but only from the year 9000 on,
//     with every role until a minute after 1970, and with every role revoked: 404 on resources,
//     403 on lists and tenant-level actions;
//   - with every role in another tenant: 404 on resources;
//   - another patient and a proxy of nobody, with every role for patients and proxies: 404 on
//     the resources that the path names, 403 on tenant-level actions.
//
// It asserts the status, and that the trail holds the denial and nothing else.
//
// A matrix in which everything is denied proves nothing. So it asks as people with every role in
// force, too, without running a handler: of every route with a resource one of them must get as far
// as to the record that Fill names, and one route at least must let somebody in.
//
// It writes grants into the store, past the rules for grants; use a store of the test's own.
func DenialMatrix(t *testing.T, m Matrix) {
	t.Helper()
	err := m.control(t.Context())
	if err != nil {
		t.Error(err)
	}
	err = m.each(t.Context(), func(r rbac.Route, p person, want []int) {
		t.Run(p.name+" "+r.Method+" "+r.Path, func(t *testing.T) {
			if err := m.ask(t.Context(), r, p, want); err != nil {
				t.Error(err)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Denials is DenialMatrix without a test: it returns every route that lets somebody in.
func Denials(ctx context.Context, m Matrix) error {
	var errs []error
	if err := m.control(ctx); err != nil {
		errs = append(errs, err)
	}
	err := m.each(ctx, func(r rbac.Route, p person, want []int) {
		if err := m.ask(ctx, r, p, want); err != nil {
			errs = append(errs, fmt.Errorf("%s %s %s: %w", p.name, r.Method, r.Path, err))
		}
	})
	return errors.Join(append(errs, err)...)
}

// each calls f for every cell of the matrix.
func (m Matrix) each(ctx context.Context, f func(r rbac.Route, p person, want []int)) error {
	people, err := m.people(ctx)
	if err != nil {
		return err
	}
	some := false
	for _, r := range m.Mux.Routes() {
		for _, p := range people {
			if want := p.expects(r); len(want) > 0 {
				f(r, p, want)
				some = true
			}
		}
	}
	if !some {
		return errors.New("rbactest: the Mux has no route that refuses anybody")
	}
	return nil
}

// person is a row of the matrix.
type person struct {
	name     string
	actor    audit.Actor
	life     rbac.Grant // when their grants are in force
	outsider bool       // they are, but not here
}

// expects returns the statuses that refuse p on a route, nil where p is let in.
func (p person) expects(r rbac.Route) []int {
	switch {
	case r.Guard == "public":
		return nil
	case p.actor.Kind == audit.KindAnonymous:
		return []int{http.StatusUnauthorized, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect}
	case r.Guard == "signed_in":
		return nil
	case p.outsider:
		return p.outside(r)
	case r.Guard == "action" && !r.TenantLevel:
		return []int{http.StatusNotFound}
	}
	return []int{http.StatusForbidden}
}

// outside is expects for who holds roles in force: their own lists and their own tenant's
// pages, and what the path does not name, may be theirs.
func (p person) outside(r rbac.Route) []int {
	switch {
	case r.Guard == "action" && !r.TenantLevel && (p.actor.Kind == audit.KindStaff || strings.Contains(r.Path, "{")):
		return []int{http.StatusNotFound}
	case r.TenantLevel && p.actor.Kind != audit.KindStaff:
		return []int{http.StatusForbidden}
	}
	return nil
}

func (m Matrix) people(ctx context.Context) ([]person, error) {
	if m.Store == nil {
		return nil, errors.New("rbactest: Matrix.Store is required")
	}
	people := []person{
		{name: "anonymous", actor: audit.Anonymous(m.Tenant, netip.MustParseAddr("192.0.2.1"))},
		{name: "role-less", actor: somebody("roleless", audit.KindStaff, m.Tenant)},
		{name: "not yet", actor: somebody("not-yet", audit.KindStaff, m.Tenant), life: rbac.Grant{From: time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{name: "expired", actor: somebody("expired", audit.KindStaff, m.Tenant), life: rbac.Grant{Until: time.Unix(60, 0).UTC()}},
		{name: "revoked", actor: somebody("revoked", audit.KindStaff, m.Tenant), life: rbac.Grant{Ended: time.Unix(60, 0).UTC(), EndedBy: "rbactest"}},
		{name: "wrong tenant", actor: somebody("foreigner", audit.KindStaff, m.Tenant+"-rbactest"), outsider: true},
		{name: "other patient", actor: somebody("patient", audit.KindPatient, m.Tenant), outsider: true},
		{name: "proxy of nobody", actor: somebody("proxy", audit.KindProxy, m.Tenant), outsider: true},
	}
	for _, p := range people[2:] {
		if err := m.grantAll(ctx, p); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// somebody is a person of the matrix.
func somebody(id audit.ActorID, kind audit.Kind, tenant audit.Tenant) audit.Actor {
	return audit.Actor{ID: "rbactest-" + id, Kind: kind, Tenant: tenant, Assurance: audit.AAL3, AuthTime: time.Now(), Session: "rbactest"}
}

// grantAll gives a person every role that their kind can hold, for their time.
func (m Matrix) grantAll(ctx context.Context, p person) error {
	var c rbac.Change
	for _, role := range m.Mux.Authorizer().Policy().Roles() {
		if role.Kind != p.actor.Kind || role.Name == rbac.Suspended {
			continue
		}
		g := p.life
		g.ID, g.Tenant, g.Person, g.Role = audit.NewID(time.Now()), p.actor.Tenant, p.actor.ID, role.Name
		g.Practices, g.Locations, g.Queues = []rbac.PracticeID{"rbactest"}, []rbac.LocationID{"rbactest"}, []rbac.QueueID{"rbactest"}
		g.By, g.Source, g.Created = "rbactest", rbac.SourceSetUp, time.Unix(0, 0).UTC()
		c.Add = append(c.Add, g)
	}
	v, err := m.Store.Version(ctx, p.actor.Tenant)
	if err == nil {
		err = m.Store.Apply(ctx, p.actor.Tenant, v, c)
	}
	if err != nil {
		return fmt.Errorf("rbactest: granting roles: %w", err)
	}
	return nil
}

// ask sends one request and looks at the answer and at the trail.
func (m Matrix) ask(ctx context.Context, r rbac.Route, p person, want []int) error {
	req, err := m.request(r)
	if err != nil {
		return err
	}
	rec := &recorder{}
	ctx, trail := audit.WithTrail(audit.WithActor(ctx, p.actor), rec, audit.Event{})
	w := httptest.NewRecorder()
	m.Mux.ServeHTTP(w, req.WithContext(ctx))
	if err := trail.Flush(ctx); err != nil {
		return err
	}
	if !slices.Contains(want, w.Code) {
		return fmt.Errorf("rbactest: status %d, want one of %v", w.Code, want)
	}
	if len(rec.events) == 0 {
		return errors.New("rbactest: nothing was recorded")
	}
	for _, e := range rec.events {
		if e.Outcome == audit.Success || e.Code == "" {
			return fmt.Errorf("rbactest: recorded %s with outcome %d and code %q", e.Action, e.Outcome, e.Code)
		}
	}
	return nil
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
