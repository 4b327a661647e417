package main

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

// attack is a clinic with everybody signed in, and somebody who means ill.
type attack struct {
	*story
	alma, tom, iris, mallory *person
	own, foreign             string // paths of records, seen from Tomas
}

func TestAttacks(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		a := &attack{story: tell(t, args...)}
		a.alma, a.tom, a.iris, a.mallory = a.enter(), a.enter(), a.enter(), a.enter()
		a.signingIn()
		a.replays()
		a.own, a.foreign = a.tom.patient(demoPatient(0).Email), a.alma.patient(demoPatient(1).Email)
		a.requests()
		a.bodies()
		a.forms()
		a.identifiers()
		a.addresses()
		a.auditors()
		a.namedRequests()
		a.cursors()
		a.browsing()
		a.sessions()
		a.accounts()
		a.guessing()
		a.pages()
		a.claimed()
	})
}

func credentials(email string) url.Values {
	return url.Values{"email": {email}, "password": {demoPassword}}
}

// signingIn: what is presented before or beside a sign-in gains nothing.
func (a *attack) signingIn() {
	a.step("cookie_presented_before_sign_in_is_not_adopted", func(t *testing.T) {
		const planted = "wks1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		a.alma.cookies[sessionCookie] = planted
		a.alma.cookies["__Host-wardkit-ticket"] = strings.Repeat("A", 43)
		a.alma.signIn(alma, demoPassword)
		require.NotEqual(t, planted, a.alma.cookies[sessionCookie])
		a.mallory.cookies[sessionCookie] = planted
		require.Equal(t, "/sign-in", a.mallory.get("/dashboard").path)
	})
	a.step("session_cookie_is_for_this_host_over_tls_and_not_for_scripts", func(t *testing.T) {
		at := a.tom.send(a.tom.request(http.MethodPost, "/sign-in", credentials(tom)))
		require.Regexp(t, `^__Host-wardkit-ticket=[^;]{40,}; Path=/; HttpOnly; Secure; SameSite=Strict$`, at.header.Get("Set-Cookie"))
		enrol := a.tom.get("/sign-in/enrol")
		a.tom.secret = strings.ReplaceAll(enrol.match(t, `id="manual-key">([^<]+)<`), " ", "")
		at = a.tom.send(a.tom.request(http.MethodPost, "/sign-in/enrol", url.Values{"code": {a.tom.code()}}))
		require.Equal(t, "/dashboard", at.header.Get("Location"))
		set := at.header.Values("Set-Cookie")
		require.True(t, slices.ContainsFunc(set, func(line string) bool {
			return regexp.MustCompile(`^__Host-session=wks1_[\w-]{64}; Path=/; Secure; HttpOnly; SameSite=Lax$`).MatchString(line)
		}), "no such cookie in %d", len(set))
	})
}

