package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/rbac"
)

// answered is what the API said to a program.
type answered struct {
	status    int
	challenge string
	body      string
	Patients  []apiPatientRow
	Claims    []apiClaimRow
	Token     string `json:"access_token"`
	Error     string
}

// asks sends a program's request to a clinic: no cookies, one header.
func asks(t *testing.T, c *clinic, path, key string, headers ...string) answered {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+path, nil)
	require.NoError(t, err)
	return tells(t, c, r, key, headers...)
}

func tells(t *testing.T, c *clinic, r *http.Request, key string, headers ...string) (out answered) {
	t.Helper()
	r.Header.Set("User-Agent", "exporter/1.0")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	at, _, err := c.exchange(r)
	require.NoError(t, err)
	require.Contains(t, at.header.Get("Cache-Control"), "no-store")
	require.Empty(t, at.header.Values("Set-Cookie"))
	require.Empty(t, at.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "application/json", at.header.Get("Content-Type"), at.body)
	require.NoError(t, json.Unmarshal([]byte(at.body), &out))
	out.status, out.challenge, out.body = at.status, at.header.Get("Www-Authenticate"), at.body
	return out
}

// program makes one on the page, and returns its path and the key that is shown once.
func (p *person) program(form url.Values) (path, key string) {
	p.t.Helper()
	at := p.sure(p.post("/programs", form))
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	require.Contains(p.t, at.header.Get("Cache-Control"), "no-store")
	require.Contains(p.t, at.text(), "it is not shown again")
	return at.match(p.t, `<a class="button" href="(/programs/[^"]+)">`), at.match(p.t, `id="api-key">([^<]+)<`)
}

func service(scopes ...string) url.Values {
	return url.Values{"name": {"Billing export"}, "kind": {"service"}, "days": {"30"}, "scope": scopes}
}

