package vaulttransit_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
	"github.com/wardkit/wardkit/phi/vaulttransit"
)

func staticToken(context.Context) (string, error) { return token, nil }

func place() phi.KeyContext {
	return phi.KeyContext{Namespace: "acme-ehr", Tenant: "clinic-17", Purpose: phi.PurposeData, Epoch: 1}
}

// once gives up after the first attempt.
func once() vaulttransit.Options { return vaulttransit.Options{Attempts: 1} }

func TestKMS(t *testing.T) {
	t.Parallel()
	for name, derived := range map[string]bool{"derived": true, "not derived": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			phitest.TestKMS(t, func(t testing.TB) phi.KMS {
				f := newFakeVault(t)
				f.derived = derived
				k := f.kms(t, vaulttransit.Options{})
				if !derived {
					return unwrapped{k}
				}
				return k
			})
		})
	}
}

// unwrapped looks at what a re-wrap returned, as a rotation does: with a key that is not
// derived Vault itself does not notice another context.
type unwrapped struct{ *vaulttransit.KMS }

func (u unwrapped) Rewrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	out, err := u.KMS.Rewrap(ctx, wrapped, c)
	if err == nil {
		_, err = u.Unwrap(ctx, out, c)
	}
	return out, err
}

// exchange is one request and its answer as Vault's documentation has them.
type exchange struct {
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

// replay answers a recorded request, and only that.
type replay struct {
	t *testing.T
	exchange
	seen int
}

func (r *replay) RoundTrip(req *http.Request) (*http.Response, error) {
	r.seen++
	require.Equal(r.t, r.Request.Method, req.Method)
	require.Equal(r.t, r.Request.Path, req.URL.Path)
	for name, value := range r.Request.Headers {
		require.Equal(r.t, value, req.Header.Get(name), name)
	}
	body, err := io.ReadAll(req.Body)
	require.NoError(r.t, err)
	require.JSONEq(r.t, string(r.Request.Body), string(body))
	rec := httptest.NewRecorder()
	for name, value := range r.Response.Headers {
		rec.Header().Set(name, value)
	}
	rec.WriteHeader(r.Response.Status)
	rec.Write(r.Response.Body)
	return rec.Result(), nil
}

func recorded(t *testing.T, name string) *replay {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	r := &replay{t: t}
	require.NoError(t, json.Unmarshal(text, &r.exchange))
	return r
}

// recordedKey is the key of the recorded exchanges.
func recordedKey() []byte { return bytes.Repeat([]byte{0x2a}, 32) }

func recordedKMS(t *testing.T, r http.RoundTripper) *vaulttransit.KMS {
	t.Helper()
	k, err := vaulttransit.New("https://vault.internal:8200", "acme-ehr", staticToken,
		&vaulttransit.Options{Transport: r, Attempts: 1, Namespace: "ns1/ns2/"})
	require.NoError(t, err)
	return k
}

const recordedCiphertext = "vault:v1:XjsPWPjqPrBi1N2Ms2s1QM798YyFWnO4TR4lsFA="

func recordedWrapped(t *testing.T) []byte {
	t.Helper()
	wrapped, err := recordedKMS(t, recorded(t, "encrypt")).Wrap(t.Context(), recordedKey(), place())
	require.NoError(t, err)
	return wrapped
}

// The requests are those of the documentation, byte for byte where it matters, and its answers
// are understood.
func TestRecorded(t *testing.T) {
	t.Parallel()
	wrapped := recordedWrapped(t)
	require.Equal(t, recordedCiphertext, string(wrapped[17:]))
	require.Equal(t, byte(2), wrapped[0])

	r := recorded(t, "decrypt")
	key, err := recordedKMS(t, r).Unwrap(t.Context(), wrapped, place())
	require.NoError(t, err)
	require.Equal(t, recordedKey(), key)
	require.Equal(t, 1, r.seen)

	next, err := recordedKMS(t, recorded(t, "rewrap")).Rewrap(t.Context(), wrapped, place())
	require.NoError(t, err)
	require.Equal(t, wrapped[:17], next[:17])
	require.Equal(t, "vault:v2:abcdefgh", string(next[17:]))
	same, err := recordedKMS(t, recorded(t, "rewrap_latest")).Rewrap(t.Context(), wrapped, place())
	require.NoError(t, err)
	require.Equal(t, wrapped, same, "under the latest version already")
}

func TestRecordedErrors(t *testing.T) {
	t.Parallel()
	wrapped := recordedWrapped(t)
	for name, want := range map[string]error{
		"400_invalid_ciphertext": phi.ErrWrongKey,
		"400_key_not_found":      phi.ErrWrongKey,
		"400_too_old":            phi.ErrWrongKey,
		"400_of_a_proxy":         phi.ErrUnavailable,
		"403_permission_denied":  phi.ErrDenied,
		"404_no_handler":         phi.ErrDenied,
		"412_precondition":       phi.ErrUnavailable,
		"429_rate_limit":         phi.ErrThrottled,
		"500_internal":           phi.ErrUnavailable,
		"503_sealed":             phi.ErrUnavailable,
		"307_standby":            phi.ErrUnavailable,
		"200_html":               phi.ErrUnavailable,
		"200_empty":              phi.ErrUnavailable,
	} {
		_, err := recordedKMS(t, recorded(t, name)).Unwrap(t.Context(), wrapped, place())
		require.ErrorIs(t, err, want, name)
		require.Equal(t, !errors.Is(want, phi.ErrDenied) && want != phi.ErrWrongKey, phi.Retryable(err), name)
		require.Equal(t, want == phi.ErrWrongKey, errors.Is(err, phi.ErrWrongKey), name)
		requireQuiet(t, err)
	}
	_, err := recordedKMS(t, recorded(t, "400_encrypt")).Wrap(t.Context(), recordedKey(), place())
	require.ErrorIs(t, err, phi.ErrDenied)
	require.NotErrorIs(t, err, phi.ErrWrongKey)
}

// requireQuiet checks that an error names no tenant, no token, and nothing that Vault said.
func requireQuiet(t *testing.T, err error) {
	t.Helper()
	for _, word := range []string{"clinic-17", token, "hvs.", "sealed", "quota", "invalid ciphertext", "acme-ehr"} {
		require.NotContains(t, err.Error(), word)
	}
}

// An answer that makes no sense is never taken for a wrapped key or for a key.
func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	f := newFakeVault(t)
	k := f.kms(t, once())
	wrapped, err := k.Wrap(t.Context(), recordedKey(), place())
	require.NoError(t, err)
	for name, body := range map[string]string{
		"nothing": ``, "null": `null`, "no data": `{"errors":[]}`, "empty": `{"data":{}}`, "html": `<html>`,
		"plaintext back": `{"data":{"ciphertext":"KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio="}}`,
		"version 0":      `{"data":{"ciphertext":"vault:v0:abcdefgh"}}`,
		"no version":     `{"data":{"ciphertext":"vault:abcdefgh"}}`,
		"not base64":     `{"data":{"ciphertext":"vault:v1:abc-efgh"}}`,
		"number":         `{"data":{"ciphertext":7}}`,
		"large":          `{"data":{"ciphertext":"vault:v1:` + strings.Repeat("abcd", 20_000) + `"}}`,
		"long":           `{"data":{"ciphertext":"vault:v1:` + strings.Repeat("abcd", 2_000) + `"}}`,
	} {
		f.strike(func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, body)
			return true
		})
		_, err := k.Wrap(t.Context(), recordedKey(), place())
		require.ErrorIs(t, err, phi.ErrUnavailable, name)
		_, err = k.Rewrap(t.Context(), wrapped, place())
		require.ErrorIs(t, err, phi.ErrUnavailable, name)
		_, err = k.Unwrap(t.Context(), wrapped, place())
		require.Error(t, err, name)
	}
	for name, plain := range map[string]string{
		"short": "AQ==", "another context's": "AQ" + strings.Repeat("A", 84) + "==", "empty": "",
	} {
		f.strike(func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, `{"data":{"plaintext":"`+plain+`"}}`)
			return true
		})
		_, err := k.Unwrap(t.Context(), wrapped, place())
		require.ErrorIs(t, err, phi.ErrWrongKey, name)
	}
}

