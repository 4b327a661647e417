package main

import (
	"cmp"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// wanderer is somebody who follows every link and sends every form that a page shows.
type wanderer struct {
	t      *testing.T
	role   string
	person *person
	routes []rbac.Route
	routed map[string]*regexp.Regexp // the paths of routes
	shown  map[string]int            // how often each route was shown and answered
	opened map[string]int            // the same, by what its address asks
	seen   map[string]bool
	todo   []string
}

// enough is how many pages of one kind somebody opens.
const enough = 2

// TestWhatIsShownIsAllowed walks all pages as everybody of the team: nothing that they show is refused, and what
// they do not show is refused when it is asked for all the same. Nothing is shown to nobody.
func TestWhatIsShownIsAllowed(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: one request at a time finds no races")
	}
	t.Parallel()
	o := &office{story: tell(t, "-data", t.TempDir())}
	people, fill := o.castAll(t)
	all, shown, routed := routes(t), map[string][]string{}, map[string]*regexp.Regexp{}
	for _, role := range slices.Sorted(maps.Keys(people)) {
		w := &wanderer{t: t, role: role, person: people[role], routes: all, routed: routed, shown: map[string]int{}, opened: map[string]int{}, seen: map[string]bool{}, todo: []string{"/dashboard"}}
		w.wander()
		require.Greater(t, len(w.shown), 3, "%s saw next to nothing", role)
		for route := range w.shown {
			shown[route] = append(shown[route], role)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(people)) {
		o.hidden(t, role, people[role], all, fill, shown)
	}
	for _, route := range all {
		if guarded(route) && !needsState(route) {
			require.NotEmpty(t, shown[route.Method+" "+route.Path], "%s %s is shown to nobody", route.Method, route.Path)
		}
	}
}

// castAll signs in somebody of every role, once the clinic lets everybody delete what it may let them.
func (o *office) castAll(t *testing.T) (map[string]*person, map[string]string) {
	t.Helper()
	people := map[string]*person{}
	for role, email := range map[string]string{"clinic_admin": alma, "therapist": tom, "front_desk": iris, "finance": paul} {
		people[role] = o.enter()
		people[role].signIn(email, demoPassword)
	}
	o.enter().signIn(nad, demoPassword) // to whose account the others do what they may
	o.alma = people["clinic_admin"]
	for _, role := range []string{"clinic_admin_full", "privacy_officer", "manager", "records_custodian", "nurse", "auditor"} {
		people[role] = o.enter()
		people[role].joins(o.alma, "Robin "+strings.ReplaceAll(role, "_", " "), role+"@example.com", role)
	}
	all := o.alma.get("/roles/deleting").links(`name="on" value="([^"]+)"`)
	require.Len(t, all, 8)
	_, saved := o.switches(t, all...)
	require.Equal(t, "/roles/deleting?done=choices", saved.path)
	patient := strings.TrimPrefix(people["therapist"].patient(demoPatient(0).Email), "/patients/")
	at := people["therapist"].get("/patients/" + patient)
	people["front_desk"].reported(url.Values{"kind": {"other"}, "text": {"A letter lies at the wrong desk."}})
	return people, map[string]string{
		"patient": patient, "claim": strings.TrimPrefix(people["finance"].claim("/patients/"+patient), "/claims/"),
		"incident": strings.TrimPrefix(o.alma.get("/incidents").links(incidentLink)[0], "/incidents/"),
		"letter":   at.match(t, `href="/letters/([^"]+)"`), "form": at.match(t, `href="/forms/([^"]+)"`),
		"member": nadiaID, "session": "nobodys", "program": "nobodys", "key": "nobodys", "passkey": "nobodys", "browser": "nobodys", "change": "nothing", "step": "nothing", "event": o.alma.get("/audit").links(eventLink)[0],
	}
}

// guarded reports whether a role decides about a route.
func guarded(r rbac.Route) bool { return r.Guard == "action" || r.Guard == "list" }

// needsState reports whether a route is shown only in a state that the walk does not make for
// everybody: a note in the making, a phone that was not taken away yet, a program, a patient without access to
// the portal, with it, with a phone, a program with a key, an audit that was tampered with, a finding, an access review, old events, a patient whose time is over, a request of the platform. A patient’s own pages, and an operator’s, are no pages of the team’s.
func needsState(r rbac.Route) bool {
	return slices.Contains([]string{"/patients/{patient}/note/lock", "/patients/{patient}/note/discard", "/team/{member}/reset-factor", "/settings/controls/withdraw", "/patients/{patient}/destroy", "/audit/proof/tamper", "/audit/proof/undo"}, r.Path) ||
		strings.HasPrefix(r.Path, "/patients/{patient}/emergency") || strings.HasPrefix(r.Path, "/emergencies/{") || // somebody opened a patient in an emergency
		strings.HasPrefix(r.Path, "/settings/retention/purges") || strings.HasPrefix(r.Path, "/audit/review/{") || strings.HasPrefix(r.Path, "/campaigns/{") || strings.HasPrefix(r.Path, "/my-reviews/{") || strings.HasPrefix(r.Path, "/audit/exports/{") ||
		strings.HasPrefix(r.Path, "/me") || strings.HasPrefix(r.Path, "/platform") || strings.HasPrefix(r.Path, "/support/{") || strings.HasPrefix(r.Path, "/programs/{program}") || r.Method == http.MethodPost && strings.HasPrefix(r.Path, "/patients/{patient}/portal")
}

// pattern returns the route that a path belongs to.
func (w *wanderer) pattern(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	best := ""
	for _, r := range w.routes {
		if r.Method != method {
			continue
		}
		fewer := best == "" || strings.Count(r.Path, "{") < strings.Count(best, "{")
		if fewer && w.expression(r).MatchString(path) {
			best = r.Path
		}
	}
	require.NotEmpty(w.t, best, "%s %s leads nowhere", method, path)
	return method + " " + best
}

func (w *wanderer) expression(r rbac.Route) *regexp.Regexp {
	if w.routed[r.Path] == nil {
		w.routed[r.Path] = regexp.MustCompile("^" + wildcard.ReplaceAllString(strings.ReplaceAll(r.Path, "{$}", ""), `[^/]+`) + "$")
	}
	return w.routed[r.Path]
}

// leave reports what the walk does not do: it would end it, or somebody else's.
func leave(path string) bool {
	for _, prefix := range []string{"/sign-out", "/lock", "/static/", "/demo", "/confirm", "/security/sessions", "/session/", "/audit/proof/tamper"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	// What is done to accounts is done to one of them.
	return strings.HasPrefix(path, "/team/") && !strings.HasPrefix(path, "/team/"+nadiaID) && !strings.HasPrefix(path, "/team/invite")
}

func (w *wanderer) wander() {
	for len(w.todo) > 0 {
		path := w.todo[0]
		w.todo = w.todo[1:]
		if path, _, _ = strings.Cut(path, "#"); path == "" || w.seen[path] || leave(path) {
			continue
		}
		w.seen[path] = true
		pattern := w.pattern(http.MethodGet, path)
		kind := pattern + " " + asked(path)
		if w.opened[kind] >= enough {
			continue
		}
		w.shown[pattern]++
		w.opened[kind]++
		w.look(w.person.get(path), path)
	}
}

// asked names what the address of a page asks, without the values.
func asked(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(u.Query())), " ")
}