// TestProgramsStory: an administrator makes an API key and an AI agent; each does what it may and
// nothing else, until the key leaks and is revoked.
func TestProgramsStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, dump func(*testing.T) []byte) {
		s := tell(t, args...)
		boss, tomBrowser := s.enter(), s.enter()
		boss.signIn(alma, demoPassword)
		tomBrowser.signIn(tom, demoPassword)
		var path, key, agentPath, agentKey string

		s.step("only an administrator makes one, and after a fresh proof", func(t *testing.T) {
			require.Equal(t, http.StatusForbidden, tomBrowser.get("/programs").status)
			require.Equal(t, http.StatusForbidden, tomBrowser.post("/programs", service("patient.read")).status)
			require.Contains(t, boss.sure(boss.get("/settings")).body, `href="/programs"`)
			path, key = boss.program(service("patient.read", "claim.read"))
			require.Regexp(t, "^"+machine.Pattern("harbor")+"$", key)
			for _, page := range []string{path, "/programs"} {
				require.NotContains(t, boss.get(page).body, key[len("harbor_")+25:], "shown once")
			}
			require.Contains(t, boss.get("/programs").text(), "Billing export")
		})

		s.step("mistakes are said in plain words", func(t *testing.T) {
			for _, wrong := range []struct {
				field, value, says string
			}{
				{"name", "", "give it a name"},
				{"days", "0", "in how many days"},
				{"days", "366", "in how many days"},
				{"kind", "agent", "for whom the agent acts"},
				{"kind", "staff", "choose what it is"},
				{"scope", "", "choose again"},
				{"scope", "note.read", "cannot read notes"},
				{"scope", "roles.change", "choose again"},
			} {
				form := service("patient.read")
				form.Set(wrong.field, wrong.value)
				at := boss.sure(boss.post("/programs", form))
				require.Equal(t, http.StatusUnprocessableEntity, at.status, wrong)
				require.Contains(t, at.text(), wrong.says)
			}
			form := url.Values{"name": {"Notes"}, "kind": {"agent"}, "days": {"30"}, "for": {tomID}, "scope": {"note.read"}}
			at := boss.sure(boss.post("/programs", form))
			require.Contains(t, at.text(), "only what you may do yourself", "this administrator reads no notes")
			require.NotContains(t, boss.get("/programs").body, `id="scope-note.read"`)
		})

		s.step("the program reads what it may", func(t *testing.T) {
			all := asks(t, s.clinic, "/api/patients", key)
			require.Equal(t, http.StatusOK, all.status, all.body)
			require.Greater(t, len(all.Patients), 3)
			require.True(t, slices.ContainsFunc(all.Patients, func(p apiPatientRow) bool { return p.Name == demoPatient(0).Name }))
			require.Equal(t, http.StatusOK, asks(t, s.clinic, "/api/patients/"+all.Patients[0].ID, key).status)
			require.Equal(t, http.StatusOK, asks(t, s.clinic, "/api/claims", key).status)
			note := asks(t, s.clinic, "/api/patients/"+all.Patients[0].ID+"/note", key)
			require.Equal(t, http.StatusForbidden, note.status)
			require.Equal(t, `Bearer error="insufficient_scope", scope="note.read"`, note.challenge)
			require.Equal(t, "beyond_scopes", note.Error)
			require.NotContains(t, boss.get(path).column(2)[0], "never")
		})

		s.step("with a token of fewer rights", func(t *testing.T) {
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {strings.TrimPrefix(path, "/programs/")}, "client_secret": {key}, "scope": {"claim.read"}}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.clinic.base+"/api/token", strings.NewReader(form.Encode()))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			got := tells(t, s.clinic, r, "")
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, http.StatusOK, asks(t, s.clinic, "/api/claims", got.Token).status)
			require.Equal(t, http.StatusForbidden, asks(t, s.clinic, "/api/patients", got.Token).status)
		})

		s.step("keys open no pages, and sessions open no API", func(t *testing.T) {
			at, _, err := s.clinic.exchange(with(boss.request(http.MethodGet, "/patients", nil), "Cookie", "", "Authorization", "Bearer "+key))
			require.NoError(t, err)
			require.Equal(t, http.StatusSeeOther, at.status, "the sign-in page")
			require.Equal(t, http.StatusBadRequest, asks(t, s.clinic, "/api/patients", "", "Cookie", sessionCookie+"="+boss.cookies[sessionCookie]).status)
			require.Equal(t, http.StatusBadRequest, asks(t, s.clinic, "/api/patients", key, "Cookie", sessionCookie+"="+boss.cookies[sessionCookie]).status)
			require.Equal(t, http.StatusBadRequest, asks(t, s.clinic, "/api/patients?access_token="+key, "").status)
			require.Equal(t, http.StatusUnauthorized, asks(t, s.clinic, "/api/patients", "").status)
			require.Equal(t, http.StatusUnauthorized, asks(t, s.clinic, "/api/nothing", key+"0").status)
			require.Equal(t, http.StatusNotFound, asks(t, s.clinic, "/api/nothing", key).status)
		})

		s.step("an agent reaches the patients of whom it acts for", func(t *testing.T) {
			form := url.Values{"name": {"Note helper"}, "kind": {"agent"}, "days": {"30"}, "for": {tomID}, "scope": {"patient.read"}}
			agentPath, agentKey = boss.program(form)
			all, own := asks(t, s.clinic, "/api/patients", key), asks(t, s.clinic, "/api/patients", agentKey)
			require.Equal(t, http.StatusOK, own.status, own.body)
			require.NotEmpty(t, own.Patients)
			require.Less(t, len(own.Patients), len(all.Patients), "fewer than the administrator who made it")
			mine := tomBrowser.get("/patients")
			for _, p := range all.Patients {
				his := strings.Contains(mine.body, "/patients/"+p.ID+`"`)
				want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[his]
				require.Equal(t, want, asks(t, s.clinic, "/api/patients/"+p.ID, agentKey).status)
			}
			require.Equal(t, http.StatusForbidden, asks(t, s.clinic, "/api/claims", agentKey).status)
			require.Contains(t, boss.get("/audit").text(), "an AI agent for "+"Tomas Berg")
		})

		s.step("and stops with them", func(t *testing.T) {
			require.Contains(t, boss.post("/team/"+tomID+"/suspend", url.Values{"reason": {"left the clinic"}}).text(), "suspended")
			require.Equal(t, http.StatusUnauthorized, asks(t, s.clinic, "/api/patients", agentKey).status)
			require.Contains(t, boss.get(agentPath).text(), "Suspended")
			boss.post("/team/"+tomID+"/reinstate", nil)
			require.Equal(t, http.StatusUnauthorized, asks(t, s.clinic, "/api/patients", agentKey).status, "somebody decides that anew")
			require.Contains(t, boss.sure(boss.post(agentPath+"/resume", nil)).text(), "It is let in again.")
			require.Equal(t, http.StatusOK, asks(t, s.clinic, "/api/patients", agentKey).status)
		})

		s.step("a leaked key is replaced and revoked, and the audit tells what it did", func(t *testing.T) {
			id := strings.Split(key, "_")[1]
			at := boss.sure(boss.post(path+"/rotate", nil))
			fresh := at.match(t, `id="api-key">([^<]+)<`)
			require.Equal(t, http.StatusOK, asks(t, s.clinic, "/api/patients", key).status, "for a day, so that nothing stops")
			require.Contains(t, boss.post(path+"/keys/"+id+"/revoke", nil).text(), "The key is revoked.")
			gone := asks(t, s.clinic, "/api/patients", key)
			require.Equal(t, http.StatusUnauthorized, gone.status)
			require.Equal(t, `Bearer error="invalid_token"`, gone.challenge)
			require.Equal(t, http.StatusOK, asks(t, s.clinic, "/api/patients", fresh).status)
			s.restart(t)
			require.Equal(t, http.StatusUnauthorized, asks(t, s.clinic, "/api/patients", key).status, "after a restart too")
			did := boss.get(boss.get(path).match(t, `href="(/audit\?who=[^"]+)"`)).text()
			for _, words := range []string{"a program", "Look at patients", "Look at claims", "Get an access token"} {
				require.Contains(t, did, words)
			}
			require.Contains(t, boss.get("/audit").text(), "Turn a program away")
			require.Contains(t, boss.post(path+"/remove", nil).text(), "It is removed.")
			require.Equal(t, http.StatusUnauthorized, asks(t, s.clinic, "/api/patients", fresh).status)
			require.NotContains(t, boss.get("/programs").text(), "Billing export")
		})

		s.step("no secret is stored or logged", func(t *testing.T) {
			everything := string(dump(t)) + s.logged()
			for _, secret := range []string{key, agentKey} {
				require.NotContains(t, everything, secret[len("harbor_")+25:len("harbor_")+25+32])
			}
		})
	})
}

