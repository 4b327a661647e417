package phi

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// index is one blind index of an entity.
type index struct {
	name     string // of queries and terms: "ssn", "ssn.last4", "family.prefix", "family_born"
	mac      macID  // what its key is derived from
	unique   bool
	parts    []part // one, but for a compound
	min, max int    // lengths of prefixes, 0 where the index has none
	compound bool
	byWord   bool         // each word of the normal form has terms
	spread   *Frequencies // into how many buckets a value's rows go, nil for one
}

// part is what one field contributes to an index.
type part struct {
	field int
	norm  Normaliser
	last  int // characters from the end, 0 for all
}

// Bounds of partial indexes, in characters of the normal form.
const (
	minLast, maxLast     = 2, 16
	minPrefix, maxPrefix = 1, 32
)

// WithIndex makes the field searchable by equality of its normal form. The index is named like
// the field.
//
// What a stolen database shows: which rows of a tenant have the same value, and how often each
// value occurs. Index what is nearly unique, such as a phone number; the commonest surnames are
// recognised by their frequency, and a field of few values, such as a sex or a diagnosis, is as
// good as in clear.
func WithIndex(field string, n Normaliser) Option {
	return func(l *layout) error { return l.addIndex(index{name: field}, Part{Field: field, Normaliser: n}) }
}

// WithUnique makes the field searchable and allows its normal form once per tenant, which the
// database enforces: TermStore.SaveTerms returns a *DuplicateError. What it shows is that of
// WithIndex, where every value occurs once: who can write to the application can find out
// whether a value is there.
func WithUnique(field string, n Normaliser) Option {
	return func(l *layout) error {
		return l.addIndex(index{name: field, unique: true}, Part{Field: field, Normaliser: n})
	}
}

// WithLast makes the field searchable by the last characters of its normal form, 2 to 16 of
// them: the last four digits of a social security number. The index is named after both:
// "ssn.last4". A value that is shorter has no term.
//
// What a stolen database shows: which rows share the ending. Four digits are 10,000 values, so
// in a tenant of 50,000 patients each ending belongs to about five; together with a day of
// birth that somebody knows, that is one. Whoever holds the index root finds all of them in
// milliseconds. Index an ending only if people search by it, and prefer WithCompound, which
// takes it together with another field.
func WithLast(field string, n Normaliser, characters int) Option {
	return func(l *layout) error {
		ix := index{name: fmt.Sprintf("%s.last%d", field, characters)}
		if characters == 0 {
			return fmt.Errorf("index %q: no characters", ix.name)
		}
		return l.addIndex(ix, Part{Field: field, Normaliser: n, Last: characters})
	}
}

// WithPrefix makes the field searchable by what its normal form begins with, from least to most
// characters, at most 32. The index is named "family.prefix" for the field family. A value has
// one term for each length, which is what the index costs in storage; a value shorter than
// least has none.
//
// What a stolen database shows: which rows begin alike, for each length, so a tree of the
// values with the number of rows at each branch. For names, that tree and a table of common
// names recover most short prefixes and many whole names. It is the leakiest shape by far: use
// it for what is little of a secret, begin with three characters or more, and end early.
func WithPrefix(field string, n Normaliser, least, most int) Option {
	return func(l *layout) error {
		if least < minPrefix || most < least || most > maxPrefix {
			return fmt.Errorf("prefixes of field %q: lengths %d to %d, want %d to %d", field, least, most, minPrefix, maxPrefix)
		}
		return l.addIndex(index{name: field + ".prefix", min: least, max: most}, Part{Field: field, Normaliser: n})
	}
}

// Part is what one field contributes to a compound index: its normal form, or, where Last is
// set, that many of its last characters, 2 to 16.
type Part struct {
	Field      string
	Normaliser Normaliser
	Last       int
}

// WithCompound makes rows searchable by the equality of several fields at once, two to eight:
// family name and day of birth. A row that lacks one of them has no term. The index is named
// name, like a field, and no field may have that name. Each part's length is in the encoding,
// so that no two lists of parts are taken for each other.
//
// What a stolen database shows: which rows agree in all parts, and in no fewer. This is how to
// search by something that is not nearly unique by itself.
func WithCompound(name string, parts ...Part) Option {
	return func(l *layout) error { return l.addIndex(index{name: name, compound: true}, parts...) }
}

// WithUniqueCompound is WithCompound that allows each combination once per tenant, like
// WithUnique.
func WithUniqueCompound(name string, parts ...Part) Option {
	return func(l *layout) error { return l.addIndex(index{name: name, unique: true, compound: true}, parts...) }
}

