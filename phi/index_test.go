package phi_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/wardkit/wardkit/phi"
)

// readGolden reads a file of testdata, none of which is ever written again.
func readGolden(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

// goldenIndexes was computed by a program in Python with its own hmac, HKDF and Unicode
// tables, from the index root of v1.json and the row of goldenMember.
type goldenIndexes struct {
	Terms []struct{ Index, Term string }
	Names []struct{ Name, Normal string }
}

func goldenMember(t testing.TB) *member {
	t.Helper()
	born, err := phi.ParseDate("1984-02-29")
	require.NoError(t, err)
	return &member{
		ID: "m-1", Family: phi.NewText("José  O’Brien-García"), Born: born, Phone: phi.NewText("(555) 555-0123"),
		Email: phi.NewText("Jane@Example.com"), SSN: phi.NewText("987-65-4321"),
	}
}

func TestIndexVectors(t *testing.T) {
	t.Parallel()
	var g goldenIndexes
	readGolden(t, "indexes_v1.json", &g)
	require.Len(t, g.Terms, 9)
	v, _ := goldenVault(t)
	codec := members(t, v)
	rec, err := codec.Seal(t.Context(), clinic, goldenMember(t))
	require.NoError(t, err)
	var have []struct{ Index, Term string }
	for _, term := range rec.Terms().List {
		have = append(have, struct{ Index, Term string }{term.Field, hex.EncodeToString(term.Value)})
		require.Equal(t, term.Field == "email" || term.Field == "ssn_born", term.Unique)
	}
	require.Equal(t, g.Terms, have)
	terms, err := codec.Terms(t.Context(), clinic, goldenMember(t))
	require.NoError(t, err)
	require.Equal(t, rec.Terms(), terms, "with and without sealing")
}

// Python's casefold and normalize know another version of Unicode, and agree.
func TestNameVectors(t *testing.T) {
	t.Parallel()
	var g goldenIndexes
	readGolden(t, "indexes_v1.json", &g)
	require.Greater(t, len(g.Names), 20)
	for _, n := range g.Names {
		got, err := phi.Name().Normalise(n.Name)
		require.NoError(t, err, n.Name)
		require.Equal(t, n.Normal, got, n.Name)
	}
}

// What libphonenumber (github.com/nyaruka/phonenumbers v1.4.2) makes of a number is the same
// number here. Its E.164 has forms for one telephone that are folded here.
func TestPhoneVectors(t *testing.T) {
	t.Parallel()
	var all []struct{ Region, Input, E164 string }
	readGolden(t, "phones_v1.json", &all)
	require.Greater(t, len(all), 30)
	folded := 0
	for _, c := range all {
		n := phi.Phone(c.Region)
		got, err := n.Normalise(c.Input)
		require.NoError(t, err, "%s %s", c.Region, c.Input)
		want, err := n.Normalise(c.E164)
		require.NoError(t, err)
		require.Equal(t, want, got, "%s %s", c.Region, c.Input)
		if got != c.E164 {
			folded++
			require.Contains(t, []string{"MX", "AR"}, c.Region)
		}
	}
	require.NotZero(t, folded)
}

// Golden vectors of the normalisers that came later; see TestNormalisers.
func TestMoreNormalisers(t *testing.T) {
	t.Parallel()
	const bad = "error"
	for _, tc := range []struct {
		norm     phi.Normaliser
		in, want string
	}{
		{phi.CivilDate(), "1984-02-29", "1984-02-29"},
		{phi.CivilDate(), " 1984/2/29 ", "1984-02-29"},
		{phi.CivilDate(), "1984.02.09", "1984-02-09"},
		{phi.CivilDate(), "19840229", "1984-02-29"},
		{phi.CivilDate(), "１９８４‐０２‐２９", "1984-02-29"},
		{phi.CivilDate(), "", ""},
		{phi.CivilDate(), "1985-02-29", bad},
		{phi.CivilDate(), "02/29/1984", bad},
		{phi.CivilDate(), "29.02.1984", bad},
		{phi.CivilDate(), "84-02-29", bad},
		{phi.CivilDate(), "1984", bad},
		{phi.CivilDate(), "1984-02-29-1", bad},
		{phi.CivilDate(), "1984--29", bad},
		{phi.CivilDate(), "Feb 29 1984", bad},

		{phi.Phone("AR"), "011 15-2345-6789", "+541123456789"},
		{phi.Phone("AR"), "+54 9 11 2345 6789", "+541123456789"},
		{phi.Phone("AR"), "54 9 11 2345 6789", "+541123456789"},
		{phi.Phone("AR"), "02966 15 432100", "+542966432100"},
		{phi.Phone("AR"), "+52 1 55 1234 5678", "+525512345678"},
		{phi.Phone("AR"), "+55 11 6123-4567", "+5511961234567"},
		{phi.Phone("AR"), "2345 6789", bad},
		{phi.Phone("AR"), "", ""},
		{phi.Phone("BR"), "(11) 6123-4567", "+5511961234567"},
		{phi.Phone("BR"), "(11) 96123-4567", "+5511961234567"},
		{phi.Phone("BR"), "0 41 11 96123 4567", "+5511961234567"},
		{phi.Phone("BR"), "+55 (11) 3123-4567", "+551131234567"},
		{phi.Phone("BR"), "+54 9 11 2345 6789", "+541123456789"},
		{phi.Phone("BR"), "91234-5678", bad},
		{phi.Phone("US"), "+54 9 11 2345 6789", "+5491123456789"}, // version 1 of US is older
	} {
		got, err := tc.norm.Normalise(tc.in)
		if tc.want == bad {
			require.ErrorIs(t, err, phi.ErrNotNormal, "%s %q", tc.norm.ID(), tc.in)
			continue
		}
		require.NoError(t, err, "%s %q", tc.norm.ID(), tc.in)
		require.Equal(t, tc.want, got, "%s %q", tc.norm.ID(), tc.in)
	}
	require.Equal(t, "date@1", phi.CivilDate().ID())
	require.Equal(t, "phone.ar@1", phi.Phone("AR").ID())
	require.Equal(t, "phone.br@1", phi.Phone("BR").ID())
}

// Every shape finds what it should and nothing else.
func TestShapes(t *testing.T) {
	t.Parallel()
	h := newRoster(t, phi.NewMemoryTerms())
	v := newVault(t)
	for i, m := range []*member{goldenMember(t), newMember(0), newMember(1)} {
		if i == 0 {
			m.ID = "m-jose"
		}
		require.NoError(t, h.save(v, m))
	}
	var none []string
	for _, c := range []struct {
		index  string
		values []string
		want   []string
	}{
		{"phone", []string{"+1 555 555 0123"}, []string{"m-jose"}},
		{"phone", []string{"555-555-9999"}, none},
		{"phone", []string{" "}, none},
		{"ssn.last4", []string{"4321"}, []string{"m-jose"}},
		{"ssn.last4", []string{"987-65-4321"}, []string{"m-jose"}},
		{"ssn.last4", []string{"4322"}, none},
		{"ssn.last4", []string{""}, none},
		{"family.prefix", []string{"Jos"}, []string{"m-jose"}},
		{"family.prefix", []string{"jose o"}, []string{"m-jose"}},
		{"family.prefix", []string{"José O'Brien"}, []string{"m-jose"}},
		{"family.prefix", []string{"feather"}, []string{"m-000", "m-001"}},
		{"family.prefix", []string{"ose"}, none},
		{"family_born", []string{"JOSE OBRIEN GARCIA", "1984-02-29"}, none},
		{"family_born", []string{"Jose O Brien Garcia", "1984/2/29"}, []string{"m-jose"}},
		{"family_born", []string{"Jose O Brien Garcia", "1984-03-01"}, none},
		{"family_born", []string{"Jose O Brien Garcia", ""}, none},
		{"ssn_born", []string{"4321", "1984-02-29"}, []string{"m-jose"}},
	} {
		require.Equal(t, c.want, h.found(v, c.index, c.values...), "%s %q", c.index, c.values)
	}
	codec := members(t, v)
	for _, c := range []struct {
		index  string
		values []string
		want   error
	}{
		{"ssn", []string{"987654321"}, phi.ErrNoIndex},
		{"ssn.last4", []string{"321"}, phi.ErrNotNormal},
		{"ssn.last4", []string{"abcd"}, phi.ErrNotNormal},
		{"family.prefix", []string{"jo"}, phi.ErrNotNormal},
		{"family_born", []string{"Jose"}, phi.ErrNotNormal},
		{"family_born", []string{"Jose", "1984-02-29", "surplus"}, phi.ErrNotNormal},
		{"family_born", []string{"Jose", "yesterday"}, phi.ErrNotNormal},
		{"phone", nil, phi.ErrNotNormal},
	} {
		_, err := codec.Lookup(t.Context(), clinic, c.index, c.values...)
		require.ErrorIs(t, err, c.want, "%s %q", c.index, c.values)
		var f *phi.FieldError
		require.ErrorAs(t, err, &f)
		require.True(t, strings.HasPrefix(f.Field, "member."))
		for _, value := range c.values {
			require.NotContains(t, err.Error(), value)
		}
	}
	twin := newMember(7)
	twin.SSN, twin.Born = goldenMember(t).SSN, goldenMember(t).Born
	var d *phi.DuplicateError
	require.ErrorAs(t, h.save(v, twin), &d)
	require.Equal(t, "ssn_born", d.Field)
	twin.Born = newMember(7).Born
	require.NoError(t, h.save(v, twin), "the same ending alone is no duplicate")
}

// A row has a compound's term only with all its parts, and a partial index's only if it is
// long enough.
func TestShapesWithoutValues(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	for want, m := range map[string]*member{
		"[]":                            {ID: "m", Family: phi.NewText("Li")},
		"[family.prefix]":               {ID: "m", Family: phi.NewText("Lia")},
		"[family.prefix family.prefix]": {ID: "m", Family: phi.NewText("李小龍王")},
		"[ssn.last4]":                   {ID: "m", SSN: phi.NewText("987654321")},
		"[ssn.last4 ssn_born]":          {ID: "m", SSN: phi.NewText("987654321"), Born: newMember(1).Born},
		"[family.prefix family_born]":   {ID: "m", Family: phi.NewText("Lia"), Born: newMember(1).Born},
		"[email]":                       {ID: "m", Email: phi.NewText("a@example.com"), Phone: phi.NewText("  ")},
	} {
		terms, err := members(t, v).Terms(t.Context(), clinic, m)
		require.NoError(t, err)
		names := []string{}
		for _, term := range terms.List {
			names = append(names, term.Field)
		}
		require.Equal(t, want, fmt.Sprint(names))
	}
}

// No two lists of parts are taken for each other, wherever the border between them is.
func TestCompoundIsInjective(t *testing.T) {
	t.Parallel()
	type pair struct {
		ID string   `phi:",row"`
		A  phi.Text `phi:"a,class=other_id"`
		B  phi.Text `phi:"b,class=other_id"`
	}
	as := phi.NewNormaliser("as-is", 1, func(s string) (string, error) { return s, nil })
	v := newVault(t)
	codec, err := phi.For[pair](v, "pair", phi.WithCompound("ab", phi.Part{Field: "a", Normaliser: as}, phi.Part{Field: "b", Normaliser: as}),
		phi.WithCompound("ba", phi.Part{Field: "b", Normaliser: as}, phi.Part{Field: "a", Normaliser: as}), phi.WithIndex("a", as), phi.WithPrefix("a", as, 1, 2))
	require.NoError(t, err)
	seen := map[string]string{}
	for _, p := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"abc", "x"}, {"a\x00\x00\x00\x01b", "c"}, {"c", "ab"}, {"\x00\x00\x00\x01", "\x00"}} {
		terms, err := codec.Terms(t.Context(), clinic, &pair{"r", phi.NewText(p[0]), phi.NewText(p[1])})
		require.NoError(t, err)
		for _, term := range terms.List {
			id := fmt.Sprintf("%x", term.Value)
			what := fmt.Sprintf("%s %q", term.Field, p)
			if term.Field != "a.prefix" {
				require.Empty(t, seen[id], what)
			}
			seen[id] = what
		}
	}
}