// with changes the headers of a request; an empty value removes one.
func with(r *http.Request, headers ...string) *http.Request {
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

// TestKeyLeakOnTwoServers: what is revoked on one server is dead on the other by the next request.
func TestKeyLeakOnTwoServers(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		one := start(t, args...)
		two := start(t, args...)
		boss := newPerson(t, one)
		boss.signIn(alma, demoPassword)
		path, key := boss.program(service("patient.read"))
		for _, c := range []*clinic{one, two, one, two} {
			require.Equal(t, http.StatusOK, asks(t, c, "/api/patients", key).status)
		}
		require.Contains(t, boss.post(path+"/keys/"+strings.Split(key, "_")[1]+"/revoke", nil).text(), "The key is revoked.")
		for _, c := range []*clinic{two, one} {
			require.Equal(t, http.StatusUnauthorized, asks(t, c, "/api/patients", key).status)
		}
	})
}

// TestTheAPIHasNoRouteWithoutAnAction pins what programs can ask for: reading, and nothing else.
func TestTheAPIHasNoRouteWithoutAnAction(t *testing.T) {
	t.Parallel()
	c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080"})
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	mux := a.apiMux()
	require.NoError(t, mux.Err())
	var lines []string
	for _, r := range mux.Routes() {
		require.Equal(t, http.MethodGet, r.Method)
		require.True(t, slices.ContainsFunc(offered(), func(s rbac.AnyAction) bool { return s.Name() == r.Action }), r.Path)
		lines = append(lines, r.Path+" "+string(r.Action))
	}
	require.Equal(t, []string{
		"/api/claims claim.read", "/api/patients patient.read", "/api/patients/{patient} patient.read", "/api/patients/{patient}/note note.read",
	}, lines)
}
