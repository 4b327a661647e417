package mfa_test

import (
	"encoding/base32"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/pquerna/otp"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// names are issuers and accounts that broke other libraries, or could.
var names = []string{
	"Smith & Sons: Therapy", "Praxis Dr. Müller", "a+b=c?d#e/f%41", "100% Care", "クリニック", "O'Brien \"The\" <Clinic>",
	"x:y:z", "a", strings.Repeat("ß", 64), "lin+mfa@example.com", "-._~", "%3A", "secret=AAAA&issuer=Evil",
}

func uriOf(t testing.TB, issuer, account string) string {
	t.Helper()
	w := newWorld(t, mfa.NewMemory(), nil)
	f, err := mfa.New(w.store, w.vault, w.rec, issuer, &w.options)
	require.NoError(t, err)
	uri, _, err := f.Begin(t.Context(), clinic, lin, account)
	require.NoError(t, err)
	return uri
}

func TestURIsSurviveEveryName(t *testing.T) {
	t.Parallel()
	for _, issuer := range names {
		for _, account := range names {
			uri := uriOf(t, issuer, account)
			key, err := mfa.ParseURI(uri)
			require.NoError(t, err, uri)
			require.Equal(t, issuer, key.Issuer())
			require.Equal(t, account, key.Account())
			require.Equal(t, uri, key.URI())
			likeAnApp(t, uri, issuer, account)
		}
	}
}

// likeAnApp reads the URI the way authenticator apps do: net/url, the first colon of the
// label, and an independent library.
func likeAnApp(t testing.TB, uri, issuer, account string) {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	require.Equal(t, "otpauth", u.Scheme)
	require.Equal(t, "totp", u.Host)
	prefix, rest, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), ":")
	require.True(t, ok)
	require.Equal(t, account, rest)
	require.Equal(t, strings.TrimSpace(strings.ReplaceAll(issuer, ":", "")), prefix)
	q := u.Query()
	require.Len(t, q, 5)
	require.Equal(t, issuer, q.Get("issuer"))
	require.NotContains(t, uri, "+", "some apps take it for a plus sign")

	peer, err := otp.NewKeyFromURL(uri)
	require.NoError(t, err)
	require.Equal(t, issuer, peer.Issuer())
	require.Equal(t, account, peer.AccountName())
	require.Equal(t, otp.AlgorithmSHA1, peer.Algorithm())
	require.Equal(t, otp.DigitsSix, peer.Digits())
	require.EqualValues(t, 30, peer.Period())
	raw, err := base32.StdEncoding.DecodeString(peer.Secret())
	require.NoError(t, err)
	require.Len(t, raw, 20)
}

