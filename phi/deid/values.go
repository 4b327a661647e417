package deid

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/phi"
)

// over89 stands for every age over 89, 164.514(b)(2)(i)(C).
const over89 = "90+"

// apply returns what leaves of a value, "" for nothing.
func (c column) apply(ctx context.Context, plain string, now time.Time, p *Prefixes) (string, error) {
	switch c.kind {
	case year:
		return yearOf(plain, now), nil
	case age:
		return ageOf(plain, now), nil
	case zip3:
		return p.cut(plain), nil
	case keep:
		if _, err := phi.Decimal(plain).Rat(); err != nil {
			return "", nil
		}
		return plain, nil
	case codes:
		if _, ok := slices.BinarySearch(c.codes, plain); !ok {
			return "", nil
		}
		return plain, nil
	case scrub:
		return c.scrub(ctx, plain)
	}
	return "", nil
}

func yearOf(plain string, now time.Time) string {
	t, err := time.Parse(time.DateOnly, plain)
	switch {
	case err != nil || t.Year() > now.Year()+100:
		return ""
	case now.Year()-t.Year() >= 90:
		return over89
	}
	return strconv.Itoa(t.Year())
}

// ageOf takes a day of birth or an age.
func ageOf(plain string, now time.Time) string {
	years, err := phi.Decimal(plain).Int64()
	if err != nil {
		t, err := time.Parse(time.DateOnly, plain)
		if err != nil {
			return ""
		}
		years = int64(now.Year() - t.Year())
		if now.Month() < t.Month() || now.Month() == t.Month() && now.Day() < t.Day() {
			years--
		}
	}
	switch {
	case years < 0:
		return ""
	case years > 89:
		return over89
	}
	return strconv.FormatInt(years, 10)
}
