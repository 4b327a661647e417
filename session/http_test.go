package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

func TestHandlerSaysWhoActs(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	a := staff(ann)
	a.Organization = "org-7"
	token := d.start(t, a)
	r := get(token)
	r.RemoteAddr = "198.51.100.9:1"
	w, ctx := serve(d, r)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, http.Header{"Session-Left": {"idle=900, absolute=43200"}}, w.Header())

	s, ok := session.From(ctx)
	require.True(t, ok)
	require.Equal(t, session.StateLive, session.Status(ctx))
	got, ok := audit.ActorFrom(ctx)
	require.True(t, ok)
	require.Equal(t, audit.Actor{
		ID: ann, Kind: audit.KindStaff, Tenant: clinic, Session: s.ID, AuthTime: d.clock.Now(),
		Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2, Organization: "org-7",
		Origin: netip.MustParseAddr("198.51.100.9"), Device: "Firefox on Windows",
	}, got, "the address is this request's")
	require.NotContains(t, got.Session, token)

	s.Methods[0] = "changed by a handler"
	again, _ := session.From(ctx)
	require.Equal(t, []string{"pwd", "otp"}, again.Methods)
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) {
		o.Tenant = func(r *http.Request) audit.Tenant {
			name, _, _ := strings.Cut(r.Host, ".")
			return audit.Tenant(name)
		}
	})
	r := get("")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	w, ctx := serve(d, r)
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Header())
	a, ok := audit.ActorFrom(ctx)
	require.True(t, ok)
	want := audit.Anonymous("clinic", netip.MustParseAddr("192.0.2.7"))
	want.Device = "Firefox on Linux"
	require.Equal(t, want, a)
	require.Equal(t, session.StateNone, session.Status(ctx))
	_, ok = session.From(ctx)
	require.False(t, ok)
	require.Zero(t, d.store.count("Get"))

	_, ok = session.From(context.Background())
	require.False(t, ok)
	require.Equal(t, session.StateNone, session.Status(context.Background()))
	require.ErrorIs(t, d.state(""), session.ErrNoSession)
}

// A dead token: anonymous, the cookie is cleared, and the host can say why.
func TestDeadTokens(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		expired := d.start(t, staff(ann))
		d.clock.Add(15 * time.Minute)
		ended := d.start(t, staff(ann))
		require.NoError(t, d.End(t.Context(), ended, session.ReasonSignOut))
		for name, c := range map[string]struct {
			token string
			state session.State
			err   error
		}{
			"expired":       {expired, session.StateExpired, session.ErrExpired},
			"expired again": {expired, session.StateExpired, session.ErrExpired},
			"ended":         {ended, session.StateEnded, session.ErrEnded},
			"unknown":       {session.NewToken().Reveal(), session.StateInvalid, session.ErrInvalid},
			"truncated":     {ended[:40], session.StateInvalid, session.ErrInvalid},
			"garbage":       {"x%00'--", session.StateInvalid, session.ErrInvalid},
			"quoted":        {`"` + ended + `"`, session.StateInvalid, session.ErrInvalid},
		} {
			w, ctx := serve(d, get(c.token))
			require.Equal(t, c.state, session.Status(ctx), name)
			_, ok := session.From(ctx)
			require.False(t, ok, name)
			a, _ := audit.ActorFrom(ctx)
			require.Equal(t, audit.KindAnonymous, a.Kind, name)
			require.Empty(t, a.Tenant, name)
			require.Equal(t, []string{"__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"}, w.Header()["Set-Cookie"], name)

			err := d.state(c.token)
			require.ErrorIs(t, err, c.err, name)
			require.ErrorIs(t, err, session.ErrNoSession, name)
			require.ErrorIs(t, c.state.Err(), c.err, name)

			bearer := get("")
			bearer.Header.Set("Authorization", "Bearer "+c.token)
			w, ctx = serve(d, bearer)
			require.Equal(t, c.state, session.Status(ctx), name)
			require.Empty(t, w.Header(), name)
		}
	})
}

func TestStates(t *testing.T) {
	t.Parallel()
	for state, name := range map[session.State]string{
		session.StateNone: "none", session.StateLive: "live", session.StateExpired: "expired",
		session.StateEnded: "ended", session.StateInvalid: "invalid", 77: "unknown",
	} {
		require.Equal(t, name, state.String())
		require.Equal(t, state == session.StateLive, state.Err() == nil)
	}
	require.ErrorIs(t, session.State(77).Err(), session.ErrNoSession)
}

// What a scan of forged tokens gets: the database is asked by hash only, and one changed
// character is another token.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	for i := range token {
		forged := []byte(token)
		forged[i] ^= 1
		require.ErrorIs(t, d.state(string(forged)), session.ErrInvalid)
		if i > 0 {
			require.ErrorIs(t, d.state(token[:i]), session.ErrInvalid)
		}
	}
	require.NoError(t, d.state(token))
}

// A token that a client presents before sign-in is never adopted: an attacker who plants one
// in the victim's browser gains nothing.
func TestFixation(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	own := d.start(t, staff("staff-mallory"))
	for _, planted := range []string{session.NewToken().Reveal(), own} {
		_, ctx := serve(d, get(planted))
		token, err := d.Start(ctx, staff(ann))
		require.NoError(t, err)
		require.NotEqual(t, planted, token)
		require.Error(t, d.state(planted))
		s, err := d.Check(get(token))
		require.NoError(t, err)
		require.Equal(t, ann, s.Person)
	}
}

