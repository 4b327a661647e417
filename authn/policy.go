package authn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Policy is what a tenant asks of sign-ins. It is a value: Manager.SavePolicy replaces it as a
// whole, and the next step of every sign-in on every server is judged by it. Nobody is exempt
// from it: there is no field for that.
type Policy struct {
	// Version counts how often the tenant saved a policy; 0 is one that was never saved.
	// SavePolicy refuses to replace any other than the one with this version.
	Version int64

	Staff    Enforcement
	Patients Enforcement // patients and their proxies

	// ApproveStaff and ApprovePatients let nobody in who took up an invitation until
	// Manager.Approve says so.
	ApproveStaff, ApprovePatients bool

	// Passkeys says what passkeys are good for, where Options.Passkeys keeps them.
	Passkeys PasskeyUse
	// Texts takes codes by text message as a second factor, where Options.Texts sends them. They are
	// a restricted authenticator (NIST SP 800-63B-4, section 3.2.9): numbers get ported and SIM cards
	// swapped. False by default; whoever has nothing but a number is asked for it nonetheless, and
	// where a second factor is required sets up another one then.
	Texts bool

	// Reproof is what Manager.Prove asks of who is signed in already.
	Reproof Reproof

	// Closed lets nobody of the tenant in, and nobody who is signed in go on.
	Closed bool
	// Network says from where; the zero value is from everywhere.
	Network Network

	// InactiveStaff and InactivePatients lock out who has not signed in for so long, until an
	// administrator unlocks them. 0 is 90 days; at least a day, at most ten years.
	InactiveStaff, InactivePatients time.Duration

	// Banner is what people acknowledge after they have proven who they are and before they
	// are signed in; the zero value asks for nothing.
	Banner Banner

	// Passwords are what new passwords must be beyond what NIST SP 800-63B-4 asks.
	Passwords PasswordRules
}

// Enforcement says whether a second factor is asked of everybody.
type Enforcement uint8

// The enforcements. The zero value is the strict one, and so is any unknown one.
const (
	Required Enforcement = iota // who has none sets one up before anything else
	Optional                    // who has one is always asked for it
)

// PasskeyUse says what a passkey is good for.
type PasskeyUse uint8

// The uses of passkeys. Any unknown one is PasskeysOff.
const (
	// PasskeysAlone has a passkey sign in without anything else, not even an identifier: it is two
	// factors, the device and what unlocks it. They are made only by who has proven a password, and
	// a second factor where they had one.
	PasskeysAlone PasskeyUse = iota
	// PasskeysSecond takes them as the second factor after a password.
	PasskeysSecond
	// PasskeysOff has nobody make one. Whoever has another second factor is not asked for theirs;
	// who has nothing else is, and where a second factor is required sets up another one then.
	PasskeysOff
)

// taken reports whether passkeys count as a second factor.
func (u PasskeyUse) taken() bool { return u == PasskeysAlone || u == PasskeysSecond }

// Reproof says what proves once more who somebody is who is signed in already.
type Reproof uint8

// The reproofs. Any unknown one is AllFactors.
const (
	// OneFactor is the password or a code of the second factor, whichever the person gives:
	// beside the session's own secret one is enough (NIST SP 800-63B-4, section 2.2.3).
	OneFactor Reproof = iota
	// AllFactors is the password, and a code as well of who has a second factor. A passkey is both.
	AllFactors
)

// Banner is a notice such as "this system is for authorised use only". The words are the host's.
type Banner struct {
	// Version names the words in force, at most 64 bytes; a new one is asked for again. ""
	// asks for nothing.
	Version string
	// Always asks at every sign-in, not only for a new version.
	Always bool
}

// PasswordRules make a tenant's new passwords longer than NIST asks, and keep its own words out
// of them. They cannot make anything weaker.
type PasswordRules struct {
	// Alone is the shortest password where a second factor is not required, WithFactor where it
	// is, both in Unicode code points. 0 is 15 and 8; at most 64.
	Alone, WithFactor int
	// Words are what a password must not lean on: the clinic's name. At most 64, each of 3 to
	// 64 bytes.
	Words []string
}