// replays: what was good once.
func (a *attack) replays() {
	a.step("code_that_was_used_is_refused", func(t *testing.T) {
		other := newPerson(t, a.clinic)
		at := other.post("/sign-in", credentials(tom))
		require.Equal(t, "/sign-in/code", at.path, at.text())
		at = other.post("/sign-in/code", url.Values{"code": {codeAt(t, a.tom.secret, a.tom.step)}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Contains(t, at.text(), "or it was used already")
		require.NotContains(t, other.cookies, sessionCookie)
		seen := a.alma.get("/audit?who=&period=24h&action=mfa.replayed").table()
		require.NotEmpty(t, seen[0][1:], "somebody should look at that")
		require.Contains(t, seen[0][2], "Use a code twice")
	})
	a.step("ticket_is_good_for_one_answer", func(t *testing.T) {
		at := a.iris.post("/sign-in", credentials(iris))
		require.Equal(t, "/sign-in/enrol", at.path)
		first := a.iris.cookies["__Host-wardkit-ticket"]
		require.Equal(t, http.StatusUnprocessableEntity, a.iris.post("/sign-in/enrol", url.Values{"code": {"123"}}).status)
		require.NotEqual(t, first, a.iris.cookies["__Host-wardkit-ticket"])
		a.mallory.cookies = map[string]string{"__Host-wardkit-ticket": first}
		require.Equal(t, "/sign-in?out=over", a.mallory.get("/sign-in/enrol").path, "the old ticket shows nothing any more")
		last := a.iris.cookies["__Host-wardkit-ticket"]
		a.iris.secondStep(a.iris.get("/sign-in/enrol"))
		a.mallory.cookies = map[string]string{"__Host-wardkit-ticket": last}
		at = a.mallory.post("/sign-in/enrol", url.Values{"code": {codeAt(t, a.iris.secret, a.iris.step+1)}})
		require.Equal(t, "/sign-in?out=over", at.path, "a right code does not help a used ticket")
		for _, forged := range []string{"", "x", strings.Repeat("A", 43), `"`, "a b", last + "A", strings.Repeat("é", 30)} {
			a.mallory.cookies = map[string]string{"__Host-wardkit-ticket": url.QueryEscape(forged)}
			require.Equal(t, "/sign-in?out=over", a.mallory.get("/sign-in/code").path)
		}
	})
	a.step("two_tabs_of_one_sign_in_end_in_one_session", func(t *testing.T) {
		p := newPerson(t, a.clinic)
		p.secret, p.step = a.iris.secret, a.iris.step
		p.post("/sign-in", credentials(iris)) // one tab
		p.post("/sign-in", credentials(iris)) // the other, in the same browser
		code, ticket := p.code(), p.cookies["__Host-wardkit-ticket"]
		var wg sync.WaitGroup
		answers := make([]page, 2)
		for i := range answers {
			wg.Go(func() { answers[i], _ = p.attempt("/sign-in/code", url.Values{"code": {code}}) })
		}
		wg.Wait()
		in := slices.IndexFunc(answers, func(at page) bool { return at.header.Get("Location") == "/dashboard" })
		require.GreaterOrEqual(t, in, 0, "none got in")
		require.Equal(t, "/sign-in?out=over", answers[1-in].header.Get("Location"), "the slower tab starts again")
		require.NotEmpty(t, ticket)
	})
}

// requests: what no form of the clinic sends.
func (a *attack) requests() {
	a.step("foreign_host_is_421", func(t *testing.T) {
		for _, host := range []string{
			"clinic.evil.example.com", "evil.example.com:8080", "localhost.evil.example.com", "127.0.0.1.evil.example.com",
			"192.0.2.1", "[2001:db8::1]:80", "localhost:80:80", "evil.example.com#localhost", "localhost@evil.example.com",
		} {
			for _, path := range []string{"/demo", "/sign-in", "/dashboard", "/static/clinic.css", "/healthz", "/none"} {
				r := a.alma.request(http.MethodGet, path, nil)
				r.Host = host
				at := a.alma.send(r)
				require.Contains(t, []int{http.StatusMisdirectedRequest, http.StatusBadRequest}, at.status, "%s %s", host, path)
				require.NotContains(t, at.body, "Alma")
			}
		}
		_, port, _ := strings.Cut(strings.TrimPrefix(a.clinic.base, "http://"), ":")
		for _, host := range []string{"localhost:" + port, "127.0.0.1:" + port, "localhost", "[::1]:" + port} {
			r := a.alma.request(http.MethodGet, "/dashboard", nil)
			r.Host = host
			require.Equal(t, http.StatusOK, a.alma.send(r).status, host)
		}
	})
	a.step("cross_site_post_is_403_and_on_record", func(t *testing.T) {
		refused := url.Values{"period": {"24h"}, "action": {"session.check"}, "outcome": {"no"}}
		before := a.alma.events(refused)
		for _, row := range []map[string]string{
			{"Sec-Fetch-Site": "cross-site"},
			{"Sec-Fetch-Site": "same-site"},
			{"Sec-Fetch-Site": "x"},
			{"Sec-Fetch-Site": "", "Origin": "https://evil.example.com"},
			{"Sec-Fetch-Site": "", "Origin": "null"},
			{"Sec-Fetch-Site": "", "Origin": "http://localhost.evil.example.com"},
		} {
			for _, path := range []string{"/team/invite", "/sign-out", "/sign-in", "/security/sessions/x/end", a.own + "/reveal"} {
				r := a.alma.request(http.MethodPost, path, credentials(alma))
				for name, value := range row {
					r.Header.Del(name)
					if value != "" {
						r.Header.Set(name, value)
					}
				}
				at := a.alma.send(r)
				require.Equal(t, http.StatusForbidden, at.status, "%v %s", row, path)
				require.Empty(t, at.header.Values("Set-Cookie"))
			}
		}
		require.Equal(t, "/dashboard", a.alma.get("/dashboard").path, "still signed in")
		require.Len(t, a.alma.events(refused), len(before)+30)
	})
}

// bodies: too large, and for no such method.
func (a *attack) bodies() {
	a.step("oversized_body_is_413", func(t *testing.T) {
		huge := strings.Repeat("x", maxBody+1)
		for _, row := range []struct {
			who         *person
			path, field string
		}{
			{a.mallory, "/sign-in", "password"},
			{a.mallory, "/sign-in/code", "code"},
			{a.mallory, "/link/nobody", "password"},
			{a.iris, "/patients", "name"},
			{a.tom, a.own + "/note", "note"},
			{a.tom, a.own + "/reveal", "reason"},
			{a.alma, "/team/invite", "name"},
		} {
			at := row.who.post(row.path, url.Values{row.field: {huge}})
			require.Equal(t, http.StatusRequestEntityTooLarge, at.status, row.path)
			require.Contains(t, at.text(), "larger than this clinic accepts")
		}
		for _, path := range []string{"/sign-in", "/security/sessions/x/end", a.own + "/reveal"} { // without saying how much comes
			r := a.tom.request(http.MethodPost, path, nil)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("reason="+huge)), -1
			at := a.tom.send(r)
			require.NotEqual(t, http.StatusOK, at.status, path)
			require.Less(t, at.status, 500, path)
			require.NotContains(t, at.body, demoPatient(0).SSN)
		}
		r := a.tom.request(http.MethodGet, "/dashboard", nil)
		r.Header.Set("X-Padding", strings.Repeat("x", 64<<10))
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, a.tom.send(r).status)
	})
	a.step("wrong_method_is_405", func(t *testing.T) {
		for _, row := range []struct{ method, path, allow string }{
			{http.MethodPost, "/dashboard", "GET, HEAD"},
			{http.MethodGet, "/sign-out", "POST"},
			{http.MethodDelete, a.own, "GET, HEAD"},
			{http.MethodPut, "/patients", "GET, HEAD, POST"},
			{http.MethodPatch, "/sign-in", "GET, HEAD, POST"},
			{http.MethodOptions, "/audit", "GET, HEAD"},
			{http.MethodTrace, "/demo", "GET, HEAD"},
			{"EVIL", "/team", "GET, HEAD"},
			{http.MethodGet, a.own + "/reveal", "POST"},
			{http.MethodGet, "/team/" + tomID + "/suspend", "POST"},
		} {
			for _, who := range []*person{a.mallory, a.alma} {
				at := who.send(who.request(row.method, row.path, nil))
				require.Equal(t, http.StatusMethodNotAllowed, at.status, "%s %s", row.method, row.path)
				require.Equal(t, row.allow, at.header.Get("Allow"))
			}
		}
	})
}

