package session_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// marked returns the identifier that pages of the token's session carry.
func marked(t testing.TB, h interface {
	Handler(http.Handler) http.Handler
}, token string,
) string {
	t.Helper()
	_, ctx := serve(h, get(token))
	require.NotNil(t, ctx)
	return session.CSRF(ctx)
}

// post is a request of a page with the token in the cookie.
func post(token, kind string, body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, httpsPage+"notes", body)
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("Cookie", "__Host-session="+token)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}

const formType = "application/x-www-form-urlencoded"

// parts is a multipart form, field by field, value by value.
func parts(t testing.TB, fields ...string) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, w.WriteField(fields[i], fields[i+1]))
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.String()
}

func TestFormsCarryTheirSessionsIdentifier(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) { o.InsecureNoCSRF = []string{"POST /csp"} })
	token := d.start(t, staff(ann))
	id := marked(t, d, token)
	require.Len(t, id, 43)
	require.Equal(t, id, marked(t, d, token), "the same on every page")
	require.Equal(t, id, url.QueryEscape(id))
	multi, body := parts(t, "csrf", id, "text", strings.Repeat("long note ", 1000))
	late, lateBody := parts(t, "text", "x", "csrf", id)
	for name, c := range map[string]struct {
		kind, body, header string
		ok                 bool
	}{
		"form":                 {formType, "csrf=" + id + "&text=a+note", "", true},
		"form, nothing else":   {formType, "csrf=" + id, "", true},
		"form with a charset":  {formType + "; charset=utf-8", "csrf=" + id + "&a=b", "", true},
		"multipart":            {multi, body, "", true},
		"script":               {"application/json", `{"text":"a note"}`, id, true},
		"script, empty body":   {"", "", id, true},
		"header beside a form": {formType, "text=x", id, true},

		"nothing":                       {formType, "text=x", "", false},
		"no body":                       {"", "", "", false},
		"json":                          {"application/json", `{"csrf":"` + id + `"}`, "", false},
		"text":                          {"text/plain", "csrf=" + id, "", false},
		"no type":                       {"", "csrf=" + id, "", false},
		"unreadable type":               {"application/x-www-form-urlencoded; =", "csrf=" + id, "", false},
		"not the first field":           {formType, "text=x&csrf=" + id, "", false},
		"in the address only":           {formType, "", "", false},
		"longer":                        {formType, "csrf=" + id + "A", "", false},
		"shorter":                       {formType, "csrf=" + id[:42], "", false},
		"empty":                         {formType, "csrf=", "", false},
		"other letters":                 {formType, "csrf=" + strings.ToLower(id), "", false},
		"another field":                 {formType, "Csrf=" + id, "", false},
		"wrong header, right form":      {formType, "csrf=" + id, id[:42] + "!", false},
		"multipart, not the first":      {late, lateBody, "", false},
		"multipart without a boundary":  {"multipart/form-data", body, "", false},
		"multipart, another boundary":   {"multipart/form-data; boundary=x", body, "", false},
		"multipart cut off":             {multi, body[:len(multi)], "", false},
		"multipart, oversized first":    {multi, strings.Replace(body, id, id+strings.Repeat("A", 4096), 1), "", false},
		"multipart, a file of the name": {multi, strings.Replace(body, `name="csrf"`, `name="csrf"; filename="x"`, 1), "", false},
	} {
		request := func() *http.Request {
			r := post(token, c.kind, strings.NewReader(c.body))
			if name == "in the address only" {
				r.URL.RawQuery = "csrf=" + id
			}
			if c.header != "" {
				r.Header.Set(session.CSRFHeader, c.header)
			}
			return r
		}
		d.log.Reset()
		var read string
		w := httptest.NewRecorder()
		d.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.NoError(t, r.Body.Close())
			read = string(b)
		})).ServeHTTP(w, request())
		_, err := d.Check(request())
		require.Equal(t, !c.ok, errors.Is(err, session.ErrCSRF), name)
		if c.ok {
			require.Equal(t, http.StatusOK, w.Code, name)
			require.Equal(t, c.body, read, "the handler reads all of it")
			continue
		}
		require.Equal(t, http.StatusForbidden, w.Code, name)
		require.Empty(t, w.Header()["Set-Cookie"], "the session goes on")
		e, ok := d.log.Last("session.check")
		require.True(t, ok, name)
		require.Equal(t, "csrf", e.Code)
		require.Equal(t, audit.Failure, e.Outcome)
		require.Equal(t, ann, e.Actor.ID, "in whose name it was tried")

		exempt := request()
		exempt.URL.Path = "/csp"
		_, err = d.Check(exempt)
		require.NoError(t, err, "a pattern of InsecureNoCSRF")
		exempt = request()
		exempt.URL.Path = "/x/../csp"
		_, err = d.Check(exempt)
		require.ErrorIs(t, err, session.ErrCSRF, "another address, whatever a router makes of it")
	}
	two := post(token, formType, strings.NewReader("csrf="+id))
	two.Header[session.CSRFHeader] = []string{id, id}
	_, err := d.Check(two)
	require.ErrorIs(t, err, session.ErrCSRF, "which of two counts must not be a guess")
}

// A request that is refused prolongs nothing: a stranger's page cannot keep a session alive.
func TestForgedRequestIsNoActivity(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	for range 15 {
		d.clock.Add(59e9)
		_, err := d.Check(post(token, "", nil))
		require.ErrorIs(t, err, session.ErrCSRF)
	}
	require.Zero(t, d.store.count("Touch"))
	d.clock.Add(16e9)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
}