// The bounds of a policy.
const (
	maxBanner     = 64 // bytes
	maxShortest   = 64 // code points
	maxWords      = 64
	maxWord       = 64 // bytes
	minWord       = 3  // bytes
	minInactivity = 24 * time.Hour
	maxInactivity = 10 * 365 * 24 * time.Hour

	// inactiveAfter is the inactivity that locks people out where the policy names none.
	inactiveAfter = 90 * 24 * time.Hour
)

// DefaultPolicy requires a second factor of staff and leaves it to patients.
func DefaultPolicy() Policy { return Policy{Staff: Required, Patients: Optional} }

// Clone returns a copy that shares no memory with p.
func (p *Policy) Clone() Policy {
	c := *p
	c.Network.Staff, c.Network.Patients = slices.Clone(p.Network.Staff), slices.Clone(p.Network.Patients)
	c.Passwords.Words = slices.Clone(p.Passwords.Words)
	return c
}

// Validate refuses a policy that cannot be meant: network rules that Network.Validate refuses,
// an inactivity or a length out of its bounds, words that are too many, too short or too long.
// Its errors wrap ErrPolicy.
func (p *Policy) Validate() error {
	for _, rule := range []struct {
		broken bool
		what   string
	}{
		{p.Version < 0, "the version is negative"},
		{p.Staff > Optional || p.Patients > Optional, "no such enforcement"},
		{p.Reproof > AllFactors, "no such proof"},
		{p.Passkeys > PasskeysOff, "no such use of passkeys"},
		{!inactivity(p.InactiveStaff) || !inactivity(p.InactivePatients), "inactivity is a day to ten years"},
		{p.Banner.Version != printable(p.Banner.Version, maxBanner) || strings.TrimSpace(p.Banner.Version) != p.Banner.Version, "the banner's version"},
		{p.Banner.Always && p.Banner.Version == "", "a banner without a version"},
		{!shortestIn(p.Passwords.Alone, minAlone) || !shortestIn(p.Passwords.WithFactor, minWithMF), "the shortest password"},
		{len(p.Passwords.Words) > maxWords || slices.ContainsFunc(p.Passwords.Words, unusableWord), "words for passwords"},
	} {
		if rule.broken {
			return fmt.Errorf("%w: %s", ErrPolicy, rule.what)
		}
	}
	if err := p.Network.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return nil
}

func inactivity(d time.Duration) bool {
	return d == 0 || d >= minInactivity && d <= maxInactivity && d%time.Microsecond == 0
}

// shortestIn reports whether a policy may ask for n code points where NIST asks for least.
func shortestIn(n, least int) bool { return n == 0 || n >= least && n <= maxShortest }

func unusableWord(s string) bool {
	return len(s) < minWord || len(s) > maxWord || s != printable(s, maxWord) || strings.TrimSpace(s) != s
}

// Inactive reports whether somebody is locked out at now because they have not signed in for
// too long. A change that an administrator makes to the account, Unlock for instance, begins
// the time anew.
func (p *Policy) Inactive(who Person, now time.Time) bool {
	limit := p.InactiveStaff
	if patient(who.Kind) {
		limit = p.InactivePatients
	}
	last := who.Created
	for _, t := range []time.Time{who.Changed, who.SignedIn} {
		if t.After(last) {
			last = t
		}
	}
	return who.State == Active && now.Sub(last) > cmp.Or(limit, inactiveAfter)
}

// of returns what the policy asks of somebody of kind k.
func (p *Policy) of(k audit.Kind) Enforcement {
	if patient(k) {
		return p.Patients
	}
	return p.Staff
}

// approves reports whether somebody of kind k waits for approval.
func (p *Policy) approves(k audit.Kind) bool {
	if patient(k) {
		return p.ApprovePatients
	}
	return p.ApproveStaff
}

// least is the shortest password that the policy takes of somebody of kind k. A second factor
// that is only optional can be given up, so only a required one makes a shorter password enough.
func (p *Policy) least(k audit.Kind) int {
	if p.of(k) == Optional {
		return max(minAlone, p.Passwords.Alone)
	}
	return max(minWithMF, p.Passwords.WithFactor)
}

// patient reports whether the rules for patients are the ones for somebody of kind k.
func patient(k audit.Kind) bool { return k == audit.KindPatient || k == audit.KindProxy }
