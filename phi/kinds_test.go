package phi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // for a machine without one

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// fullKinds is a handler's context that may see everything of sealedKinds.
var fullKinds = map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassDate: phi.Full, phi.ClassClinical: phi.Full}

func TestKindsRoundTrip(t *testing.T) {
	t.Parallel()
	c, err := phi.For[sealedKinds](newVault(t), "kinds")
	require.NoError(t, err)
	in := someKinds(t)
	out := reopen(t, c, in)
	require.True(t, out.Birth.Equal(in.Birth) && out.Weight.Equal(in.Weight))
	rec := &notes{}
	ctx, trail := request(t, rec, fullKinds)
	day, err := out.Birth.Reveal(ctx)
	require.NoError(t, err)
	require.Equal(t, phi.Day{Year: 1907, Month: time.May, Day: 23}, day)
	number, err := out.Weight.Reveal(ctx)
	require.NoError(t, err)
	require.Equal(t, phi.Decimal(secretNumber), number, "with its zero")
	seen, err := out.Weight.View(ctx)
	require.NoError(t, err)
	require.Equal(t, secretNumber, seen)
	require.NoError(t, trail.Flush(ctx))
	require.Equal(t, []string{"birth", "weight"}, rec.events[0].Objects[0].Fields)

	again, err := c.Seal(t.Context(), clinic, out)
	require.NoError(t, err)
	row := rowOf(c, again)
	out, err = c.Open(t.Context(), clinic, row)
	require.NoError(t, err)
	untouched, err := c.Seal(t.Context(), clinic, out)
	require.NoError(t, err)
	require.Equal(t, row.Cols, rowOf(c, untouched).Cols)
}

func TestKindsObeyTheSight(t *testing.T) {
	t.Parallel()
	c, err := phi.For[sealedKinds](newVault(t), "kinds")
	require.NoError(t, err)
	out := reopen(t, c, someKinds(t))
	_, err = out.Birth.Reveal(t.Context())
	require.ErrorIs(t, err, phi.ErrNoSight)
	ctx, _ := request(t, &notes{}, map[phi.Class]phi.Level{phi.ClassDate: phi.Partial, phi.ClassClinical: phi.Partial})
	day, err := out.Birth.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrNotAllowed)
	require.Zero(t, day)
	number, err := out.Weight.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrNotAllowed)
	require.Empty(t, number)
	s, err := out.Birth.View(ctx)
	require.NoError(t, err)
	require.Equal(t, "1907", s)
	s, err = out.Weight.View(ctx)
	require.NoError(t, err)
	require.Equal(t, "••••", s)
	require.Equal(t, "••••-••-••", out.Birth.Mask())
}

func TestNoDateNoNumber(t *testing.T) {
	t.Parallel()
	var none sealedKinds
	none.ID = "p-1"
	c, err := phi.For[sealedKinds](newVault(t), "kinds")
	require.NoError(t, err)
	rec, err := c.Seal(t.Context(), clinic, &none)
	require.NoError(t, err)
	require.Nil(t, rec.Col("birth"))
	require.Nil(t, rec.Col("weight"))
	day, err := none.Birth.Reveal(t.Context())
	require.NoError(t, err, "there is nothing to protect")
	require.Zero(t, day)
	number, err := none.Weight.Reveal(t.Context())
	require.NoError(t, err)
	require.Empty(t, number)
	require.True(t, none.Birth.Equal(phi.Date{}) && none.Weight.Equal(phi.Number{}))
	require.False(t, none.Weight.Equal(phi.NewInt(0)), "no number is not zero")
	require.False(t, someKinds(t).Birth.Equal(phi.Date{}))
}

