package redact

import (
	"slices"
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// date recognises days in numbers and in words, English and Spanish. A year alone is no finding:
// 164.514(b)(2)(i)(C) lets years stay.
func (t *text) date(i int) (Finding, bool) {
	if f, ok := t.dateNumbers(i); ok {
		return f, true
	}
	if f, ok := t.dateWords(i); ok {
		return f, true
	}
	// 3/14 alone is a fraction as well.
	if t.shape(i, t.toks[i].digits, t.width(i+1)) && t.gap(i) == "/" && dayAndMonth(t.at(i), t.at(i+1)) &&
		t.said(i, 1, "on", "since", "dob", "visit", "born", "until", "from", "el", "desde", "hasta") {
		return t.found(i, i+1, phi.ClassDate, "date"), true
	}
	return Finding{}, false
}

func (t *text) width(i int) int {
	if i >= len(t.toks) || !t.toks[i].number() {
		return -1
	}
	return t.toks[i].digits
}

func (t *text) dateNumbers(i int) (Finding, bool) {
	a, b, c := t.width(i), t.width(i+1), t.width(i+2)
	if a < 1 || b < 1 || b > 2 {
		return Finding{}, false
	}
	sep := t.gap(i)
	switch sep {
	case "-", "/", ".":
	default:
		return Finding{}, false
	}
	if t.gap(i+1) != sep {
		return Finding{}, false
	}
	switch {
	case a == 4 && c <= 2 && day(t.at(i+1), t.at(i+2)):
	case a == 4 && c < 0 && t.toks[i+1].to+1 < len(t.s) && i+2 < len(t.toks): // 2024-03-14T09:30
		clock := t.at(i + 2)
		if k := strings.IndexAny(clock, "Tt"); k < 1 || !day(t.at(i+1), clock[:k]) {
			return Finding{}, false
		}
	case a <= 2 && (c == 4 || c == 2) && dayAndMonth(t.at(i), t.at(i+1)):
		if c == 4 && !year(t.at(i+2)) {
			return Finding{}, false
		}
	default:
		return Finding{}, false
	}
	if t.continued(i) || t.continues(i+2) {
		return Finding{}, false
	}
	return t.found(i, i+2, phi.ClassDate, "date"), true
}

// dayAndMonth takes both orders.
func dayAndMonth(a, b string) bool { return day(a, b) || day(b, a) }

func year(s string) bool { n := number(s); return n >= 1880 && n <= 2150 }

// dateWords takes "March 3, 2024", "3 Mar 2024", "3 de marzo de 2024", "March 2024" and "March 3".
func (t *text) dateWords(i int) (Finding, bool) {
	if month(t.lower(i)) {
		last := i
		if k := i + 1; t.dayNumber(k) && short(t.gap(i)) {
			last = k
			if t.ordinal(k) {
				last = k
			}
			if y := last + 1; y < len(t.toks) && year(t.at(y)) && short(t.gap(last)) {
				last = y
			}
		} else if k < len(t.toks) && year(t.at(k)) && t.toks[k].number() && short(t.gap(i)) {
			last = k
		} else if t.lower(k) == "de" && k+1 < len(t.toks) && year(t.at(k+1)) {
			last = k + 1
		}
		if last == i {
			return Finding{}, false
		}
		return t.found(i, last, phi.ClassDate, "date"), true
	}
	if !t.dayNumber(i) {
		return Finding{}, false
	}
	k := i + 1
	if w := t.lower(k); w == "de" || w == "of" {
		k++
	}
	if k >= len(t.toks) || !month(t.lower(k)) || !short(t.gap(i)) || !short(t.gap(k-1)) {
		return Finding{}, false
	}
	last := k
	y := k + 1
	if w := t.lower(y); w == "de" || w == "del" {
		y++
	}
	if y < len(t.toks) && t.toks[y].number() && year(t.at(y)) {
		last = y
	}
	return t.found(i, last, phi.ClassDate, "date"), true
}

// dayNumber takes "3" and "3rd".
func (t *text) dayNumber(i int) bool {
	if i >= len(t.toks) {
		return false
	}
	s := t.lower(i)
	if t.ordinal(i) {
		s = s[:len(s)-2]
	}
	n := number(s)
	return n >= 1 && n <= 31 && len(s) <= 2
}

func (t *text) ordinal(i int) bool {
	s := t.lower(i)
	return len(s) > 2 && slices.Contains([]string{"st", "nd", "rd", "th"}, s[len(s)-2:])
}

// short is what may be within a date.
func short(gap string) bool {
	return gap == " " || gap == ", " || gap == ". " || gap == "," || gap == "-" || gap == "." || gap == "\u00a0"
}

func month(w string) bool {
	switch w {
	case "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
		"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
		"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "setiembre", "octubre", "noviembre", "diciembre",
		"ene", "abr", "ago", "dic":
		return true
	}
	return false
}

// oldAge recognises ages over 89, which 164.514(b)(2)(i)(C) counts as dates.
func (t *text) oldAge(i int) (Finding, bool) {
	n := number(t.at(i))
	if n < 90 || n > 130 || !t.toks[i].number() {
		return Finding{}, false
	}
	after := t.lower(i + 1)
	unit := after == "y" || after == "yo" || after == "yr" || after == "yrs" || after == "años" || after == "anos" ||
		(after == "year" || after == "years") && (t.lower(i+2) == "old" || t.lower(i+2) == "of")
	if near := t.gap(i); unit && (near == " " || near == "-" || near == "") || t.said(i, 2, "age", "aged", "edad") {
		return t.found(i, i, phi.ClassDate, "age"), true
	}
	return Finding{}, false
}
