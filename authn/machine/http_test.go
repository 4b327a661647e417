package machine_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/authn/machine"
)

// peer is the address of the connection.
func peer(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr()
}

// whoami is a page that says who acts.
func whoami(w http.ResponseWriter, r *http.Request) {
	a, _ := audit.ActorFrom(r.Context())
	_ = audit.Decide(r.Context(), audit.Event{Action: read, Verb: audit.Read})
	_, _ = w.Write([]byte(a.ID))
}

// site serves whoami to programs, and tokens, behind audithttp.Hold.
func (h *house) site(o *machine.HTTPOptions) http.Handler {
	h.t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/api/", h.m.Handler(peer, http.HandlerFunc(whoami), o))
	mux.Handle("/token", h.m.TokenHandler(peer, o))
	hold, err := audithttp.Hold(h.rec, mux, nil)
	require.NoError(h.t, err)
	return hold
}

func serve(site http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	return w
}

func get(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/api/patients", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestHandler(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	site := h.site(nil)
	p, key := h.make(h.agent())
	k := key.Reveal()
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER "} {
		w := serve(site, get("Authorization", scheme+k))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, string(p.ID), w.Body.String())
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	}
	e, ok := h.rec.Last(read)
	require.True(t, ok)
	require.Equal(t, p.ID, e.Actor.ID)
	require.Equal(t, tess, e.Actor.OnBehalfOf)
	require.Equal(t, p.Keys[0].ID, e.Actor.Session)

	stranger, _, _ := machine.NewKeyText("wk", false)
	for what, c := range map[string]struct {
		r         *http.Request
		status    int
		challenge string
		code      string
	}{
		"nothing":        {get(), 401, "Bearer", machine.CodeMissing},
		"unknown":        {get("Authorization", "Bearer "+stranger.Reveal()), 401, `Bearer error="invalid_token"`, machine.CodeUnknown},
		"malformed":      {get("Authorization", "Bearer "+k+"0"), 401, `Bearer error="invalid_token"`, machine.CodeMalformed},
		"two spaces":     {get("Authorization", "Bearer  "+k), 401, `Bearer error="invalid_token"`, machine.CodeMalformed},
		"two keys":       {get("Authorization", "Bearer "+k+","+k), 401, `Bearer error="invalid_token"`, machine.CodeMalformed},
		"a scheme alone": {get("Authorization", "Bearer"), 401, "Bearer", machine.CodeMissing},
		"a key alone":    {get("Authorization", k), 401, "Bearer", machine.CodeMissing},
		"basic":          {get("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("a:"+k))), 401, "Bearer", machine.CodeMissing},
		"two headers":    {get("Authorization", "Bearer "+k, "Authorization", "Bearer "+k), 400, `Bearer error="invalid_request"`, machine.CodeAmbiguous},
		"a session too":  {get("Authorization", "Bearer "+k, "Cookie", "__Host-session=abc"), 400, `Bearer error="invalid_request"`, machine.CodeAmbiguous},
		"a broken cookie too": {
			get("Authorization", "Bearer "+k, "Cookie", "=;;"), 400, `Bearer error="invalid_request"`, machine.CodeAmbiguous,
		},
		"a key in a cookie": {get("Cookie", "key="+k), 400, `Bearer error="invalid_request"`, machine.CodeAmbiguous},
		"a proxy's too": {
			get("Authorization", "Bearer "+k, "Proxy-Authorization", "Bearer "+k), 400, `Bearer error="invalid_request"`, machine.CodeAmbiguous,
		},
		"in the address": {
			httptest.NewRequest(http.MethodGet, "/api/x?access_token="+k, nil), 400, `Bearer error="invalid_request"`, machine.CodeAmbiguous,
		},
		"in a form":        {form("/api/x", "access_token="+k), 401, "Bearer", machine.CodeMissing},
		"a CORS preflight": {httptest.NewRequest(http.MethodOptions, "/api/x", nil), 401, "Bearer", machine.CodeMissing},
	} {
		w := serve(site, c.r)
		require.Equal(t, c.status, w.Code, what)
		require.Equal(t, c.challenge, w.Header().Get("WWW-Authenticate"), what)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), what)
		require.NotContains(t, w.Body.String(), "wk_", what)
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), what)
		require.Equal(t, c.code, h.last().Code, what)
		require.Equal(t, machine.ActionEnter, h.last().Action, what)
	}
}