// forms: what nobody could type.
func (a *attack) forms() {
	a.step("form_that_cannot_be_read_is_400", func(t *testing.T) {
		for _, body := range []string{"name=%zz", "a=1;b=2", "%"} {
			for _, row := range []struct {
				who  *person
				path string
			}{{a.mallory, "/sign-in"}, {a.iris, "/patients"}, {a.alma, "/team/invite"}, {a.tom, a.own + "/note"}} {
				r := row.who.request(http.MethodPost, row.path, nil)
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				r.Header.Set(session.CSRFHeader, row.who.csrf)
				require.Equal(t, http.StatusBadRequest, row.who.send(r).status, "%s %q", row.path, body)
			}
		}
		r := a.iris.request(http.MethodPost, "/patients", nil)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(session.CSRFHeader, a.iris.csrf)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"name":"x"}`)), 12
		require.Equal(t, http.StatusUnprocessableEntity, a.iris.send(r).status)
	})
	a.step("hostile_text_in_forms_is_refused_or_shown_as_text", func(t *testing.T) {
		form := walkIn()
		form.Set("therapist", tomID)
		form.Set("name", `<script>alert("x")</script>`)
		require.Equal(t, "/patients?done=registered", a.iris.post("/patients", form).path)
		at := a.iris.post("/patients/find", url.Values{"q": {form.Get("email")}})
		require.NotContains(t, at.body, "<script>")
		require.Contains(t, at.text(), `<script>alert("x")</script>`)
		for field, bad := range map[string]string{
			"phone": "\x00", "email": "a@b\r\nBcc: c@example.com", "ssn": "123", "birth": "2999-01-01", "therapist": "demo-admin", "name": strings.Repeat("n", 121),
		} {
			wrong := walkIn()
			wrong.Set("email", "other@example.com")
			wrong.Set("therapist", tomID)
			wrong.Set(field, bad)
			require.Equal(t, http.StatusUnprocessableEntity, a.iris.post("/patients", wrong).status, field)
		}
		for field, bad := range map[string]string{"name": "", "email": "a b", "role": "owner"} {
			wrong := url.Values{"name": {"A"}, "email": {"a@example.com"}, "role": {"therapist"}}
			wrong.Set(field, bad)
			require.Equal(t, http.StatusUnprocessableEntity, a.alma.post("/team/invite", wrong).status, field)
		}
	})
}

// hostile are identifiers that nobody was given.
func hostile() []string {
	return []string{
		"x", "0", "-1", "'", `"`, "' OR '1'='1", "p-a'; DROP TABLE clinic_patient; --", "%", "_", "*", "\\", "a b", "a|b", "a:b",
		"../../etc/passwd", "..", "a/b", "\x00", "p-\x00", "\xff\xfe", "é", "\u202e", "😀", "\r\nSet-Cookie: a=b", "{{.}}", "<b>x</b>",
		strings.Repeat("a", 300), strings.Repeat("é", 2000), "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
	}
}

