package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// updateVariable makes the test write the table of routes instead of comparing it.
const updateVariable = "WARDKIT_UPDATE_GOLDEN"

// routeTable asks every route of the clinic as everybody and keeps the answers.
type routeTable struct {
	*story
	roles  []string
	who    map[string]*person // by role
	leaves map[string]*person // the same with a second session, to sign out of
	fill   map[string]string  // values of wildcards
	others map[string]string  // the same, of a record of another therapist
}

// TestEveryRouteForEverybody compares what each route answers to each role with
// testdata/routes.golden: a route that nobody thought about shows up there.
func TestEveryRouteForEverybody(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		rt := &routeTable{
			story: tell(t, args...), roles: []string{"nobody", "admin", "therapist", "front_desk", "finance", "patient"},
			who: map[string]*person{}, leaves: map[string]*person{},
		}
		rt.enterAll()
		rt.fill = map[string]string{
			"patient": strings.TrimPrefix(rt.who["therapist"].patient(demoPatient(0).Email), "/patients/"),
			"member":  "demo-therapist-2", "session": "nobodys", "passkey": "nobodys", "browser": "nobodys", "change": "nothing", "program": "nobodys", "incident": "nobodys", "campaign": "nobodys", "item": "1", "access": "nobodys", "key": "nobodys", "token": "nobodys", "export": "nobodys", "hold": "nobodys", "plan": "nobodys", "finding": "nobodys", "emergency": "nobodys", "file": "clinic.css", "$": "",
			"step":  "nothing",
			"event": rt.who["admin"].get("/audit?period=all&sort=time&order=asc").links(eventLink)[0],
		}
		rt.others = maps.Clone(rt.fill)
		rt.others["patient"] = strings.TrimPrefix(rt.who["admin"].patient(demoPatient(1).Email), "/patients/")
		for _, ids := range []map[string]string{rt.fill, rt.others} {
			ids["claim"] = strings.TrimPrefix(rt.who["finance"].claim("/patients/"+ids["patient"]), "/claims/")
		}
		for ids, therapist := range map[string]*person{rt.fill["patient"]: rt.who["therapist"], rt.others["patient"]: rt.nadia()} {
			at := therapist.get("/patients/" + ids)
			fill := rt.fill
			if ids == rt.others["patient"] {
				fill = rt.others
			}
			fill["letter"], fill["form"] = at.match(t, `href="/letters/([^"]+)"`), at.match(t, `href="/forms/([^"]+)"`)
		}
		require.Eventually(t, func() bool { return rt.who["admin"].get("/audit/proof/checkpoint").status == http.StatusOK }, 2*time.Minute, 500*time.Millisecond, "no checkpoint came")
		var table strings.Builder
		fmt.Fprintf(&table, "%-62s %s\n", "", strings.Join(rt.roles, " "))
		all := routes(t)
		slices.SortStableFunc(all, func(a, b rbac.Route) int { return leaving(a.Path) - leaving(b.Path) })
		for _, route := range all {
			fmt.Fprintln(&table, rt.line(route, rt.fill, ""))
			if strings.Contains(route.Path, "{patient}") || strings.Contains(route.Path, "{claim}") || strings.Contains(route.Path, "{letter}") || strings.Contains(route.Path, "{form}") {
				fmt.Fprintln(&table, rt.line(route, rt.others, " (another therapist's)"))
			}
		}
		golden := filepath.Join("testdata", "routes.golden")
		if os.Getenv(updateVariable) != "" {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(golden, []byte(table.String()), 0o600))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), table.String())
	})
}

// routes returns the routes of the clinic's mux.
func routes(t *testing.T) []rbac.Route {
	t.Helper()
	c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080"})
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	mux := a.mux()
	require.NoError(t, mux.Err())
	all := mux.Routes()
	require.Greater(t, len(all), 25)
	return all
}

// nadia is the therapist whose patients the others are.
func (rt *routeTable) nadia() *person {
	p := rt.enter()
	p.signIn(nad, demoPassword)
	return p
}

