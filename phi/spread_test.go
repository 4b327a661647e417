package phi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// surnames returns shares like those of surnames in a census: a Zipf-Mandelbrot curve through the
// published shares of the ten most frequent of the United States in 2010.
func surnames(count int) map[string]float64 {
	shares, sum := map[string]float64{}, 0.0
	weight := func(rank int) float64 { return math.Pow(float64(rank)+5, -0.9) }
	for rank := range count {
		sum += weight(rank + 1)
	}
	for rank := range count {
		shares[fmt.Sprintf("name%06d", rank+1)] = weight(rank+1) / sum
	}
	return shares
}

// drawn returns a histogram of so many patients drawn from shares.
func drawn(t *testing.T, rows, names int) (*phi.Histogram, map[string]float64) {
	t.Helper()
	shares := surnames(names)
	r := rand.New(rand.NewPCG(7, 7))
	cumulative := make([]float64, names)
	sum := 0.0
	for i := range names {
		sum += shares[fmt.Sprintf("name%06d", i+1)]
		cumulative[i] = sum
	}
	h := phi.NewHistogram(phi.Name(), false)
	for range rows {
		x := r.Float64() * sum
		lo, hi := 0, names-1
		for lo < hi {
			if mid := (lo + hi) / 2; cumulative[mid] < x {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		require.NoError(t, h.Add(fmt.Sprintf("Name%06d", lo+1)))
	}
	return h, shares
}

// TestSpreadHidesFrequencies repeats the attack by rank on 50,000 patients, with the table made
// of the public shares and not of the patients': a plain index names most of those with a frequent
// surname, the spread one next to none.
func TestSpreadHidesFrequencies(t *testing.T) {
	h, shares := drawn(t, 50_000, 360_000)
	require.InDelta(t, 0.00828, shares["name000001"], 0.0002, "as published")
	require.InDelta(t, 0.00359, shares["name000010"], 0.0002, "as published")
	for name, share := range shares { // a table of names that have two buckets or more
		if share*50_000 <= 4 {
			delete(shares, name)
		}
	}
	f, err := phi.NewFrequencies(50_000, shares)
	require.NoError(t, err)
	for seed := range uint64(3) {
		p, err := h.Plan(f, seed)
		require.NoError(t, err)
		t.Logf("plain  %v", p.Plain)
		t.Logf("spread %v", p.Spread)
		require.Equal(t, phi.PlanSpread, p.Advice)
		require.Greater(t, p.Plain.Frequent, 0.6)
		require.Less(t, p.Spread.Frequent, 0.04)
		require.Less(t, p.Spread.Identified, 0.01)
		require.InDelta(t, p.Plain.Found, p.Spread.Found, 1e-9, "no false positives")
		require.InDelta(t, 1, p.Plain.Terms, 1e-9)
		require.Less(t, p.Spread.Terms, 20.0)
	}
}

// TestPlanAdvises: nearly unique fields need no spreading, and some no index helps.
func TestPlanAdvises(t *testing.T) {
	phones := phi.NewHistogram(phi.Phone("US"), false)
	for i := range 2000 {
		require.NoError(t, phones.Add(fmt.Sprintf("+1 212 555 %04d", i)))
	}
	p, err := phones.Plan(nil, 1)
	require.NoError(t, err)
	require.Equal(t, phi.PlanPlain, p.Advice)
	require.Equal(t, [2]int{2000, 2000}, [2]int{p.Rows, p.Values})

	raw := phi.NewNormaliser("raw", 1, func(s string) (string, error) { return strings.ToLower(s), nil })
	sex := phi.NewHistogram(raw, false)
	for i := range 3000 {
		require.NoError(t, sex.Add([]string{"f", "m", "x"}[i%3]))
	}
	p, err = sex.Plan(nil, 1)
	require.ErrorIs(t, err, phi.ErrLowCardinality)
	require.Equal(t, phi.PlanNone, p.Advice)

	lopsided := phi.NewHistogram(raw, false)
	for i := range 1000 {
		value := "none"
		if i >= 201 {
			value = fmt.Sprint(i)
		}
		require.NoError(t, lopsided.Add(value))
	}
	_, err = lopsided.Plan(nil, 1)
	require.ErrorIs(t, err, phi.ErrLowCardinality, "a guess finds a fifth")

	require.ErrorIs(t, sex.Add("\xff"), phi.ErrNotNormal)
	require.NoError(t, sex.Add(""))
	empty, err := phi.NewHistogram(raw, true).Plan(nil, 1)
	require.Error(t, err)
	require.Zero(t, empty.Plain)
}

// TestPlanIsHonest: the figures of the plan are those of terms that a codec makes.
func TestPlanIsHonest(t *testing.T) {
	h := phi.NewHistogram(phi.Name(), false)
	for i := range 400 {
		require.NoError(t, h.Add(fmt.Sprintf("Rare%d", i)))
	}
	for range 100 {
		require.NoError(t, h.Add("Smith"))
	}
	p, err := h.Plan(nil, 1)
	require.NoError(t, err)
	require.Equal(t, 401, p.Values)
	require.InDelta(t, (400+100*100.0)/500, p.Plain.Found, 1e-9)
	require.InDelta(t, (400+100*25.0)/500, p.Spread.Terms, 1e-9)
	require.InDelta(t, 1, p.Plain.Frequent, 0.1, "Smith stands out")
	require.NotContains(t, fmt.Sprint(p), "smith")
}

func spreadCodec(t *testing.T, f *phi.Frequencies) *phi.Codec[named] {
	t.Helper()
	v, err := phi.Open(t.Context(), "test", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	c, err := phi.For[named](v, "person", phi.WithSpread("name", phi.Name(), f), phi.WithWords("name", phi.Name(), f))
	require.NoError(t, err)
	return c
}

func frequencies(t *testing.T, rows int, shares map[string]float64) *phi.Frequencies {
	t.Helper()
	f, err := phi.NewFrequencies(rows, shares)
	require.NoError(t, err)
	return f
}

// TestSpreadFindsEveryRow: every row is found, by its whole value and by its words, and nothing else;
// no term is shared by many; what is written again keeps its terms.
func TestSpreadFindsEveryRow(t *testing.T) {
	f := frequencies(t, 200, map[string]float64{"ana smith": 0.5, "smith": 1, "ana": 0.5})
	require.Equal(t, []int{25, 50, 25, 1}, []int{f.Buckets("ana smith"), f.Buckets("smith"), f.Buckets("ana"), f.Buckets("other")})
	c, store := spreadCodec(t, f), phi.NewMemoryTerms()
	perTerm := map[string]int{}
	for i := range 200 {
		p := named{ID: fmt.Sprintf("p%03d", i), Name: phi.NewText("Ana Smith")}
		if i%2 == 1 {
			p.Name = phi.NewText(fmt.Sprintf("Bo%d Smith", i))
		}
		rec, err := c.Seal(t.Context(), "t", &p)
		require.NoError(t, err)
		again, err := c.Seal(t.Context(), "t", &p)
		require.NoError(t, err)
		require.Equal(t, rec.Terms(), again.Terms(), "a bucket that changed would join two")
		for _, term := range rec.Terms().List {
			perTerm[term.Field+string(term.Value)]++
		}
		require.NoError(t, store.SaveTerms(t.Context(), "t", rec.Terms()))
	}
	for _, n := range perTerm {
		require.Less(t, n, 24, "of 100 or 200 with one value")
	}
	twice, err := c.Terms(t.Context(), "t", &named{ID: "p", Name: phi.NewText("Bo Bo")})
	require.NoError(t, err)
	require.Len(t, twice.List, 2, "one of the whole, one of the word")
	q, err := c.Lookup(t.Context(), "t", "name.spread", "ANA  smith")
	require.NoError(t, err)
	require.Len(t, q.Terms, 25)
	ids, err := store.Lookup(t.Context(), "t", q)
	require.NoError(t, err)
	require.Len(t, ids, 100)

	for value, want := range map[string]int{"smith": 200, "Smith Ana": 100, "bo7": 1, "bo7 ana": 0, "": 0, "nobody": 0} {
		qs, err := c.LookupWords(t.Context(), "t", "name.words", value)
		require.NoError(t, err)
		ids, err := phi.Every(t.Context(), store, "t", qs)
		require.NoError(t, err)
		require.Len(t, ids, want, value)
	}
	_, err = c.Lookup(t.Context(), "t", "name.words", "ana smith")
	require.ErrorIs(t, err, phi.ErrNotNormal, "several words are several queries")
	_, err = c.LookupWords(t.Context(), "t", "name.words", strings.Repeat("a b c d e f g h i j k l m n o p q ", 1))
	require.ErrorIs(t, err, phi.ErrNotNormal)
	_, err = c.LookupWords(t.Context(), "t", "name.spread", "ana")
	require.ErrorIs(t, err, phi.ErrNoIndex)
	_, err = phi.Every(t.Context(), failingTerms{}, "t", []phi.Query{q})
	require.ErrorIs(t, err, errTermsDown)
	_, err = (*phi.Codec[named])(nil).LookupWords(t.Context(), "t", "name.words", "ana")
	require.ErrorIs(t, err, phi.ErrCodec)
}

// TestFrequenciesGrow: with more buckets everything that was written is found; with fewer it would
// not be, which is why they only grow.
func TestFrequenciesGrow(t *testing.T) {
	small, large := frequencies(t, 40, map[string]float64{"smith": 1, "old": 0.9, "both": 0.5}), frequencies(t, 400, map[string]float64{"smith": 1, "new": 0.5, "both": 0.03})
	grown := small.Grow(large)
	require.Equal(t, []int{100, 9, 50, 5}, []int{grown.Buckets("smith"), grown.Buckets("old"), grown.Buckets("new"), grown.Buckets("both")})
	require.Equal(t, 10, small.Buckets("smith"), "as it was")
	require.Equal(t, 11, frequencies(t, 45, map[string]float64{"smith": 0.9}).Buckets("smith"), "rounded up")

	v, err := phi.Open(t.Context(), "test", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	store := phi.NewMemoryTerms()
	write, err := phi.For[named](v, "person", phi.WithSpread("name", phi.Name(), small))
	require.NoError(t, err)
	for i := range 40 {
		rec, err := write.Seal(t.Context(), "t", &named{ID: fmt.Sprint(i), Name: phi.NewText("Smith")})
		require.NoError(t, err)
		require.NoError(t, store.SaveTerms(t.Context(), "t", rec.Terms()))
	}
	read, err := phi.For[named](v, "person", phi.WithSpread("name", phi.Name(), grown))
	require.NoError(t, err)
	q, err := read.Lookup(t.Context(), "t", "name.spread", "smith")
	require.NoError(t, err)
	ids, err := store.Lookup(t.Context(), "t", q)
	require.NoError(t, err)
	require.Len(t, ids, 40)

	data, err := json.Marshal(grown)
	require.NoError(t, err)
	require.JSONEq(t, `{"version":1,"buckets":{"smith":100,"old":9,"new":50,"both":5}}`, string(data))
	var back phi.Frequencies
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, *grown, back)
}

func TestFrequenciesRefuse(t *testing.T) {
	for _, shares := range []map[string]float64{{"": 0.5}, {"a": -0.1}, {"a": 1.1}, {"a": math.NaN()}, {strings.Repeat("a", 1025): 0.1}} {
		_, err := phi.NewFrequencies(10, shares)
		require.ErrorIs(t, err, phi.ErrFrequencies)
	}
	_, err := phi.NewFrequencies(0, nil)
	require.ErrorIs(t, err, phi.ErrFrequencies)
	require.Equal(t, 1000, frequencies(t, 1<<30, map[string]float64{"a": 1}).Buckets("a"), "a query has its bounds")
	for _, text := range []string{`{}`, `[]`, `{"version":2,"buckets":{}}`, `{"version":1}`, `{"version":1,"buckets":{"a":1}}`, `{"version":1,"buckets":{"a":1001}}`, `{"version":1,"buckets":{"":2}}`, `{"version":1,"buckets":{"a":2.5}}`} {
		var f phi.Frequencies
		require.ErrorIs(t, f.UnmarshalJSON([]byte(text)), phi.ErrFrequencies, text)
	}
	v, err := phi.Open(t.Context(), "test", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	for _, o := range []phi.Option{phi.WithSpread("name", phi.Name(), nil), phi.WithWords("name", phi.Name(), nil), phi.WithSpread("other", phi.Name(), frequencies(t, 1, nil))} {
		_, err = phi.For[named](v, "person", o)
		require.ErrorIs(t, err, phi.ErrCodec)
	}
}

var errTermsDown = errors.New("down")

type failingTerms struct{ phi.TermStore }

func (failingTerms) Lookup(context.Context, audit.Tenant, phi.Query) ([]string, error) {
	return nil, errTermsDown
}

// TestSpreadTerms pins the format.
func TestSpreadTerms(t *testing.T) {
	f := frequencies(t, 100, map[string]float64{"smith": 1})
	c := spreadCodec(t, f)
	one, err := c.Lookup(t.Context(), "t", "name.spread", "smith")
	require.NoError(t, err)
	other, err := c.Lookup(t.Context(), "t", "name.words", "smith")
	require.NoError(t, err)
	all := map[string]bool{}
	for _, term := range append(one.Terms, other.Terms...) {
		require.Len(t, term, 17)
		all[string(term)] = true
	}
	require.Len(t, all, 50, "every bucket of both indexes has a term of its own")
	require.Equal(t, []string{"name.spread (whole value, frequent ones spread)", "name.words (each word, frequent ones spread)"}, c.Indexes())
}
