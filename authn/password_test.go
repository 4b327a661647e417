package authn_test

import (
	"context"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// TestReferenceVectors holds hashes that the reference implementation of RFC 9106 computes
// (phc-winner-argon2, test.c), whole and as PHC strings.
func TestReferenceVectors(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		memory     uint32
		time       uint32
		threads    uint8
		pass, salt string
		tag, phc   string
	}{
		{
			256, 2, 1, "password", "somesalt", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
			"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		},
		{
			256, 2, 2, "password", "somesalt", "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037",
			"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
		},
		{
			65536, 2, 1, "password", "somesalt", "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
			"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		},
	} {
		tag := argon2.IDKey([]byte(v.pass), []byte(v.salt), v.time, v.memory, v.threads, 32)
		require.Equal(t, v.tag, hex.EncodeToString(tag))
		again, params, err := authn.ParsePHC(v.phc)
		require.NoError(t, err)
		require.Equal(t, v.phc, again)
		require.Equal(t, authn.Argon2{Memory: v.memory, Time: v.time, Threads: v.threads}, params)
		ok, err := authn.MatchPHC(v.phc, v.pass)
		require.NoError(t, err)
		require.True(t, ok)
		ok, err = authn.MatchPHC(v.phc, v.pass+" ")
		require.NoError(t, err)
		require.False(t, ok)
	}
}

func TestDefaultParameters(t *testing.T) {
	t.Parallel()
	require.Equal(t, authn.Argon2{Memory: 19456, Time: 2, Threads: 1}, authn.DefaultArgon2())
	phc := authn.HashPHC("a password", authn.DefaultArgon2())
	require.True(t, strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$"))
	require.NotEqual(t, phc, authn.HashPHC("a password", authn.DefaultArgon2()), "salts differ")
	ok, err := authn.MatchPHC(phc, "a password")
	require.NoError(t, err)
	require.True(t, ok)
}

const somePHC = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func TestHashesThatAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "$", "password", somePHC + "$", "x" + somePHC, somePHC + "=", somePHC + "\n",
		strings.Replace(somePHC, "argon2id", "argon2i", 1),
		strings.Replace(somePHC, "v=19", "v=16", 1),
		strings.Replace(somePHC, "v=19$", "", 1),
		strings.Replace(somePHC, "m=256", "m=0256", 1),
		strings.Replace(somePHC, "m=256", "m=+256", 1),
		strings.Replace(somePHC, "m=256", "m=7", 1),
		strings.Replace(somePHC, "m=256", "m=4294967295", 1),
		strings.Replace(somePHC, "t=2", "t=0", 1),
		strings.Replace(somePHC, "t=2", "t=1000000", 1),
		strings.Replace(somePHC, "p=1", "p=0", 1),
		strings.Replace(somePHC, "p=1", "p=257", 1),
		strings.Replace(somePHC, "m=256,t=2", "t=2,m=256", 1),
		strings.Replace(somePHC, "p=1", "p=1,keyid=x", 1),
		strings.Replace(somePHC, "c29tZXNhbHQ", "c29t", 1),
		strings.Replace(somePHC, "c29tZXNhbHQ", "c29tZXNhbHR", 1),
		"$2b$12$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
	} {
		_, _, err := authn.ParsePHC(bad)
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "nf65")
	}
}

// TestDamagedHash: a row that cannot be read keeps its owner out and says that something is
// broken; it never lets anybody in.
func TestDamagedHash(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	a, err := h.store.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	c := authn.Change{Person: a.Person, Expect: a.Person.Version, Password: &authn.Credential{Hash: "$argon2id$broken"}}
	require.NoError(t, h.store.Apply(t.Context(), c))
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrUnavailable)
}

// FuzzPHC: what parses has one spelling, and a changed byte is an error or another hash.
func FuzzPHC(f *testing.F) {
	f.Add(somePHC, 40, byte('x'))
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", 70, byte('A'))
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", 3, byte('i'))
	f.Fuzz(func(t *testing.T, s string, at int, b byte) {
		again, _, err := authn.ParsePHC(s)
		if err != nil {
			return
		}
		require.Equal(t, s, again)
		if at < 0 || at >= len(s) || s[at] == b {
			return
		}
		changed := s[:at] + string(rune(b)) + s[at+1:]
		if again, _, err := authn.ParsePHC(changed); err == nil {
			require.Equal(t, changed, again)
			require.NotEqual(t, s, again)
		}
	})
}

// FuzzCanonical: an identifier has one form, and that form is its own.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"ada@example.com", " ADA@EXAMPLE.COM\t", "ＡＤＡ＠example.com", "ﬁona@example.com", "İ@example.com", "\x00", "", "ẞ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, ok := authn.Canonical(s)
		if !ok {
			return
		}
		require.NotEmpty(t, form)
		require.True(t, utf8.ValidString(form))
		again, ok := authn.Canonical(form)
		require.True(t, ok)
		require.Equal(t, form, again)
		upper, ok := authn.Canonical(" " + s + " ")
		if ok {
			require.Equal(t, form, upper)
		}
	})
}

