package vaulttransit_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wardkit/wardkit/phi/vaulttransit"
)

const token = "hvs.TestTokenThatNobodyMayPrint"

// fakeVault is as much of the Transit engine as its documentation tells: derived keys,
// versions, encrypt, decrypt, rewrap, min_decryption_version, and the errors.
type fakeVault struct {
	*httptest.Server
	derived bool

	mu       sync.Mutex
	versions [][]byte
	oldest   int                                                  // min_decryption_version
	calls    []string                                             // "encrypt/key"
	before   func(http.ResponseWriter, *http.Request) (done bool) // a fault
}

func newFakeVault(t testing.TB) *fakeVault {
	f := startVault()
	t.Cleanup(f.Close)
	return f
}

func startVault() *fakeVault {
	f := &fakeVault{derived: true, oldest: 1}
	f.rotate()
	f.Server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	return f
}

func (f *fakeVault) kms(t testing.TB, o vaulttransit.Options) *vaulttransit.KMS {
	t.Helper()
	if o.Transport == nil {
		o.Transport = f.Client().Transport
	}
	k, err := vaulttransit.New(f.URL, "acme-ehr", staticToken, &o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (f *fakeVault) rotate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := make([]byte, 32)
	rand.Read(key)
	f.versions = append(f.versions, key)
}

// retire sets min_decryption_version to the latest one.
func (f *fakeVault) retire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oldest = len(f.versions)
}

func (f *fakeVault) strike(before func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

func (f *fakeVault) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.calls...)
}

func (f *fakeVault) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/transit/")
	f.calls = append(f.calls, path)
	if f.before != nil && f.before(w, r) {
		return
	}
	op, name, _ := strings.Cut(path, "/")
	switch {
	case r.Header.Get("X-Vault-Token") != token:
		fail(w, 403, "permission denied")
	case !ok || r.Method != http.MethodPost:
		fail(w, 404, "no handler for route")
	case name != "acme-ehr":
		fail(w, 400, "encryption key not found")
	default:
		f.transit(w, r.Body, op)
	}
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string][]string{"errors": {text}})
}

func (f *fakeVault) transit(w http.ResponseWriter, body io.Reader, op string) {
	var in struct{ Plaintext, Ciphertext, Context string }
	if err := json.NewDecoder(body).Decode(&in); err != nil {
		fail(w, 400, "error parsing JSON")
		return
	}
	place, err := base64.StdEncoding.DecodeString(in.Context)
	if err != nil || f.derived && len(place) == 0 {
		fail(w, 400, "missing 'context' for key derivation; the key was created using a derived key")
		return
	}
	plain, err := base64.StdEncoding.DecodeString(in.Plaintext)
	if op != "encrypt" {
		plain, err = f.decrypt(in.Ciphertext, place)
	}
	if err != nil {
		fail(w, 400, err.Error())
		return
	}
	data := map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}
	if op != "decrypt" {
		latest := len(f.versions)
		sealed := f.aead(latest, place).Seal(nil, nil, plain, nil)
		data = map[string]any{
			"ciphertext":  fmt.Sprintf("vault:v%d:%s", latest, base64.StdEncoding.EncodeToString(sealed)),
			"key_version": latest,
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"request_id": "d0870811-455d-3a2f-cbc4-0bbc2e0de1e6", "lease_duration": 0, "data": data, "warnings": nil})
}

func (f *fakeVault) decrypt(ciphertext string, place []byte) ([]byte, error) {
	v, b64, ok := strings.Cut(strings.TrimPrefix(ciphertext, "vault:v"), ":")
	version, err := strconv.Atoi(v)
	if !ok || err != nil || version < 1 || version > len(f.versions) {
		return nil, fmt.Errorf("invalid ciphertext: no prefix")
	}
	if version < f.oldest {
		return nil, fmt.Errorf("ciphertext or signature version is disallowed by policy (too old)")
	}
	sealed, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return nil, fmt.Errorf("invalid ciphertext: could not decode base64")
	}
	plain, err := f.aead(version, place).Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("invalid ciphertext: unable to decrypt")
	}
	return plain, nil
}

func (f *fakeVault) aead(version int, place []byte) cipher.AEAD {
	key := f.versions[version-1]
	if f.derived {
		h := hmac.New(sha256.New, key)
		h.Write(place)
		key = h.Sum(nil)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm
}
