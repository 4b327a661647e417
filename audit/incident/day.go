package incident

import (
	"errors"
	"time"
)

// Day is a calendar day, counted from 1970-01-01, which is day 0 and stands for none. The rule counts
// calendar days (45 CFR 164.404(b)), so no time of day, leap second or change to summer time moves a
// deadline. As text it is "2026-11-22".
type Day int32

const dayForm = time.DateOnly

// Date returns the day with this date.
func Date(year int, month time.Month, day int) Day {
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// DayOf returns the day that t is in a zone.
func DayOf(t time.Time, zone *time.Location) Day {
	return Date(t.In(zone).Date())
}

// ParseDay reads "2026-11-22", of the years 1970 to 9999, and nothing else.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(dayForm, s)
	if err != nil || t.Unix() <= 0 || t.Format(dayForm) != s {
		return 0, errors.New("incident: not a date")
	}
	return Date(t.Date()), nil
}

func (d Day) time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Year returns the day's year.
func (d Day) Year() int { return d.time().Year() }

// End returns the first instant after the day in a zone.
func (d Day) End(zone *time.Location) time.Time {
	y, m, day := d.time().Date()
	return time.Date(y, m, day+1, 0, 0, 0, 0, zone)
}

// String returns "2026-11-22", and nothing for no day.
func (d Day) String() string {
	if d == 0 {
		return ""
	}
	return d.time().Format(dayForm)
}

// MarshalText returns String.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Day) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	*d, err = ParseDay(string(text))
	return err
}