func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *authn.Options) {
		o.Context = []string{"Lakeside Clinic"}
		o.Blocklist = []string{"Our Old Default 2019"}
	})
	for _, c := range []struct {
		name, password string
		least          int
		reason         authn.Reason // "" if it is taken
	}{
		{"fifteen", "abcdefghijklmnp", 15, ""},
		{"fourteen", "gray otters swi", 16, authn.TooShort},
		{"eight with a second factor", "otterswi", 8, ""},
		{"seven", "ottersw", 8, authn.TooShort},
		{"eight code points, many bytes", "猫犬鳥魚馬牛羊豚", 8, ""},
		{"seven code points, many bytes", "猫犬鳥魚馬牛羊", 8, authn.TooShort},
		{"sixty-four", strings.Repeat("otter kettle ", 4) + "lamp stays on", 15, ""},
		{"the longest", strings.Repeat("ot3r kettle lamp", 15) + "0123456789abcdeZ", 15, ""},
		{"too long", strings.Repeat("ot3r kettle lamp", 16) + "x", 15, authn.TooLong},
		{"far too long", strings.Repeat("x", 100_000), 15, authn.TooLong},
		{"no composition rules", "only lower case words", 15, ""},
		{"emoji", "🦦🫖🛶🌧 otters drink tea", 15, ""},
		{"line break", "otters drink\ntea", 8, authn.Invalid},
		{"not UTF-8", "otters drink \xff tea", 8, authn.Invalid},
		{"empty", "", 8, authn.TooShort},
		{"common", "password", 8, authn.Common},
		{"common with digits and signs", "Password2024!!!", 15, authn.Common},
		{"common with look-alike signs", "P@55w0rd", 8, authn.Common},
		{"common, full width", "ｐａｓｓｗｏｒｄ１２３", 8, authn.Common},
		{"common, twice", "sunshinesunshine", 15, authn.Common},
		{"one letter", "aaaaaaaaaaaaaaaa", 15, authn.Common},
		{"short unit", "abababababababab", 15, authn.Common},
		{"digits in order", "123456789012345", 15, authn.Common},
		{"keyboard walk", "qwertyuiopasdfgh", 15, authn.Common},
		{"two walks", "abcdefghijkl12345678", 15, authn.Common},
		{"host's list", "our old default 2019", 15, authn.Common},
		{"host's word", "LakesideClinic2026", 15, authn.Context},
		{"host's word in a long phrase", "the lakeside heron stands on one leg", 15, ""},
		{"person's name", "adalovelace-adalovelace!", 15, authn.Context},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := h.m.Judge(pw(c.password), c.least, "adalovelace")
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			var refused *authn.PolicyError
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, authn.ErrPassword)
			require.Equal(t, c.reason, refused.Reason)
			require.Equal(t, c.least, refused.Min)
			require.NotContains(t, err.Error(), "password not acceptable: "+c.password+"x")
		})
	}
}

func TestShortestPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for kind, n := range map[audit.Kind]int{audit.KindStaff: 8, audit.KindPatient: 15, audit.KindProxy: 15} {
		got, err := h.m.MinPassword(t.Context(), clinic, kind)
		require.NoError(t, err)
		require.Equal(t, n, got, kind)
	}
	_, token := h.invite(audit.KindPatient)
	var refused *authn.PolicyError
	_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw("fourteen chars")}, home)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 15, refused.Min)
	_, err = h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw("ada@example.com 1")}, home)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, authn.Context, refused.Reason)
	_, err = h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err, "a refused password leaves the link alone")
}

func TestBusy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *authn.Options) { o.Hashers, o.Queue = 2, 3 })
	p := h.ada(audit.KindPatient)
	leave := h.m.Occupy(3)
	_, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	var busy *authn.BusyError
	require.ErrorAs(t, err, &busy)
	require.Positive(t, busy.RetryAfter)
	for _, who := range []string{ada, "nobody@example.com"} {
		h.wire.watch(nil)
		_, err = h.m.SignIn(t.Context(), clinic, who, pw(good), home)
		require.ErrorIs(t, err, authn.ErrBusy)
		require.Equal(t, []string{"store.Hit", "store.Hit", "store.GetPolicy"}, h.wire.names(), "nobody is looked up")
	}
	leave()
	a, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Zero(t, a.Password.Failures, "a busy server is nobody's failure")
	_, err = h.signIn(good)
	require.NoError(t, err)
}

func TestWaitingForTheHasherObeysTheDeadline(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	leave := h.m.Occupy(0)
	defer leave()
	ctx, cancel := context.WithCancel(t.Context())
	occupied := h.m.Waiting()
	done := make(chan error)
	go func() {
		_, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
		done <- err
	}()
	for h.m.Waiting() == occupied {
		runtime.Gosched()
	}
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Equal(t, occupied, h.m.Waiting())
}

// TestHashingWork measures memory, of which one hash takes as much as its parameter says: an
// unknown identifier costs what a wrong password costs, and a throttled try nothing. It does
// not run in parallel with other tests because it looks at the whole process.
func TestHashingWork(t *testing.T) {
	const memory = 8 << 20
	h := newHouse(t, nil, func(o *authn.Options) {
		o.InsecureArgon2 = &authn.Argon2{Memory: memory / 1024, Time: 1, Threads: 1}
	})
	h.ada(audit.KindStaff)
	cost := func(identifier string) (int, error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := h.m.SignIn(t.Context(), clinic, identifier, pw("wrong"), home)
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc-before.TotalAlloc) / memory, err
	}
	for _, identifier := range []string{ada, "nobody@example.com"} {
		for range 5 {
			hashes, err := cost(identifier)
			require.ErrorIs(t, err, authn.ErrDenied)
			require.Equal(t, 1, hashes, identifier)
		}
		hashes, err := cost(identifier)
		require.ErrorIs(t, err, authn.ErrThrottled)
		require.Zero(t, hashes, identifier)
	}
}