func form(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// What a load balancer adds may come along, if the host names it; nothing else does.
func TestNamedCookies(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	_, key := h.make(h.service())
	site := h.site(&machine.HTTPOptions{Cookies: []string{"AWSALB"}})
	bearer := "Bearer " + key.Reveal()
	require.Equal(t, 200, serve(site, get("Authorization", bearer, "Cookie", "AWSALB=x")).Code)
	require.Equal(t, 400, serve(site, get("Authorization", bearer, "Cookie", "AWSALB=x; session=y")).Code)
	require.Equal(t, 400, serve(site, get("Authorization", bearer, "Cookie", "AWSALB=x", "Cookie", "session=y")).Code)
}

func TestHandlerLimits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.ServiceRate, o.BadKeys = 1, 1 })
	_, key := h.make(h.service())
	var refused []int
	site := h.site(&machine.HTTPOptions{Refuse: func(w http.ResponseWriter, _ *http.Request, status int) {
		refused = append(refused, status)
		w.WriteHeader(status)
	}})
	bearer := "Bearer " + key.Reveal()
	require.Equal(t, 200, serve(site, get("Authorization", bearer)).Code)
	for range 3 {
		w := serve(site, get("Authorization", bearer))
		require.Equal(t, 429, w.Code)
		require.Equal(t, "60", w.Header().Get("Retry-After"))
	}
	require.Equal(t, 401, serve(site, get()).Code)
	for range 3 {
		w := serve(site, get())
		require.Equal(t, 429, w.Code)
		require.Equal(t, "600", w.Header().Get("Retry-After"))
	}
	require.Equal(t, []int{429, 429, 429, 401, 429, 429, 429}, refused)
}

// A response that lasts is cut off once its key is revoked.
func TestALongResponseEndsWithItsKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	ctx, trail := audit.WithTrail(t.Context(), h.rec, audit.Event{})
	done := false
	handler := h.m.Handler(peer, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, trail.Recheck(r.Context()))
		require.NoError(t, h.m.Revoke(h.as(ada), p.ID, p.Keys[0].ID, ""))
		require.ErrorIs(t, trail.Recheck(r.Context()), machine.ErrInvalid)
		done = true
	}), nil)
	handler.ServeHTTP(httptest.NewRecorder(), get("Authorization", "Bearer "+key.Reveal()).WithContext(ctx))
	require.True(t, done)
}

// Nobody is let in where a part does not answer, and the answer says so.
func TestHandlerIsClosedWhereAPartFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	_, key := h.make(h.service())
	site := h.site(nil)
	for at := 1; ; at++ {
		h.clock.Add(time.Minute) // so that the use is noted
		h.wire.arm(at, "fails")
		w := serve(site, get("Authorization", "Bearer "+key.Reveal()))
		if !h.wire.hit() {
			require.Greater(t, at, 4)
			require.Equal(t, 200, w.Code)
			break
		}
		require.Equal(t, 503, w.Code, "call %d", at)
		require.NotEmpty(t, w.Header().Get("Retry-After"))
	}
}