// identifiers: forged ones are not found, whoever asks and whatever is in them.
func (a *attack) identifiers() {
	a.step("forged_identifiers_are_404", func(t *testing.T) {
		for _, id := range hostile() {
			seg := url.PathEscape(id)
			if id == ".." {
				seg = "%2e%2e"
			}
			for _, row := range []struct {
				who          *person
				method, path string
			}{
				{a.tom, http.MethodGet, "/patients/" + seg},
				{a.alma, http.MethodGet, "/patients/" + seg},
				{a.tom, http.MethodPost, "/patients/" + seg + "/reveal"},
				{a.tom, http.MethodPost, "/patients/" + seg + "/note"},
				{a.alma, http.MethodGet, "/team/" + seg},
				{a.alma, http.MethodPost, "/team/" + seg + "/suspend"},
				{a.alma, http.MethodPost, "/team/" + seg + "/resend"},
				{a.alma, http.MethodPost, "/team/" + seg + "/reset-factor"},
				{a.alma, http.MethodPost, "/team/" + tomID + "/" + seg},
				{a.alma, http.MethodPost, "/team/" + tomID + "/sessions/" + seg + "/end"},
				{a.alma, http.MethodPost, "/team/" + seg + "/sessions/" + seg + "/end"},
				{a.alma, http.MethodGet, "/audit/" + seg},
				{a.alma, http.MethodGet, "/patients/" + seg + "/access"},
				{a.tom, http.MethodGet, "/patients/" + seg + "/history"},
				{a.tom, http.MethodGet, "/patients/" + seg + "/note/history"},
				{a.alma, http.MethodGet, "/claims/" + seg},
				{a.iris, http.MethodPost, "/patients/" + seg + "/claims"},
				{a.tom, http.MethodPost, "/security/sessions/" + seg + "/end"},
				{a.mallory, http.MethodGet, "/link/" + seg},
				{a.mallory, http.MethodPost, "/link/" + seg},
			} {
				r := row.who.request(row.method, row.path, url.Values{"reason": {"curious"}, "password": {"a fine long sentence"}})
				if row.method == http.MethodGet {
					r.Body, r.ContentLength = nil, 0
				}
				at := row.who.send(r)
				require.Equal(t, http.StatusNotFound, at.status, "%s %s with %q", row.method, row.path, id)
				require.Empty(t, at.header.Values("Set-Cookie"))
				require.NotContains(t, at.body, "<b>x")
			}
		}
		require.Equal(t, "/dashboard", a.tom.get("/dashboard").path, "nothing of it worked")
	})
}

