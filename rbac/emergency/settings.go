package emergency

import (
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The ceilings. No settings go beyond them.
const (
	MaxLongest  = 4 * time.Hour      // how long a grant may last
	MaxReview   = 72 * time.Hour     // how long a review may take
	MaxReprompt = 7 * 24 * time.Hour // how long words may count for another opening of the same patient
	MaxPerDay   = 50                 // how many openings a person may have in 24 hours
	MaxWords    = audit.MaxPrivate   // how long words may be, in bytes
	maxReasons  = 50
)

// Settings are a tenant's rules, read with each request. Reasons and times are its own, below the
// ceilings of this package.
type Settings struct {
	Reasons  []string      // codes from which people choose: lower-case letters, digits, underscores; words are the host's
	MinWords int           // how many letters and digits people write at least; 10 to 500
	Longest  time.Duration // how long a grant lasts at most, and unless asked otherwise; a minute to MaxLongest
	Review   time.Duration // within which a grant is reviewed; an hour, and no less than Longest, to MaxReview
	Reprompt time.Duration // within which the same patient is opened again without new words; 0: never, to MaxReprompt
	PerDay   int           // how many openings a person may have in 24 hours; 1 to MaxPerDay
}

// Standard returns settings for who has none: the reasons emergency_treatment, covering_colleague,
// patient_safety and patient_asked, 20 letters and digits, the ceilings as times, ten openings a day.
func Standard() Settings {
	return Settings{
		Reasons:  []string{"emergency_treatment", "covering_colleague", "patient_safety", "patient_asked"},
		MinWords: 20, Longest: MaxLongest, Review: MaxReview, Reprompt: MaxReprompt, PerDay: 10,
	}
}

// Validate reports what cannot be used; it wraps ErrSettings.
func (s Settings) Validate() error {
	bad := func(field string) error { return fmt.Errorf("%w: %s", ErrSettings, field) }
	switch {
	case len(s.Reasons) == 0, len(s.Reasons) > maxReasons, slices.ContainsFunc(s.Reasons, func(r string) bool { return !isCode(r) }),
		len(slices.Compact(slices.Sorted(slices.Values(s.Reasons)))) != len(s.Reasons):
		return bad("Reasons")
	case s.MinWords < 10 || s.MinWords > 500:
		return bad("MinWords")
	case s.Longest < time.Minute || s.Longest > MaxLongest:
		return bad("Longest")
	case s.Review < time.Hour || s.Review < s.Longest || s.Review > MaxReview:
		return bad("Review")
	case s.Reprompt < 0 || s.Reprompt > MaxReprompt:
		return bad("Reprompt")
	case s.PerDay < 1 || s.PerDay > MaxPerDay:
		return bad("PerDay")
	}
	return nil
}

// isCode reports whether s is up to 64 lower-case letters, digits and underscores.
func isCode(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