func TestIndexTagErrors(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	ssn, name := phi.SSN(), phi.Name()
	for want, o := range map[string]phi.Option{
		"which does not exist":             phi.WithLast("nope", ssn, 4),
		"no characters":                    phi.WithLast("ssn", ssn, 0),
		"1 last characters, want 2 to 16":  phi.WithLast("ssn", ssn, 1),
		"17 last characters, want 2 to 16": phi.WithLast("ssn", ssn, 17),
		"date@1 has no last characters":    phi.WithLast("born", phi.CivilDate(), 4),
		"phone.us@1 has no prefixes":       phi.WithPrefix("phone", phi.Phone("US"), 3, 4),
		"lengths 0 to 3, want 1 to 32":     phi.WithPrefix("family", name, 0, 3),
		"lengths 4 to 3, want 1 to 32":     phi.WithPrefix("family", name, 4, 3),
		"lengths 1 to 33, want 1 to 32":    phi.WithPrefix("family", name, 1, 33),
		"1 parts, want 2 to 8":             phi.WithCompound("x", phi.Part{Field: "ssn", Normaliser: ssn}),
		`compound index "ssn": the name`:   phi.WithCompound("ssn", phi.Part{Field: "ssn", Normaliser: ssn}, phi.Part{Field: "family", Normaliser: name}),
		`compound index "A b": the name`:   phi.WithCompound("A b", phi.Part{Field: "ssn", Normaliser: ssn}, phi.Part{Field: "family", Normaliser: name}),
		`has field "ssn" twice`:            phi.WithCompound("x", phi.Part{Field: "ssn", Normaliser: ssn}, phi.Part{Field: "ssn", Normaliser: ssn, Last: 4}),
		"has no normaliser":                phi.WithCompound("x", phi.Part{Field: "ssn"}, phi.Part{Field: "family", Normaliser: name}),
	} {
		_, err := phi.For[member](v, "member", o)
		require.ErrorIs(t, err, phi.ErrCodec)
		require.ErrorContains(t, err, want)
	}
	_, err := phi.For[member](v, "member", phi.WithLast("ssn", ssn, 4), phi.WithLast("ssn", ssn, 4))
	require.ErrorContains(t, err, `two indexes "ssn.last4"`)
	_, err = phi.For[member](v, "member", phi.WithIndex("ssn", ssn), phi.WithLast("ssn", ssn, 4), phi.WithLast("ssn", ssn, 5))
	require.NoError(t, err, "several shapes of one field")
}

