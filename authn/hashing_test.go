package authn_test

import (
	"context"
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// What Python's hashlib.pbkdf2_hmac computes, without a pepper and with one of 32 times "p".
const (
	pythonPBKDF2   = "$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHRzb21lc2FsdA$s5LQUeAEZUMuFVrnmF3OMNPXs3QWnF8SO/5BXmCj6QQ"
	pythonPeppered = "$pbkdf2-sha256$i=1000,l=32,keyid=djE$c29tZXNhbHRzb21lc2FsdA$NRillKEr6NeWrJ1P0XPMqcdXlzqHZXuZ016k86WPQ5w"
)

func pepper(t testing.TB, id string) authn.Pepper {
	t.Helper()
	p, err := authn.NewPepper(id, []byte(strings.Repeat("p", 32)))
	require.NoError(t, err)
	return p
}

// store gives ada a hash, as another release or program left it.
func (h *house) plant(p authn.Person, hash string) {
	h.t.Helper()
	a, err := h.store.Account(h.t.Context(), clinic, p.ID)
	require.NoError(h.t, err)
	c := authn.Change{Person: a.Person, Expect: a.Person.Version, Password: &authn.Credential{Hash: hash}}
	require.NoError(h.t, h.store.Apply(h.t.Context(), c))
}

func (h *house) hash(p authn.Person) string {
	h.t.Helper()
	c, err := h.store.Credential(h.t.Context(), clinic, p.ID, authn.FamilyPassword)
	require.NoError(h.t, err)
	return c.Hash
}

func TestPBKDF2Vectors(t *testing.T) {
	t.Parallel()
	again, _, err := authn.ParsePHC(pythonPBKDF2)
	require.NoError(t, err)
	require.Equal(t, pythonPBKDF2, again)
	for password, want := range map[string]bool{"password": true, "Password": false, "": false} {
		ok, err := authn.MatchPHC(pythonPBKDF2, password)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	for _, bad := range []string{
		strings.Replace(pythonPBKDF2, "i=1000", "i=999", 1),
		strings.Replace(pythonPBKDF2, "i=1000", "i=0", 1),
		strings.Replace(pythonPBKDF2, "i=1000", "i=01000", 1),
		strings.Replace(pythonPBKDF2, "i=1000", "i=20000001", 1),
		strings.Replace(pythonPBKDF2, "i=1000", "i=99999999999", 1),
		strings.Replace(pythonPBKDF2, "l=32", "l=31", 1),
		strings.Replace(pythonPBKDF2, ",l=32", "", 1),
		strings.Replace(pythonPBKDF2, "sha256", "sha1", 1),
		strings.Replace(pythonPeppered, "keyid=djE", "keyid=", 1),
		strings.Replace(pythonPeppered, "keyid=djE", "keyid=djE,keyid=djE", 1),
		strings.Replace(pythonPBKDF2, "$i=", "$v=19$i=", 1),
	} {
		_, _, err := authn.ParsePHC(bad)
		require.Error(t, err, bad)
	}
}

func TestPBKDF2RenewsArgon2(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	require.Contains(t, h.hash(p), "$argon2id$")
	h.options.PBKDF2 = true
	h.m = h.manager()
	_, err := h.signIn(good)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(h.hash(p), "$pbkdf2-sha256$i=600000,l=32$"))
	before := h.hash(p)
	_, err = h.signIn(good)
	require.NoError(t, err)
	require.Equal(t, before, h.hash(p))
	_, err = h.signIn(other)
	require.ErrorIs(t, err, authn.ErrDenied)
}

func TestPeppers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	bare := h.hash(p)

	h.options.Peppers = []authn.Pepper{pepper(t, "v1")}
	h.m = h.manager()
	_, err := h.signIn(good)
	require.NoError(t, err)
	first := h.hash(p)
	require.Contains(t, first, ",keyid=djE$")
	require.NotEqual(t, bare, first)
	ok, err := authn.MatchPHC(first, good)
	require.NoError(t, err)
	require.False(t, ok, "the database alone does not tell a right guess from a wrong one")

	h.options.Peppers = []authn.Pepper{pepper(t, "v2"), pepper(t, "v1")}
	h.m = h.manager()
	_, err = h.signIn(good)
	require.NoError(t, err)
	require.Contains(t, h.hash(p), ",keyid=djI$")

	h.options.Peppers = []authn.Pepper{pepper(t, "v3")} // v2 is lost
	h.m = h.manager()
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	require.NotErrorIs(t, err, authn.ErrDenied)
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home)) // and a new password is the way back
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	_, err = h.m.ResetPassword(t.Context(), h.mail.token(t, authn.TopicReset), pw(other), home)
	require.NoError(t, err)
	require.Contains(t, h.hash(p), ",keyid=djM$")
}

func TestAPepperFromOutside(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *authn.Options) { o.Peppers = []authn.Pepper{pepper(t, "v1")} })
	p := h.ada(audit.KindPatient)
	h.plant(p, pythonPeppered)
	_, err := h.signIn("password")
	require.NoError(t, err)
	_, err = h.signIn("Password")
	require.ErrorIs(t, err, authn.ErrDenied)
}

