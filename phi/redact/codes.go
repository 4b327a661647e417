package redact

import (
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// plain returns a token of ASCII letters and digits in upper case, "" for any other.
func (t *text) plain(i int) string {
	s := t.at(i)
	if len(s) != t.toks[i].size() {
		return ""
	}
	return strings.ToUpper(s)
}

// pattern compares a code with a pattern of A letter, N digit, E either, C a digit but 0.
func pattern(s, of string) bool {
	if len(s) != len(of) {
		return false
	}
	for i := range len(s) {
		letter, digit := 'A' <= s[i] && s[i] <= 'Z', '0' <= s[i] && s[i] <= '9'
		switch of[i] {
		case 'A':
			if !letter {
				return false
			}
		case 'N':
			if !digit {
				return false
			}
		case 'C':
			if !digit || s[i] == '0' {
				return false
			}
		case 'E':
			if !letter && !digit {
				return false
			}
		}
	}
	return true
}

// mbi recognises Medicare beneficiary identifiers, which use no S, L, O, I, B or Z. They are printed
// with hyphens: 1EG4-TE5-MK73.
func (t *text) mbi(i int) (Finding, bool) {
	s, last := t.plain(i), i
	if len(s) == 4 && i+2 < len(t.toks) && t.gap(i) == "-" && t.gap(i+1) == "-" {
		s, last = s+t.plain(i+1)+t.plain(i+2), i+2
	}
	if !pattern(s, "CAENAENAANN") || strings.ContainsAny(s, "SLOIBZ") {
		return Finding{}, false
	}
	return t.found(i, last, phi.ClassHealthPlan, "mbi"), true
}

// dea recognises the registration numbers of prescribers by their check digit.
func (t *text) dea(i int) (Finding, bool) {
	s := t.plain(i)
	if !pattern(s, "AENNNNNNN") || !strings.ContainsAny(s[:1], "ABCDEFGHJKLMPRSTUX") || s[1] != '9' && s[1] < 'A' {
		return Finding{}, false
	}
	n := func(k int) int { return int(s[k] - '0') }
	if (n(2)+n(4)+n(6)+2*(n(3)+n(5)+n(7)))%10 != n(8) {
		return Finding{}, false
	}
	return t.found(i, i, phi.ClassLicence, "dea"), true
}

// curp recognises the Mexican population code by its check digit.
func (t *text) curp(i int) (Finding, bool) {
	s := t.plain(i)
	if !pattern(s, "AAAANNNNNNAAAAAAEN") || s[10] != 'H' && s[10] != 'M' && s[10] != 'X' || !day(s[6:8], s[8:10]) {
		return Finding{}, false
	}
	sum := 0
	for k := range 17 {
		sum += mexican(s[k], curpLetters) * (18 - k)
	}
	if (10-sum%10)%10 != int(s[17]-'0') {
		return Finding{}, false
	}
	return t.found(i, i, phi.ClassOtherID, "curp"), true
}

// The letters of both Mexican codes with their values; Ñ, which has one too, is never in a token of
// ASCII.
const (
	curpLetters = "0123456789ABCDEFGHIJKLMN?OPQRSTUVWXYZ"
	rfcLetters  = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ"
)

func mexican(c byte, letters string) int { return max(0, strings.IndexByte(letters, c)) }

// rfc recognises the Mexican taxpayer code of a person by its check digit.
func (t *text) rfc(i int) (Finding, bool) {
	s := t.plain(i)
	if !pattern(s, "AAAANNNNNNEEE") || !day(s[6:8], s[8:10]) {
		return Finding{}, false
	}
	sum := 0
	for k := range 12 {
		sum += mexican(s[k], rfcLetters) * (13 - k)
	}
	check := byte('0' + (11-sum%11)%11)
	if sum%11 == 1 {
		check = 'A'
	}
	if sum%11 == 0 {
		check = '0'
	}
	if check != s[12] {
		return Finding{}, false
	}
	return t.found(i, i, phi.ClassOtherID, "rfc"), true
}

// vin recognises vehicles of North America by their check digit (49 CFR 565.15).
func (t *text) vin(i int) (Finding, bool) {
	s := t.plain(i)
	if len(s) != 17 || strings.ContainsAny(s, "IOQ") || t.toks[i].letters == 0 || t.toks[i].digits == 0 {
		return Finding{}, false
	}
	const values = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
	weights, sum := [17]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}, 0
	for k := range 17 {
		sum += strings.IndexByte(values, s[k]) % 10 * weights[k]
	}
	if "0123456789X"[sum%11] != s[8] {
		return Finding{}, false
	}
	return t.found(i, i, phi.ClassVehicle, "vin"), true
}

// iban recognises bank accounts by their check digits (ISO 13616), in one piece or in groups of four.
func (t *text) iban(i int) (Finding, bool) {
	s, last := t.plain(i), i
	if len(s) < 4 || !pattern(s[:4], "AANN") {
		return Finding{}, false
	}
	for len(s)%4 == 0 && len(s) < 34 && last+1 < len(t.toks) && t.gap(last) == " " {
		next := t.plain(last + 1)
		if len(next) > 4 || next == "" || t.toks[last+1].digits == 0 && next != t.at(last+1) {
			break
		}
		s, last = s+next, last+1
	}
	if len(s) < 15 || len(s) > 34 {
		return Finding{}, false
	}
	rest := 0
	for _, c := range s[4:] + s[:4] {
		if v := int(c - '0'); v < 10 {
			rest = (rest*10 + v) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	if rest != 1 {
		return Finding{}, false
	}
	return t.found(i, last, phi.ClassAccount, "iban"), true
}

// day reports whether two digits each are a month and a day.
func day(month, of string) bool {
	m, d := number(month), number(of)
	return m >= 1 && m <= 12 && d >= 1 && d <= 31
}

// number returns the value of a few digits, -1 for anything else.
func number(s string) int {
	n := 0
	for _, r := range s {
		d := digitOf(r)
		if d < 0 || n > 1e8 {
			return -1
		}
		n = 10*n + d
	}
	if s == "" {
		return -1
	}
	return n
}
