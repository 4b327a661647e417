package interop_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/session"
)

const clinic = audit.Tenant("clinic-1")

// hand is a clock that tests set.
type hand struct {
	mu sync.Mutex
	t  time.Time
}

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.t
}

func (h *hand) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.t = h.t.Add(d)
}

// host is one server with the handlers that every router gets.
type host struct {
	*session.Manager
	clock *hand
	log   *audittest.Recorder
	gate  chan struct{} // lets the stream go on
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{clock: &hand{t: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}, log: audittest.NewRecorder(), gate: make(chan struct{})}
	m, err := session.New(session.NewMemory(), h.log, session.RemoteAddr, &session.Options{
		Now:    h.clock.Now,
		Tenant: func(*http.Request) audit.Tenant { return clinic },
		Policy: session.Policy{HighRisk: map[audit.Action]session.Duty{"record.export": {Area: "export", Within: time.Minute}}},
	})
	require.NoError(t, err)
	h.Manager = m
	return h
}

func (h *host) who(w http.ResponseWriter, r *http.Request) {
	a, _ := audit.ActorFrom(r.Context())
	_ = audit.Exempt(r.Context(), "says who asks")
	fmt.Fprintf(w, "%s %s %s %s", a.Kind, a.ID, session.Status(r.Context()), session.CSRF(r.Context()))
}

func (h *host) save(w http.ResponseWriter, r *http.Request) {
	_ = audit.Exempt(r.Context(), "repeats what was sent")
	fmt.Fprint(w, "saved "+r.PostFormValue("text"))
}

func (h *host) export(w http.ResponseWriter, r *http.Request) {
	_ = audit.Exempt(r.Context(), "exports nothing")
	owed, err := h.StepUp(r.Context(), "record.export", audit.Object{Type: "record", ID: "r-1"}, 0)
	switch {
	case err != nil:
		http.Error(w, "", http.StatusServiceUnavailable)
	case owed:
		session.Challenge(w, time.Minute)
	}
}

func (h *host) stream(w http.ResponseWriter, r *http.Request) {
	if audit.Decide(r.Context(), audit.Event{Action: "vitals.read", Verb: audit.Read}) != nil {
		return
	}
	for range 2 {
		_, _ = io.WriteString(w, "beat\n")
		_ = http.NewResponseController(w).Flush() // some routers keep its error to themselves
		select {
		case <-h.gate:
		case <-r.Context().Done(): // what was withheld ends the request
			return
		}
	}
}

// routers are the ways in which hosts route. Each puts the session's handler where its users
// would.
func routers() map[string]func(h *host) http.Handler {
	return map[string]func(h *host) http.Handler{
		"net/http": func(h *host) http.Handler {
			r := http.NewServeMux()
			r.HandleFunc("GET /who", h.who)
			r.HandleFunc("POST /notes", h.save)
			r.HandleFunc("GET /export", h.export)
			r.HandleFunc("GET /stream", h.stream)
			return h.Handler(r)
		},
		"chi": func(h *host) http.Handler {
			r := chi.NewRouter()
			r.Use(h.Handler)
			r.Get("/who", h.who)
			r.Post("/notes", h.save)
			r.Get("/export", h.export)
			r.Get("/stream", h.stream)
			return r
		},
		"gorilla": func(h *host) http.Handler { // Use would not see paths without a route
			r := mux.NewRouter()
			r.HandleFunc("/who", h.who).Methods("GET")
			r.HandleFunc("/notes", h.save).Methods("POST")
			r.HandleFunc("/export", h.export).Methods("GET")
			r.HandleFunc("/stream", h.stream).Methods("GET")
			return h.Handler(r)
		},
		"echo": func(h *host) http.Handler {
			e := echo.New()
			e.Use(echo.WrapMiddleware(h.Handler))
			e.GET("/who", echo.WrapHandler(http.HandlerFunc(h.who)))
			e.POST("/notes", echo.WrapHandler(http.HandlerFunc(h.save)))
			e.GET("/export", echo.WrapHandler(http.HandlerFunc(h.export)))
			e.GET("/stream", func(c echo.Context) error { h.stream(c.Response(), c.Request()); return nil })
			return e
		},
		"gin": func(h *host) http.Handler {
			g := gin.New()
			g.GET("/who", gin.WrapF(h.who))
			g.POST("/notes", gin.WrapF(h.save))
			g.GET("/export", gin.WrapF(h.export))
			g.GET("/stream", func(c *gin.Context) { h.stream(c.Writer, c.Request) })
			return h.Handler(g)
		},
	}
}

// client talks to one running host as a browser or as an app.
type client struct {
	*host
	t     *testing.T
	base  string
	token string
}