// addIndex checks ix and derives what its key depends on.
func (l *layout) addIndex(ix index, parts ...Part) error {
	if slices.ContainsFunc(l.indexes, func(have index) bool { return have.name == ix.name }) {
		return fmt.Errorf("there are two indexes %q", ix.name)
	}
	if ix.compound {
		switch {
		case !isName(ix.name) || l.find(ix.name) != nil:
			return fmt.Errorf("compound index %q: the name is taken, or not of a–z, 0–9 and _", ix.name)
		case len(parts) < 2 || len(parts) > 8:
			return fmt.Errorf("compound index %q: %d parts, want 2 to 8", ix.name, len(parts))
		}
	}
	var errs []error
	for _, p := range parts {
		errs = append(errs, l.addPart(&ix, p))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	ix.mac = l.macOf(&ix)
	for _, p := range ix.parts {
		l.fields[p.field].indexed = true
	}
	l.indexes = append(l.indexes, ix)
	return nil
}

func (l *layout) addPart(ix *index, p Part) error {
	at := slices.IndexFunc(l.fields, func(f field) bool { return f.name == p.Field })
	n := p.Normaliser
	switch {
	case at < 0:
		return fmt.Errorf("index of field %q, which does not exist", p.Field)
	case n.err != nil:
		return fmt.Errorf("index of field %q: %w", p.Field, n.err)
	case n.normal == nil:
		return fmt.Errorf("index of field %q has no normaliser", p.Field)
	case slices.ContainsFunc(ix.parts, func(have part) bool { return have.field == at }):
		return fmt.Errorf("compound index %q has field %q twice", ix.name, p.Field)
	case ix.max > 0 && n.first == nil:
		return fmt.Errorf("index of field %q: %s has no prefixes", p.Field, n.id)
	case p.Last != 0 && n.last == nil:
		return fmt.Errorf("index of field %q: %s has no last characters", p.Field, n.id)
	case p.Last != 0 && (p.Last < minLast || p.Last > maxLast):
		return fmt.Errorf("index of field %q: %d last characters, want %d to %d", p.Field, p.Last, minLast, maxLast)
	}
	ix.parts = append(ix.parts, part{at, n, p.Last})
	return nil
}

// macOf returns what ix's key is derived from: everything that its terms depend on.
func (l *layout) macOf(ix *index) macID {
	p := ix.parts[0]
	id := macID{l.fields[p.field].id, p.norm.ID(), shapeExact}
	switch {
	case ix.compound:
		id = macID{l.entity + "." + ix.name, "", shapeCompound}
		var all []byte
		for _, p := range ix.parts {
			all = appendLP(appendLP(appendLP(all, l.fields[p.field].name), p.norm.ID()), fmt.Sprintf("last%d", p.last))
		}
		id.normaliser = string(all)
	case ix.max > 0:
		id.shape = shapePrefix
	case ix.byWord:
		id.shape = shapeWords
	case ix.spread != nil:
		id.shape = shapeSpread
	case p.last > 0:
		id.shape = fmt.Sprintf(shapeLast, p.last)
	}
	return id
}

func (l *layout) index(name string) *index {
	i := slices.IndexFunc(l.indexes, func(ix index) bool { return ix.name == name })
	if i < 0 {
		return nil
	}
	return &l.indexes[i]
}

// inputs appends to in what a row's terms are computed from, one string for each term. Plain
// returns the plaintext of a field, and false for no value.
func (ix *index) inputs(in []string, l *layout, plain func(field int) (string, bool)) ([]string, error) {
	normals := make([]string, 0, 8)
	for _, p := range ix.parts {
		value, ok := plain(p.field)
		if !ok {
			return in, nil
		}
		normal, err := p.norm.Normalise(value)
		if err != nil {
			return in, &FieldError{l.fields[p.field].id, err}
		}
		if normal = p.ending(normal); normal == "" {
			return in, nil
		}
		normals = append(normals, normal)
	}
	switch {
	case ix.max > 0:
		return ix.prefixes(in, normals[0]), nil
	case ix.byWord:
		return append(in, wordsOf(normals[0])...), nil
	}
	return append(in, ix.join(normals)), nil
}

// ending returns what counts of a normal form, "" where it is too short.
func (p part) ending(normal string) string {
	if p.last == 0 {
		return normal
	}
	runes := []rune(normal)
	if len(runes) < p.last {
		return ""
	}
	return string(runes[len(runes)-p.last:])
}

func (ix *index) join(normals []string) string {
	if !ix.compound {
		return normals[0]
	}
	var all []byte
	for _, n := range normals {
		all = appendLP(all, n)
	}
	return string(all)
}

func (ix *index) prefixes(in []string, normal string) []string {
	count := 0
	for end := range normal {
		if count >= ix.min && count <= ix.max {
			in = append(in, normal[:end])
		}
		count++
	}
	if count >= ix.min && count <= ix.max {
		in = append(in, normal)
	}
	return in
}

// sought returns what the one term of a query is computed from, "" for nothing.
func (ix *index) sought(l *layout, values []string) (string, error) {
	if len(values) != len(ix.parts) {
		return "", &FieldError{l.entity + "." + ix.name, fmt.Errorf("%w: %d values for an index of %d fields", ErrNotNormal, len(values), len(ix.parts))}
	}
	normals := make([]string, len(values))
	for i, p := range ix.parts {
		normal, err := ix.fragment(p, values[i])
		if err != nil {
			return "", &FieldError{l.fields[p.field].id, err}
		}
		if normal == "" {
			return "", nil
		}
		normals[i] = normal
	}
	return ix.join(normals), nil
}

// fragment normalises what is looked up in one part.
func (ix *index) fragment(p part, value string) (string, error) {
	switch {
	case ix.max > 0:
		return ix.prefix(p, value)
	case p.last == 0:
		return p.norm.Normalise(value)
	}
	normal, err := p.norm.apply(p.norm.last, value)
	if err != nil || normal == "" {
		return "", err
	}
	if normal = p.ending(normal); normal == "" {
		return "", fmt.Errorf("%w: fewer than %d characters", ErrNotNormal, p.last)
	}
	return normal, nil
}

func (ix *index) prefix(p part, value string) (string, error) {
	normal, err := p.norm.apply(p.norm.first, value)
	if err != nil || normal == "" {
		return "", err
	}
	if utf8.RuneCountInString(normal) < ix.min {
		return "", fmt.Errorf("%w: fewer than %d characters", ErrNotNormal, ix.min)
	}
	if runes := []rune(normal); len(runes) > ix.max {
		normal = string(runes[:ix.max])
	}
	return normal, nil
}
