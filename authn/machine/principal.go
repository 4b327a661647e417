package machine

import (
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// State is whether a principal is let in.
type State string

// The states.
const (
	Active    State = "active"
	Suspended State = "suspended" // until somebody resumes it
	Removed   State = "removed"   // for good
)

// Principal is a program that may be let in.
type Principal struct {
	Tenant  audit.Tenant
	ID      audit.ActorID // UUIDv7; what rbac grants roles to
	Version int64         // counts the writes to this row, from 1; Touch is none

	Kind       audit.Kind    // audit.KindService or audit.KindAgent
	Name       string        // what people call it; no personal data
	Owner      audit.ActorID // the person who answers for it
	OnBehalfOf audit.ActorID // whose rights bound it; empty for a service that acts for nobody
	Scopes     []audit.Action

	State     State
	Expires   time.Time // UTC, microseconds, like all times here
	Created   time.Time
	CreatedBy audit.ActorID
	Used      time.Time // last request, to the minute; zero for never
	Keys      []Key     // in order of creation
}

// Key is one API key of a principal.
type Key struct {
	ID        string // 24 hexadecimal digits, public: events and lists name it
	Hash      []byte // SHA-256 of the whole key; nil in what Get and List return
	Created   time.Time
	CreatedBy audit.ActorID
	Expires   time.Time
	Revoked   time.Time // zero: it was not
	Used      time.Time // last request, to the minute; zero for never
}

// Live reports whether k lets in at now, as far as it depends on k.
func (k Key) Live(now time.Time) bool { return k.Revoked.IsZero() && now.Before(k.Expires) }

// Live reports whether p is let in at now, as far as it depends on p itself.
func (p Principal) Live(now time.Time) bool { return p.State == Active && now.Before(p.Expires) }

// unused is how long a principal may lie idle before it is flagged.
const unused = 90 * 24 * time.Hour

// Unused reports whether nobody has used p for 90 days: somebody should remove it.
func (p Principal) Unused(now time.Time) bool {
	last := p.Used
	if last.IsZero() {
		last = p.Created
	}
	return p.State != Removed && now.Sub(last) >= unused
}

// live returns how many of p's keys let in at now.
func (p Principal) live(now time.Time) (n int) {
	for _, k := range p.Keys {
		if k.Live(now) {
			n++
		}
	}
	return n
}

// Token is an access token, made for a key and dead with it.
type Token struct {
	ID        string // 24 hexadecimal digits
	Hash      []byte // SHA-256 of the whole token
	Tenant    audit.Tenant
	Principal audit.ActorID
	Key       string         // ID of the key it was made for
	Scopes    []audit.Action // of the principal's; it never has more
	Created   time.Time
	Expires   time.Time
}

// Found is what a credential leads to.
type Found struct {
	Principal Principal // without Keys
	Key       Key       // with its Hash
	Token     *Token    // nil where the credential is the key itself
}

// clone returns a copy that shares no memory with p.
func (p Principal) clone() Principal {
	p.Scopes = slices.Clone(p.Scopes)
	p.Keys = slices.Clone(p.Keys)
	for i := range p.Keys {
		p.Keys[i].Hash = slices.Clone(p.Keys[i].Hash)
	}
	return p
}
