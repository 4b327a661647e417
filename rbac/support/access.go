package support

import (
	"net/url"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// State is where an access stands. States are stored and never change their meaning.
type State string

// The states. Requested and Approved are open, all others are final.
const (
	Requested State = "requested"
	Approved  State = "approved"  // by the tenant; the operator may come in until Until
	Refused   State = "refused"   // by the tenant
	Withdrawn State = "withdrawn" // by the operator, before an answer
	Lapsed    State = "lapsed"    // nobody answered in time
	Ended     State = "ended"     // before its time; Closing says how
	Expired   State = "expired"   // by its time
)

// States returns all of them.
func States() []State {
	return []State{Requested, Approved, Refused, Withdrawn, Lapsed, Ended, Expired}
}

// Open reports whether something may still come of it.
func (s State) Open() bool { return s == Requested || s == Approved }

// Closing says how an access was ended before its time.
type Closing string

// How accesses end. Others than Ended have none.
const (
	ByTenant     Closing = "by_tenant"     // somebody of the tenant ended it
	ByOperator   Closing = "by_operator"   // the operator did
	OperatorGone Closing = "operator_gone" // the platform does not let the operator any more
	NotGranted   Closing = "not_granted"   // the grant could not be made after the approval, or is gone
	RoleChanged  Closing = "role_changed"  // the policy has made the role more than a support role
)

// Account is a person of a tenant.
type Account struct {
	Tenant audit.Tenant  `json:"tenant"`
	ID     audit.ActorID `json:"id"`
}

// Access is one access of an operator to a tenant, from the request on. Times are UTC, microseconds.
type Access struct {
	Tenant    audit.Tenant      `json:"tenant"`
	ID        string            `json:"id"` // UUIDv7; its grant has the same
	Version   int64             `json:"-"`
	State     State             `json:"state"`
	Operator  Account           `json:"operator"` // in the platform's tenant
	Role      rbac.RoleName     `json:"role"`
	Practices []rbac.PracticeID `json:"practices,omitempty"`
	Locations []rbac.LocationID `json:"locations,omitempty"`
	Queues    []rbac.QueueID    `json:"queues,omitempty"`
	Length    time.Duration     `json:"length"` // asked for, and from the approval on approved
	Code      string            `json:"code"`   // the reason as a code
	Text      string            `json:"text"`   // the reason in words
	Ticket    string            `json:"ticket,omitempty"`
	Requested time.Time         `json:"requested"`
	Lapses    time.Time         `json:"lapses"` // if nobody answers before

	Approver audit.ActorID `json:"approver,omitempty"` // of the tenant
	Approved time.Time     `json:"approved,omitzero"`
	Until    time.Time     `json:"until,omitzero"`   // exclusive
	Entered  time.Time     `json:"entered,omitzero"` // the operator came in for the first time
	Closed   time.Time     `json:"closed,omitzero"`
	Closer   audit.ActorID `json:"closer,omitempty"` // who closed it, as the tenant's log names them; a visitor's id is the operator's
	Closing  Closing       `json:"closing,omitempty"`
	Words    string        `json:"words,omitempty"` // what whoever answered or closed said
}

// Inside reports whether the operator has come in and may be in at now.
func (a *Access) Inside(now time.Time) bool {
	return a.State == Approved && !a.Entered.IsZero() && now.Before(a.Until)
}

// Visitor is the id under which the operator acts in the tenant: Person of Operator.
func (a *Access) Visitor() audit.ActorID { return Person(a.Operator) }

// Person is the id under which an operator acts in any tenant but the platform's: two operators never have
// the same, and no person of a tenant has one. Of an access it is Access.Visitor; pages and queries of the log look
// operators up by it.
func Person(operator Account) audit.ActorID {
	return audit.ActorID(rbac.VisitorPrefix + url.PathEscape(string(operator.Tenant)) + "/" + url.PathEscape(string(operator.ID)))
}

// who is a person as a row keeps them, for events that are still to be recorded.
type who struct {
	ID           audit.ActorID   `json:"id,omitempty"`
	Kind         audit.Kind      `json:"kind"`
	Tenant       audit.Tenant    `json:"tenant"`
	Organization string          `json:"organization,omitempty"`
	Session      string          `json:"session,omitempty"`
	AuthTime     time.Time       `json:"auth_time,omitzero"`
	Methods      []string        `json:"methods,omitempty"`
	Assurance    audit.Assurance `json:"assurance,omitempty"`
}

func whoIs(a audit.Actor) who {
	return who{a.ID, a.Kind, a.Tenant, a.Organization, a.Session, a.AuthTime, a.Methods, a.Assurance}
}

func (w who) actor() audit.Actor {
	return audit.Actor{
		ID: w.ID, Kind: w.Kind, Tenant: w.Tenant, Organization: w.Organization,
		Session: w.Session, AuthTime: w.AuthTime, Methods: slices.Clone(w.Methods), Assurance: w.Assurance,
	}
}

// record is an access with what this package keeps beside it.
type record struct {
	Access
	Session string    `json:"session,omitempty"` // of the platform, in which the operator came in last
	Told    []string  `json:"told,omitempty"`    // notices that were handed over
	Events  [2]string `json:"events"`            // ids of the events of the closing: the tenant's, the platform's
	By      who       `json:"by"`                // who closed it
	Settled bool      `json:"settled"`           // the closing is recorded and its grant is gone
}

func (r record) clone() record {
	r.Practices, r.Locations, r.Queues = slices.Clone(r.Practices), slices.Clone(r.Locations), slices.Clone(r.Queues)
	r.Told, r.By.Methods = slices.Clone(r.Told), slices.Clone(r.By.Methods)
	return r
}

// active reports whether Run has to look at it.
func (r *record) active() bool {
	return r.State.Open() || !r.Settled || len(r.untold(r.Closed)) > 0
}
