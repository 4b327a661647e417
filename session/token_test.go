package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

func TestTokenForm(t *testing.T) {
	t.Parallel()
	a, b := session.NewToken(), session.NewToken()
	require.Regexp(t, `^wks1_[A-Za-z0-9_-]{64}$`, a.Reveal())
	require.NotEqual(t, a.Reveal(), b.Reveal())
	require.NotEqual(t, a.Key().Hash, b.Key().Hash)
	require.NotEqual(t, a.Key().Route, b.Key().Route)

	parsed, err := session.ParseToken(a.Reveal())
	require.NoError(t, err)
	require.Equal(t, a.Key(), parsed.Key())
	require.Empty(t, session.Token{}.Reveal())
	require.Zero(t, session.Token{}.Key())
}

// The hash is the one trace of a token at rest: it must never change.
func TestTokenHashIsFixed(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 48)
	for i := range raw {
		raw[i] = byte(i)
	}
	token, err := session.ParseToken("wks1_" + base64.RawURLEncoding.EncodeToString(raw))
	require.NoError(t, err)
	require.Equal(t, raw[:16], bytes16(token.Key().Route))
	require.Equal(t, wantHash, fmt.Sprintf("%x", token.Key().Hash))
}

// wantHash is what `(printf wks1_; bytes 0 to 47) | sha256sum` prints.
const wantHash = "ffa034d7e0832b079dfc87f86e4f16d26afa1d73e1451f3096d3e1063af6d3ff"

func bytes16(b [16]byte) []byte { return b[:] }

func TestTokenCannotBePrinted(t *testing.T) {
	t.Parallel()
	token := session.NewToken()
	secret := token.Reveal()[5:]
	nested := struct {
		Open   session.Token
		hidden session.Token
	}{token, token}

	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%p"} {
		fmt.Fprintf(&printed, verb+"\n", token)
		fmt.Fprintf(&printed, verb+"\n", &token)
		fmt.Fprintf(&printed, verb+"\n", nested)
	}
	require.NoError(t, json.NewEncoder(&printed).Encode(nested))
	for _, h := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
		slog.New(h).Info("x", "token", token, "nested", nested)
	}
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	require.NoError(t, err)
	for _, form := range []string{secret, fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), fmt.Sprint(raw)} {
		require.NotContains(t, printed.String(), form)
	}
	require.Contains(t, printed.String(), "[session token]")
}

func TestTokenMalformed(t *testing.T) {
	t.Parallel()
	good := session.NewToken().Reveal()
	for name, bad := range map[string]string{
		"empty":            "",
		"prefix only":      "wks1_",
		"truncated":        good[:len(good)-1],
		"half":             good[:len(good)/2],
		"longer":           good + "A",
		"twice":            good + good,
		"other version":    "wks2_" + good[5:],
		"other case":       strings.ToUpper(good[:4]) + good[4:],
		"no prefix":        good[5:],
		"line break":       good[:20] + "\n" + good[21:],
		"carriage return":  good[:20] + "\r" + good[21:],
		"padding":          good[:len(good)-1] + "=",
		"standard base64":  good[:20] + "+" + good[21:],
		"zero byte":        good[:20] + "\x00" + good[21:],
		"not ASCII":        good[:19] + "é" + good[21:],
		"space before":     " " + good[:len(good)-1],
		"quoted":           `"` + good[:len(good)-2] + `"`,
		"a JSON web token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.",
		"huge":             strings.Repeat("A", 1<<20),
	} {
		_, err := session.ParseToken(bad)
		require.ErrorIs(t, err, session.ErrInvalid, name)
	}
}

// What is malformed costs no look-up and no memory, however long it is.
func TestTokenMalformedIsCheap(t *testing.T) {
	d := newDesk(t, session.NewMemory())
	for _, bad := range []string{"x", strings.Repeat("A", 1<<20), "wks1_" + strings.Repeat("!", 64)} {
		r := get(bad)
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = d.Check(r) }), 1.0)
		require.ErrorIs(t, d.state(bad), session.ErrInvalid)
	}
	require.Zero(t, d.store.count("Get"))
}

// A token has one spelling: what parses is canonical, and any changed byte makes it another
// token or none.
func FuzzParseToken(f *testing.F) {
	f.Add("wks1_"+strings.Repeat("A", 64), 7, byte('B'))
	f.Add("wks1_"+strings.Repeat("_", 64), 68, byte('\n'))
	f.Add("", 0, byte(0))
	f.Add(strings.Repeat("w", 69), 3, byte('1'))
	f.Fuzz(func(t *testing.T, s string, at int, to byte) {
		token, err := session.ParseToken(s)
		if err != nil {
			require.ErrorIs(t, err, session.ErrInvalid)
			require.Zero(t, token.Key())
			return
		}
		require.Equal(t, s, token.Reveal())
		raw, err := base64.RawURLEncoding.DecodeString(s[5:])
		require.NoError(t, err)
		require.Equal(t, s, "wks1_"+base64.RawURLEncoding.EncodeToString(raw))

		at = int(uint(at) % uint(len(s)))
		changed := s[:at] + string(rune(to&0x7f)) + s[at+1:]
		if other, err := session.ParseToken(changed); err == nil && changed != s {
			require.NotEqual(t, token.Key().Hash, other.Key().Hash)
		}
	})
}
