package phi

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// Histogram counts the real values of a field, for deciding by which index they can be searched. It
// holds plaintext, in memory alone; nothing of it is printed or stored.
type Histogram struct {
	norm   Normaliser
	byWord bool
	rows   int
	counts map[string]int
}

// NewHistogram returns an empty one of values under a normaliser, or of their words as in WithWords.
func NewHistogram(n Normaliser, words bool) *Histogram {
	return &Histogram{norm: n, byWord: words, counts: map[string]int{}}
}

// Add counts the value of one row. It returns ErrNotNormal for one that the index would refuse, which
// is not counted.
func (h *Histogram) Add(value string) error {
	normal, err := h.norm.Normalise(value)
	if err != nil || normal == "" {
		return err
	}
	h.rows++
	if !h.byWord {
		h.counts[normal]++
		return nil
	}
	for _, w := range wordsOf(normal) {
		h.counts[w]++
	}
	return nil
}

// Frequencies returns buckets for these values in a tenant of so many rows, 0 for as many as were
// counted.
func (h *Histogram) Frequencies(rows int) (*Frequencies, error) {
	if rows == 0 {
		rows = h.rows
	}
	shares := make(map[string]float64, len(h.counts))
	for value, n := range h.counts {
		shares[value] = float64(n) / float64(h.rows)
	}
	return NewFrequencies(rows, shares)
}

// Plan is what indexes of a field would cost and show.
type Plan struct {
	Rows   int  // that were counted
	Values int  // different ones, or words
	Plain  Leak // WithIndex
	Spread Leak // WithSpread or WithWords, with the frequencies that were given
	// Advice is PlanPlain where the plain index shows next to nothing, PlanSpread where spreading
	// helps, and PlanNone where no index of this field alone is defensible; see WithCompound.
	Advice Advice
}

// Advice is which index to take.
type Advice string

// The advices.
const (
	PlanPlain  Advice = "plain"
	PlanSpread Advice = "spread"
	PlanNone   Advice = "none"
)

// Leak is what one kind of index costs and what it shows to somebody with the database, who knows how
// frequent each value is and ranks the terms by how often they occur.
type Leak struct {
	Terms      float64 // terms that a look-up asks for, on average over the rows
	Found      float64 // rows that a look-up returns, on average over the rows; none of them is false
	Identified float64 // share of rows whose value the attacker names rightly
	Frequent   float64 // the same of the rows with one of the ten most frequent values
}

// String is a line for people, without any value.
func (l Leak) String() string {
	return fmt.Sprintf("%.1f terms and %.1f rows a look-up; %.2f %% of the rows identified, %.1f %% of those with a frequent value", l.Terms, l.Found, 100*l.Identified, 100*l.Frequent)
}

// ErrLowCardinality: a field has too few different values, or one that too many rows have, for any
// index of its own: a sex, a status, a diagnosis. Search by it in a compound, or after opening.
var ErrLowCardinality = errors.New("phi: too few different values for an index")

// Below these a field is refused, and above these shares an index is.
const (
	fewestValues   = 100
	largestShare   = 0.2  // of one value, which a guess finds as well
	toleratedPlain = 0.01 // of rows identified, or of those with a frequent value
)

// Plan works out both indexes. Without frequencies it takes those of the values themselves. Of a field
// with fewer than 100 different values, or one that a fifth of the rows have, it returns the Plan and
// ErrLowCardinality. It repeats itself: chance comes from the seed.
func (h *Histogram) Plan(f *Frequencies, seed uint64) (Plan, error) {
	if f == nil {
		var err error
		if f, err = h.Frequencies(0); err != nil {
			return Plan{}, err
		}
	}
	p := Plan{Rows: h.rows, Values: len(h.counts), Plain: h.leak(nil, seed), Spread: h.leak(f, seed), Advice: PlanSpread}
	most := 0
	for _, n := range h.counts {
		most = max(most, n)
	}
	switch {
	case len(h.counts) < fewestValues || float64(most) > largestShare*float64(h.rows):
		p.Advice = PlanNone
		return p, ErrLowCardinality
	case p.Plain.Identified <= toleratedPlain && p.Plain.Frequent <= toleratedPlain || p.Plain.Found < 1.01:
		p.Advice = PlanPlain
	}
	return p, nil
}

// term is one in the attacker's copy of the index.
type rankedTerm struct {
	value    int     // which it is of
	rows     int     // how many have it
	expected float64 // how many the attacker expects
	tie      uint64
}

// leak spreads the rows as an index would and attacks it. The attacker knows the frequency of
// every value and the table of buckets, and takes the n-th most frequent term for the one that is
// expected n-th.
func (h *Histogram) leak(f *Frequencies, seed uint64) Leak {
	r := rand.New(rand.NewPCG(seed, 0))
	values := slices.Sorted(maps.Keys(h.counts))
	var terms []rankedTerm
	var l Leak
	total := 0
	for i, value := range values {
		n, k := h.counts[value], f.Buckets(value)
		total += n
		l.Terms += float64(n) * float64(k)
		l.Found += float64(n) * float64(n)
		buckets := make([]int, k)
		for range n {
			buckets[r.IntN(k)]++
		}
		for _, rows := range buckets {
			terms = append(terms, rankedTerm{i, rows, float64(n) / float64(k), r.Uint64()})
		}
	}
	if total == 0 {
		return Leak{}
	}
	frequent := h.frequent(values)
	guess := slices.Clone(terms)
	slices.SortFunc(guess, func(a, b rankedTerm) int {
		return cmp.Or(cmp.Compare(b.expected, a.expected), cmp.Compare(a.tie, b.tie))
	})
	for i := range terms { // another order of what looks alike
		terms[i].tie = r.Uint64()
	}
	seen := slices.DeleteFunc(terms, func(t rankedTerm) bool { return t.rows == 0 })
	slices.SortFunc(seen, func(a, b rankedTerm) int { return cmp.Or(cmp.Compare(b.rows, a.rows), cmp.Compare(a.tie, b.tie)) })
	right, rightFrequent, ofFrequent := 0, 0, 0
	for i, t := range seen {
		if frequent[t.value] {
			ofFrequent += t.rows
		}
		if guess[i].value == t.value {
			right += t.rows
			if frequent[t.value] {
				rightFrequent += t.rows
			}
		}
	}
	l.Terms /= float64(total)
	l.Found /= float64(total)
	l.Identified = float64(right) / float64(total)
	l.Frequent = float64(rightFrequent) / math.Max(1, float64(ofFrequent))
	return l
}

// frequent returns the ten most frequent values.
func (h *Histogram) frequent(values []string) map[int]bool {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h.counts[values[b]], h.counts[values[a]]) })
	out := map[int]bool{}
	for _, i := range order[:min(10, len(order))] {
		out[i] = true
	}
	return out
}
