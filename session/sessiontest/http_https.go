package sessiontest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wardkit/wardkit/internal/conform"
)

// Service is a host's whole handler, as its server has it, and the address that it is reached
// at, as "https://clinic.example.com".
type Service struct {
	Handler http.Handler
	Base    string
}

// TestHTTPS shows a host's handler requests that came over plain HTTP from an address that no
// proxy has, 192.0.2.1, each rule as a subtest. session.RequireHTTPS keeps the rules; so does a
// handler that answers no such request. What TLS a server speaks, session.CheckTLS judges.
func TestHTTPS(t *testing.T, s Service) {
	t.Helper()
	conform.Test(t, HTTPSRules(), func(testing.TB) Service { return s })
}

// CheckHTTPS returns every rule of TestHTTPS that the handler breaks, nil if none.
func CheckHTTPS(ctx context.Context, s Service) error {
	return conform.Check(ctx, HTTPSRules(), func() (Service, error) { return s, nil })
}

// HTTPSRules returns the rules of TestHTTPS.
func HTTPSRules() []conform.Rule[Service] {
	return []conform.Rule[Service]{
		{
			Name: "pages_redirect", Clause: "A page asked for over plain HTTP is not served: it redirects to itself below the base (ASVS 5.0, 12.2.1)",
			Run: plain(http.MethodGet, nil, true),
		},
		{
			Name: "host_is_not_believed", Clause: "Where it redirects to is not what the Host header says",
			Run: plain(http.MethodGet, func(r *http.Request) { r.Host = "evil.example" }, true),
		},
		{
			Name: "proto_is_not_believed", Clause: "Nobody but a trusted proxy says by a header that a request came over HTTPS",
			Run: plain(http.MethodGet, func(r *http.Request) {
				r.Header.Set("X-Forwarded-Proto", "https")
				r.Header.Set("Forwarded", "proto=https")
			}, true),
		},
		{
			Name: "writes_are_refused", Clause: "What was sent in clear is refused and not redirected (ASVS 5.0, 4.1.2)",
			Run: plain(http.MethodPost, nil, false),
		},
		{
			Name: "credentials_are_refused", Clause: "So are credentials that were sent in clear: whoever sends them has to notice",
			Run: plain(http.MethodGet, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, false),
		},
		{Name: "nothing_is_set", Clause: "Such an answer sets no cookie and no Strict-Transport-Security (RFC 6797, section 7.2)", Run: nothingIsSet},
	}
}

const plainPath = "/records/17?page=2"

// send asks over plain HTTP.
func (s Service) send(ctx context.Context, method string, change func(*http.Request)) *http.Response {
	return s.ask(ctx, method, nil, change)
}

// ask asks over plain HTTP, or over HTTPS with a connection's state.
func (s Service) ask(ctx context.Context, method string, over *tls.ConnectionState, change func(*http.Request)) *http.Response {
	_, host, _ := strings.Cut(s.Base, "://")
	r := httptest.NewRequest(method, plainPath, nil).WithContext(ctx)
	r.Host, r.TLS, r.RemoteAddr = host, over, "192.0.2.1:4711"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return w.Result()
}

// plain is a rule for one request over plain HTTP: refused, or redirected where that is allowed.
func plain(method string, change func(*http.Request), redirects bool) func(context.Context, Service) error {
	return func(ctx context.Context, s Service) error {
		w := s.send(ctx, method, change)
		defer w.Body.Close()
		switch {
		case w.StatusCode >= 400 && w.StatusCode < 500:
			return refuses(w, s.ask(ctx, method, &tls.ConnectionState{HandshakeComplete: true}, change))
		case w.StatusCode < 300 || w.StatusCode >= 400:
			return fmt.Errorf("it is answered with %d", w.StatusCode)
		case !redirects:
			return fmt.Errorf("it is redirected with %d", w.StatusCode)
		case w.Header.Get("Location") != s.Base+plainPath:
			return errors.New("it is redirected elsewhere")
		}
		return nil
	}
}

// refuses reports an answer that is the same over HTTPS: a page that is not there, or a form to
// sign in, says nothing about the connection.
func refuses(w, over *http.Response) error {
	defer over.Body.Close()
	said, err := io.ReadAll(w.Body)
	same, errOver := io.ReadAll(over.Body)
	if err = errors.Join(err, errOver); err == nil && w.StatusCode == over.StatusCode && bytes.Equal(said, same) {
		err = fmt.Errorf("it is answered with %d, as over HTTPS", w.StatusCode)
	}
	return err
}

func nothingIsSet(ctx context.Context, s Service) error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		w := s.send(ctx, method, nil)
		w.Body.Close()
		for _, field := range []string{"Set-Cookie", "Strict-Transport-Security"} {
			if w.Header.Get(field) != "" {
				return fmt.Errorf("%s is sent", field)
			}
		}
	}
	return nil
}
