package phi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

func sealed(t testing.TB) phi.Sealed {
	t.Helper()
	s, err := newVault(t).Seal(t.Context(), place(), []byte("555-0123"))
	require.NoError(t, err)
	return s
}

func TestSealedText(t *testing.T) {
	t.Parallel()
	s := sealed(t)
	text := s.String()
	require.Regexp(t, `^phi1\.[A-Za-z0-9_-]+$`, text)
	require.Equal(t, text, fmt.Sprint(s))
	var back phi.Sealed
	require.NoError(t, back.UnmarshalText([]byte(text)))
	require.Equal(t, s, back)

	b, err := json.Marshal(map[string]phi.Sealed{"phone": s, "none": nil})
	require.NoError(t, err)
	require.JSONEq(t, `{"phone":"`+text+`","none":""}`, string(b))
	var m map[string]phi.Sealed
	require.NoError(t, json.Unmarshal(b, &m))
	require.Equal(t, s, m["phone"])
	require.Nil(t, m["none"])
}

// Whatever is changed in the text form is refused, there or when the value is opened.
func TestSealedTextStrict(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	s, err := v.Seal(t.Context(), place(), []byte("555-0123"))
	require.NoError(t, err)
	text := s.String()
	for name, bad := range map[string]string{
		"prefix":      strings.Replace(text, "phi1.", "phi2.", 1),
		"no prefix":   text[5:],
		"plain":       "555-0123",
		"padding":     text + "=",
		"line break":  text[:20] + "\n" + text[20:],
		"carriage":    text + "\r",
		"space":       " " + text,
		"std base64":  text[:10] + "+" + text[11:],
		"shorter":     text[:len(text)-1],
		"much less":   text[:30],
		"only prefix": "phi1.",
	} {
		var got phi.Sealed
		err := got.UnmarshalText([]byte(bad))
		require.Error(t, err, name)
		require.Nil(t, got, name)
		require.NotContains(t, err.Error(), "555")
	}
	for _, n := range []int{8, 40, 80} { // lengths that leave no, two and four spare bits
		s, err := v.Seal(t.Context(), place(), make([]byte, n))
		require.NoError(t, err)
		requireEveryCharacterCounts(t, v, s.String())
	}
}

func requireEveryCharacterCounts(t *testing.T, v *phi.Vault, text string) {
	t.Helper()
	for i := range text {
		for _, c := range "ABCDEGIKQUYghw-_9" {
			bad := []byte(text)
			bad[i] = byte(c)
			if string(bad) == text {
				continue
			}
			var got phi.Sealed
			err := got.UnmarshalText(bad)
			if err == nil {
				_, err = v.Unseal(t.Context(), place(), got)
			}
			require.Error(t, err, "character %d", i)
		}
	}
}

func TestSealedSQL(t *testing.T) {
	t.Parallel()
	s := sealed(t)
	val, err := s.Value()
	require.NoError(t, err)
	require.Equal(t, []byte(s), val)
	var none phi.Sealed
	val, err = none.Value()
	require.NoError(t, err)
	require.Nil(t, val)

	var got phi.Sealed
	src := bytes.Clone(s)
	require.NoError(t, got.Scan([]byte(src)))
	require.Equal(t, s, got)
	src[50] ^= 1
	require.Equal(t, s, got, "a copy")
	require.NoError(t, got.Scan(s.String()), "a text column")
	require.Equal(t, s, got)
	require.NoError(t, got.Scan(nil))
	require.Nil(t, got)
	require.ErrorIs(t, got.Scan(int64(5550123)), phi.ErrUnknownSuite)
	require.ErrorIs(t, got.Scan("Jane Doe"), phi.ErrUnknownSuite)

	require.NoError(t, got.Scan([]byte{}), "damaged: found when it is opened")
	require.NotNil(t, got)
	require.NoError(t, got.Scan([]byte("Jane Doe")))
	_, err = newVault(t).Unseal(t.Context(), place(), got)
	require.ErrorIs(t, err, phi.ErrUnknownSuite)
}

// Plaintext converted to a Sealed does not reach the database.
func TestSealedRefusesPlaintext(t *testing.T) {
	t.Parallel()
	for _, s := range []phi.Sealed{phi.Sealed("Jane Doe"), {}, phi.Sealed(strings.Repeat("Jane Doe ", 20)), sealed(t)[:57]} {
		val, err := s.Value()
		require.ErrorIs(t, err, phi.ErrUnsealed)
		require.Nil(t, val)
		require.NotContains(t, err.Error(), "Jane")
	}
}

func FuzzSealedText(f *testing.F) {
	f.Add("phi1.")
	f.Add("")
	f.Add(sealed(f).String())
	f.Add("phi1.AQU\n")
	f.Fuzz(func(t *testing.T, text string) {
		var s phi.Sealed
		if s.UnmarshalText([]byte(text)) == nil {
			require.Equal(t, text, s.String())
		}
	})
}