// Signing in again in the same browser ends the session it had (ASVS 5.0, 7.2.4), and a
// request that is still under way with the old cookie does not clear the new one.
func TestSigningInAgainReplaces(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	old, elsewhere := d.start(t, staff(ann)), d.start(t, staff(ann))
	_, ctx := serve(d, get(old))
	token, err := d.Start(ctx, staff(ann))
	require.NoError(t, err)
	require.NoError(t, d.state(token))
	require.NoError(t, d.state(elsewhere), "another device is another session")
	e, _ := d.log.Last("session.end")
	require.Equal(t, "replaced", e.Detail["reason"])

	w, ctx := serve(d, get(old))
	require.Equal(t, session.StateEnded, session.Status(ctx))
	require.Empty(t, w.Header()["Set-Cookie"])

	service := staff("service-lab")
	service.Kind = audit.KindService
	_, ctx = serve(d, get(token))
	_, err = d.Start(ctx, service)
	require.NoError(t, err)
	require.NoError(t, d.state(token), "an administrator who makes a token for a program stays signed in")
}

func TestCrossOriginIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) {
		o.Tenant = func(*http.Request) audit.Tenant { return clinic }
		o.TrustedOrigins = []string{"https://portal.example.com"}
		o.InsecureCrossSite = []string{"POST /sso/acs"}
	})
	token := d.start(t, staff(ann))
	id := marked(t, d, token)
	for name, c := range map[string]struct {
		method, path, site, origin string
		status                     int
	}{
		"post of another site":     {"POST", "/", "cross-site", "https://evil.example", 403},
		"post of a sister site":    {"POST", "/", "same-site", "https://blog.example.com", 403},
		"old browser":              {"POST", "/", "", "https://evil.example", 403},
		"origin null":              {"POST", "/", "", "null", 403},
		"delete":                   {"DELETE", "/", "cross-site", "", 403},
		"unknown method":           {"PURGE", "/", "cross-site", "", 403},
		"own page":                 {"POST", "/", "same-origin", "https://clinic.example.com", 200},
		"own page, old browser":    {"POST", "/", "", "https://clinic.example.com", 200},
		"typed":                    {"POST", "/", "none", "", 200},
		"no browser":               {"POST", "/", "", "", 200},
		"link from another site":   {"GET", "/", "cross-site", "", 200},
		"trusted origin":           {"POST", "/", "cross-site", "https://portal.example.com", 200},
		"trusted origin over http": {"POST", "/", "cross-site", "http://portal.example.com", 403},
		"identity provider":        {"POST", "/sso/acs", "cross-site", "https://idp.example", 200},
		"beside the pattern":       {"POST", "/sso/acs/x", "cross-site", "https://idp.example", 403},
	} {
		for _, presented := range []string{token, ""} {
			d.log.Reset()
			r := get(presented)
			r.Method, r.URL.Path = c.method, c.path
			if presented != "" && c.path != "/sso/acs" { // no identifier helps another site
				r.Header.Set(session.CSRFHeader, id)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			reads := d.store.count("Get")
			w, ctx := serve(d, r)
			require.Equal(t, c.status, w.Code, name)
			require.Equal(t, c.status == 200, ctx != nil, name)
			_, err := d.Check(r)
			require.Equal(t, c.status != 200, errors.Is(err, session.ErrCrossOrigin), name)
			if c.status == 200 {
				continue
			}
			require.Equal(t, reads, d.store.count("Get"), "refused before anything is read")
			e, ok := d.log.Last("session.check")
			require.True(t, ok, name)
			require.Equal(t, "cross_origin", e.Code, name)
			require.Equal(t, audit.Failure, e.Outcome, name)
			require.Equal(t, netip.MustParseAddr("192.0.2.7"), e.Actor.Origin, name)
		}
	}
}

func TestRefuseHook(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) {
		o.Refuse = func(w http.ResponseWriter, r *http.Request, status int, code string) {
			a, _ := audit.ActorFrom(r.Context())
			w.Header().Set("X-Code", code+" "+string(a.Kind))
			w.WriteHeader(status)
		}
	})
	r := get("")
	r.Method = http.MethodPost
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w, _ := serve(d, r)
	require.Equal(t, 403, w.Code)
	require.Equal(t, "cross_origin anonymous", w.Header().Get("X-Code"))
}

// Middleware, session and cookie over the memory store: at most 6 allocations a request.
func TestAllocations(t *testing.T) {
	d := newDesk(t, session.NewMemory())
	m, err := session.New(session.NewMemory(), d.log, session.RemoteAddr, &session.Options{Now: d.clock.Now})
	require.NoError(t, err)
	token, err := m.Start(t.Context(), staff(ann))
	require.NoError(t, err)
	r := get(token)
	r.Header.Set("Cookie", "theme=dark; __Host-session="+token+"; lang=en")
	w := httptest.NewRecorder()
	h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := audit.ActorFrom(r.Context()); !ok {
			t.Error("nobody acts")
		}
	}))
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }), 6.0)
	require.Empty(t, w.Header()["Set-Cookie"])
}
