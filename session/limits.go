package session

import (
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The bounds that Limits.Validate knows.
const (
	minIdle      = time.Minute
	maxIdle      = time.Hour           // NIST SP 800-63B-4, section 2.2.3 (SHOULD)
	maxAbsolute  = 24 * time.Hour      // NIST SP 800-63B-4, section 2.2.3 (SHOULD)
	longAbsolute = 30 * 24 * time.Hour // NIST SP 800-63B-4, section 2.1.3
	maxGrain     = 60 * time.Second
)

// The ceilings of a session with assurance level 3, NIST SP 800-63B-4, section 2.3.3.
const (
	aal3Absolute = 12 * time.Hour
	aal3Idle     = 15 * time.Minute
)

// Limits says how long a session may last.
type Limits struct {
	// Idle ends a session that was not used for so long; at least one minute, at most one
	// hour and at most Absolute (NIST SP 800-63B-4, section 2.2.3).
	Idle time.Duration
	// Absolute ends a session so long after sign-in, used or not; at most 24 hours (NIST SP
	// 800-63B-4, section 2.2.3).
	Absolute time.Duration
	// Sessions is how many sessions a person may have at once, up to 1,000; signing in once
	// more ends the oldest. 0 is no limit. A lower number acts at each person's next sign-in.
	Sessions int
	// InsecureLong allows an Idle above one hour and an Absolute above 24 hours, up to 30
	// days. What NIST demands of assurance level 3 holds all the same.
	InsecureLong bool
}

// DefaultLimits is 15 minutes idle and 12 hours in all.
func DefaultLimits() Limits {
	return Limits{Idle: 15 * time.Minute, Absolute: 12 * time.Hour}
}

// Validate refuses limits that leave a session open for longer than NIST SP 800-63B-4
// recommends, or that nobody could work under. Its errors wrap ErrLimits.
func (l Limits) Validate() error {
	idle, absolute := maxIdle, maxAbsolute
	if l.InsecureLong {
		idle, absolute = longAbsolute, longAbsolute
	}
	switch {
	case l.Idle < minIdle:
		return fmt.Errorf("%w: idle is below one minute", ErrLimits)
	case l.Idle > idle:
		return fmt.Errorf("%w: idle is above %v", ErrLimits, idle)
	case l.Absolute > absolute:
		return fmt.Errorf("%w: absolute is above %v", ErrLimits, absolute)
	case l.Absolute < l.Idle:
		return fmt.Errorf("%w: absolute is below idle", ErrLimits)
	case l.Sessions < 0, l.Sessions > maxSessions:
		return fmt.Errorf("%w: sessions at once are 0 to %d", ErrLimits, maxSessions)
	}
	return nil
}

// Grain is how often at most activity is written down: every 60 seconds or a tenth of Idle,
// whichever is less. A session may end up to one grain early, never late.
func (l Limits) Grain() time.Duration { return min(maxGrain, l.Idle/10) }

// at narrows the limits to what the assurance level allows.
func (l Limits) at(level audit.Assurance) Limits {
	if level < audit.AAL3 {
		return l
	}
	l.Absolute = min(l.Absolute, aal3Absolute)
	l.Idle = min(l.Idle, l.Absolute)
	if !l.InsecureLong {
		l.Idle = min(l.Idle, aal3Idle)
	}
	return l
}

// narrow returns s with the earlier of what was promised at sign-in and what the limits
// say now: shortening acts at once, lengthening never revives anything.
func (l Limits) narrow(s Session) Session {
	l = l.at(s.Assurance)
	s.Ends = earlier(s.Ends, s.Since.Add(l.Absolute))
	s.IdleEnds = earlier(earlier(s.IdleEnds, s.LastSeen.Add(l.Idle)), s.Ends)
	return s
}

// judge says what state a narrowed session is in at now. A session last seen in the future,
// by more than servers' clocks differ, has met a clock that ran backwards: nobody knows how
// long it was idle, so it is over.
func (l Limits) judge(s Session, now time.Time) State {
	switch {
	case s.Reason == ReasonExpired:
		return StateExpired
	case !s.Ended.IsZero(), s.Superseded && !now.Before(s.Ends):
		return StateEnded
	case !now.Before(s.IdleEnds), !now.Before(s.Ends), s.LastSeen.Sub(now) > l.at(s.Assurance).Grain():
		return StateExpired
	}
	return StateLive
}
