package rbac

import (
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// LocationID names a location: a site of a practice.
type LocationID string

// QueueID names a queue or workflow: an inbox, a list of tasks, a step of a process.
type QueueID string

// Source says where a grant comes from: lower-case letters, digits and underscores.
type Source string

// Common sources. A host adds its own.
const (
	SourceDirect Source = "direct" // somebody gave it on a page; the default for people
	SourceSetUp  Source = "set_up" // audit.System gave it; the default for the system
	SourceInvite Source = "invite" // with an invitation, which reserves the seat
	SourceIdP    Source = "idp"    // mapped from an attribute of the identity provider
)

// Grant gives a person a role in a tenant. It is a row with a life: ending it keeps the row
// as evidence.
type Grant struct {
	ID        string // UUIDv7, set by Authorizer.Grant where empty
	Tenant    audit.Tenant
	Person    audit.ActorID
	Role      RoleName
	Practices []PracticeID  // required of roles with permissions in scope Practice, refused of others
	Locations []LocationID  // the same by location
	Queues    []QueueID     // the same by queue
	From      time.Time     // in force from here on (inclusive), UTC, microseconds; zero: at once
	Until     time.Time     // and until here (exclusive); zero: no end
	By        audit.ActorID // who granted it
	Why       string        // a code, "new_hire": lower-case letters, digits and underscores; see WithReason for words
	Source    Source        // where it comes from
	Created   time.Time
	Ended     time.Time     // when it was revoked; zero: it was not
	EndedBy   audit.ActorID // who revoked it
}

// InForce reports whether g counts at now.
func (g Grant) InForce(now time.Time) bool {
	return g.Live(now) && !now.Before(g.From)
}

// Live reports whether g counts at now or will later: it was not revoked and is not over.
func (g Grant) Live(now time.Time) bool {
	return g.Ended.IsZero() && (g.Until.IsZero() || now.Before(g.Until))
}

// overlaps reports whether there is a time at which both are in force.
func (g Grant) overlaps(h Grant) bool {
	return (h.Until.IsZero() || g.From.Before(h.Until)) && (g.Until.IsZero() || h.From.Before(g.Until))
}

// clone returns g with lists of its own.
func (g Grant) clone() Grant {
	g.Practices, g.Locations, g.Queues = slices.Clone(g.Practices), slices.Clone(g.Locations), slices.Clone(g.Queues)
	return g
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
