package phi

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is a number written in decimal, exactly as it was given: "72.50" keeps its zero,
// which in a measurement is a statement. It is plaintext, as a string is. The empty Decimal is
// no number.
type Decimal string

// Int64 returns the number, or ErrForm where it has a fraction or does not fit.
func (d Decimal) Int64() (int64, error) {
	i, err := strconv.ParseInt(d.trimmed(), 10, 64)
	if err != nil {
		return 0, ErrForm // the cause quotes the value
	}
	return i, nil
}

// Rat returns the number exactly, or ErrForm where there is none.
func (d Decimal) Rat() (*big.Rat, error) {
	if !isDecimal(string(d)) {
		return nil, ErrForm
	}
	r, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return nil, ErrForm
	}
	return r, nil
}

// trimmed returns d without zeros that end a fraction, and zero without a sign: equal numbers
// are equal strings.
func (d Decimal) trimmed() string {
	s := string(d)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// maxDigits is how long a Decimal may be written: far more than anything measured, and short
// enough to calculate with.
const maxDigits = 100

// isDecimal reports whether s is -?(0|[1-9][0-9]*)(\.[0-9]+)? and not too long.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	switch {
	case len(s) > maxDigits, !isDigits(whole), point && !isDigits(fraction):
		return false
	}
	return whole == "0" || whole[0] != '0'
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// Number is a number in memory, kept like a Text: nothing prints it. It is an exact decimal
// and is never a float. It is sealed as it is written, so that a field may be a Text in one
// release and a Number in the next.
//
// The zero Number is no value, SQL NULL, as opposed to 0.
type Number struct{ value }

// NewInt returns a Number that holds i.
func NewInt(i int64) Number { return Number{newValue(strconv.FormatInt(i, 10))} }

// ParseNumber returns the number that s writes in decimal, such as "-72.50", at most 100
// characters and without an exponent, or ErrForm.
func ParseNumber(s string) (Number, error) {
	if !isDecimal(s) {
		return Number{}, ErrForm
	}
	return Number{newValue(s)}, nil
}

// Reveal returns the number, the empty Decimal for no value, under the conditions of
// Text.Reveal. A stored value that is no number is ErrForm.
func (t Number) Reveal(ctx context.Context) (Decimal, error) {
	s, err := t.reveal(ctx)
	if err != nil || t.IsZero() {
		return "", err
	}
	if !isDecimal(s) {
		return "", t.fieldError(ErrForm)
	}
	return Decimal(s), nil
}

// Equal reports whether both are no value, or both hold the same number; 72.50 equals 72.5.
func (t Number) Equal(u Number) bool {
	if t.IsZero() || u.IsZero() {
		return t.IsZero() == u.IsZero()
	}
	a, errA := t.open()
	b, errB := u.open()
	return errA == nil && errB == nil && equalText([]byte(Decimal(a).trimmed()), Decimal(b).trimmed())
}

// UnmarshalJSON reads a JSON number, or a string that holds one, or null as no value; not by
// way of a float. It refuses "[PHI]" with ErrMark and everything else with ErrForm.
func (t *Number) UnmarshalJSON(data []byte) error {
	data = bytes.Trim(data, " \t\r\n") // RFC 8259, section 2
	switch {
	case string(data) == "null":
		*t = Number{}
		return nil
	case len(data) > 0 && data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return ErrForm
		}
		return t.UnmarshalText([]byte(s))
	}
	return t.UnmarshalText(data)
}

// UnmarshalText reads a number as ParseNumber does. It refuses "[PHI]" with ErrMark and
// everything else with ErrForm.
func (t *Number) UnmarshalText(data []byte) error {
	if isMark(string(data)) {
		return ErrMark
	}
	n, err := ParseNumber(string(data))
	if err != nil {
		return err
	}
	*t = n
	return nil
}
