package redact

import (
	"context"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/wardkit/wardkit/phi"
)

// Identifier is something that is known of the person a text is about: a name, a telephone number,
// an address, a date of birth as 2006-01-02, a record number.
type Identifier struct {
	Class phi.Class
	Value string
}

// Known is the Detector of one person's own identifiers. It finds the words of names and addresses
// whatever their case and accents and, from five letters on, with one letter wrong, missing, too many or
// two exchanged; a word of four letters or fewer only where it begins with a capital, because "will" and
// "may" are words, too: "ana" stays. Numbers and codes it finds in any grouping, from seven digits on
// with one digit wrong. It finds names that no rule does, and only theirs.
type Known struct {
	words  map[string]phi.Class
	long   []word
	codes  map[string]phi.Class
	digits []word
	last4  string // of the social security number
	single string // words of one letter in names: the O of O'Neil
	widest int    // tokens of the longest code
}

type word struct {
	text  string
	class phi.Class
}

// NewKnown returns a Detector of these identifiers. Values that are empty or too short to look for
// (one letter, fewer than three digits) are passed over.
func NewKnown(ids ...Identifier) *Known {
	k := &Known{words: map[string]phi.Class{}, codes: map[string]phi.Class{}}
	for _, id := range ids {
		t := newText(id.Value)
		switch id.Class {
		case phi.ClassName, phi.ClassGeography:
			for i := range t.toks {
				k.word(fold(t.at(i)), id.Class)
			}
		case phi.ClassDate:
			k.date(id.Value)
		case phi.ClassEmail:
			k.code(t, id.Class)
			name, _, _ := strings.Cut(id.Value, "@")
			if w := fold(name); len(w) >= 5 {
				k.word(w, id.Class)
			}
		default:
			k.code(t, id.Class)
		}
	}
	return k
}

func (k *Known) word(w string, class phi.Class) {
	number := w != "" && strings.Trim(w, "0123456789") == ""
	switch {
	case class == phi.ClassName && len([]rune(w)) == 1:
		k.single += w
		return
	case len(w) < 2 || number && len(w) < 3 || class == phi.ClassGeography && (way(w) || particle(w)):
		return
	case class == phi.ClassGeography && !number && len(w) < 4:
		return
	}
	k.words[w] = class
	if len(w) >= 5 && !number {
		k.long = append(k.long, word{w, class})
	}
}

// code keeps letters and digits, and of what are mostly digits these alone.
func (k *Known) code(t *text, class phi.Class) {
	if len(t.toks) == 0 {
		return
	}
	whole := fold(t.s)
	d := t.digits(0, len(t.toks)-1)
	if len(whole) >= 3 {
		k.codes[whole] = class
		k.widest = max(k.widest, len(whole))
	}
	if len(d) >= 7 {
		if class == phi.ClassPhone || class == phi.ClassFax {
			d = d[max(0, len(d)-10):]
			k.digits = append(k.digits, word{d[len(d)-7:], class})
		}
		k.digits = append(k.digits, word{d, class})
	}
	if class == phi.ClassSSN && len(d) >= 4 {
		k.last4 = d[len(d)-4:]
	}
}

// date keeps a day as digits, in the orders in which people write it.
func (k *Known) date(value string) {
	if len(value) != 10 || value[4] != '-' || value[7] != '-' {
		return
	}
	y, m, d := value[:4], value[5:7], value[8:]
	for _, w := range []string{y + m + d, m + d + y, d + m + y, m + d + y[2:], d + m + y[2:]} {
		k.codes[w] = phi.ClassDate
	}
	k.widest = max(k.widest, 8)
}

// fold returns letters and digits alone, without case and marks.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch d := digitOf(r); {
		case d >= 0:
			b.WriteByte(byte('0' + d))
		case unicode.IsLetter(r):
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// Detect returns where the identifiers are. Its error is the context's.
func (k *Known) Detect(ctx context.Context, s string) ([]Finding, error) {
	var out []Finding
	t := newText(s)
	for i := range t.toks {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f, ok := k.at(t, i); ok {
			out = append(out, f)
		}
	}
	return out, nil
}

func (k *Known) at(t *text, i int) (Finding, bool) {
	if f, ok := k.joined(t, i); ok {
		return f, true
	}
	w := fold(t.at(i))
	// Short names are words as well: "Will", "May".
	if class, ok := k.words[w]; ok && (len(w) > 4 || t.toks[i].upper || t.toks[i].number()) {
		return k.whole(t, i, class), true
	}
	if k.last4 != "" && w == k.last4 && t.said(i, 3, "last", "four", "ending", "ends", "ssn") {
		return t.found(i, i, phi.ClassSSN, "known"), true
	}
	if t.toks[i].number() || len(w) < 5 {
		return Finding{}, false
	}
	for _, l := range k.long {
		if nearly(w, l.text) {
			return k.whole(t, i, l.class), true
		}
	}
	return Finding{}, false
}

// whole takes the one letter before a name with it.
func (k *Known) whole(t *text, i int, class phi.Class) Finding {
	f := t.found(i, i, class, "known")
	if w := fold(t.at(i - 1)); class == phi.ClassName && w != "" && strings.Contains(k.single, w) && len(t.gap(i-1)) <= 3 && len([]rune(w)) == 1 {
		f.From = t.toks[i-1].from
	}
	return f
}

// joined looks for codes and numbers that begin at a token, in whatever groups they are written.
func (k *Known) joined(t *text, i int) (Finding, bool) {
	if k.widest == 0 && len(k.digits) == 0 {
		return Finding{}, false
	}
	code, numbers := "", true
	best, ok := Finding{}, false
	for j := i; j < len(t.toks) && j < i+10; j++ {
		if j > i && (len(t.gap(j-1)) > 4 || strings.Contains(t.gap(j-1), "\n")) {
			break
		}
		code += fold(t.at(j))
		numbers = numbers && t.toks[j].number()
		if class, known := k.codes[code]; known {
			best, ok = t.found(i, j, class, "known"), true
		}
		if numbers {
			for _, d := range k.digits {
				if code == d.text || len(code) == len(d.text) && nearly(code, d.text) || len(code) > len(d.text) && len(code) <= len(d.text)+3 && strings.HasSuffix(code, d.text) {
					best, ok = t.found(i, j, d.class, "known"), true
				}
			}
		}
		if len(code) > max(k.widest, 18) {
			break
		}
	}
	return best, ok
}

// nearly reports whether two words are one edit apart: a letter replaced, added, left out, or two
// neighbours exchanged.
func nearly(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y)-len(x) > 1 {
		return false
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	if len(x) < len(y) {
		return string(x[i:]) == string(y[i+1:])
	}
	if i == len(x) {
		return true
	}
	if string(x[i+1:]) == string(y[i+1:]) {
		return true
	}
	return i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && string(x[i+2:]) == string(y[i+2:])
}