// addresses: filters, cursors and paths that no link of the clinic has.
func (a *attack) addresses() {
	a.step("hostile_filters_find_nothing_or_are_400", func(t *testing.T) {
		for _, id := range hostile() {
			for _, path := range []string{"/patients?after=", "/audit?patient=", "/audit?who=", "/audit?action=", "/audit?period=", "/audit?outcome=", "/audit?type=", "/audit?type=patient&id=", "/audit?sort=", "/audit?order=", "/claims?patient=", "/claims?before=", a.own + "/access?period=", a.own + "/history?show=", "/sign-in?out=", "/sign-in?as=", "/dashboard?done="} {
				at := a.alma.get(path + url.QueryEscape(id))
				require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, at.status, "%s with %q", path, id)
				require.NotContains(t, at.body, "<b>x")
			}
		}
	})
	a.step("forged_audit_cursor_is_400", func(t *testing.T) {
		older := a.alma.get("/audit?period=24h").links(`<a href="([^"]+)">Older events</a>`)
		require.Len(t, older, 1, "a second page")
		next, err := url.Parse(older[0])
		require.NoError(t, err)
		cursor := next.Query().Get("page")
		require.Equal(t, http.StatusOK, a.alma.get(older[0]).status)
		flipped := []byte(cursor)
		flipped[len(flipped)/2] ^= 1
		for _, forged := range []string{"x", cursor[1:], cursor + "A", string(flipped), strings.Repeat("A", len(cursor)), "' OR 1=1", "\x00"} {
			at := a.alma.get("/audit?" + url.Values{"period": {"24h"}, "page": {forged}}.Encode())
			require.Equal(t, http.StatusBadRequest, at.status, forged)
		}
		at := a.alma.get("/audit?" + url.Values{"period": {"24h"}, "who": {tomID}, "page": {cursor}}.Encode())
		require.Equal(t, http.StatusBadRequest, at.status, "a cursor of another question")
	})
	a.step("path_tricks_reach_no_other_page", func(t *testing.T) {
		for _, path := range []string{
			"/patients/../audit", "/./audit", "//audit", "/audit//", "/audit/", "/%61udit", "/static/../audit", "/static/..%2faudit",
			"/static/%2e%2e/templates/layout.html", "/static/..%5c..%5cclinic.key", "/static/", "/static", "/AUDIT", "/audit;x", "/audit%00", "/audit%20",
			"/team/../audit", "/patients/%2e%2e/audit", "/audit/..;/", "/dashboard/../../audit", "/audit?x=../", "/*", "/audit%2f",
		} {
			at := a.tom.send(a.tom.request(http.MethodGet, path, nil))
			require.Contains(t, []int{301, 303, 307, 308, 400, 403, 404}, at.status, path)
			require.NotContains(t, at.text(), "Who did what", path)
			if to := at.header.Get("Location"); to != "" {
				require.True(t, strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//"), "%s leads to %s", path, to)
				require.NotEqual(t, http.StatusOK, a.tom.get(to).status, path)
			}
		}
	})
}