// A column may be a Text in one release and a Date or Number in the next; what is then no
// date or number is an error that names the field.
func TestTextBecomesDate(t *testing.T) {
	t.Parallel()
	type before struct {
		ID     string   `phi:",row,patient"`
		Name   phi.Text `phi:"name,class=name"`
		Birth  phi.Text `phi:"birth,class=date"`
		Weight phi.Text `phi:"weight,class=clinical"`
	}
	v := newVault(t)
	was, err := phi.For[before](v, "kinds")
	require.NoError(t, err)
	now, err := phi.For[sealedKinds](v, "kinds")
	require.NoError(t, err)
	open := func(birth, weight string) *sealedKinds {
		rec, err := was.Seal(t.Context(), clinic, &before{ID: "p-1", Birth: phi.NewText(birth), Weight: phi.NewText(weight)})
		require.NoError(t, err)
		out, err := now.Open(t.Context(), clinic, rowOf(was, rec))
		require.NoError(t, err)
		return out
	}
	in := someKinds(t)
	out := open(secretDay, secretNumber)
	require.True(t, out.Birth.Equal(in.Birth) && out.Weight.Equal(in.Weight))

	ctx, _ := request(t, &notes{}, fullKinds)
	_, err = open("0000-05-23", "80").Birth.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrForm)
	out = open("spring 1907", "about 80")
	_, dayErr := out.Birth.Reveal(ctx)
	_, numberErr := out.Weight.Reveal(ctx)
	for field, err := range map[string]error{"kinds.birth": dayErr, "kinds.weight": numberErr} {
		require.ErrorIs(t, err, phi.ErrForm)
		var f *phi.FieldError
		require.ErrorAs(t, err, &f)
		require.Equal(t, field, f.Field)
		require.NotContains(t, err.Error(), "1907")
		require.NotContains(t, err.Error(), "80")
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"1984-02-29": true, "2000-02-29": true, "0001-01-01": true, "9999-12-31": true,
		"1900-02-29": false, "1983-02-29": false, "1984-13-01": false, "1984-00-10": false, "1984-1-1": false,
		"0000-01-01": false, "10000-01-01": false, "-001-01-01": false, "": false, " 1984-02-29": false,
		"1984-02-29T00:00:00Z": false, "29.02.1984": false, "１984-02-29": false,
	} {
		d, err := phi.ParseDate(text)
		require.Equal(t, ok, err == nil, text)
		if !ok {
			require.ErrorIs(t, err, phi.ErrForm, text)
			require.True(t, d.IsZero())
		}
	}
	for _, bad := range []phi.Day{{}, {1984, 2, 30}, {1984, 0, 1}, {10000, 1, 1}, {-1, 1, 1}, {1984, 13, 1}} {
		_, err := phi.NewDate(bad)
		require.ErrorIs(t, err, phi.ErrForm, bad.String())
	}
	// A civil date is the same everywhere, also where its midnight does not exist.
	saoPaulo, err := time.LoadLocation("America/Sao_Paulo")
	require.NoError(t, err)
	day := phi.Day{Year: 2018, Month: time.November, Day: 4} // clocks went from 00:00 to 01:00
	require.Equal(t, "2018-11-04", day.String())
	_, err = phi.NewDate(day)
	require.NoError(t, err)
	require.Equal(t, 4, day.In(saoPaulo).Add(time.Hour).Day())
	late := time.Date(1984, 2, 28, 23, 30, 0, 0, time.FixedZone("", -5*3600))
	require.Equal(t, phi.Day{Year: 1984, Month: 2, Day: 28}, phi.DayOf(late))
	require.Equal(t, phi.Day{Year: 1984, Month: 2, Day: 29}, phi.DayOf(late.UTC()))
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"0": true, "-0": true, "72.50": true, "-72.5": true, "0.001": true, "9007199254740993": true,
		strings.Repeat("9", 100): true, strings.Repeat("9", 101): false,
		"": false, "-": false, ".5": false, "5.": false, "00": false, "-01": false, "+1": false, "1e3": false, "1_000": false,
		"1,5": false, " 1": false, "NaN": false, "Inf": false, "0x10": false, "--1": false, "1.2.3": false, "٣": false,
	} {
		n, err := phi.ParseNumber(text)
		require.Equal(t, ok, err == nil, text)
		if !ok {
			require.ErrorIs(t, err, phi.ErrForm)
			require.True(t, n.IsZero())
		}
	}
	equal := func(a, b string) bool {
		x, errX := phi.ParseNumber(a)
		y, errY := phi.ParseNumber(b)
		require.NoError(t, errors.Join(errX, errY))
		return x.Equal(y)
	}
	require.True(t, equal("72.50", "72.5") && equal("-0.00", "0") && equal("100", "100.0"))
	require.False(t, equal("72.5", "-72.5") || equal("9007199254740993", "9007199254740992") || equal("100", "10") || equal("10", "1"))

	for text, want := range map[phi.Decimal]int64{"0": 0, "-0.0": 0, "12.00": 12, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64} {
		got, err := text.Int64()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []phi.Decimal{"", "12.5", "9223372036854775808", "x"} {
		_, err := text.Int64()
		require.ErrorIs(t, err, phi.ErrForm)
		require.NotContains(t, err.Error(), "12")
	}
	r, err := phi.Decimal("0.1").Rat()
	require.NoError(t, err)
	require.Equal(t, big.NewRat(1, 10), r, "exactly")
	for _, text := range []phi.Decimal{"", "1/3", "1e9", "0x1p-2"} {
		_, err = text.Rat()
		require.ErrorIs(t, err, phi.ErrForm, text)
	}
	require.True(t, phi.NewInt(math.MinInt64).Equal(must(phi.ParseNumber("-9223372036854775808"))))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Input as JSON and as text; what is refused leaves the value as it was and is not quoted.
func TestKindsInput(t *testing.T) {
	t.Parallel()
	type form struct {
		Birth  phi.Date
		Weight phi.Number
	}
	for text, want := range map[string]form{
		`{"Weight":null}`: {},

		`{"Birth":"1984-02-29","Weight":72.50}`:                 {must(phi.ParseDate("1984-02-29")), must(phi.ParseNumber("72.5"))},
		`{"Weight":"9007199254740993"}`:                         {Weight: must(phi.ParseNumber("9007199254740993"))},
		`{"Weight": 9007199254740993 , "Birth" : null}`:         {Weight: must(phi.ParseNumber("9007199254740993"))},
		`{"Weight":0.1000000000000000055511151231257827021181}`: {Weight: must(phi.ParseNumber("0.1000000000000000055511151231257827021181"))},
	} {
		var got form
		require.NoError(t, json.Unmarshal([]byte(text), &got), text)
		require.True(t, got.Birth.Equal(want.Birth) && got.Weight.Equal(want.Weight), text)
	}
	for text, want := range map[string]error{
		`{"Birth":"[PHI]"}`: phi.ErrMark, `{"Weight":"[PHI]"}`: phi.ErrMark,
		`{"Birth":"29.02.1984"}`: phi.ErrForm, `{"Birth":19840229}`: phi.ErrForm, `{"Birth":""}`: phi.ErrForm, `{"Birth":{"Year":1984}}`: phi.ErrForm,
		`{"Weight":1e3}`: phi.ErrForm, `{"Weight":"heavy 72"}`: phi.ErrForm, `{"Weight":true}`: phi.ErrForm, `{"Weight":[72]}`: phi.ErrForm, `{"Weight":""}`: phi.ErrForm,
	} {
		got := form{must(phi.ParseDate("2001-01-01")), phi.NewInt(1)}
		err := json.Unmarshal([]byte(text), &got)
		require.ErrorIs(t, err, want, text)
		require.NotContains(t, err.Error(), "1984")
		require.NotContains(t, err.Error(), "72")
		require.True(t, got.Birth.Equal(must(phi.ParseDate("2001-01-01"))) && got.Weight.Equal(phi.NewInt(1)), text)
	}
	var d phi.Date
	require.NoError(t, d.UnmarshalText([]byte("1984-02-29")))
	require.ErrorIs(t, d.GobDecode(nil), phi.ErrMark)
}

func FuzzDate(f *testing.F) {
	f.Add("1984-02-29")
	f.Add("1900-02-29")
	f.Add("[PHI]")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := phi.ParseDate(s)
		when, wrong := time.Parse("2006-01-02", s)
		if err != nil {
			require.ErrorIs(t, err, phi.ErrForm)
			require.True(t, wrong != nil || when.Year() < 1 || when.Format("2006-01-02") != s)
			return
		}
		require.NoError(t, wrong)
		again, err := phi.NewDate(phi.DayOf(when))
		require.NoError(t, err)
		require.True(t, d.Equal(again))
	})
}