func TestTermsOfAllEpochs(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	v := w.vault(t)
	require.NoError(t, h.save(v, newMember(0)))
	one, err := v.Terms(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	term, err := v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	require.Equal(t, [][]byte{term}, one)
	none, err := v.Terms(t.Context(), clinic, "i", "")
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = v.Terms(t.Context(), "", "i", "x")
	require.ErrorIs(t, err, phi.ErrBinding)

	dual := false
	r := h.rotator(v, phi.RotatorOptions{Progress: func(job phi.Rotation) {
		if job.Phase != phi.PhaseDual || job.Cursor == "" || dual {
			return
		}
		dual = true
		both, err := v.Terms(t.Context(), clinic, "i", "x")
		require.NoError(t, err)
		require.Len(t, both, 2)
		require.Equal(t, []byte{1, 2}, []byte{both[0][0], both[1][0]})
		require.Equal(t, term, both[0])
		q, err := members(t, v).Lookup(t.Context(), clinic, "phone", "555-555-0000")
		require.NoError(t, err)
		require.Len(t, q.Terms, 2, "one query for both")
	}})
	_, err = r.Rotate(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err)
	require.True(t, dual)
}

// A term that is appended where there is room costs no memory.
func TestAppendTermAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	v := newVault(t)
	var room [32]byte
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := v.AppendTerm(t.Context(), room[:0], clinic, "patient.phone", "+15555550123"); err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, allocs)
	term, err := v.AppendTerm(t.Context(), []byte("x"), clinic, "patient.phone", "+15555550123")
	require.NoError(t, err)
	plain, err := v.Term(t.Context(), clinic, "patient.phone", "+15555550123")
	require.NoError(t, err)
	require.Equal(t, "x"+string(plain), string(term))
}

