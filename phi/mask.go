package phi

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const dots = "••••"

// mask returns the shape of the class without anything of the value.
func (c Class) mask() string {
	switch c {
	case ClassPhone, ClassFax:
		return "•••-•••-••••"
	case ClassSSN:
		return "•••-••-••••"
	case ClassEmail:
		return "•••@•••"
	case ClassDate:
		return "••••-••-••"
	}
	return dots
}

// partial returns an excerpt that helps to recognise a value one knows: initials, the last
// four digits, the year, the domain. A class without such an excerpt, and a value too short
// for one, is masked. An excerpt is not de-identified data.
func (c Class) partial(s string) string {
	excerpt := ""
	switch c {
	case ClassName:
		excerpt = initials(s)
	case ClassDate:
		excerpt = year(s)
	case ClassEmail:
		if i := strings.LastIndexByte(s, '@'); i > 0 && i < len(s)-1 {
			excerpt = "•••" + s[i:]
		}
	case ClassSSN:
		excerpt = lastFour("•••-••-", s, unicode.IsDigit)
	case ClassPhone, ClassFax:
		excerpt = lastFour("•••-•••-", s, unicode.IsDigit)
	case ClassMRN, ClassHealthPlan, ClassAccount, ClassLicence, ClassVehicle, ClassDevice, ClassFinancial:
		excerpt = lastFour(dots, s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	}
	if excerpt == "" {
		return c.mask()
	}
	return excerpt
}

// initials returns "J. D." for "Jane Doe".
func initials(s string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(s) {
		r, _ := utf8.DecodeRuneInString(word)
		if !unicode.IsLetter(r) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToUpper(r))
		b.WriteByte('.')
	}
	return b.String()
}

// year returns the year of a date that starts with it, as in RFC 3339.
func year(s string) string {
	if len(s) < 5 || s[4] != '-' {
		return ""
	}
	for _, r := range s[:4] {
		if r < '0' || r > '9' {
			return ""
		}
	}
	return s[:4]
}

// lastFour returns prefix and the last four of the runes that count, where at least as many
// stay hidden.
func lastFour(prefix, s string, counts func(rune) bool) string {
	var all []rune
	for _, r := range s {
		if counts(r) {
			all = append(all, r)
		}
	}
	if len(all) < 8 {
		return ""
	}
	return prefix + string(all[len(all)-4:])
}
