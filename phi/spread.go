package phi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Bounds of a spread index.
const (
	spreadRows  = 4    // rows of one value in a bucket, about
	maxBuckets  = 1000 // of one value, and so the most terms of a query for each epoch
	maxFrequent = 200_000
	maxWords    = 16 // of one value; more have no terms
)

// WithSpread makes the field searchable by equality of its normal form and hides how often each value
// occurs: the rows of a frequent value are spread over as many buckets as f says, each with a term
// of its own, and a look-up asks for all of them. There are no false positives. The index is named
// "family.spread" for the field family.
//
// What a stolen database shows: which few rows, about four at most, share a value. Who ranks terms by
// how often they occur finds next to nothing, see Histogram. Who sees queries as well can put a value's
// buckets together again. It cannot be unique.
func WithSpread(field string, n Normaliser, f *Frequencies) Option {
	return func(l *layout) error {
		ix := index{name: field + ".spread", spread: f}
		if f == nil {
			return fmt.Errorf("index %q: no frequencies", ix.name)
		}
		return l.addIndex(ix, Part{Field: field, Normaliser: n})
	}
}

// WithWords is WithSpread for each word of the normal form, up to 16: a full name is found by any of its
// names. A look-up takes one word; Codec.LookupWords takes several. The index is named "name.words" for the
// field name.
//
// What a stolen database shows beyond WithSpread: how many words a value has, and which few rows
// share two of them.
func WithWords(field string, n Normaliser, f *Frequencies) Option {
	return func(l *layout) error {
		ix := index{name: field + ".words", spread: f, byWord: true}
		if f == nil {
			return fmt.Errorf("index %q: no frequencies", ix.name)
		}
		return l.addIndex(ix, Part{Field: field, Normaliser: n})
	}
}

// wordsOf returns the words of a normal form, each once; none of more than maxWords.
func wordsOf(normal string) []string {
	all := strings.Fields(normal)
	if len(all) > maxWords {
		return nil
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// LookupWords returns a query for each word of a value in an index of WithWords; a row has to match all
// of them, see Every. A value without a word: none. Errors are those of Lookup.
func (c *Codec[T]) LookupWords(ctx context.Context, t audit.Tenant, index, value string) ([]Query, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: looking up: nil codec", ErrCodec)
	}
	ix := c.layout.index(index)
	if ix == nil || !ix.byWord {
		return nil, &FieldError{c.layout.entity + "." + index, ErrNoIndex}
	}
	normal, err := ix.sought(c.layout, []string{value})
	if err != nil {
		return nil, err
	}
	words := wordsOf(normal)
	if len(words) == 0 && normal != "" {
		return nil, &FieldError{c.layout.entity + "." + index, fmt.Errorf("%w: more than %d words", ErrNotNormal, maxWords)}
	}
	var all []Query
	for _, w := range words {
		q, err := c.Lookup(ctx, t, index, w)
		if err != nil {
			return nil, err
		}
		all = append(all, q)
	}
	return all, nil
}

// Every returns the ids of the rows that match all queries, each once, in ascending order. No query
// matches nothing.
func Every(ctx context.Context, s TermStore, t audit.Tenant, queries []Query) ([]string, error) {
	var left []string
	for i, q := range queries {
		ids, err := s.Lookup(ctx, t, q)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			left = ids
			continue
		}
		left = slices.DeleteFunc(left, func(id string) bool {
			_, found := slices.BinarySearch(ids, id)
			return !found
		})
	}
	return left, nil
}

// Frequencies say over how many buckets each value's rows are spread. They are part of the index: a
// bucket is found only as long as it is asked for, so a value may get more of them and never
// fewer. Every server has the same ones before a row is written with them; then they only Grow.
//
// They may come from a public table, such as a census's, or from the host's own data (Histogram). The
// latter say which names the patients have: keep them sealed.
type Frequencies struct{ buckets map[string]int } // values with more than one

// ErrFrequencies: not a table of frequencies.
var ErrFrequencies = errors.New("phi: not a table of frequencies")

// NewFrequencies returns the buckets for a tenant of so many rows in which the values, normal forms or words of
// them, have these shares (0.00828 for 828 in 100,000). Plan for growth: with ten times as many rows
// each bucket has ten times as many.
func NewFrequencies(rows int, shares map[string]float64) (*Frequencies, error) {
	if rows < 1 || len(shares) > maxFrequent {
		return nil, ErrFrequencies
	}
	f := &Frequencies{map[string]int{}}
	for value, share := range shares {
		if value == "" || len(value) > maxNormal || !(share >= 0 && share <= 1) {
			return nil, ErrFrequencies
		}
		if n := int(math.Ceil(share * float64(rows) / spreadRows)); n > 1 {
			f.buckets[value] = min(n, maxBuckets)
		}
	}
	return f, nil
}

// Buckets returns over how many buckets the rows of a value are spread: 1 for a rare one.
func (f *Frequencies) Buckets(value string) int {
	if f == nil {
		return 1
	}
	return max(1, f.buckets[value])
}

// Grow returns frequencies that give each value the larger number of buckets of both, so that whatever
// was written with f is found. Both stay as they are.
func (f *Frequencies) Grow(by *Frequencies) *Frequencies {
	g := &Frequencies{maps.Clone(f.buckets)}
	for value, n := range by.buckets {
		g.buckets[value] = max(g.buckets[value], n)
	}
	return g
}

type frequenciesForm struct {
	Version int            `json:"version"`
	Buckets map[string]int `json:"buckets"`
}

// MarshalJSON returns the table in a form that every later release reads.
func (f *Frequencies) MarshalJSON() ([]byte, error) {
	return json.Marshal(frequenciesForm{1, f.buckets})
}

// UnmarshalJSON reads it; anything else is ErrFrequencies.
func (f *Frequencies) UnmarshalJSON(data []byte) error {
	var form frequenciesForm
	if err := json.Unmarshal(data, &form); err != nil || form.Version != 1 || form.Buckets == nil || len(form.Buckets) > maxFrequent {
		return ErrFrequencies
	}
	for value, n := range form.Buckets {
		if value == "" || len(value) > maxNormal || n < 2 || n > maxBuckets {
			return ErrFrequencies
		}
	}
	f.buckets = form.Buckets
	return nil
}