// ask posts to the token endpoint.
func ask(site http.Handler, body string, headers ...string) (*httptest.ResponseRecorder, map[string]any) {
	r := form("/token", body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := serve(site, r)
	var out map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return w, out
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.BadKeys = 1000 })
	site := h.site(nil)
	p, key := h.make(h.agent())
	id, k := string(p.ID), key.Reveal()
	posted := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {k}}
	for what, send := range map[string]func(extra string) (*httptest.ResponseRecorder, map[string]any){
		"post": func(extra string) (*httptest.ResponseRecorder, map[string]any) {
			return ask(site, posted.Encode()+extra)
		},
		"basic": func(extra string) (*httptest.ResponseRecorder, map[string]any) {
			return ask(site, "grant_type=client_credentials"+extra, "Authorization", basic(id, k))
		},
	} {
		w, got := send("&scope=patient.read")
		require.Equal(t, http.StatusOK, w.Code, what)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "no-cache", w.Header().Get("Pragma"))
		require.Equal(t, "Bearer", got["token_type"])
		require.InDelta(t, 600, got["expires_in"], 0)
		require.Equal(t, "patient.read", got["scope"])
		token, _ := got["access_token"].(string)
		page := serve(site, get("Authorization", "Bearer "+token))
		require.Equal(t, id, page.Body.String())
		_, got = send("")
		require.Equal(t, "note.read patient.read", got["scope"], what)
		w, got = send("&scope=claim.read")
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Equal(t, "invalid_scope", got["error"], what)
	}

	long := strings.Repeat("x", 17<<10)
	for what, c := range map[string]struct {
		body    string
		headers []string
		status  int
		err     string
	}{
		"no grant type":      {"client_id=" + id + "&client_secret=" + k, nil, 400, "invalid_request"},
		"password grant":     {"grant_type=password&client_id=" + id + "&client_secret=" + k, nil, 400, "unsupported_grant_type"},
		"no client":          {"grant_type=client_credentials", nil, 401, "invalid_client"},
		"no secret":          {"grant_type=client_credentials&client_id=" + id, nil, 401, "invalid_client"},
		"wrong secret":       {"grant_type=client_credentials&client_id=" + id + "&client_secret=no", nil, 401, "invalid_client"},
		"another client":     {"grant_type=client_credentials&client_id=m-1&client_secret=" + k, nil, 401, "invalid_client"},
		"both ways":          {posted.Encode(), []string{"Authorization", basic(id, k)}, 400, "invalid_request"},
		"two headers":        {"grant_type=client_credentials", []string{"Authorization", basic(id, k), "Authorization", basic(id, k)}, 400, "invalid_request"},
		"bearer":             {"grant_type=client_credentials", []string{"Authorization", "Bearer " + k}, 401, "invalid_client"},
		"wrong basic":        {"grant_type=client_credentials", []string{"Authorization", basic(id, "no")}, 401, "invalid_client"},
		"broken basic":       {"grant_type=client_credentials", []string{"Authorization", "Basic !"}, 401, "invalid_client"},
		"broken encoding":    {"grant_type=client_credentials", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:"+k))}, 401, "invalid_client"},
		"twice the same":     {posted.Encode() + "&client_id=" + id, nil, 400, "invalid_request"},
		"two scopes fields":  {posted.Encode() + "&scope=note.read&scope=patient.read", nil, 400, "invalid_request"},
		"a cookie":           {posted.Encode(), []string{"Cookie", "a=b"}, 400, "invalid_request"},
		"no form":            {posted.Encode(), []string{"Content-Type", "x"}, 200, ""},
		"a broken form":      {"%zz", nil, 400, "invalid_request"},
		"more than it takes": {posted.Encode() + "&x=" + long, nil, 400, "invalid_request"},
	} {
		w, got := ask(site, c.body, c.headers...)
		require.Equal(t, c.status, w.Code, what)
		if c.err != "" {
			require.Equal(t, c.err, got["error"], what)
			require.NotContains(t, w.Body.String(), "wk", what)
			require.Equal(t, machine.ActionToken, h.last().Action, what)
		}
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), what)
		tried := len(c.headers) > 0 && c.headers[0] == "Authorization" && c.status == 401
		require.Equal(t, tried, w.Header().Get("WWW-Authenticate") != "", what)
	}
	for what, r := range map[string]*http.Request{
		"GET":            httptest.NewRequest(http.MethodGet, "/token?"+posted.Encode(), nil),
		"in the address": form("/token?"+posted.Encode(), ""),
		"a scope there":  form("/token?scope=patient.read", posted.Encode()),
		"JSON":           httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(`{}`)),
	} {
		w := serve(site, r)
		require.Equal(t, 400, w.Code, what)
		require.Contains(t, w.Body.String(), "invalid_request", what)
	}
}

func TestTokenEndpointIsClosedWhereAPartFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	site := h.site(nil)
	for at := 1; ; at++ {
		h.clock.Add(time.Minute)
		h.wire.arm(at, "fails")
		w, got := ask(site, "grant_type=client_credentials", "Authorization", basic(string(p.ID), key.Reveal()))
		if !h.wire.hit() {
			require.Equal(t, 200, w.Code)
			break
		}
		require.Equal(t, 503, w.Code, "call %d", at)
		require.Nil(t, got["access_token"])
	}
	limited := newHouse(t, nil, func(o *machine.Options) { o.BadKeys = 1 })
	site = limited.site(nil)
	_, _ = ask(site, "")
	w, got := ask(site, "")
	require.Equal(t, 429, w.Code)
	require.Equal(t, "600", w.Header().Get("Retry-After"))
	require.Equal(t, "temporarily_unavailable", got["error"])
}

func TestHandlersNeedAnAddress(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	require.Panics(t, func() { h.m.Handler(nil, http.NotFoundHandler(), nil) })
	require.Panics(t, func() { h.m.Handler(peer, nil, nil) })
	require.Panics(t, func() { h.m.TokenHandler(nil, nil) })
}