func (rt *routeTable) enterAll() {
	emails := map[string]string{"admin": alma, "therapist": tom, "front_desk": iris, "finance": paul}
	ava := credentials(demoPatient(0).Email)
	for _, role := range rt.roles {
		rt.who[role], rt.leaves[role] = rt.enter(), rt.enter()
		switch role {
		case "nobody":
			continue
		case "patient":
			require.Equal(rt.t, "/me", rt.who[role].post("/sign-in", ava).path)
			require.Equal(rt.t, "/me", rt.leaves[role].post("/sign-in", ava).path)
			continue
		}
		rt.who[role].signIn(emails[role], demoPassword)
		rt.leaves[role].secret, rt.leaves[role].step = rt.who[role].secret, rt.who[role].step
		rt.leaves[role].signIn(emails[role], demoPassword)
	}
}

var wildcard = regexp.MustCompile(`\{([a-z$]+)\}`)

// leaving is when a route is asked: what ends sessions comes last.
func leaving(path string) int { return slices.Index([]string{"/sign-out"}, path) }

// line asks one route as everybody.
func (rt *routeTable) line(route rbac.Route, fill map[string]string, note string) string {
	path := wildcard.ReplaceAllStringFunc(route.Path, func(w string) string {
		value, ok := fill[strings.Trim(w, "{}")]
		require.True(rt.t, ok, "no value for %s", w)
		return value
	})
	line := fmt.Sprintf("%-5s%-57s", route.Method, route.Path+note)
	for _, role := range rt.roles {
		p := rt.who[role]
		if leaving(route.Path) >= 0 {
			p = rt.leaves[role]
		}
		form := url.Values{"email": {role + "@nowhere.example.com"}, "password": {"x"}}
		if route.Method == http.MethodGet {
			form = nil
		}
		at := p.send(p.request(route.Method, path, form))
		if strings.HasPrefix(at.header.Get("Location"), "/locked") {
			p.proves(p.get("/locked"), byPassword())
		}
		rt.mustKeepOut(route, role, at.status)
		if role == "patient" && note != "" {
			require.Contains(rt.t, []int{http.StatusForbidden, http.StatusNotFound}, at.status, "a patient asks %s of somebody else", route.Path)
		}
		line += fmt.Sprintf(" %-*d", len(role), at.status)
	}
	return strings.TrimRight(line, " ")
}

// mustKeepOut says without a table what must never be let through.
func (rt *routeTable) mustKeepOut(route rbac.Route, role string, status int) {
	closed := []int{http.StatusForbidden, http.StatusNotFound}
	adminOnly := []audit.Action{
		teamRead.Name(), teamManage.Name(), auditRead.Name(), auditOpen.Name(), auditHealth.Name(), settingsRead.Name(), settingsChange.Name(), keysRenew.Name(),
		rolesRead.Name(), rightsRead.Name(), rolesPropose.Name(), rolesChange.Name(), choicesPropose.Name(), choicesChange.Name(), securityRead.Name(),
		controlsRead.Name(), controlsPacket.Name(), controlsAttest.Name(), accountingRead.Name(), disclosureRecord.Name(),
		proofRead.Name(), proofCheck.Name(), exportRead.Name(), exportMake.Name(), demoTamper.Name(), reviewRead.Name(), reviewChange.Name(),
	}
	adminAndTherapist := []audit.Action{accessRead.Name(), historyRead.Name()}
	switch {
	case role == "nobody" && route.Guard != "public":
		require.Contains(rt.t, []int{http.StatusSeeOther, http.StatusUnauthorized}, status, route.Path)
	case role != "admin" && slices.Contains(adminOnly, route.Action):
		require.Contains(rt.t, closed, status, "%s asks %s", role, route.Path)
	case (role == "front_desk" || role == "finance") && slices.Contains(adminAndTherapist, route.Action):
		require.Contains(rt.t, closed, status, "%s asks %s", role, route.Path)
	case role != "finance" && role != "nobody" && route.Action == claimChange.Name():
		require.Contains(rt.t, closed, status, "%s asks %s", role, route.Path)
	case role != "therapist" && role != "nobody" && (route.Action == noteWrite.Name() || route.Action == patientReveal.Name()):
		require.Contains(rt.t, closed, status, "%s asks %s", role, route.Path)
	}
}
