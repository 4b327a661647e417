package rbac

import (
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Grant gives a person a role in a tenant. It is a row with a life: ending it keeps the row
// as evidence.
type Grant struct {
	ID        string // UUIDv7, set by Authorizer.Grant where empty
	Tenant    audit.Tenant
	Person    audit.ActorID
	Role      RoleName
	Practices []PracticeID  // for permissions in scope Practice; empty reaches none of them
	From      time.Time     // in force from here on (inclusive), UTC, microseconds; zero: at once
	Until     time.Time     // and until here (exclusive); zero: no end
	By        audit.ActorID // who granted it
	Why       string        // at most 500 bytes, kept in clear: no personal data
	Created   time.Time
	Ended     time.Time     // when it was revoked; zero: it was not
	EndedBy   audit.ActorID // who revoked it
}

// InForce reports whether g counts at now.
func (g Grant) InForce(now time.Time) bool {
	return g.Ended.IsZero() && !now.Before(g.From) && (g.Until.IsZero() || now.Before(g.Until))
}

// Ending revokes one grant.
type Ending struct {
	ID string
	At time.Time
	By audit.ActorID
}

// Change is what one call of Store.Apply writes, all or nothing.
type Change struct {
	Add []Grant
	End []Ending
}
