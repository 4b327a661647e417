package authn

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// State is where a person stands. Stores keep it as text, so a later release can add more.
type State string

// The states. Only an active person gets a session.
const (
	Invited   State = "invited"   // may open their link, nothing else
	Waiting   State = "waiting"   // has set up the account, waits for Manager.Approve
	Active    State = "active"    // may sign in
	Suspended State = "suspended" // locked out until reinstated
	Removed   State = "removed"   // gone for good; the identifier is free again and not kept
)

// Person is one account: somebody of one tenant who signs in. Somebody in two tenants is
// two persons. The row holds no name, and the identifier only sealed.
type Person struct {
	Tenant audit.Tenant
	ID     audit.ActorID
	Kind   audit.Kind // staff, patient or proxy
	State  State
	// Version grows by one with every change that may end a right to be signed in.
	Version int64

	Term   []byte     // blind-index term of the identifier, unique in the tenant; nil if none
	Sealed phi.Sealed // the identifier; nil if none

	Created  time.Time
	Changed  time.Time // when Version last grew
	SignedIn time.Time // when a session was last handed out, zero if never
	Banner   string    // the version of the banner last acknowledged, "" if none
}

// Family is a sort of authenticator. Consecutive failures are counted per person and
// family, whatever identifier and way in was used.
type Family string

// The families.
const (
	FamilyPassword Family = "password"
	FamilySecond   Family = "second" // every second factor of the person together
)

// Stores know two further families, FamilyPassword.Known() and FamilySecond.Known(), whose rows
// hold failures and nothing else.

// Credential is an authenticator's row: what is stored of it and its consecutive failures.
type Credential struct {
	Hash      string    `json:"-"` // PHC string of the password; "" if none is set or the family has none
	Due       bool      // a new password has to be set before the next session
	Changed   time.Time // when the hash was set
	Used      time.Time // last success
	Failures  int       // consecutive failures
	NotBefore time.Time // no try before
}

// Format writes whether a hash is set and how many failures there are, for every verb.
func (c Credential) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "[credential set=%t failures=%d]", c.Hash != "", c.Failures)
}

// LogValue leaves the hash out.
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("set", c.Hash != ""), slog.Int("failures", c.Failures))
}

// Account is a person with both credential rows.
type Account struct {
	Person   Person
	Password Credential
	Second   Credential
}

// Client is where a request came from, as the host's session layer determined it.
type Client struct {
	Addr   netip.Addr // behind trusted proxies only, never raw X-Forwarded-For
	Device string     // short label such as "Firefox on Windows", never a fingerprint
	Known  string     // what KnownFrom returns: tries from a known browser are counted apart
}

// Newcomer is somebody to be let in.
type Newcomer struct {
	ID         audit.ActorID // the host's id; a random one is made where empty
	Kind       audit.Kind    // KindStaff where empty; staff, patient and proxy can sign in
	Identifier string        // what the person types to sign in, usually an e-mail address
	Role       string        // what Options.Admission is to seat them as; not kept here
}
