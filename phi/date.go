package phi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Day is a civil date, without a time of day or a zone: a day of birth is the same day
// everywhere. It is plaintext, as a string is. The zero Day is no date.
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

// DayOf returns the date of t in t's own zone.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day{y, m, d}
}

// String returns the full-date form of RFC 3339, "1984-02-29".
func (d Day) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// In returns the moment at which d begins in loc.
func (d Day) In(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// valid reports whether the calendar has d, in a year of four digits.
func (d Day) valid() bool {
	return d.Year >= 1 && d.Year <= 9999 && DayOf(d.In(time.UTC)) == d
}

// parseDay reads the full-date form and no other.
func parseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if d := DayOf(t); err == nil && d.valid() {
		return d, nil
	}
	return Day{}, ErrForm // the cause would quote the value
}

// Date is a civil date in memory, kept like a Text: nothing prints it. It is sealed in the
// form of RFC 3339, so that a field of dates may be a Text in one release and a Date in the
// next.
//
// The zero Date is no value, SQL NULL.
type Date struct{ value }

// NewDate returns a Date that holds d, or ErrForm where the calendar has no such day.
func NewDate(d Day) (Date, error) {
	if !d.valid() {
		return Date{}, ErrForm
	}
	return Date{newValue(d.String())}, nil
}

// ParseDate returns the date that s writes as "1984-02-29", or ErrForm.
func ParseDate(s string) (Date, error) {
	d, err := parseDay(s)
	if err != nil {
		return Date{}, err
	}
	return NewDate(d)
}

// Reveal returns the date, the zero Day for no value, under the conditions of Text.Reveal. A
// stored value that is no date is ErrForm.
func (t Date) Reveal(ctx context.Context) (Day, error) {
	s, err := t.reveal(ctx)
	if err != nil || t.IsZero() {
		return Day{}, err
	}
	d, err := parseDay(s)
	return d, t.fieldError(err)
}

// Equal reports whether both are no value, or both hold the same date.
func (t Date) Equal(u Date) bool { return t.equal(u.value) }

// UnmarshalJSON reads a JSON string such as "1984-02-29", or null as no value. It refuses
// "[PHI]" with ErrMark and everything else with ErrForm.
func (t *Date) UnmarshalJSON(data []byte) error {
	var s *string
	if err := json.Unmarshal(data, &s); err != nil {
		return ErrForm
	}
	if s == nil {
		*t = Date{}
		return nil
	}
	return t.UnmarshalText([]byte(*s))
}

// UnmarshalText reads "1984-02-29". It refuses "[PHI]" with ErrMark and everything else with
// ErrForm.
func (t *Date) UnmarshalText(data []byte) error {
	if isMark(string(data)) {
		return ErrMark
	}
	d, err := ParseDate(string(data))
	if err != nil {
		return err
	}
	*t = d
	return nil
}