// Vault's key is rotated, everything re-wrapped, and the old version retired, while a vault
// seals and opens.
func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFakeVault(t)
	keys := phi.NewMemoryKeys()
	open := func() *phi.Vault {
		v, err := phi.Open(t.Context(), "acme-ehr", f.kms(t, vaulttransit.Options{}), keys, nil)
		require.NoError(t, err)
		return v
	}
	v := open()
	at := phi.At{Tenant: "clinic-17", Field: "f", Patient: "p-1", Row: "r"}
	s, err := v.Seal(t.Context(), at, []byte("x"))
	require.NoError(t, err)
	_, err = v.Term(t.Context(), "clinic-17", "i", "x")
	require.NoError(t, err)
	f.rotate()
	r, err := phi.NewRotator(v, audit.Discard{}, "platform", nil)
	require.NoError(t, err)
	before := len(f.asked())
	job, err := r.Rotate(t.Context(), phi.RotateKEK, "")
	require.NoError(t, err)
	require.Equal(t, 3, job.Done)
	require.Len(t, f.asked()[before:], 6, "re-wrap and one look, for each of three")
	f.retire()
	plain, err := open().Unseal(t.Context(), at, s)
	require.NoError(t, err)
	require.Equal(t, "x", string(plain))

	f.rotate()
	f.retire() // too early: nothing was re-wrapped
	_, err = phi.Open(t.Context(), "acme-ehr", f.kms(t, vaulttransit.Options{}), keys, nil)
	require.ErrorIs(t, err, phi.ErrWrongKey)
}