func TestManualKeyIsInGroupsOfFour(t *testing.T) {
	t.Parallel()
	require.Equal(t, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", rfcKey(t).Manual())
}

func TestOnlyOneKindOfURIIsRead(t *testing.T) {
	t.Parallel()
	const good = "otpauth://totp/Example:lin?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example&algorithm=SHA1&digits=6&period=30"
	_, err := mfa.ParseURI(good)
	require.NoError(t, err)
	for name, edit := range map[string][2]string{
		"MD5":              {"SHA1", "MD5"},
		"SHA-256":          {"SHA1", "SHA256"},
		"eight digits":     {"digits=6", "digits=8"},
		"99 digits":        {"digits=6", "digits=99"},
		"no digits":        {"&digits=6", ""},
		"a period of 0":    {"period=30", "period=0"},
		"a period of 60":   {"period=30", "period=60"},
		"HOTP":             {"//totp/", "//hotp/"},
		"no key":           {"secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&", ""},
		"an empty key":     {"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", ""},
		"a short key":      {"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQ"},
		"a padded key":     {"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ%3D"},
		"lower case":       {"GEZD", "gezd"},
		"another issuer":   {"issuer=Example", "issuer=Evil"},
		"no issuer":        {"&issuer=Example", ""},
		"no account":       {":lin", ":"},
		"no label":         {"Example:lin", ""},
		"another scheme":   {"otpauth:", "https:"},
		"more parameters":  {"period=30", "period=30&image=https%3A%2F%2Fexample.com"},
		"a second key":     {"&issuer", "&secret=AAAA&issuer"},
		"a fragment":       {"period=30", "period=30#x"},
		"a user":           {"//totp", "//u@totp"},
		"a line break":     {"lin", "l%0Ain"},
		"bad percent":      {"lin", "l%zzin"},
		"bad UTF-8":        {"lin", "l%FFin"},
		"a space after":    {"period=30", "period=30 "},
		"another encoding": {"lin", "l%69n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri := strings.Replace(good, edit[0], edit[1], 1)
			require.NotEqual(t, good, uri)
			_, err := mfa.ParseURI(uri)
			require.ErrorIs(t, err, mfa.ErrURI)
		})
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	key := rfcKey(t)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", key)
	text, err := json.Marshal(map[string]any{"key": key})
	require.NoError(t, err)
	for _, s := range []string{log.String(), string(text), key.String(), fmt.Sprint(&key), fmt.Sprintf("%#v", []mfa.Key{key})} {
		require.Contains(t, s, "[one-time code key]")
		require.NotContains(t, s, "GEZD")
		require.NotContains(t, s, rfcSecret)
	}
}

func TestTheZeroKeyHasNoCode(t *testing.T) {
	t.Parallel()
	_, err := mfa.Key{}.Code(start)
	require.ErrorIs(t, err, mfa.ErrURI)
}

// FuzzParseURI: what is read is written the same again, byte for byte, and nothing else is read.
func FuzzParseURI(f *testing.F) {
	f.Add("otpauth://totp/Example:lin?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example&algorithm=SHA1&digits=6&period=30")
	f.Add("otpauth://totp/Smith%20%26%20Sons%20Therapy:lin%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Smith%20%26%20Sons%3A%20Therapy&algorithm=SHA1&digits=6&period=30")
	f.Add("otpauth://totp/:?secret=&issuer=&algorithm=MD5&digits=99&period=0")
	f.Add("")
	f.Fuzz(func(t *testing.T, uri string) {
		key, err := mfa.ParseURI(uri)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrURI)
			return
		}
		require.Equal(t, uri, key.URI())
		likeAnApp(t, uri, key.Issuer(), key.Account())
		for i := range len(uri) { // any byte changed is another key or none
			changed := []byte(uri)
			changed[i] ^= 1
			if other, err := mfa.ParseURI(string(changed)); err == nil {
				require.NotEqual(t, key, other)
			}
		}
	})
}

// FuzzNames: whatever Begin accepts as a name comes back unchanged.
func FuzzNames(f *testing.F) {
	for _, name := range names {
		f.Add(name, "lin@example.com")
	}
	f.Fuzz(func(t *testing.T, issuer, account string) {
		w := newWorld(t, mfa.NewMemory(), nil)
		factors, err := mfa.New(w.store, w.vault, audit.Discard{}, issuer, &w.options)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrName)
			return
		}
		uri, _, err := factors.Begin(t.Context(), clinic, lin, account)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrName)
			return
		}
		likeAnApp(t, uri, strings.TrimSpace(issuer), strings.TrimSpace(account))
		_, err = mfa.ParseURI(uri)
		require.NoError(t, err)
	})
}

// FuzzCode: whatever is typed, only the right six digits with spaces between them pass.
func FuzzCode(f *testing.F) {
	key := rfcKey(f)
	code, err := key.Code(start)
	require.NoError(f, err)
	for _, typed := range []string{code, code[:3] + " " + code[3:], code + "\n", "", "000000", "１２３４５６", code + code} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		w := newWorld(t, mfa.NewMemory(), nil)
		w.plant(t, lin, []byte(rfcSecret))
		methods, err := w.Verify(t.Context(), clinic, lin, typed)
		require.NoError(t, err)
		digits := strings.ReplaceAll(typed, " ", "")
		right := digits == w.code(t, key, -1) || digits == w.code(t, key, 0) || digits == w.code(t, key, 1)
		require.Equal(t, right && len(typed) <= 24, methods != nil)
	})
}
