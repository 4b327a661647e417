package session

import (
	"net/netip"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Session is one sign-in of one person, without its token. All times are UTC with
// microseconds.
type Session struct {
	ID     string // public id, a UUIDv7; it grants nothing
	Tenant audit.Tenant
	Person audit.ActorID
	Kind   audit.Kind

	OnBehalfOf   audit.ActorID // whose rights are used, if not the person's own
	Organization string        // the person's organization, where it differs from the tenant

	AuthTime          time.Time // when the person last proved who they are
	Methods           []string  // how, as RFC 8176 amr values
	Assurance         audit.Assurance
	PhishingResistant bool

	Origin netip.Addr // client address at sign-in; not kept for patients and proxies
	Device string     // short label such as "Firefox on Windows"

	Created  time.Time
	Since    time.Time // what the absolute limit counts from: Created, or the last full proof since
	LastSeen time.Time // up to one grain behind, see Limits.Grain
	IdleEnds time.Time // unless there is activity before
	Ends     time.Time // whatever happens

	Version    int64     // raised by one with each change of token and each lock; 1 at sign-in
	Superseded bool      // the session has another token by now; this one works until Ends
	Locked     time.Time // zero while it is not locked; locked it acts for nobody
	Fresh      []Fresh   // areas that are unlocked, at most one entry for each

	Ended  time.Time // zero while it lasts
	Reason string    // code, why it ended: ReasonSignOut …
}

// Fresh says that a person proved afresh who they are and may enter an area until a time.
type Fresh struct {
	Area  string // see Duty.Area
	Until time.Time
}

// Reasons for the end of a session. Hosts may use codes of their own: 1 to 64 lower-case
// letters, digits, dots, dashes and underscores.
const (
	ReasonSignOut    = "sign_out"
	ReasonExpired    = "expired"    // found past its limits when it was presented
	ReasonReplaced   = "replaced"   // the same browser signed in again
	ReasonLimit      = "limit"      // the person signed in on more devices than the policy allows
	ReasonSwitched   = "switched"   // somebody else signed in on the same browser
	ReasonUnrecorded = "unrecorded" // its start could not be recorded; the token was never handed out
	ReasonOther      = "other"      // stands for an empty or unusable reason
)

// Actor is who acts with the session in a request that came from origin. Roles and the
// emergency grant are empty: each request decides them afresh. AuthTime is when the Assurance beside
// it was proven: a password given since, in a session of two factors, is no proof of both, so that
// whoever asks for a fresh AAL2 gets one. StepUp takes the password too.
func (s Session) Actor(origin netip.Addr) audit.Actor {
	if !s.Since.IsZero() {
		s.AuthTime = earlier(s.AuthTime, s.Since)
	}
	return audit.Actor{
		ID: s.Person, Kind: s.Kind, Tenant: s.Tenant, OnBehalfOf: s.OnBehalfOf,
		Session: s.ID, AuthTime: s.AuthTime, Methods: s.Methods,
		Assurance: s.Assurance, PhishingResistant: s.PhishingResistant,
		Origin: origin, Device: s.Device, Organization: s.Organization,
	}
}

// Left is how long the session lasts after now without further activity, 0 if it is over.
func (s Session) Left(now time.Time) time.Duration {
	if !s.Ended.IsZero() {
		return 0
	}
	return max(0, earlier(s.IdleEnds, s.Ends).Sub(now))
}

// Clone returns a copy that shares no memory with s.
func (s Session) Clone() Session {
	s.Methods, s.Fresh = slices.Clone(s.Methods), slices.Clone(s.Fresh)
	return s
}

// State says what became of the token that a request presented.
type State uint8

// The states. The zero value is a request without a token.
const (
	StateNone    State = iota // no token presented
	StateLive                 // signed in
	StateExpired              // over by time: say so on the sign-in page
	StateEnded                // signed out, replaced, or ended by somebody else
	StateInvalid              // malformed or unknown token
	StateLocked               // the person locked the screen: acts for nobody until unlocked
	StateBlocked              // alive, but the tenant does not allow it from this network
)

// String returns "none", "live", "expired", "ended", "invalid", "locked" or "blocked".
func (s State) String() string {
	switch s {
	case StateNone:
		return "none"
	case StateLive:
		return "live"
	case StateExpired:
		return "expired"
	case StateEnded:
		return "ended"
	case StateInvalid:
		return "invalid"
	case StateLocked:
		return "locked"
	case StateBlocked:
		return "blocked"
	}
	return "unknown"
}

// Err returns the error of the state: nil for StateLive, otherwise one that wraps
// ErrNoSession.
func (s State) Err() error {
	switch s {
	case StateLive:
		return nil
	case StateExpired:
		return ErrExpired
	case StateEnded:
		return ErrEnded
	case StateInvalid:
		return ErrInvalid
	case StateLocked:
		return ErrLocked
	case StateBlocked:
		return ErrBlocked
	}
	return ErrNoSession
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