// look checks an answer and goes where its page leads.
func (w *wanderer) look(at page, from string) {
	if at.status == http.StatusUnauthorized && strings.Contains(at.body, `action="/confirm"`) {
		for _, password := range []string{demoPassword, newcomer.password} {
			if again := w.person.proves(at, url.Values{fieldPassword: {password}}); again.status != http.StatusUnprocessableEntity || !strings.Contains(again.text(), "password is not right") {
				at = again
				break
			}
		}
	}
	for _, closed := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusServiceUnavailable, http.StatusInternalServerError} {
		require.NotEqual(w.t, closed, at.status, "%s was shown %s: %s", w.role, from, at.text())
	}
	w.todo = append(w.todo, at.links(`<a [^>]*href="(/[^"]*)"`)...)
	for _, f := range formsOf(at) {
		if leave(f.action) || strings.Contains(f.action, "/portal") { // it might end the patient's walk
			continue
		}
		pattern := w.pattern(http.MethodPost, f.action)
		key := "POST " + f.action + " " + f.values.Encode()
		if w.seen[key] || w.shown[pattern] >= enough {
			continue
		}
		w.seen[key] = true
		w.shown[pattern]++
		w.look(w.person.post(f.action, f.values), "the form "+f.action+" on "+at.path)
	}
}

type shownForm struct {
	action string
	values url.Values
}

var (
	formPattern   = regexp.MustCompile(`(?s)<form [^>]*method="post" action="([^"]+)"[^>]*>(.*?)</form>`)
	inputPattern  = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	selectPattern = regexp.MustCompile(`(?s)<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>`)
	optionPattern = regexp.MustCompile(`<option value="([^"]+)"`)
)

// formsOf returns the forms of a page as they are, with the first choice of each box; what people
// type is left empty.
func formsOf(at page) (all []shownForm) {
	for _, m := range formPattern.FindAllStringSubmatch(at.body, -1) {
		f := shownForm{html.UnescapeString(m[1]), url.Values{}}
		for _, in := range inputPattern.FindAllStringSubmatch(m[2], -1) {
			if in[1] != session.CSRFField {
				f.values.Add(in[1], html.UnescapeString(in[2]))
			}
		}
		for _, s := range selectPattern.FindAllStringSubmatch(m[2], -1) {
			if o := optionPattern.FindStringSubmatch(s[2]); o != nil {
				f.values.Set(s[1], html.UnescapeString(o[1]))
			}
		}
		all = append(all, f)
	}
	return all
}

// hidden asks directly for what the pages never showed a role. It must not be let in; and where it is
// let in after all, as where a page leaves out a way on purpose, the test has to know.
func (o *office) hidden(t *testing.T, role string, p *person, all []rbac.Route, fill map[string]string, shown map[string][]string) {
	t.Helper()
	refused := 0
	for _, route := range all {
		if !guarded(route) || needsState(route) || slices.Contains(shown[route.Method+" "+route.Path], role) {
			continue
		}
		path := wildcard.ReplaceAllStringFunc(route.Path, func(w string) string { return url.PathEscape(cmp.Or(fill[strings.Trim(w, "{}")], "nobodys")) })
		at := p.send(p.request(route.Method, path, url.Values{}))
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, at.status, "%s was not shown %s %s, and is let in", role, route.Method, route.Path)
		refused++
	}
	require.Positive(t, refused, "%s may do everything", role)
}