func FuzzNumber(f *testing.F) {
	f.Add("72.50", "72.5")
	f.Add("-0", "0")
	f.Add("1e3", "1000")
	grammar := regexp.MustCompile(`\A-?(0|[1-9][0-9]*)(\.[0-9]+)?\z`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := phi.ParseNumber(a)
		require.Equal(t, grammar.MatchString(a) && len(a) <= 100, errX == nil)
		y, errY := phi.ParseNumber(b)
		if errX != nil || errY != nil {
			return
		}
		p, err := phi.Decimal(a).Rat()
		require.NoError(t, err)
		q, err := phi.Decimal(b).Rat()
		require.NoError(t, err)
		require.Equal(t, p.Cmp(q) == 0, x.Equal(y))
		if i, err := phi.Decimal(a).Int64(); err == nil {
			require.Zero(t, p.Cmp(new(big.Rat).SetInt64(i)))
		} else {
			require.False(t, p.IsInt() && p.Num().IsInt64())
		}
		var js phi.Number
		require.NoError(t, json.Unmarshal(fmt.Append(nil, a), &js))
		require.True(t, js.Equal(x))
	})
}

// Whatever comes as JSON is a value in its one form, or an error that quotes nothing of it.
func FuzzKindsJSON(f *testing.F) {
	for _, s := range []string{`"1984-02-29"`, `72.50`, `"72.50"`, `null`, `"[PHI]"`, `1e9`, ` "1984-02-29" `, "\f\"0\"", "\v7", `{"Year":1984}`, `"1984-02-29`} {
		f.Add([]byte(s))
	}
	quiet := func(t *testing.T, err error) {
		require.True(t, errors.Is(err, phi.ErrForm) || errors.Is(err, phi.ErrMark))
		require.Contains(t, []string{phi.ErrForm.Error(), phi.ErrMark.Error()}, err.Error())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d phi.Date
		if err := d.UnmarshalJSON(data); err != nil {
			quiet(t, err)
			require.True(t, d.IsZero())
		} else if !d.IsZero() {
			var s string
			require.NoError(t, json.Unmarshal(data, &s))
			require.True(t, must(phi.ParseDate(s)).Equal(d))
		}
		var n phi.Number
		if err := n.UnmarshalJSON(data); err != nil {
			quiet(t, err)
			require.True(t, n.IsZero())
		} else if !n.IsZero() {
			s := strings.TrimSpace(string(data))
			if s[0] == '"' {
				require.NoError(t, json.Unmarshal(data, &s))
			}
			require.True(t, must(phi.ParseNumber(s)).Equal(n))
		}
	})
}