func TestPepperDoesNotPrint(t *testing.T) {
	t.Parallel()
	p := pepper(t, "v1")
	text, err := json.Marshal(p)
	require.NoError(t, err)
	dump := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		dump += fmt.Sprintf(verb, p) + fmt.Sprintf(verb, struct{ p authn.Pepper }{p}) + fmt.Sprintf(verb, authn.Options{Peppers: []authn.Pepper{p}})
	}
	require.Contains(t, dump, "[pepper]")
	require.NotContains(t, dump, "pppp")
	require.NotContains(t, dump, "7070")
	for id, key := range map[string]string{"": strings.Repeat("p", 32), strings.Repeat("v", 33): strings.Repeat("p", 32), "v1": strings.Repeat("p", 31)} {
		_, err := authn.NewPepper(id, []byte(key))
		require.Error(t, err)
	}
}

// stolen is a server with the range of the password good.
func stolen(t *testing.T, answer http.HandlerFunc) (*authn.RangeClient, *atomic.Value) {
	t.Helper()
	var asked atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path + " " + r.Header.Get("Add-Padding"))
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := authn.NewRangeClient(server.URL+"/range/", nil)
	require.NoError(t, err)
	return c, &asked
}

// The SHA-1 of the password good is 8FC0D 31ACE4668DFD06F8EB3B36C08AB3B3E8FBC.
const goodSuffix = "31ACE4668DFD06F8EB3B36C08AB3B3E8FBC"

func TestStolenPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	client, asked := stolen(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "0018A45C4D1DEF81644B54AB7F969B88D65:3\r\n%s:12\r\n011053FD0102E94D6AE2F8B83D76FAF94F6:0\r\n", goodSuffix)
	})
	h := newHouse(t, nil, func(o *authn.Options) { o.Breaches = client })
	_, token := h.invite(audit.KindPatient)
	_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	var refused *authn.PolicyError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, authn.Breached, refused.Reason)
	require.Equal(t, "/range/8FC0D true", asked.Load(), "five digits, and padding")
	_, err = h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(other)}, home)
	require.NoError(t, err)
}

func TestPaddingIsNoBreach(t *testing.T) {
	t.Parallel()
	client, _ := stolen(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%s:0\n", goodSuffix) })
	newHouse(t, nil, func(o *authn.Options) { o.Breaches = client }).ada(audit.KindPatient)
}

// Where the server fails or talks nonsense, no new password is taken, and nobody who has one is
// kept out.
func TestBreachesOutOfReach(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"down":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"elsewhere":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
		"a web page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat(goodSuffix+":0\n", 150_000))
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprintf(w, "%s:0\n", goodSuffix)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := stolen(t, answer)
			h := newHouse(t, nil)
			h.ada(audit.KindPatient)
			h.options.Breaches = client
			h.m = h.manager()
			_, err := h.signIn(good)
			require.NoError(t, err, "the server is asked about new passwords only")
			require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
			_, err = h.m.Deliver(t.Context())
			require.NoError(t, err)
			token := h.mail.token(t, authn.TopicReset)
			_, err = h.m.ResetPassword(t.Context(), token, pw(other), home)
			require.ErrorIs(t, err, authn.ErrUnavailable)
			require.NotContains(t, err.Error(), "127.0.0.1")
			h.options.InsecureBreachesOptional = true
			h.m = h.manager()
			_, err = h.m.ResetPassword(t.Context(), token, pw(other), home)
			require.NoError(t, err, "the link was not used up")
		})
	}
}

func TestRangeClientsAreHTTPS(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "http://breaches.example.com/range/", "https://u:p@breaches.example.com/", "ftp://breaches.example.com/"} {
		_, err := authn.NewRangeClient(bad, nil)
		require.Error(t, err, bad)
	}
}

func FuzzRange(f *testing.F) {
	f.Add(goodSuffix + ":12\r\n" + goodSuffix + ":0")
	f.Add("<html>")
	f.Fuzz(func(t *testing.T, answer string) {
		suffixes, err := authn.ReadRange(strings.NewReader(answer))
		for _, s := range suffixes {
			require.Len(t, s, 35)
			require.Contains(t, answer, s+":")
		}
		if err != nil {
			require.Empty(t, suffixes)
		}
	})
}

// In a process that allows approved algorithms only, PBKDF2 works and nothing else does. The mode
// is chosen when a process starts, so the test runs itself again.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		approvedOnly(t)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFIPSOnly$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestFIPSOnly")
}

func approvedOnly(t *testing.T) {
	t.Helper()
	h := newHouse(t, nil, func(o *authn.Options) { o.PBKDF2, o.Peppers = true, []authn.Pepper{pepper(t, "v1")} })
	p := h.ada(audit.KindPatient)
	_, err := h.signIn(good)
	require.NoError(t, err)
	_, err = h.signIn(other)
	require.ErrorIs(t, err, authn.ErrDenied)
	h.plant(p, somePHC)
	_, err = h.signIn("password")
	require.ErrorIs(t, err, authn.ErrDenied, "a stored Argon2id hash is not looked at, and nobody is told that it is there")
	for _, edit := range []func(*authn.Options){
		func(o *authn.Options) { o.PBKDF2 = false },
		func(o *authn.Options) { o.Breaches = nobodyStole{} },
	} {
		o := h.options
		edit(&o)
		_, err := authn.New(h.parts, &o)
		require.Error(t, err)
	}
}

type nobodyStole struct{}

func (nobodyStole) Range(context.Context, string) ([]string, error) { return nil, nil }
