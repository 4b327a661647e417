package authn

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Store is everything a Manager keeps. Memory and authnsql.Store implement it;
// authntest.TestStore proves somebody else's.
//
// Every method may be called at once from many goroutines and processes. A method whose
// context ends half-way has taken effect wholly or not at all. Stores read no clock.
type Store interface {
	People
	Policies
	Credentials
	Devices
	Tickets
	Windows
	Outbox
}

// People keeps persons, their links and the outbox rows of their changes.
type People interface {
	// Account returns the person with both credential rows, zero ones where there are none.
	// Nobody there: ErrNotFound.
	Account(ctx context.Context, t audit.Tenant, id audit.ActorID) (Account, error)

	// Find is Account by blind-index term. Removed people are not found.
	Find(ctx context.Context, t audit.Tenant, term []byte) (Account, error)

	// People yields the tenant's persons in order of ID, those after the given ID; "" starts
	// at the beginning. Breaking off the loop is allowed; an error is the last thing yielded.
	People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Person, error]

	// Link returns the link with this hash, live or not. None: ErrLinkUnknown.
	Link(ctx context.Context, hash []byte) (Link, error)

	// Apply makes one change, all of it or nothing. See Change for its conditions and
	// errors. Of two changes that expect the same version, one succeeds. A term and a sealed
	// identifier that are nil take the ones there away.
	Apply(ctx context.Context, c Change) error
}

// Policies keeps what each tenant asks of sign-ins.
type Policies interface {
	// GetPolicy returns the policy that t saved last, with its Version; nobody writes to it. Not
	// there: ErrNotFound. What cannot be read: an error, never a weaker policy.
	GetPolicy(ctx context.Context, t audit.Tenant) (*Policy, error)

	// SavePolicy replaces the policy of t if and only if the saved one has the version
	// p.Version-1, where 0 means none; otherwise nothing changes and the error is ErrConflict.
	// Of several at once exactly one succeeds. Once it has returned nil, every GetPolicy of
	// every process that begins afterwards returns p.
	SavePolicy(ctx context.Context, t audit.Tenant, p Policy) error
}

// Change is one lifecycle change of one person.
type Change struct {
	// Person is the row as it shall be; SignedIn and Banner are not written. A person with an empty
	// Kind is nobody: only Links and Messages are written. It serves an unknown identifier
	// with the same work as a known one.
	Person Person
	// Expect is the version that the row must have, 0 for a row that must not exist.
	// Another version: ErrConflict. The ID or, among people not removed, the term exists
	// already: ErrExists.
	Expect int64

	// Password replaces the password's row, failures included, and those of known browsers start
	// from zero; nil leaves both.
	Password *Credential
	// Second has the second factor's failures start from zero, those of known browsers too.
	Second bool

	Forget bool // every browser that is known for the person is forgotten

	Consume []byte // hash of a link of this person that has to be live at Now
	Void    bool   // every other live link of the person counts as used from Now
	Links   []Link // links to add

	Messages []audit.Message // outbox rows to add
	Due      time.Time       // when Claim may first return the messages
	Now      time.Time
}

// A change whose condition fails changes nothing. Consuming a link answers ErrLinkUnknown,
// ErrLinkUsed or ErrLinkExpired, in this order; a link of another person is unknown. Of many
// changes that consume the same link, one succeeds. Links are consumed and voided before
// new ones are added. Applying the same change again answers ErrConflict or ErrExists.

// Limits is how consecutive failures of one authenticator are slowed down and stopped.
type Limits struct {
	Free    int           // failures without any delay
	Base    time.Duration // delay after failure Free+1; each further failure doubles it
	Max     time.Duration // longest delay
	Disable int           // this many failures disable the authenticator, at most 100
}

// Delay returns how long no try is allowed after the n-th consecutive failure.
func (l Limits) Delay(n int) time.Duration {
	if n <= l.Free {
		return 0
	}
	d := l.Base
	for i := l.Free + 1; i < n && d < l.Max; i++ {
		d *= 2
	}
	return min(d, l.Max)
}

