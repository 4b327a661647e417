package authn

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Lengths of a password in Unicode code points (NIST SP 800-63B-4, section 3.1.1.2).
const (
	minAlone  = 15  // where it is the only factor
	minWithMF = 8   // where a second factor is required as well
	maxLength = 256 // NIST asks for at least 64; a bound keeps hashing cheap

	maxBytes = 4 * maxLength
)

//go:embed common.txt
var commonWords string

// normalise returns the form that is hashed: NFC, nothing else changed. It reports false
// for what cannot be a password: too many bytes, no valid UTF-8, control characters.
func normalise(p Password) (string, bool) {
	s := p.reveal()
	if len(s) > maxBytes || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return "", false
	}
	return norm.NFC.String(s), true
}

// judge checks a new password. Words are what it must not lean on. It returns the
// normalised password or a *PolicyError.
func (m *Manager) judge(p Password, least int, words []string) (string, error) {
	refuse := func(r Reason) (string, error) {
		return "", &PolicyError{Reason: r, Min: least, Max: maxLength}
	}
	if len(p.reveal()) > maxBytes {
		return refuse(TooLong)
	}
	s, ok := normalise(p)
	switch n := utf8.RuneCountInString(s); {
	case !ok:
		return refuse(Invalid)
	case n < least:
		return refuse(TooShort)
	case n > maxLength:
		return refuse(TooLong)
	}
	plain := fold(s)
	switch {
	case m.common(plain):
		return refuse(Common)
	case leans(plain, slices.Concat(words, m.o.Context)):
		return refuse(Context)
	}
	return s, nil
}

// fold returns the form in which passwords are compared with lists: NFKC and lower case, so
// that full-width letters and capitals do not count as strength.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// blocklist returns the built-in common passwords and the host's.
func blocklist(more []string) map[string]struct{} {
	list := map[string]struct{}{}
	for line := range strings.Lines(commonWords) {
		if w := strings.TrimSpace(line); w != "" && !strings.HasPrefix(w, "#") {
			list[w] = struct{}{}
		}
	}
	for _, w := range more {
		list[fold(w)] = struct{}{}
	}
	return list
}

// common reports whether a folded password is one that everybody tries: on the list, a
// listed word with digits and signs around it, the same over and over, or a run along the
// keyboard or the alphabet.
func (m *Manager) common(s string) bool {
	unit := period(s)
	core := strings.TrimFunc(unit, func(r rune) bool { return !unicode.IsLetter(r) })
	if len(unit)-len(core) > 8 { // a word in much else is not what makes it weak
		core = unit
	}
	for _, w := range []string{s, unit, core, plainLetters(s), plainLetters(unit), plainLetters(core)} {
		if _, ok := m.blocked[w]; ok {
			return true
		}
	}
	if utf8.RuneCountInString(unit) <= 4 && unit != s {
		return true
	}
	return isRun(s)
}

// period returns the shortest string whose repetition s is, the last one possibly cut off:
// "abcabca" is "abc" over and over.
func period(s string) string {
	r := []rune(s)
next:
	for n := 1; n <= len(r)/2; n++ {
		for i := n; i < len(r); i++ {
			if r[i] != r[i-n] {
				continue next
			}
		}
		return string(r[:n])
	}
	return s
}

// plainLetters undoes the usual letter for sign swaps.
func plainLetters(s string) string {
	return strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "8", "b",
		"@", "a", "$", "s", "!", "i", "€", "e", "+", "t").Replace(s)
}

// runs are walks along keyboards and alphabets, the digits and letters twice because a walk
// may wrap around. No password holds a line break.
const runs = `
01234567890123456789
09876543210987654321
abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz
zyxwvutsrqponmlkjihgfedcbazyxwvutsrqponmlkjihgfedcba
1234567890qwertyuiopasdfghjklzxcvbnmqwertyuiop
mnbvcxzlkjhgfdsapoiuytrewq0987654321
qwertzuiopasdfghjklyxcvbnm
azertyuiopqsdfghjklmwxcvbn
1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/
1q2w3e4r5t6y7u8i9o0p
qazwsxedcrfvtgbyhnujmikolp
!@#$%^&*()
`

// isRun reports whether the whole password is at most three pieces of such walks.
func isRun(s string) bool {
	for range 3 {
		n := longestRun(s)
		if n < 3 {
			return false
		}
		if s = s[n:]; s == "" {
			return true
		}
	}
	return false
}

func longestRun(s string) int {
	n := 0
	for n < len(s) && strings.Contains(runs, s[:n+1]) {
		n++
	}
	return n
}

// leans reports whether little is left of a folded password without the known words: less
// than half of it.
func leans(s string, words []string) bool {
	rest := s
	for _, w := range words {
		whole := fold(w)
		for _, part := range append([]string{whole}, strings.FieldsFunc(whole, notWord)...) {
			if utf8.RuneCountInString(part) >= 4 {
				rest = strings.ReplaceAll(rest, part, "")
			}
		}
	}
	return 2*utf8.RuneCountInString(rest) < utf8.RuneCountInString(s)
}

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
