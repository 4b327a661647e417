package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a run of letters and digits.
type token struct {
	from, to        int
	digits, letters int  // runes of each kind
	upper           bool // begins with a capital letter
}

func (t token) number() bool { return t.letters == 0 }
func (t token) word() bool   { return t.digits == 0 }
func (t token) size() int    { return t.digits + t.letters }

// text is a text cut into tokens.
type text struct {
	s    string
	toks []token
}

func newText(s string) *text {
	t := &text{s: s, toks: make([]token, 0, len(s)/6+1)}
	var now *token
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		digit := digitOf(r) >= 0
		switch letter := !digit && isLetter(r); {
		case !digit && !letter:
			now = nil
		case now == nil:
			t.toks = append(t.toks, token{from: i, upper: unicode.IsUpper(r)})
			now = &t.toks[len(t.toks)-1]
			fallthrough
		default:
			now.to = i + n
			if digit {
				now.digits++
			} else {
				now.letters++
			}
		}
		i += n
	}
	return t
}

// isLetter counts marks as well: they belong to the letter before.
func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return unicode.IsLetter(r) || unicode.IsMark(r)
}

// digitOf returns the value of a digit, in the scripts that keyboards type; -1 for anything else.
func digitOf(r rune) int {
	switch {
	case '0' <= r && r <= '9':
		return int(r - '0')
	case '０' <= r && r <= '９':
		return int(r - '０')
	case '٠' <= r && r <= '٩':
		return int(r - '٠')
	case '۰' <= r && r <= '۹':
		return int(r - '۰')
	}
	return -1
}

// at returns the text of a token; "" outside.
func (t *text) at(i int) string {
	if i < 0 || i >= len(t.toks) {
		return ""
	}
	return t.s[t.toks[i].from:t.toks[i].to]
}

// lower returns the text of a token in lower case.
func (t *text) lower(i int) string { return strings.ToLower(t.at(i)) }

// gap returns what is between a token and the next.
func (t *text) gap(i int) string {
	if i < 0 || i+1 >= len(t.toks) {
		return ""
	}
	return t.s[t.toks[i].to:t.toks[i+1].from]
}

// before returns the byte before a token, 0 at the beginning.
func (t *text) before(i int) byte {
	if from := t.toks[i].from; from > 0 {
		return t.s[from-1]
	}
	return 0
}

// digits returns the digits of tokens i to j.
func (t *text) digits(i, j int) string {
	b := make([]byte, 0, 24)
	for _, r := range t.s[t.toks[i].from:t.toks[j].to] {
		if d := digitOf(r); d >= 0 {
			b = append(b, byte('0'+d))
		}
	}
	return string(b)
}

// shape reports whether tokens from i on are numbers of these lengths, each gap being one of a few
// separators.
func (t *text) shape(i int, lengths ...int) bool {
	if i+len(lengths) > len(t.toks) {
		return false
	}
	for k, n := range lengths {
		if tok := t.toks[i+k]; !tok.number() || tok.digits != n {
			return false
		}
		if k > 0 && !separates(t.gap(i+k-1)) {
			return false
		}
	}
	// A longer number is another one.
	last := i + len(lengths) - 1
	return !t.continues(last) && !t.continued(i)
}

// continues reports whether a number goes on behind token i; continued, whether it began before.
func (t *text) continues(i int) bool {
	return i+1 < len(t.toks) && t.toks[i+1].number() && joins(t.gap(i))
}
func (t *text) continued(i int) bool { return i > 0 && t.toks[i-1].number() && joins(t.gap(i-1)) }

// joins are the gaps that make two numbers one.
func joins(gap string) bool { return gap == "-" || gap == "." || gap == "\u2011" || gap == "\u2013" }

// separates are the gaps within a number that people write in groups.
func separates(gap string) bool {
	switch gap {
	case " ", "-", ".", "/", ") ", ")", ")-", " - ", "\u2011", "\u2013", "\u00a0", "\u2212":
		return true
	}
	return false
}

// said reports whether one of some words is among the few tokens before i.
func (t *text) said(i, back int, words ...string) bool {
	for k := max(0, i-back); k < i; k++ {
		if strings.ContainsAny(t.gap(k), "\n;") && k < i-1 {
			continue
		}
		w := t.lower(k)
		for _, one := range words {
			if w == one {
				return true
			}
		}
	}
	return false
}
