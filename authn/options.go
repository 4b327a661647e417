package authn

import (
	"context"
	"log/slog"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Options changes a Manager's defaults. The zero value is safe.
type Options struct {
	// Policy returns the tenant's policy, asked anew at every step; nil: DefaultPolicy.
	Policy func(ctx context.Context, t audit.Tenant) (Policy, error)

	// Throttle slows down consecutive failures per person and family. Default: 4 free
	// tries, 1 second after the fifth failure, doubling to 15 minutes, disabled at 100.
	Throttle Limits
	// AddressTries is how many tries one network address (IPv6: one /64) has per
	// AddressWindow, successful ones included. Default 300 in 10 minutes.
	AddressTries  int
	AddressWindow time.Duration
	// ResetTries is how many reset links one person may ask for per hour. Default 3.
	ResetTries int

	// TicketLife is how long a step waits for its answer. Default 10 minutes, at most 1 hour.
	TicketLife time.Duration
	// TicketTries is how many wrong codes one sign-in survives. Default 5.
	TicketTries int
	// SetUpLife, InvitationLife and ResetLife are the links' lifetimes. Defaults 24 hours,
	// 7 days, 1 hour.
	SetUpLife, InvitationLife, ResetLife time.Duration
	// LinkPath is the path in front of the token, below BaseURL. Default "/link/".
	LinkPath string

	// Context are words that a password must not lean on: the product's, the clinic's.
	Context []string
	// Blocklist are further common passwords, beside the built-in ones.
	Blocklist []string

	// Hashers is how many passwords are hashed at once. Default max(1, GOMAXPROCS/2).
	Hashers int
	// Queue is how many more may wait before ErrBusy. Default 32 per hasher.
	Queue int
	// InsecureArgon2 replaces the Argon2id parameters; for tests only.
	InsecureArgon2 *Argon2

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of deliveries that fail. Default: none.
	Logger *slog.Logger
}

// Argon2 are the parameters of Argon2id (RFC 9106, section 3.1).
type Argon2 struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8  // lanes
}

// Enforcement says whether a second factor is asked of everybody.
type Enforcement uint8

// The enforcements. The zero value is the strict one.
const (
	Required Enforcement = iota // who has none sets one up before anything else
	Optional                    // who has one is always asked for it
)

// Policy is what a tenant asks of sign-ins. Nobody is exempt from it.
type Policy struct {
	Staff    Enforcement
	Patients Enforcement // patients and their proxies
}

// DefaultPolicy requires a second factor of staff and leaves it to patients.
func DefaultPolicy() Policy { return Policy{Staff: Required, Patients: Optional} }