// From a key file to Vault, while servers run.
func TestMoveFromKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, phi.CreateKeyFile(path))
	file, err := phi.OpenKeyFile(path)
	require.NoError(t, err)
	keys := phi.NewMemoryKeys()
	old, err := phi.Open(t.Context(), "acme-ehr", file, keys, nil)
	require.NoError(t, err)
	at := phi.At{Tenant: "clinic-17", Field: "f", Row: "r"}
	s, err := old.Seal(t.Context(), at, []byte("x"))
	require.NoError(t, err)

	f := newFakeVault(t)
	k := f.kms(t, vaulttransit.Options{})
	ring, err := phi.NewRing(k, file)
	require.NoError(t, err)
	v, err := phi.Open(t.Context(), "acme-ehr", ring, keys, nil)
	require.NoError(t, err)
	require.Empty(t, f.asked(), "Vault is not asked about another's work")
	r, err := phi.NewRotator(v, audit.Discard{}, "platform", nil)
	require.NoError(t, err)
	_, err = r.Rotate(t.Context(), phi.RotateKEK, "")
	require.NoError(t, err)
	v, err = phi.Open(t.Context(), "acme-ehr", k, keys, nil)
	require.NoError(t, err)
	_, err = v.Unseal(t.Context(), at, s)
	require.NoError(t, err)
	_, err = phi.Open(t.Context(), "acme-ehr", file, keys, nil)
	require.ErrorIs(t, err, phi.ErrWrongKey)
}

