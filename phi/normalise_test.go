package phi_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// The golden vectors of the normalisers. A line here never changes: who needs another result
// adds a version.
func TestNormalisers(t *testing.T) {
	t.Parallel()
	const bad = "error"
	for _, tc := range []struct {
		norm phi.Normaliser
		in   string
		want string
	}{
		{phi.Phone("US"), "(555) 555-0123", "+15555550123"},
		{phi.Phone("US"), "555.555.0123", "+15555550123"},
		{phi.Phone("US"), "1-555-555-0123", "+15555550123"},
		{phi.Phone("US"), " +1 555 555 0123 ", "+15555550123"},
		{phi.Phone("US"), "tel:+1-555-555-0123", "+15555550123"},
		{phi.Phone("US"), "tel:+1-555-555-0123;ext=9", "+15555550123"},
		{phi.Phone("US"), "555-555-0123 x12", "+15555550123"},
		{phi.Phone("US"), "555-555-0123 ext. 12", "+15555550123"},
		{phi.Phone("US"), "555-555-0123 Extension 12", "+15555550123"},
		{phi.Phone("US"), "555-555-0123 #12", "+15555550123"},
		{phi.Phone("US"), "555‑555–0123", "+15555550123"},
		{phi.Phone("US"), "５５５５５５０１２３", "+15555550123"},
		{phi.Phone("US"), "＋1 555 555 0123", "+15555550123"},
		{phi.Phone("US"), "٥٥٥٥٥٥٠١٢٣", "+15555550123"},
		{phi.Phone("US"), "555\u00a0555\u202f0123", "+15555550123"},
		{phi.Phone("US"), "011 52 55 1234 5678", "+525512345678"},
		{phi.Phone("US"), "+52 1 55 1234 5678", "+525512345678"},
		{phi.Phone("US"), "+44 20 7946 0018", "+442079460018"},
		{phi.Phone("US"), "", ""},
		{phi.Phone("US"), "  - ", ""},
		{phi.Phone("US"), "555-0123", bad},
		{phi.Phone("US"), "call mom", bad},
		{phi.Phone("US"), "555-555-0123 or 555-555-0124", bad},
		{phi.Phone("US"), "+", bad},
		{phi.Phone("US"), "+0155555501", bad},
		{phi.Phone("US"), "+1 555 555 01234", bad},
		{phi.Phone("US"), "+1234567890123456", bad},
		{phi.Phone("US"), "055-555-0123", bad},
		{phi.Phone("CA"), "555 555 0123", "+15555550123"},
		{phi.Phone("MX"), "55 1234 5678", "+525512345678"},
		{phi.Phone("MX"), "01 55 1234 5678", "+525512345678"},
		{phi.Phone("MX"), "044 55 1234 5678", "+525512345678"},
		{phi.Phone("MX"), "045 55 1234 5678", "+525512345678"},
		{phi.Phone("MX"), "1 55 1234 5678", "+525512345678"},
		{phi.Phone("MX"), "+52 55 1234 5678", "+525512345678"},
		{phi.Phone("MX"), "+52 1 55 1234 5678", "+525512345678"},
		{phi.Phone("MX"), "5215512345678", "+525512345678"},
		{phi.Phone("MX"), "525512345678", "+525512345678"},
		{phi.Phone("MX"), "00 1 555 555 0123", "+15555550123"},
		{phi.Phone("MX"), "1234 5678", bad},

		{phi.Email(), " Jane.Doe+x@Example.COM ", "jane.doe+x@example.com"},
		{phi.Email(), "ｊａｎｅ＠example.com", "jane@example.com"},
		{phi.Email(), "jane@example.com.", "jane@example.com"},
		{phi.Email(), `"a@b"@example.com`, `"a@b"@example.com`},
		{phi.Email(), "", ""},
		{phi.Email(), " \t", ""},
		{phi.Email(), "jane", bad},
		{phi.Email(), "@example.com", bad},
		{phi.Email(), "jane@", bad},
		{phi.Email(), "jane@.", bad},
		{phi.Email(), "jane@a..b", bad},
		{phi.Email(), "jane doe@example.com", bad},

		{phi.SSN(), "987-65-4321", "987654321"},
		{phi.SSN(), "987 65 4321", "987654321"},
		{phi.SSN(), "９８７654321", "987654321"},
		{phi.SSN(), "", ""},
		{phi.SSN(), "98765432", bad},
		{phi.SSN(), "987-65-432X", bad},

		{phi.MRN(), " a-100.20/3 ", "A100203"},
		{phi.MRN(), "007", "007"},
		{phi.MRN(), "", ""},
		{phi.MRN(), "a#1", bad},

		{phi.Name(), "José  O’Brien-García", "jose o brien garcia"},
		{phi.Name(), "JOSE O BRIEN GARCIA", "jose o brien garcia"},
		{phi.Name(), "Müller", "muller"},
		{phi.Name(), "Straße", "strasse"},
		{phi.Name(), "Doe, Jane A.", "doe jane a"},
		{phi.Name(), "ﬁona", "fiona"},
		{phi.Name(), "  ", ""},
		{phi.Name(), "山田 太郎", "山田 太郎"},
	} {
		got, err := tc.norm.Normalise(tc.in)
		if tc.want == bad {
			require.ErrorIs(t, err, phi.ErrNotNormal, "%s %q", tc.norm.ID(), tc.in)
			require.NotContains(t, err.Error(), tc.in+" ", "never the value")
			continue
		}
		require.NoError(t, err, "%s %q", tc.norm.ID(), tc.in)
		require.Equal(t, tc.want, got, "%s %q", tc.norm.ID(), tc.in)
	}
}

