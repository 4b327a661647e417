package redact

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// smells is the filter before the rules: whether a text has an "@", or enough digits near each other
// for an identifier. Most lines of a log have neither; what is written in hexadecimal does not count.
func smells(s string) bool {
	total, digits, hex, other := 0, 0, 0, 0 // of near tokens, and of this one
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9' || c >= 0xD9: // digits of other scripts begin so
			digits++
			continue
		case 'a' <= c && c <= 'f':
			hex++
			continue
		case 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z':
			other++
			continue
		case c == '@':
			return true
		}
		if total = nearby(total, digits, hex, other); total >= fewest {
			return true
		}
		digits, hex, other = 0, 0, 0
	}
	return nearby(total, digits, hex, other) >= fewest
}

// fewest are the digits of a Medicare identifier with the fewest.
const fewest = 5

// nearby adds the digits of a token to those before it, which a word ends.
func nearby(total, digits, hex, other int) int {
	if digits == 0 && hex+other > 3 {
		return 0
	}
	if hex > 0 && other == 0 {
		return total
	}
	return total + digits
}

// inLine finds what has no business in a line of a log.
func inLine(s string) []Finding {
	var out []Finding
	add := func(f Finding) { out = append(out, f) }
	addresses(s, func(f Finding) {
		if f.Class == phi.ClassEmail {
			add(f)
		}
	})
	t := newText(s)
	end := 0
	for i := range t.toks {
		if t.toks[i].from >= end {
			end = max(end, t.rules(i, true, add))
		}
	}
	return out
}

// common reports whether a token is a number as logs are full of: a moment, a row of the database.
// Those as long as a card's are looked at.
func (t *text) common(i int) bool {
	n := t.toks[i].digits
	return t.toks[i].number() && (n > 9 && n < 13 || n > 16) && !t.said(i, 3, "phone", "tel", "mobile", "fax", "npi", "nss", "nhs", "card", "imei")
}

// Leak is an identifier in a log, by where it is and not what it is.
type Leak struct {
	Line  int // from 1
	Class phi.Class
	Rule  string
}

// String is for a test's report.
func (l Leak) String() string { return fmt.Sprintf("line %d: %s (%s)", l.Line, l.Class, l.Rule) }

// ErrLine: a line is longer than 1 MiB; it was not looked at.
var ErrLine = errors.New("redact: a line is too long")

// maxLine bounds a line, in bytes.
const maxLine = 1 << 20

// ScanLog reads a log and returns the identifiers in it, by the rules of LogHandler and those that are
// known: what a test has planted, or a list of somebody's own. An empty result is no proof; a leak is
// one.
func ScanLog(r io.Reader, known ...Identifier) ([]Leak, error) {
	k := NewKnown(known...)
	var out []Leak
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		s := lines.Text()
		var found []Finding
		if smells(s) {
			found = inLine(s)
		}
		t := newText(s)
		for i := range t.toks {
			if f, ok := k.at(t, i); ok {
				found = append(found, f)
			}
		}
		for _, f := range merge(found) {
			out = append(out, Leak{n, f.Class, f.Rule})
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return out, ErrLine
	case err != nil:
		return out, fmt.Errorf("redact: reading a log: %w", err)
	}
	return out, nil
}

// TB is what CheckLog needs of a test.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// CheckLog fails a test for every identifier in its log: a test runs the program, does what people do
// with patients whose identifiers it knows, and gives what was logged.
func CheckLog(t TB, log string, known ...Identifier) {
	t.Helper()
	leaks, err := ScanLog(strings.NewReader(log), known...)
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, l := range leaks {
		t.Errorf("the log holds what it must not: %v", l)
	}
}
