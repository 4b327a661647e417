package authn

import (
	"crypto/fips140"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"time"
)

// Options changes a Manager's defaults. The zero value is safe.
type Options struct {
	// Policy holds for tenants that have saved none, see Manager.SavePolicy. Nil: DefaultPolicy.
	Policy *Policy

	// Admission is asked for a seat when somebody is invited, becomes active or is reinstated, and
	// told when the seat is free. Default: there is room for everybody. Inside a host's transaction
	// (Manager.With) the host asks for the seat itself, and Deliver settles it after the commit.
	Admission Admission
	// Also is what ends with the sessions of who is suspended or removed: API tokens, devices.
	Also []Ender

	// Passkeys are people's passkeys, to sign in with alone or as the second factor, as the policy
	// says. Default: there are none.
	Passkeys Passkeys
	// Texts sends codes by text message, a restricted authenticator that only Policy.Texts has
	// anybody use. Default: there are none.
	Texts Texts

	// Throttle slows down consecutive failures per person and family. Default: 4 free
	// tries, 1 second after the fifth failure, doubling to 15 minutes, disabled at 100. Of
	// these a fifth is kept for browsers that are known for the person, see Client.Known.
	Throttle Limits
	// AddressTries is how many tries one network address (IPv6: one /64) has per
	// AddressWindow, successful ones included: a whole clinic may sit behind one address. A
	// person's known browsers have as many together, and draw on the address's beyond them.
	// Default 300 in 10 minutes.
	AddressTries  int
	AddressWindow time.Duration
	// TenantTries is how many tries a whole tenant has per AddressWindow, so that guesses spread
	// over many addresses and people find an end too. Known browsers do not count. Default 3000.
	TenantTries int
	// Windows counts the tries of addresses, tenants and reset links; authnredis.Windows is one
	// for many servers. Default: Parts.Store.
	Windows Windows
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
	// Hashers is how many passwords are hashed at once. Default max(1, GOMAXPROCS/2). Each Argon2id
	// hash leaves 19 MiB of garbage: where little else is on the heap the collector runs once per
	// hash, and with GOGC=400 once in four.
	Hashers int
	// Queue is how many more may wait before ErrBusy. A quarter of it is kept for known browsers and
	// for who sets a new password, so that a flood of strangers keeps neither out. Default 32 per
	// hasher.
	Queue int
	// InsecureArgon2 replaces the Argon2id parameters; for tests only.
	InsecureArgon2 *Argon2

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of deliveries that fail. Default: nobody.
	Logger *slog.Logger
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
	if full.Policy == nil {
		p := DefaultPolicy()
		full.Policy = &p
	}
	own := full.Policy.Clone()
	own.Version = min(own.Version, 0) // none is saved
	full.Policy = &own
	full.Throttle = full.Throttle.withDefaults()
	set(&full.AddressTries, 300)
	set(&full.TenantTries, 3000)
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
		{!slices.Contains(o.Also, nil), "Also: nil"},
		{o.Policy.Validate() == nil, "Policy: not valid"},
		{o.Throttle.valid(), "Throttle: needs 0 to 10 free tries, delays from 1 second on, and 1 to 100 failures at most (NIST SP 800-63B-4, 3.2.2)"},
		{o.AddressTries > 0 && o.TenantTries > 0 && o.AddressWindow > 0, "AddressTries, TenantTries, AddressWindow: must be positive"},
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