// Another Transit key does not get as far as Vault, and the error has both fingerprints.
func TestAnotherTransitKey(t *testing.T) {
	t.Parallel()
	f := newFakeVault(t)
	a, b := f.kms(t, vaulttransit.Options{}), f.kms(t, vaulttransit.Options{Label: "other"})
	require.NotEqual(t, a.Fingerprint(), b.Fingerprint())
	wrapped, err := a.Wrap(t.Context(), recordedKey(), place())
	require.NoError(t, err)
	require.True(t, a.Holds(wrapped))
	require.False(t, b.Holds(wrapped))
	before := len(f.asked())
	_, err = b.Unwrap(t.Context(), wrapped, place())
	require.ErrorIs(t, err, phi.ErrWrongKey)
	require.ErrorContains(t, err, a.Fingerprint())
	require.ErrorContains(t, err, b.Fingerprint())
	_, err = b.Rewrap(t.Context(), wrapped, place())
	require.ErrorIs(t, err, phi.ErrWrongKey)
	require.Len(t, f.asked(), before)
	_, err = a.Wrap(t.Context(), make([]byte, 16), place())
	require.Error(t, err)
}

// Any changed byte of a wrapped key is refused.
func FuzzWrapped(f *testing.F) {
	v := newFakeVault(f)
	k := v.kms(f, once())
	wrapped, err := k.Wrap(f.Context(), recordedKey(), place())
	require.NoError(f, err)
	f.Add(0, byte(1))
	f.Add(20, byte(0x20))
	f.Add(len(wrapped)-1, byte(1))
	f.Add(len(wrapped)-2, byte(2))
	f.Fuzz(func(t *testing.T, at int, flip byte) {
		bad := bytes.Clone(wrapped)
		bad[((at%len(bad))+len(bad))%len(bad)] ^= flip
		key, err := k.Unwrap(t.Context(), bad, place())
		if bytes.Equal(bad, wrapped) {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, phi.ErrWrongKey)
		require.Nil(t, key)
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := "https://vault.internal:8200"
	for name, f := range map[string]func() (*vaulttransit.KMS, error){
		"http":       func() (*vaulttransit.KMS, error) { return vaulttransit.New("http://v:8200", "k", staticToken, nil) },
		"no address": func() (*vaulttransit.KMS, error) { return vaulttransit.New("", "k", staticToken, nil) },
		"path only":  func() (*vaulttransit.KMS, error) { return vaulttransit.New("vault:8200", "k", staticToken, nil) },
		"password":   func() (*vaulttransit.KMS, error) { return vaulttransit.New("https://u:p@v", "k", staticToken, nil) },
		"query":      func() (*vaulttransit.KMS, error) { return vaulttransit.New(good+"?a=b", "k", staticToken, nil) },
		"no key":     func() (*vaulttransit.KMS, error) { return vaulttransit.New(good, "", staticToken, nil) },
		"path key":   func() (*vaulttransit.KMS, error) { return vaulttransit.New(good, "../sys/seal", staticToken, nil) },
		"escape":     func() (*vaulttransit.KMS, error) { return vaulttransit.New(good, "k%2f..", staticToken, nil) },
		"no token":   func() (*vaulttransit.KMS, error) { return vaulttransit.New(good, "k", nil, nil) },
		"mount": func() (*vaulttransit.KMS, error) {
			return vaulttransit.New(good, "k", staticToken, &vaulttransit.Options{Mount: "a/../b"})
		},
		"timeout": func() (*vaulttransit.KMS, error) {
			return vaulttransit.New(good, "k", staticToken, &vaulttransit.Options{Timeout: -1})
		},
		"namespace": func() (*vaulttransit.KMS, error) {
			return vaulttransit.New(good, "k", staticToken, &vaulttransit.Options{Namespace: "a\r\nb"})
		},
		"both": func() (*vaulttransit.KMS, error) {
			return vaulttransit.New(good, "k", staticToken, &vaulttransit.Options{TLS: &tls.Config{}, Transport: &http.Transport{}})
		},
	} {
		k, err := f()
		require.Error(t, err, name)
		require.Nil(t, k, name)
	}
	_, err := vaulttransit.New("http://127.0.0.1:8200/prefix/", "k.1-x", staticToken, &vaulttransit.Options{InsecureHTTP: true, Mount: "team/transit"})
	require.NoError(t, err)
}

// The certificate is checked, with the host's own authority where it gives one.
func TestTLS(t *testing.T) {
	t.Parallel()
	f := newFakeVault(t)
	stranger, err := vaulttransit.New(f.URL, "acme-ehr", staticToken, nil)
	require.NoError(t, err)
	_, err = stranger.Wrap(t.Context(), recordedKey(), place())
	require.ErrorIs(t, err, phi.ErrDenied)
	require.False(t, phi.Retryable(err))
	require.Empty(t, f.asked(), "the token did not get out")
	roots := x509.NewCertPool()
	roots.AddCert(f.Certificate())
	k, err := vaulttransit.New(f.URL, "acme-ehr", staticToken, &vaulttransit.Options{TLS: &tls.Config{RootCAs: roots}})
	require.NoError(t, err)
	_, err = k.Wrap(t.Context(), recordedKey(), place())
	require.NoError(t, err)
}

// A redirect is not followed: neither the token nor a root goes to whom it names.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer elsewhere.Close()
	f := newFakeVault(t)
	f.strike(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		return true
	})
	_, err := f.kms(t, once()).Wrap(t.Context(), recordedKey(), place())
	require.ErrorIs(t, err, phi.ErrUnavailable)
	require.Zero(t, visits.Load())
}