func TestWhatNeedsNoIdentifier(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		r := get(token)
		r.Method = method
		require.NoError(t, func() error { _, err := d.Check(r); return err }(), method)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PURGE", "get", ""} {
		r := get(token)
		r.Method = method
		_, err := d.Check(r)
		require.ErrorIs(t, err, session.ErrCSRF, method)
		r = get("")
		r.Method = method
		r.Header.Set("Authorization", "Bearer "+token)
		_, err = d.Check(r)
		require.NoError(t, err, "no browser sends a bearer token by itself")
		_, ctx := serve(d, r)
		require.Empty(t, session.CSRF(ctx))
	}
	for _, dead := range []string{"", "x", session.NewToken().Reveal()} {
		r := post(dead, formType, strings.NewReader("a=b"))
		w, ctx := serve(d, r)
		require.Equal(t, http.StatusOK, w.Code, "signing in has no session yet")
		require.Empty(t, session.CSRF(ctx))
	}
	require.Empty(t, session.CSRF(context.Background()))
}

// The identifier of any other session is worth nothing: another person's, another tenant's,
// the same person's on another device, the last sign-in's.
func TestIdentifierOfAnotherSession(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		other := staff(ann)
		other.Tenant = "clinic-2"
		last := d.start(t, staff(ann))
		ids := map[string]string{
			"person": marked(t, d, d.start(t, staff(bob))), "tenant": marked(t, d, d.start(t, other)),
			"device": marked(t, d, d.start(t, staff(ann))), "last": marked(t, d, last),
		}
		require.NoError(t, d.End(t.Context(), last, session.ReasonSignOut))
		seen := map[string]bool{marked(t, d, token): true}
		for name, id := range ids {
			require.False(t, seen[id], name)
			seen[id] = true
			_, err := d.Check(post(token, formType, strings.NewReader("csrf="+id)))
			require.ErrorIs(t, err, session.ErrCSRF, name)
		}
	})
}

// A form that was open when the token changed can still be sent: a draft is not lost.
func TestIdentifierOutlivesAChangeOfToken(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		old := d.start(t, staff(ann))
		id := marked(t, d, old)
		_, ctx := serve(d, get(old))
		token, err := d.Rotate(ctx)
		require.NoError(t, err)
		require.NotEqual(t, old, token)
		require.Equal(t, id, marked(t, d, token))
		for _, carrying := range []string{token, old} {
			_, err := d.Check(post(carrying, formType, strings.NewReader("csrf="+id)))
			require.NoError(t, err)
		}
	})
}

// Overriding the method from within the request does not get around the check: what counts
// is what the browser sent.
func TestMethodOverride(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		r := post(token, formType, strings.NewReader("_method=GET"))
		r.Header.Set(header, "GET")
		_, err := d.Check(r)
		require.ErrorIs(t, err, session.ErrCSRF, header)
	}
}

// An error of the body stays the handler's to see.
func TestBodyThatBreaks(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	id := marked(t, d, token)
	broken := errors.New("cut off")
	for _, sent := range []string{"csrf=" + id, "csrf=" + id + "&text=" + strings.Repeat("x", 5000)} {
		r := post(token, formType, io.MultiReader(strings.NewReader(sent), failing{broken}))
		var err error
		var b []byte
		d.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { b, err = io.ReadAll(r.Body) })).
			ServeHTTP(httptest.NewRecorder(), r)
		require.ErrorIs(t, err, broken)
		require.Equal(t, sent, string(b))
	}
	r := post(token, formType, io.MultiReader(strings.NewReader("csrf="+id[:9]), failing{broken}))
	_, err := d.Check(r)
	require.ErrorIs(t, err, session.ErrCSRF)
	limited := post(token, formType, strings.NewReader("csrf="+id+"&text="+strings.Repeat("x", 5000)))
	limited.Body = http.MaxBytesReader(httptest.NewRecorder(), limited.Body, 1000)
	_, ctx := serve(d, limited)
	require.NotNil(t, ctx)
	require.ErrorAs(t, limited.ParseForm(), new(*http.MaxBytesError), "a limit around it still holds")
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// No body lets a request through that does not carry the identifier, and none is changed.
func FuzzFirstField(f *testing.F) {
	d := newDesk(f, session.NewMemory())
	token := d.start(f, staff(ann))
	id := marked(f, d, token)
	kind, body := parts(f, "csrf", id)
	f.Add(formType, "csrf="+id)
	f.Add(kind, body)
	f.Add("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=csrf\r\n\r\n"+id+"\r\n--b--")
	f.Add("multipart/form-data; boundary=", "--\r\n\r\n")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := post(token, kind, strings.NewReader(body))
		_, err := d.Check(r)
		if !strings.Contains(body, id) {
			require.ErrorIs(t, err, session.ErrCSRF)
		}
		left, e := io.ReadAll(r.Body)
		require.NoError(t, e)
		require.Equal(t, body, string(left))
	})
}

func TestBadPatterns(t *testing.T) {
	t.Parallel()
	for _, o := range []session.Options{
		{InsecureNoCSRF: []string{"POST"}},
		{InsecureNoCSRF: []string{"/a", "/a"}},
		{InsecureCrossSite: []string{"{"}},
		{Path: "session/"},
		{Path: "/session"},
		{Path: "x"},
	} {
		_, err := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, &o)
		require.Error(t, err)
	}
}