func TestNormaliserIDs(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]phi.Normaliser{
		"phone.us@1": phi.Phone("US"), "phone.mx@1": phi.Phone("MX"), "phone.ar@1": phi.Phone("AR"), "phone.br@1": phi.Phone("BR"),
		"phone.us@2": phi.PhoneFolded("US"), "phone.ca@2": phi.PhoneFolded("CA"), "phone.mx@2": phi.PhoneFolded("MX"), "email@1": phi.Email(), "ssn@1": phi.SSN(), "mrn@1": phi.MRN(), "name@1": phi.Name(),
	} {
		require.Equal(t, want, n.ID())
	}
}

// What is normal stays as it is.
func FuzzNormalisersAreIdempotent(f *testing.F) {
	for _, s := range []string{"(555) 555-0123", "Jane@Example.com", "José O’Brien", "A-1", "Ꭰ", "ǰ", "ΐ", "+52 1 55 1234 5678", "x\u0345", "\u0958", "a.@b", "0@0..", "\xf1Ά", "1984/2/29", "011 15 2345-6789", "(11) 6123-4567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range []phi.Normaliser{phi.Phone("US"), phi.Phone("MX"), phi.Phone("AR"), phi.Phone("BR"), phi.PhoneFolded("US"), phi.PhoneFolded("MX"), phi.Email(), phi.SSN(), phi.MRN(), phi.Name(), phi.CivilDate()} {
			once, err := n.Normalise(s)
			if err != nil {
				require.ErrorIs(t, err, phi.ErrNotNormal)
				continue
			}
			if len(once) > 1024 {
				continue // ﷺ is 18 letters
			}
			twice, err := n.Normalise(once)
			require.NoError(t, err, n.ID())
			require.Equal(t, once, twice, n.ID())
		}
	})
}

// Every decimal digit of Unicode has its value.
func TestDigitsOfEveryScript(t *testing.T) {
	t.Parallel()
	scripts := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.IsDigit(r) || unicode.IsDigit(r-1) {
			continue
		}
		scripts++
		got, err := phi.SSN().Normalise(string([]rune{r + 1, r + 2, r + 3, r + 4, r + 5, r + 6, r + 7, r + 8, r + 9}))
		require.NoError(t, err)
		require.Equal(t, "123456789", got, "%U", r)
	}
	require.Greater(t, scripts, 50)
}

func TestLongValuesAreNotIndexed(t *testing.T) {
	t.Parallel()
	_, err := phi.Name().Normalise(strings.Repeat("x", 1024))
	require.NoError(t, err)
	_, err = phi.Name().Normalise(strings.Repeat("x", 1025))
	require.ErrorIs(t, err, phi.ErrNotNormal)
}

func TestNewNormaliser(t *testing.T) {
	t.Parallel()
	n := phi.NewNormaliser("badge", 2, func(s string) (string, error) {
		if s == "Jane" {
			return "", errors.New("not a badge: Jane")
		}
		return s, nil
	})
	require.Equal(t, "badge@2", n.ID())
	_, err := n.Normalise("Jane")
	require.ErrorIs(t, err, phi.ErrNotNormal)
	require.NotContains(t, err.Error(), "Jane")
	v := newVault(t)
	for name, bad := range map[string]phi.Normaliser{
		"no id": phi.NewNormaliser("", 1, func(s string) (string, error) { return s, nil }), "at": phi.NewNormaliser("a@b", 1, func(s string) (string, error) { return s, nil }),
		"version": phi.NewNormaliser("a", 0, func(s string) (string, error) { return s, nil }), "nil": phi.NewNormaliser("a", 1, nil), "zero": {}, "region": phi.Phone("XX"),
	} {
		_, err := phi.For[person](v, "person", phi.WithIndex("name", bad))
		require.ErrorIs(t, err, phi.ErrCodec, name)
		_, err = bad.Normalise("x")
		require.ErrorIs(t, err, phi.ErrNotNormal, name)
	}
}