// The token is asked for each attempt, so that a renewed one is used.
func TestToken(t *testing.T) {
	t.Parallel()
	f := newFakeVault(t)
	current := "expired"
	o := once()
	o.Transport = f.Client().Transport
	k, err := vaulttransit.New(f.URL, "acme-ehr", func(context.Context) (string, error) { return current, nil }, &o)
	require.NoError(t, err)
	_, err = k.Wrap(t.Context(), recordedKey(), place())
	require.ErrorIs(t, err, phi.ErrDenied)
	current = token
	_, err = k.Wrap(t.Context(), recordedKey(), place())
	require.NoError(t, err)
	before := len(f.asked())
	for _, bad := range []string{"", "a\nb"} {
		current = bad
		_, err = k.Wrap(t.Context(), recordedKey(), place())
		require.ErrorIs(t, err, phi.ErrDenied)
	}
	secret := errors.New("login as admin with hunter2 failed")
	k, err = vaulttransit.New(f.URL, "acme-ehr", func(context.Context) (string, error) { return "", secret }, &o)
	require.NoError(t, err)
	_, err = k.Wrap(t.Context(), recordedKey(), place())
	require.ErrorIs(t, err, phi.ErrUnavailable)
	require.ErrorIs(t, err, secret)
	require.NotContains(t, err.Error(), "hunter2")
	require.Len(t, f.asked(), before)
}

// A whole vault over a Vault that throttles now and then: nobody notices.
func TestVaultOverAThrottledVault(t *testing.T) {
	t.Parallel()
	f := newFakeVault(t)
	n := 0
	f.strike(func(w http.ResponseWriter, _ *http.Request) bool {
		if n++; n%2 == 1 {
			w.Header().Set("Retry-After", "0")
			fail(w, 429, "rate limit quota exceeded")
			return true
		}
		return false
	})
	v, err := phi.Open(t.Context(), "acme-ehr", f.kms(t, vaulttransit.Options{}), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	_, err = v.Seal(t.Context(), phi.At{Tenant: "t", Field: "f", Row: "r"}, nil)
	require.NoError(t, err)
	require.NoError(t, v.Health(t.Context()))
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	f := newFakeVault(t)
	f.strike(func(w http.ResponseWriter, r *http.Request) bool {
		fail(w, 503, "Vault is sealed")
		return true
	})
	k := f.kms(t, vaulttransit.Options{Attempts: 100, MaxWait: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := k.Wrap(ctx, recordedKey(), place())
	require.ErrorIs(t, err, phi.ErrUnavailable)
	require.Less(t, time.Since(start), 20*time.Second)
}
