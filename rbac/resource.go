package rbac

import "github.com/wardkit/wardkit/audit"

// PracticeID names a practice: a scope inside a tenant. A billing company is one tenant with
// several practices; a clinic of one practice needs none.
type PracticeID string

// Resource is what an action is done to. The host's own types implement it.
type Resource interface {
	// RBAC returns where the resource belongs. It is called once per decision and returns
	// the attributes of the row as stored, never of what a client sent.
	RBAC() Attrs
}

// Attrs says where a resource belongs. Write it with field names: fields are added.
// An empty field never matches a scope, nor the Not of one.
type Attrs struct {
	ID       string        // the host's opaque id; may be empty for what is about to be created
	Tenant   audit.Tenant  // required: a resource of no tenant is denied to everybody
	Practice PracticeID    // the practice it belongs to
	Location LocationID    // the site it belongs to
	Queue    QueueID       // the inbox, task list or step of a workflow in which it is now
	Patient  audit.Patient // whom it is about
	Owner    audit.ActorID // whose it is: the person of an account, of a session, of a schedule
	Author   audit.ActorID // who wrote it
	// Labels are what makes it more than ordinarily sensitive. None is a meaning of its own, so a
	// load that forgets to read them opens what a Forbid closes; FilterAgreesWithCheck finds it.
	Labels Labels
}

// Columns names the columns of the host's table that hold the same attributes, so that one
// rule can be read as a check and as a WHERE clause. An empty name says that this type has no
// such attribute: scopes that need it cannot be granted (Compile refuses), and Check ignores
// what Attrs says there, but for Labels, which always count. Names are SQL identifiers without
// quotes. Ids are text columns that compare byte by byte; Labels is an integer of 64 bits, and
// Unlabelled where the table has none: Compile refuses a Forbid for a type that does not say which.
type Columns struct {
	ID       string // required
	Tenant   string // required
	Practice string
	Location string
	Queue    string
	Patient  string
	Owner    string
	Author   string
	Labels   string
}

// Unlabelled, as Columns.Labels, says that the rows of a table never carry labels.
const Unlabelled = "-"

// labelled returns the column of labels, "" if there is none.
func (c *Columns) labelled() string {
	if c.Labels == Unlabelled {
		return ""
	}
	return c.Labels
}

// names returns every column, empty ones included.
func (c Columns) names() []string {
	return []string{c.ID, c.Tenant, c.Practice, c.Location, c.Queue, c.Patient, c.Owner, c.Author, c.Labels}
}

// InTenant is the resource of an action that has no row: opening the team page, changing
// the settings. Define such actions with the zero Columns and grant them in scope Tenant.
type InTenant struct{ Tenant audit.Tenant }

// RBAC returns the tenant and nothing else.
func (t InTenant) RBAC() Attrs { return Attrs{Tenant: t.Tenant} }
