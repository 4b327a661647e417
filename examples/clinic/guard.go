package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// maxBody is the largest form the clinic accepts, in bytes.
const maxBody = 64 << 10

// tlsConfig reads the certificate that the flags name; nil means plain HTTP.
func (c config) tlsConfig() (*tls.Config, error) {
	if !c.tls() {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.tlsCert, c.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
	}
	secure := session.TLSConfig()
	secure.Certificates = []tls.Certificate{pair}
	return secure, session.CheckTLS(secure)
}

// guard refuses foreign Host headers, which is how a web page elsewhere would reach a
// server on loopback (DNS rebinding), addresses that are no text, and large bodies.
func (a *app) guard(next http.Handler) http.Handler {
	base, _ := url.Parse(a.config.baseURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.hostAllowed(base, r.Host) {
			_ = audit.Exempt(r.Context(), "a foreign Host header reaches no handler")
			http.Error(w, "This server does not answer to that name.", http.StatusMisdirectedRequest)
			return
		}
		if status := unfit(r); status != 0 {
			_ = audit.Exempt(r.Context(), "a request that no page could have sent reaches no handler")
			a.fail(w, r, status)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// unfit returns the status for what is refused before anybody looks at it, 0 for the rest. No
// identifier has control characters, and PostgreSQL takes no text with a zero byte.
func unfit(r *http.Request) int {
	query, err := url.QueryUnescape(r.URL.RawQuery)
	switch {
	case r.ContentLength > maxBody:
		return http.StatusRequestEntityTooLarge
	case !utf8.ValidString(r.URL.Path) || strings.ContainsFunc(r.URL.Path, unicode.IsControl):
		return http.StatusNotFound
	case err != nil || !utf8.ValidString(query) || strings.ContainsRune(query, 0):
		return http.StatusBadRequest
	}
	return 0
}

func (a *app) hostAllowed(base *url.URL, host string) bool {
	if host == base.Host {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	listen, _, _ := net.SplitHostPort(a.config.addr)
	return isLoopback(listen) && isLoopback(name)
}