func serve(t *testing.T, route func(h *host) http.Handler) *client {
	t.Helper()
	h := newHost(t)
	held, err := audithttp.Hold(h.log, route(h), &audithttp.Options{Now: h.clock.Now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	handler, err := session.SecurityHeaders(held, nil)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := &client{host: h, t: t, base: server.URL}
	c.token = c.signIn("staff-ann")
	return c
}

func (c *client) signIn(id audit.ActorID) string {
	c.t.Helper()
	token, err := c.Start(c.t.Context(), audit.Actor{
		ID: id, Kind: audit.KindStaff, Tenant: clinic, Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2,
	})
	require.NoError(c.t, err)
	return token
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with the cookie of token and the headers given, name by name.
func (c *client) ask(method, path, token, body string, headers ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if token != "" {
		r.Header.Set("Cookie", "__Host-session="+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return answer{res.StatusCode, res.Header, string(b)}
}

// identifier is what a page of the session puts into its forms.
func (c *client) identifier(token string) string {
	c.t.Helper()
	words := strings.Fields(c.ask("GET", "/who", token, "").body)
	return words[len(words)-1]
}

// The same things happen behind every router.
func TestEveryRouterTreatsSessionsAlike(t *testing.T) {
	t.Parallel()
	gin.SetMode(gin.ReleaseMode)
	stories := map[string]func(*client){
		"anonymous":           anonymous,
		"live":                live,
		"bearer":              bearer,
		"dead_token":          deadToken,
		"csrf_refused":        csrfRefused,
		"cross_origin":        crossOrigin,
		"time_left":           timeLeft,
		"step_up_challenge":   stepUp,
		"locked":              locked,
		"stream_is_cut_off":   streamIsCutOff,
		"check_agrees":        checkAgrees,
		"unknown_path_is_404": unknownPath,
	}
	for name, route := range routers() {
		t.Run(name, func(t *testing.T) {
			for story, tell := range stories {
				t.Run(story, func(t *testing.T) {
					t.Parallel()
					tell(serve(t, route))
				})
			}
		})
	}
}

func anonymous(c *client) {
	at := c.ask("GET", "/who", "", "")
	require.Equal(c.t, "anonymous  none ", at.body)
	require.NotContains(c.t, at.header, "Set-Cookie")
	require.Equal(c.t, 200, c.ask("POST", "/notes", "", "text=x").status, "signing in has no session yet")
}

func live(c *client) {
	at := c.ask("GET", "/who", c.token, "")
	require.True(c.t, strings.HasPrefix(at.body, "staff staff-ann live "), at.body)
	require.Equal(c.t, "idle=900, absolute=43200", at.header.Get(session.LeftHeader))
	require.Equal(c.t, "nosniff", at.header.Get("X-Content-Type-Options"))
	at = c.ask("POST", "/notes", c.token, "csrf="+c.identifier(c.token)+"&text=a+note")
	require.Equal(c.t, 200, at.status)
	require.Equal(c.t, "saved a note", at.body, "the router's handler reads the whole form")
}

func bearer(c *client) {
	at := c.ask("GET", "/who", "", "", "Authorization", "Bearer "+c.token)
	require.Equal(c.t, "staff staff-ann live ", at.body)
	at = c.ask("POST", "/notes", "", "text=x", "Authorization", "Bearer "+c.token)
	require.Equal(c.t, "saved x", at.body)
	at = c.ask("GET", "/who", c.token, "", "Authorization", "Bearer "+c.token)
	require.Equal(c.t, 400, at.status, "two tokens")
}

func deadToken(c *client) {
	require.NoError(c.t, c.End(c.t.Context(), c.token, session.ReasonSignOut))
	at := c.ask("GET", "/who", c.token, "")
	require.Equal(c.t, "anonymous  ended ", at.body)
	require.Contains(c.t, at.header.Get("Set-Cookie"), "Max-Age=0")
	at = c.ask("GET", "/who", strings.Repeat("x", 5000), "")
	require.Equal(c.t, "anonymous  invalid ", at.body)
}

func csrfRefused(c *client) {
	other := c.identifier(c.signIn("staff-bob"))
	for _, body := range []string{"text=x", "csrf=" + other + "&text=x", "text=x&csrf=" + c.identifier(c.token)} {
		at := c.ask("POST", "/notes", c.token, body)
		require.Equal(c.t, 403, at.status)
		require.NotContains(c.t, at.body, "saved")
		e, _ := c.log.Last("session.check")
		require.Equal(c.t, "csrf", e.Code)
	}
	at := c.ask("POST", "/notes", c.token, "_method=GET", "X-HTTP-Method-Override", "GET")
	require.Equal(c.t, 403, at.status)
}

func crossOrigin(c *client) {
	body := "csrf=" + c.identifier(c.token)
	at := c.ask("POST", "/notes", c.token, body, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	require.Equal(c.t, 403, at.status)
	e, _ := c.log.Last("session.check")
	require.Equal(c.t, "cross_origin", e.Code)
	require.Equal(c.t, 200, c.ask("POST", "/notes", c.token, body, "Sec-Fetch-Site", "same-origin").status)
}

func timeLeft(c *client) {
	for range 14 {
		c.clock.pass(time.Minute)
		require.Contains(c.t, c.ask("GET", "/session/left", c.token, "").body, `"state":"live"`)
	}
	c.clock.pass(time.Minute)
	at := c.ask("GET", "/session/left", c.token, "")
	require.JSONEq(c.t, `{"state":"expired"}`, at.body, "asking is no activity")
	at = c.ask("GET", "/session/countdown.js", "", "")
	require.Equal(c.t, 200, at.status)
	require.Contains(c.t, at.header.Get("Content-Type"), "text/javascript")
}

func stepUp(c *client) {
	at := c.ask("GET", "/export", c.token, "")
	require.Equal(c.t, 401, at.status)
	require.Equal(c.t, `Bearer error="insufficient_user_authentication", max_age=60`, at.header.Get("WWW-Authenticate"))
	next := c.within(c.token, func(ctx context.Context) string {
		c.clock.pass(time.Second)
		again := audit.Actor{
			ID: "staff-ann", Kind: audit.KindStaff, Tenant: clinic, Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2,
			AuthTime: c.clock.Now(),
		}
		token, err := c.Reauthenticated(ctx, again, session.Area("export"))
		require.NoError(c.t, err)
		return token
	})
	require.Equal(c.t, 200, c.ask("GET", "/export", next, "").status)
	require.Equal(c.t, 401, c.ask("GET", "/export", c.token, "").status, "the old token keeps what it had")
}

// within runs f in the context of a request with the token.
func (c *client) within(token string, f func(context.Context) string) (result string) {
	c.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	c.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { result = f(r.Context()) })).
		ServeHTTP(httptest.NewRecorder(), r)
	return result
}

func locked(c *client) {
	id := c.identifier(c.token)
	c.within(c.token, func(ctx context.Context) string { require.NoError(c.t, c.Lock(ctx)); return "" })
	at := c.ask("GET", "/who", c.token, "")
	require.Equal(c.t, "anonymous  locked "+id, at.body, "nobody acts, and the form that unlocks has its identifier")
	require.NotContains(c.t, at.header, "Set-Cookie", "the session goes on")
	require.Equal(c.t, 403, c.ask("POST", "/notes", c.token, "text=x").status)
	require.Contains(c.t, c.ask("GET", "/session/left", c.token, "").body, `"state":"locked"`)
}

func streamIsCutOff(c *client) {
	r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.base+"/stream", nil)
	require.NoError(c.t, err)
	r.Header.Set("Cookie", "__Host-session="+c.token)
	res, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer res.Body.Close()
	defer close(c.gate)
	body := bufio.NewReader(res.Body)
	line, err := body.ReadString('\n')
	require.NoError(c.t, err)
	require.Equal(c.t, "beat\n", line, "it is flushed through the router's own writer")
	require.NoError(c.t, c.EndAll(c.t.Context(), clinic, "staff-ann", session.ReasonSignOut))
	c.clock.pass(audithttp.RecheckEvery)
	c.gate <- struct{}{}
	_, err = body.ReadString('\n')
	require.Error(c.t, err)
}

// Check answers as Handler does, for those who ask instead of wrapping.
func checkAgrees(c *client) {
	request := func(method, token string) *http.Request {
		r := httptest.NewRequest(method, "/notes", nil)
		if token != "" {
			r.Header.Set("Cookie", "__Host-session="+token)
		}
		return r
	}
	cross := request("POST", c.token)
	cross.Header.Set("Sec-Fetch-Site", "cross-site")
	two := request("GET", c.token)
	two.Header.Add("Cookie", "__Host-session="+c.token)
	for _, row := range []struct {
		r      *http.Request
		err    error
		status int
	}{
		{request("GET", c.token), nil, 200},
		{request("GET", ""), session.ErrNoSession, 200},
		{request("GET", "x"), session.ErrInvalid, 200},
		{request("POST", c.token), session.ErrCSRF, 403},
		{cross, session.ErrCrossOrigin, 403},
		{two, session.ErrAmbiguous, 400},
	} {
		s, err := c.Check(row.r)
		require.True(c.t, errors.Is(err, row.err), "%v", err)
		require.Equal(c.t, err == nil, s.Person == "staff-ann")
		w := httptest.NewRecorder()
		c.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, row.r)
		require.Equal(c.t, row.status, w.Code)
	}
}

func unknownPath(c *client) {
	at := c.ask("GET", "/nowhere", c.token, "")
	require.Equal(c.t, 500, at.status, "nobody decided about it, so Hold lets nothing out")
	require.NotContains(c.t, at.body, "staff")
}
