package redact

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// zip recognises postal codes: with four more digits, behind a state or the word, and with a state the
// capitalised words before it, which are the city.
func (t *text) zip(i int) (Finding, bool) {
	last := i
	switch {
	case t.shape(i, 5, 4) && t.gap(i) == "-":
		last = i + 1
	case !t.shape(i, 5):
		return Finding{}, false
	}
	first := i
	if i > 0 && state(t.at(i-1)) && (t.gap(i-1) == " " || t.gap(i-1) == ", ") {
		first = i - 1
		for first > 0 && i-first < 4 && t.toks[first-1].upper && t.toks[first-1].word() && !begins(t.lower(first-1)) && (t.gap(first-1) == " " || t.gap(first-1) == ", " && first == i-1) {
			first--
		}
	} else if last == i && !t.said(i, 2, "zip", "zipcode", "postal", "cp") {
		return Finding{}, false
	}
	return t.found(first, last, phi.ClassGeography, "zip"), true
}

// begins are words with which a sentence about a place begins.
func begins(w string) bool {
	switch w {
	case "from", "in", "at", "near", "to", "lives", "living", "moved", "born", "address", "home", "mail", "send", "outside":
		return true
	}
	return false
}

func state(s string) bool {
	const all = " AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA PR RI SC SD TN TX UT VT VA WA WV WI WY GU VI AS MP "
	return len(s) == 2 && strings.Contains(all, " "+s+" ")
}

// street recognises a number, up to four words and what a street is called, with a flat behind it;
// and Spanish ones the other way round.
func (t *text) street(i int) (Finding, bool) {
	if t.toks[i].number() && t.toks[i].digits <= 6 {
		for k := i + 1; k <= i+5 && k < len(t.toks) && t.gap(k-1) == " "; k++ {
			if k > i+1 && t.toks[k].upper && way(t.lower(k)) {
				return t.flat(t.found(i, k, phi.ClassGeography, "street"), k), true
			}
			if !t.toks[k].upper && t.toks[k].letters > 0 && !t.ordinal(k) {
				break
			}
		}
		return Finding{}, false
	}
	if !t.toks[i].upper {
		return Finding{}, false
	}
	switch t.lower(i) {
	case "calle", "avenida", "av", "calzada", "paseo", "boulevard", "privada":
	default:
		return Finding{}, false
	}
	for k := i + 1; k <= i+6 && k < len(t.toks); k++ {
		if t.toks[k].number() {
			return t.found(i, k, phi.ClassGeography, "street"), true
		}
		if !t.toks[k].upper && !particle(t.lower(k)) {
			break
		}
	}
	return Finding{}, false
}

func way(w string) bool {
	return slices.Contains([]string{
		"st", "street", "ave", "avenue", "rd", "road", "blvd", "boulevard", "ln", "lane", "dr", "drive", "ct", "court", "way", "pl", "place",
		"ter", "terrace", "cir", "circle", "pkwy", "parkway", "hwy", "highway", "sq", "square", "trail", "loop", "row", "alley",
	}, w)
}

// flat adds "Apt. 4B".
func (t *text) flat(f Finding, last int) Finding {
	switch t.lower(last + 1) {
	case "apt", "apartment", "unit", "suite", "ste", "floor", "fl", "room":
		if last+2 < len(t.toks) {
			f.To = t.toks[last+2].to
		}
	}
	return f
}

func particle(w string) bool {
	switch w {
	case "de", "del", "la", "las", "los", "y", "van", "von", "der", "da", "dos", "no", "núm", "num":
		return true
	}
	return false
}

// address recognises e-mail addresses, addresses of the web and of networks: what hangs together
// around an "@", "://", "www." or dots and colons.
func addresses(s string, add func(Finding)) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '@':
			from, to := i, i+1
			for from > 0 && local(s[from-1]) {
				from--
			}
			for to < len(s) && domain(s[to]) {
				to++
			}
			to = i + 1 + len(strings.TrimRight(s[i+1:to], ".-"))
			if from < i && strings.Contains(s[i+1:to], ".") {
				add(Finding{from, to, phi.ClassEmail, "email"})
			}
		case s[i] == ':' && strings.HasPrefix(s[i:], "://") && i > 0 && isLetter(rune(s[i-1])):
			from := i
			for from > 0 && (isLetter(rune(s[from-1])) || s[from-1] == '+') {
				from--
			}
			i = web(s, from, add) - 1
		case (s[i] == 'w' || s[i] == 'W') && (i == 0 || !local(s[i-1]) && s[i-1] != '/' && s[i-1] != '@') && len(s) > i+4 && strings.EqualFold(s[i:i+4], "www."):
			i = web(s, i, add) - 1
		case numeric(s[i]) && (i == 0 || !numeric(s[i-1]) && !isLetter(rune(s[i-1])) && s[i-1] != '.'):
			to := i
			for to < len(s) && (numeric(s[to]) || s[to] == '.') {
				to++
			}
			run := strings.TrimRight(s[i:to], ".")
			if len(run) > 1 {
				run = strings.TrimSuffix(run, ":")
			}
			if ip, err := netip.ParseAddr(run); err == nil && (to == len(s) || !isLetter(rune(s[to])) && s[to] != '_') && !ip.IsUnspecified() {
				add(Finding{i, i + len(run), phi.ClassIP, "ip"})
			}
		}
	}
}

// web adds what goes on to the next space, without the sentence's own signs, and returns its end.
func web(s string, from int, add func(Finding)) int {
	to := from
	for to < len(s) && s[to] > ' ' && !strings.ContainsRune(`"<>`, rune(s[to])) {
		to++
	}
	to = from + len(strings.TrimRight(s[from:to], ".,;:!?)]}'"))
	if to > from {
		add(Finding{from, to, phi.ClassURL, "url"})
	}
	return max(to, from+1)
}

func local(c byte) bool {
	return c >= 0x80 || isLetter(rune(c)) || '0' <= c && c <= '9' || strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) >= 0
}

func domain(c byte) bool {
	return c >= 0x80 || isLetter(rune(c)) || '0' <= c && c <= '9' || c == '.' || c == '-'
}

// numeric are the signs of an address of version 4 or 6.
func numeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' || c == ':'
}