// Credentials keeps what changes with every try, in the credential rows.
type Credentials interface {
	// Credential returns the row, a zero one where there is none; also for a subject that is
	// no person.
	Credential(ctx context.Context, t audit.Tenant, subject audit.ActorID, f Family) (Credential, error)

	// Charge counts one try before it is made, as if it had failed, unless now is before
	// NotBefore or Failures has reached l.Disable. It returns the row after that and whether
	// the try is allowed; a refused one changes nothing. The row is made where there is
	// none, also for a subject that is no person. Tries at once are charged one after the
	// other.
	Charge(ctx context.Context, t audit.Tenant, subject audit.ActorID, f Family, l Limits, now time.Time) (c Credential, allowed bool, err error)

	// Clear resets the failures after a success and notes it as Used. No row: no error.
	Clear(ctx context.Context, t audit.Tenant, subject audit.ActorID, f Family, now time.Time) error

	// Rehash replaces the password's hash where it still is old; otherwise it changes
	// nothing. Both are no error.
	Rehash(ctx context.Context, t audit.Tenant, person audit.ActorID, old, new string) error

	// SignedIn notes when a session was handed out, and the version of the banner that was
	// acknowledged for it, "" if none was: the one noted before stays. An earlier time than
	// the one there, and nobody there, change nothing.
	SignedIn(ctx context.Context, t audit.Tenant, person audit.ActorID, banner string, now time.Time) error
}

// Remember is how long a store remembers dead links, so that it can say that they are, and
// the failures of identifiers that nobody has.
const Remember = 30 * 24 * time.Hour

// Ticket is the state of a sign-in between two steps.
type Ticket struct {
	Hash    []byte // SHA-256 of the token in the browser's cookie
	Tenant  audit.Tenant
	Person  audit.ActorID // "" until a passkey says who it is
	State   phi.Sealed    // what was proven and what is asked next
	Expires time.Time
}

// Tickets keeps sign-ins in progress. Everything here expires by nature.
type Tickets interface {
	// PutTicket adds a ticket. Its hash exists already: ErrExists.
	PutTicket(ctx context.Context, tk Ticket) error

	// Ticket returns a live ticket without using it. None, or expired: ErrTicket.
	Ticket(ctx context.Context, hash []byte, now time.Time) (Ticket, error)

	// TakeTicket returns a live ticket and removes it; of many callers at once, one gets it.
	// None, or expired: ErrTicket.
	TakeTicket(ctx context.Context, hash []byte, now time.Time) (Ticket, error)

	// Sweep forgets what no longer means anything at now, and nothing else: expired tickets,
	// ended windows, links that expired Remember ago, rows of subjects that are no person and
	// were not charged for as long, browsers that nobody signed in with for KnownFor.
	Sweep(ctx context.Context, now time.Time) error
}

// Devices keeps the browsers that are known for people, see Device.
type Devices interface {
	// PutDevice adds a browser of a person whose row has this version, and keeps of the person's
	// only this one and those seen last, keep in all. Another version, or nobody there:
	// ErrConflict. The ID, or the hash, exists already in the tenant: ErrExists. Neither changes
	// anything. Of several at once each is judged by what those before it left, and one that a
	// change of the person overtakes is not added.
	PutDevice(ctx context.Context, d Device, version int64, keep int) error

	// Device returns the browser with this hash. None in the tenant: ErrNotFound.
	Device(ctx context.Context, t audit.Tenant, hash []byte) (Device, error)

	// SeeDevice notes when somebody signed in with a browser, and its label. An earlier time than
	// the one there changes nothing. Not there: ErrNotFound.
	SeeDevice(ctx context.Context, t audit.Tenant, id, label string, now time.Time) error

	// Devices returns the person's browsers, the one seen last first; of two seen at once the one
	// with the greater ID. None is no error.
	Devices(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]Device, error)

	// ForgetDevices removes the person's browser with this ID, all of them for "". Not there, or
	// somebody else's: no error, and nothing changes. Once it has returned nil, every Device of
	// every process that begins afterwards answers ErrNotFound.
	ForgetDevices(ctx context.Context, t audit.Tenant, person audit.ActorID, id string) error
}

// Windows counts tries per key in fixed windows of time: rate limits per network address
// and per identifier. Everything here expires by nature.
type Windows interface {
	// Hit adds one to the key's count in the window that is open at now and opens one of
	// the given length where none is. It returns the count with this hit and when the
	// window ends. Hits at once are counted one by one.
	Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (count int, ends time.Time, err error)
}

// Outbox keeps messages until they are delivered. Apply adds them.
type Outbox interface {
	// Claim returns up to n messages that are due at now, oldest first, and makes them due
	// again at until, so that another server does not deliver them meanwhile.
	Claim(ctx context.Context, now, until time.Time, n int) ([]audit.Message, error)

	// Delivered removes a message. Gone already: no error.
	Delivered(ctx context.Context, t audit.Tenant, id string) error

	// Failed counts a failed delivery and makes the message due again at next. Gone
	// already: no error.
	Failed(ctx context.Context, t audit.Tenant, id string, next time.Time) error

	// Oldest returns when the oldest message was created, zero if there is none.
	Oldest(ctx context.Context) (time.Time, error)
}
