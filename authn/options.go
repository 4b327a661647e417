package authn

import (
	"cmp"
	"context"
	"crypto/fips140"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Options changes a Manager's defaults. The zero value is safe.
type Options struct {
	// Policy returns the tenant's policy, asked anew at every step. Nil: DefaultPolicy.
	Policy func(ctx context.Context, t audit.Tenant) (Policy, error)

	// Throttle slows down consecutive failures per person and family. Default: 4 free
	// tries, 1 second after the fifth failure, doubling to 15 minutes, disabled at 100.
	Throttle Limits
	// AddressTries is how many tries one network address (IPv6: one /64) has per
	// AddressWindow, successful ones included: a whole clinic may sit behind one address.
	// Default 300 in 10 minutes.
	AddressTries  int
	AddressWindow time.Duration
	// ResetTries is how many reset links one person may ask for per hour. Default 3.
	ResetTries int

	// TicketLife is how long a step waits for its answer. Default 10 minutes, at most 1 hour.
	TicketLife time.Duration
	// TicketTries is how many wrong codes end a sign-in. Default 5.
	TicketTries int
	// SetUpLife, InvitationLife and ResetLife are the links' lifetimes. Defaults 24 hours,
	// 7 days, 1 hour; at most 24 hours, 30 days, 24 hours.
	SetUpLife, InvitationLife, ResetLife time.Duration
	// LinkPath is the path between BaseURL and the token. Default "/link/".
	LinkPath string

	// Context are words that a password must not lean on: the product's, the clinic's.
	Context []string
	// Blocklist are further common passwords, beside the built-in ones.
	Blocklist []string

	// Breaches knows stolen passwords, and new ones are compared with it. Default: only the
	// lists above are compared with. Where it does not answer, no new password is taken.
	Breaches Breaches
	// InsecureBreachesOptional takes new passwords unseen while Breaches does not answer.
	InsecureBreachesOptional bool

	// PBKDF2 hashes new passwords with PBKDF2-HMAC-SHA-256, 600,000 iterations, in place of
	// Argon2id, which no FIPS 140-3 module has. Stored Argon2id hashes go on being accepted and
	// are renewed at the next sign-in; under GODEBUG=fips140=only they are not, and their
	// owners ask for a new password. That mode requires PBKDF2 and no Breaches.
	PBKDF2 bool
	// Peppers are keys for passwords, kept apart from the database. New hashes use the first,
	// stored ones the one they name; a hash with another than the first is renewed at the next
	// sign-in. Default: none.
	Peppers []Pepper
	// Hashers is how many passwords are hashed at once. Default max(1, GOMAXPROCS/2).
	Hashers int
	// Queue is how many more may wait before ErrBusy. Default 32 per hasher.
	Queue int
	// InsecureArgon2 replaces the Argon2id parameters; for tests only.
	InsecureArgon2 *Argon2

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of deliveries that fail. Default: nobody.
	Logger *slog.Logger
}

// Enforcement says whether a second factor is asked of everybody.
type Enforcement uint8

// The enforcements. The zero value is the strict one, and so is any unknown one.
const (
	Required Enforcement = iota // who has none sets one up before anything else
	Optional                    // who has one is always asked for it
)

// Policy is what a tenant asks of sign-ins. Nobody is exempt from it: there is no field for
// that.
type Policy struct {
	Staff    Enforcement
	Patients Enforcement // patients and their proxies

	// Closed lets nobody of the tenant in, and nobody who is signed in go on.
	Closed bool
	// Network says from where; the zero value is from everywhere.
	Network Network

	// InactiveStaff and InactivePatients lock out who has not signed in for so long, until an
	// administrator unlocks them. 0 is 90 days; at least a day.
	InactiveStaff, InactivePatients time.Duration

	// Banner is what people acknowledge after they have proven who they are and before they
	// are signed in; the zero value asks for nothing.
	Banner Banner
}

// Banner is a notice such as "this system is for authorised use only". The words are the host's.
type Banner struct {
	// Version names the words in force, at most 64 bytes; a new one is asked for again. ""
	// asks for nothing.
	Version string
	// Always asks at every sign-in, not only for a new version.
	Always bool
}

// maxVersion is how long a banner's version can be, in bytes.
const maxVersion = 64

// inactiveAfter is the inactivity that locks people out where the policy names none.
const inactiveAfter = 90 * 24 * time.Hour

// Validate refuses a policy that cannot be meant: network rules that Network.Validate refuses,
// an inactivity below a day, a version that is too long.
func (p Policy) Validate() error {
	switch {
	case p.InactiveStaff != 0 && p.InactiveStaff < 24*time.Hour, p.InactivePatients != 0 && p.InactivePatients < 24*time.Hour:
		return errors.New("authn: Policy: inactivity is at least a day")
	case len(p.Banner.Version) > maxVersion:
		return errors.New("authn: Policy: the banner's version is too long")
	}
	return p.Network.Validate()
}

// Inactive reports whether somebody is locked out at now because they have not signed in for
// too long. A change that an administrator makes to the account, Unlock for instance, begins
// the time anew.
func (p Policy) Inactive(who Person, now time.Time) bool {
	limit := p.InactiveStaff
	if who.Kind == audit.KindPatient || who.Kind == audit.KindProxy {
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

// DefaultPolicy requires a second factor of staff and leaves it to patients.
func DefaultPolicy() Policy { return Policy{Staff: Required, Patients: Optional} }

// of returns what the policy asks of somebody of kind k.
func (p Policy) of(k audit.Kind) Enforcement {
	switch k {
	case audit.KindPatient, audit.KindProxy:
		return p.Patients
	}
	return p.Staff
}

func (m *Manager) policy(ctx context.Context, t audit.Tenant) (Policy, error) {
	if m.o.Policy == nil {
		return DefaultPolicy(), nil
	}
	p, err := m.o.Policy(ctx, t)
	if err != nil {
		return Policy{}, unavailable("reading the policy", err)
	}
	if err := p.Validate(); err != nil {
		return Policy{}, unavailable("reading the policy", err)
	}
	return p, nil
}

// hashing returns how new hashes are made.
func (o Options) hashing() scheme {
	switch {
	case o.PBKDF2:
		return scheme{iterations: pbkdf2Iterations}
	case o.InsecureArgon2 != nil:
		return scheme{argon: *o.InsecureArgon2}
	}
	return scheme{argon: DefaultArgon2()}
}

// withDefaults fills in what is zero and refuses what is out of range.
func (o *Options) withDefaults() (Options, error) {
	var full Options
	if o != nil {
		full = *o
	}
	full.Throttle = full.Throttle.withDefaults()
	set(&full.AddressTries, 300)
	set(&full.AddressWindow, 10*time.Minute)
	set(&full.ResetTries, 3)
	set(&full.TicketLife, 10*time.Minute)
	set(&full.TicketTries, 5)
	set(&full.SetUpLife, 24*time.Hour)
	set(&full.InvitationLife, 7*24*time.Hour)
	set(&full.ResetLife, time.Hour)
	set(&full.LinkPath, "/link/")
	set(&full.Hashers, max(1, runtime.GOMAXPROCS(0)/2))
	set(&full.Queue, 32*full.Hashers)
	if full.Now == nil {
		full.Now = time.Now
	}
	if full.Logger == nil {
		full.Logger = slog.New(slog.DiscardHandler)
	}
	return full, full.check()
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (l Limits) withDefaults() Limits {
	if l == (Limits{}) {
		return Limits{Free: 4, Base: time.Second, Max: 15 * time.Minute, Disable: 100}
	}
	return l
}

// check refuses what would weaken what the defaults promise.
func (o Options) check() error {
	for _, rule := range []struct {
		ok   bool
		what string
	}{
		{o.Throttle.valid(), "Throttle: needs 0 to 10 free tries, delays from 1 second on, and 1 to 100 failures at most (NIST SP 800-63B-4, 3.2.2)"},
		{o.AddressTries > 0 && o.AddressWindow > 0, "AddressTries, AddressWindow: must be positive"},
		{o.ResetTries > 0, "ResetTries: must be positive"},
		{within(o.TicketLife, time.Hour), "TicketLife: must be positive, 1 hour at most"},
		{o.TicketTries > 0 && o.TicketTries <= 10, "TicketTries: must be 1 to 10"},
		{within(o.SetUpLife, 24*time.Hour), "SetUpLife: must be positive, 24 hours at most"},
		{within(o.InvitationLife, 30*24*time.Hour), "InvitationLife: must be positive, 30 days at most"},
		{within(o.ResetLife, 24*time.Hour), "ResetLife: must be positive, 24 hours at most"},
		{o.Hashers > 0 && o.Queue > 0, "Hashers, Queue: must be positive"},
		{o.hashing().valid(), "InsecureArgon2: out of range"},
		{o.PBKDF2 || !fips140.Enforced(), "PBKDF2: required in FIPS 140-only mode"},
		{o.Breaches == nil || !fips140.Enforced(), "Breaches: asks by SHA-1, which FIPS 140-only mode does not allow"},
		{distinct(o.Peppers), "Peppers: each needs an id of its own"},
	} {
		if !rule.ok {
			return errors.New("authn: Options." + rule.what)
		}
	}
	return nil
}

// distinct reports whether all peppers were made by NewPepper, each with another id.
func distinct(all []Pepper) bool {
	ids := map[string]bool{"": true}
	for _, p := range all {
		if ids[p.id] {
			return false
		}
		ids[p.id] = true
	}
	return true
}

func (l Limits) valid() bool {
	return l.Free >= 0 && l.Free <= 10 && l.Base >= time.Second && l.Max >= l.Base && l.Disable >= 1 && l.Disable <= 100
}

func within(d, limit time.Duration) bool { return d > 0 && d <= limit }