// Whatever is looked up, it is an error of its kind or finds the row that it was taken from.
func FuzzFragments(f *testing.F) {
	for _, s := range []string{"José", "Featherstone", "ǰx", "1984-02-29", "(555) 555-0123", "987-65-4321", "a@example.com", "\u0345abc", "ﷺ", "A-1", "0@0000000."} {
		f.Add(s, uint8(3))
	}
	v := newVault(f)
	type text struct {
		ID string   `phi:",row"`
		S  phi.Text `phi:"s,class=other_id"`
	}
	var codecs []*phi.Codec[text]
	for _, n := range []phi.Normaliser{phi.Name(), phi.MRN(), phi.SSN(), phi.Email()} {
		c, err := phi.For[text](v, "text", phi.WithPrefix("s", n, 2, 8), phi.WithLast("s", n, 4))
		require.NoError(f, err)
		codecs = append(codecs, c)
	}
	f.Fuzz(func(t *testing.T, s string, cut uint8) {
		for _, c := range codecs {
			terms, err := c.Terms(t.Context(), clinic, &text{"r", phi.NewText(s)})
			if err != nil {
				require.ErrorIs(t, err, phi.ErrNotNormal)
				continue
			}
			for _, index := range []string{"s.prefix", "s.last4"} {
				has := map[string]bool{}
				for _, term := range terms.List {
					if term.Field == index {
						has[string(term.Value)] = true
					}
				}
				q, err := c.Lookup(t.Context(), clinic, index, s)
				if len(has) == 0 || err != nil {
					continue
				}
				if index == "s.prefix" && strings.HasSuffix(strings.TrimSpace(norm.NFKC.String(s)), ".") {
					continue // what is sought may go on: a@example. begins a@example.com
				}
				require.Len(t, q.Terms, 1)
				require.True(t, has[string(q.Terms[0])], "the whole value finds its row by %s", index)
			}
			if _, err := c.Lookup(t.Context(), clinic, "s.prefix", s[:min(int(cut), len(s))]); err != nil {
				require.ErrorIs(t, err, phi.ErrNotNormal)
			}
		}
	})
}
