package deid

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// ErrRules is the root of every error of New about rules: a field without one, one that does not fit
// the class, one for no field.
var ErrRules = errors.New("deid: rules refused")

// Rule says what becomes of the values of a field. The zero Rule is none, and refused.
type Rule struct {
	kind  kind
	codes []string
	scrub Scrubber
}

type kind string

const (
	drop  kind = "drop"
	year  kind = "year"
	age   kind = "age"
	zip3  kind = "zip3"
	keep  kind = "keep"
	codes kind = "codes"
	scrub kind = "scrub"
)

// Rules are the rules of a type, by field: the name in the tag of a sealed value, the Go name of any
// other field of the struct, for which there is Drop only, since nothing says what it holds. The row's and the patient's id need
// none: they never leave.
type Rules map[string]Rule

// Drop leaves the field out. It fits everything.
func Drop() Rule { return Rule{kind: drop} }

// Year keeps the year of a date, and of one that may be a birthday of somebody over 89 only "90+":
// every date of a year 90 or more before the present one. It fits class date.
func Year() Rule { return Rule{kind: year} }

// Age keeps the age in full years that a day of birth, or a Number of class date which is an
// age already, gives; "90+" where it is over 89. It fits class date.
func Age() Rule { return Rule{kind: age} }

// ZIP3 keeps the first three digits of a US ZIP code, "000" where at most 20,000 people live in that
// area by Options.Prefixes, and where it is no area that people live in. It fits class geography; an
// address, which is no ZIP code, is left out.
func ZIP3() Rule { return Rule{kind: zip3} }

// Keep keeps a Number of class clinical or financial as it is.
func Keep() Rule { return Rule{kind: keep} }

// Codes keeps a value of class clinical or financial that is one of these, such as the codes of a
// classification, and leaves out every other.
func Codes(list ...string) Rule { return Rule{kind: codes, codes: sorted(list)} }

// Scrubber takes identifiers out of text, as redact.Scrub does with the record's own.
type Scrubber func(ctx context.Context, text string) (string, error)

// InsecureScrub keeps what s leaves of text of class clinical. What leaves is not de-identified by Safe
// Harbor: a name that s does not know stays. Somebody has to read it.
func InsecureScrub(s Scrubber) Rule { return Rule{kind: scrub, scrub: s} }

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// column is a field that leaves.
type column struct {
	name string
	Rule
}

// fieldInfo is what the type says of a field.
type fieldInfo struct {
	class  phi.Class // Unclassified for what is not sealed
	number bool
	date   bool
}

// plan holds the rules against the fields of t and returns the columns in order of the struct.
func plan(t reflect.Type, sealed []string, rules Rules) ([]column, error) {
	found, order := fieldsOf(t)
	var wrong []error
	for _, name := range sealed {
		if _, ok := found[name]; !ok {
			wrong = append(wrong, fmt.Errorf("field %q: not found in the struct", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if _, ok := found[name]; !ok {
			wrong = append(wrong, fmt.Errorf("field %q: there is none", name))
		}
	}
	var out []column
	for _, name := range order {
		rule, ok := rules[name]
		switch {
		case !ok || rule.kind == "":
			wrong = append(wrong, fmt.Errorf("field %q: no rule", name))
		case !rule.fits(found[name]):
			wrong = append(wrong, fmt.Errorf("field %q: rule %s does not fit class %q", name, rule.kind, found[name].class))
		case rule.kind != drop && (name == recordColumn || !slices.Contains(sealed, name)):
			wrong = append(wrong, fmt.Errorf("field %q: cannot leave under this name", name))
		case rule.kind != drop:
			out = append(out, column{name, rule})
		}
	}
	if len(out) == 0 {
		wrong = append(wrong, errors.New("nothing is left"))
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrRules, errors.Join(wrong...))
	}
	return out, nil
}

func (r Rule) fits(f fieldInfo) bool {
	care := f.class == phi.ClassClinical || f.class == phi.ClassFinancial
	switch r.kind {
	case drop:
		return true
	case year:
		return f.class == phi.ClassDate && !f.number
	case age:
		return f.class == phi.ClassDate
	case zip3:
		return f.class == phi.ClassGeography
	case keep:
		return care && f.number
	case codes:
		return care && !f.date && len(r.codes) > 0
	case scrub:
		return f.class == phi.ClassClinical && !f.date && r.scrub != nil
	}
	return false
}

// fieldsOf lists every field of a struct and of those embedded in it but the ids, which have no name in
// their tag. A field that Go does not export is one as well.
func fieldsOf(t reflect.Type) (map[string]fieldInfo, []string) {
	found, order := map[string]fieldInfo{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup("phi")
		name, rest, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && tag != "-" && !isValue(f.Type):
			continue // its fields come one by one
		case tagged && name == "" && tag != "-":
			continue
		case !tagged || tag == "-":
			name, rest = f.Name, ""
		}
		if _, twice := found[name]; !twice {
			order = append(order, name)
		}
		class, _ := strings.CutPrefix(rest, "class=")
		found[name] = fieldInfo{phi.Class(class), f.Type == reflect.TypeFor[phi.Number](), f.Type == reflect.TypeFor[phi.Date]()}
	}
	return found, order
}

func isValue(t reflect.Type) bool {
	return t == reflect.TypeFor[phi.Text]() || t == reflect.TypeFor[phi.Date]() || t == reflect.TypeFor[phi.Number]()
}

// digest is the SHA-256 of the rules as 64 hexadecimal digits.
func (r Rules) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(h, "%q %q %q\n", name, r[name].kind, r[name].codes)
	}
	return hex.EncodeToString(h.Sum(nil))
}
