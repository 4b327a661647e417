package phi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Normaliser brings the ways to write a value into one form, so that they have one term. Its
// ID is part of the derivation of the index's key: a changed normaliser has a new version and
// so is another index, instead of silently losing rows.
type Normaliser struct {
	id          string
	normal      func(string) (string, error)
	first, last func(string) (string, error) // of what a value begins or ends with, nil for none
	err         error                        // why it cannot be used
}

// NewNormaliser returns a normaliser of the host's own. Normal must give the same result for
// ever; to change it, change version. An empty result means that the value has no term. An
// error of normal is replaced by ErrNotNormal, because it could quote the value. Where it is
// used with WithPrefix or WithLast, normal is also given the fragments that are looked up.
func NewNormaliser(id string, version int, normal func(string) (string, error)) Normaliser {
	n := Normaliser{id: id + "@" + strconv.Itoa(version), normal: normal, first: normal, last: normal}
	if id == "" || strings.ContainsRune(id, '@') || version < 1 || normal == nil {
		n.err = errors.New("a normaliser needs an id without @, a version from 1 and a function")
	}
	return n
}

// ID returns the id and version, for example "email@1".
func (n Normaliser) ID() string { return n.id }

// maxNormal bounds what is normalised, because anybody can type into a search box.
const maxNormal = 1024

// Normalise returns the normal form, "" for a value that is empty but for spaces. It returns
// ErrNotNormal for a value that is not of the kind, is longer than 1024 bytes or not UTF-8.
func (n Normaliser) Normalise(s string) (string, error) { return n.apply(n.normal, s) }

// apply runs one of n's functions under n's rules.
func (n Normaliser) apply(normal func(string) (string, error), s string) (string, error) {
	if n.err != nil || normal == nil {
		return "", ErrNotNormal
	}
	if len(s) > maxNormal {
		return "", fmt.Errorf("%w: too long for an index", ErrNotNormal)
	}
	if !utf8.ValidString(s) { // Unicode normalisation stops short at a stray byte
		return "", fmt.Errorf("%w: not UTF-8", ErrNotNormal)
	}
	out, err := normal(s)
	if err != nil {
		return "", fmt.Errorf("%w: not a valid %s", ErrNotNormal, n.id)
	}
	return out, nil
}

var errNormal = errors.New("phi: not normalisable")

// Email normalises an e-mail address: spaces around it removed, compatibility forms folded
// (NFKC), lower case. Dots and plus signs before the @ count.
func Email() Normaliser { return builtin("email", normalEmail, foldEmail, endOfEmail) }

// builtin returns a normaliser of this package in its first version. First and last normalise
// what a value begins and ends with, nil where that makes no sense.
func builtin(id string, normal, first, last func(string) (string, error)) Normaliser {
	n := NewNormaliser(id, 1, normal)
	n.first, n.last = first, last
	return n
}

func foldEmail(s string) (string, error) {
	return strings.ToLower(norm.NFKC.String(strings.TrimSpace(s))), nil
}

// endOfEmail leaves out the dot that a domain may end with, as normalEmail does. What an address
// begins with keeps it: it may go on behind it.
func endOfEmail(s string) (string, error) {
	s, _ = foldEmail(s)
	return strings.TrimSuffix(s, "."), nil
}

func normalEmail(s string) (string, error) {
	s, _ = foldEmail(s)
	if s == "" {
		return "", nil
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", errNormal
	}
	domain := strings.TrimSuffix(s[at+1:], ".")
	if domain == "" || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return "", errNormal
	}
	return s[:at+1] + domain, nil
}

// SSN normalises a United States social security number: nine digits, whatever separates
// them.
func SSN() Normaliser { return builtin("ssn", normalSSN, digitsOnly, digitsOnly) }

// digitsOnly normalises a part of a number.
func digitsOnly(s string) (string, error) { return digitsOf(s, "-.()/") }

func normalSSN(s string) (string, error) {
	digits, err := digitsOf(s, " -.")
	if err != nil || digits != "" && len(digits) != 9 {
		return "", errNormal
	}
	return digits, nil
}

// MRN normalises a medical record number: letters and digits in upper case, without spaces,
// dots, dashes and slashes. Leading zeros count.
func MRN() Normaliser { return builtin("mrn", normalMRN, normalMRN, normalMRN) }

func normalMRN(s string) (string, error) {
	var b strings.Builder
	for _, r := range strings.ToUpper(norm.NFKC.String(s)) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case unicode.IsSpace(r) || strings.ContainsRune("-./", r) || unicode.Is(unicode.Pd, r):
		default:
			return "", errNormal
		}
	}
	return b.String(), nil
}

// Name normalises a whole name for a simple search: compatibility forms and case folded,
// marks over letters dropped, apostrophes, dashes and runs of spaces one space.
// "José  O’Brien-García" and "JOSE O BRIEN GARCIA" are the same.
func Name() Normaliser { return builtin("name", normalName, normalName, normalName) }

func normalName(s string) (string, error) {
	fold := cases.Fold()
	// Folding is not idempotent for some scripts, so it is done twice.
	s = norm.NFKC.String(fold.String(norm.NFKC.String(fold.String(norm.NFKC.String(s)))))
	var b strings.Builder
	space := false
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '.':
		case unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune("'’‘ʼʹ`´,", r):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String()), nil
}

// digitsOf returns the decimal digits of s as ASCII, full-width and Arabic-Indic ones
// included. It refuses every other rune that is neither a space nor among allowed.
func digitsOf(s, allowed string) (string, error) {
	var b strings.Builder
	for _, r := range norm.NFKC.String(s) {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case unicode.IsDigit(r):
			b.WriteByte('0' + digitValue(r))
		case unicode.IsSpace(r) || strings.ContainsRune(allowed, r) || unicode.Is(unicode.Pd, r):
		default:
			return "", errNormal
		}
	}
	return b.String(), nil
}

// digitValue returns the value of a decimal digit of any script: Unicode assigns the digits of
// a script in tens, from zero.
func digitValue(r rune) byte {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10)
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10)
		}
	}
	return 0
}
