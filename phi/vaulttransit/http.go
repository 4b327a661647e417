package vaulttransit

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/wardkit/wardkit/phi"
)

// Defaults of Options.
const (
	DefaultMount    = "transit"
	DefaultTimeout  = 5 * time.Second
	DefaultAttempts = 4
	DefaultMaxWait  = 15 * time.Second
)

// Options of New. Nil means the defaults.
type Options struct {
	// Mount is the path of the Transit engine, DefaultMount where empty.
	Mount string
	// Namespace is sent as X-Vault-Namespace: of Vault Enterprise, HCP Vault and OpenBao.
	Namespace string
	// Label names the Transit key in what it wraps; the key's name where empty. It must stay
	// the same when the key gets another name, and differ between two keys of one phi.Ring.
	Label string
	// TLS is for a private certificate authority or a client certificate. TLS 1.2 at least.
	TLS *tls.Config
	// Transport sends the requests in place of one made from TLS: for a Unix socket, metrics.
	Transport http.RoundTripper
	// Timeout bounds one request, DefaultTimeout where 0.
	Timeout time.Duration
	// Attempts is how often a request is sent at most, DefaultAttempts where 0.
	Attempts int
	// MaxWait bounds the pauses between the attempts of one call, DefaultMaxWait where 0. Where
	// Vault asks for a longer one, the call ends at once.
	MaxWait time.Duration
	// InsecureHTTP allows an address without TLS, for an agent on the same machine. Roots go
	// over this connection in clear.
	InsecureHTTP bool
}

// client asks Vault.
type client struct {
	base  string // address and mount, with a slash at its end
	key   string
	token Token
	http  *http.Client
	o     Options
}

// newClient checks everything and returns the label, too.
func newClient(address, key string, token Token, o *Options) (*client, string, error) {
	c := &client{key: key, token: token}
	if o != nil {
		c.o = *o
	}
	c.o.fill(key)
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, "", errors.New("the address is not a plain URL")
	case u.Scheme != "https" && (u.Scheme != "http" || !c.o.InsecureHTTP):
		return nil, "", errors.New("the address is not https; InsecureHTTP names the choice to do without")
	case !regexp.MustCompile(`^\w([\w.-]*\w)?$`).MatchString(key):
		return nil, "", errors.New("not the name of a Transit key")
	case !regexp.MustCompile(`^\w[\w-]*(/\w[\w-]*)*$`).MatchString(c.o.Mount):
		return nil, "", errors.New("not the path of a Transit engine")
	case token == nil:
		return nil, "", errors.New("no token")
	case c.o.TLS != nil && c.o.Transport != nil:
		return nil, "", errors.New("TLS and Transport exclude each other")
	case c.o.Timeout < 0 || c.o.Attempts < 0 || c.o.MaxWait < 0:
		return nil, "", errors.New("negative timeout, attempts or wait")
	case strings.ContainsAny(c.o.Namespace, "\r\n"):
		return nil, "", errors.New("not a namespace")
	}
	c.base = strings.TrimRight(u.String(), "/") + "/v1/" + c.o.Mount + "/"
	c.http = &http.Client{Transport: c.o.transport(), CheckRedirect: stay}
	return c, c.o.Label, nil
}

func (o *Options) fill(key string) {
	if o.Mount == "" {
		o.Mount = DefaultMount
	}
	if o.Label == "" {
		o.Label = key
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Attempts == 0 {
		o.Attempts = DefaultAttempts
	}
	if o.MaxWait == 0 {
		o.MaxWait = DefaultMaxWait
	}
}

func (o *Options) transport() http.RoundTripper {
	if o.Transport != nil {
		return o.Transport
	}
	config := &tls.Config{}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
	}
}

// stay follows no redirect: it would carry the token, and roots, to whatever it names.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// request is the body of a Transit request; encoding/json writes bytes as Base64.
type request struct {
	Plaintext  []byte `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Context    []byte `json:"context"`
}

// answer is what matters of Vault's answer.
type answer struct {
	Plaintext  []byte `json:"plaintext"`
	Ciphertext string `json:"ciphertext"`
}

// ask sends a request until Vault has answered it, or there is no use in repeating it.
func (c *client) ask(ctx context.Context, op string, r request) (answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return answer{}, errAnswer // bytes and strings always marshal
	}
	waited := time.Duration(0)
	for attempt := 1; ; attempt++ {
		a, after, err := c.send(ctx, op, body)
		if err == nil || !phi.Retryable(err) || errors.Is(err, errAnswer) || attempt == c.o.Attempts {
			return a, err
		}
		wait := max(after, pause(attempt))
		if waited += wait; waited > c.o.MaxWait || !sleep(ctx, wait) {
			return a, err
		}
	}
}

// pause returns a random part of 100 ms, 200 ms, 400 ms … at most 2 s.
func pause(attempt int) time.Duration {
	most := min(100*time.Millisecond<<min(attempt-1, 10), 2*time.Second)
	return most/2 + rand.N(most/2)
}

// sleep reports whether it waited for all of d: not where ctx ends, or would end, before.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// send sends a request once. It returns how long Vault asks to wait.
func (c *client) send(ctx context.Context, op string, body []byte) (a answer, after time.Duration, err error) {
	once, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(once, http.MethodPost, c.base+op+"/"+c.key, bytes.NewReader(body))
	if err != nil {
		return a, 0, errAnswer
	}
	token, err := c.token(once)
	if err != nil {
		return a, 0, quietly(phi.ErrUnavailable, "no token for Vault", failure(ctx, err))
	}
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return a, 0, fmt.Errorf("%w: vaulttransit: not a token", phi.ErrDenied)
	}
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("X-Vault-Request", "true")
	req.Header.Set("Content-Type", "application/json")
	if c.o.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", c.o.Namespace)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return a, 0, unreachable(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	defer clear(text)
	if err != nil {
		return a, 0, unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		a, err = read(text)
		return a, 0, err
	}
	return a, retryAfter(resp), refused(op, resp.StatusCode, text)
}
