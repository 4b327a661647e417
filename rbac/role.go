package rbac

import (
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// RoleName is the stable id of a role: lower-case letters, digits and underscores. It is
// stored in grants and in audit logs and never changes its meaning.
type RoleName string

// Role is a set of permissions under a name.
type Role struct {
	Name  RoleName
	Label string     // what people call it: "Clinic Admin"
	Rank  int        // who holds several roles is shown under the highest; unique
	Seat  bool       // who holds it counts to the seat limit
	Kind  audit.Kind // which kind of actor may use it; empty means audit.KindStaff
	Allow []Allow
	Sight map[phi.Class]phi.Level // how much of each class its holder sees; a missing class is hidden
}

// Allow is a group of permissions in one scope. In makes it.
type Allow struct {
	scope   Scope
	actions []AnyAction
	choice  choiceKind
}

// choiceKind says whether a tenant may switch a permission.
type choiceKind string

const (
	fixed  choiceKind = ""
	optIn  choiceKind = "opt_in"
	optOut choiceKind = "opt_out"
)

// In grants actions in a scope: In(Own, PatientRead) lets the role read the patients that
// its holder cares for.
func In(s Scope, actions ...AnyAction) Allow {
	return Allow{s, slices.Clone(actions), fixed}
}

// OptIn leaves the permissions to each tenant: off until its Toggles switch them on.
func (a Allow) OptIn() Allow {
	a.choice = optIn
	return a
}

// OptOut leaves the permissions to each tenant: on until its Toggles switch them off.
func (a Allow) OptOut() Allow {
	a.choice = optOut
	return a
}

// Relations are the host's relations between people and patients that scopes refer to.
type Relations struct {
	Own         Relation // who cares for whom; needed by scope Own
	Supervisees Relation // whose supervisees care for whom; needed by scope Supervisees
	Self        Relation // whose account belongs to which patient; scope Self uses it where present
	Proxy       Relation // who may act for which patient; needed by scope Proxy
	Consent     Relation // whom a patient's consent in force names; needed by scope Consented
	// Emergency is who opened emergency access to whom; needed by scope Emergency.
	Emergency EmergencyRelation
	// Others are the host's own, for Related, by name: a lower-case letter, then lower-case
	// letters, digits and underscores; at most 10.
	Others map[string]Relation
}

// Rules is a policy as a Go value: what can be done, and who may. Compile checks it.
type Rules struct {
	Actions   []AnyAction // every action there is
	Roles     []Role
	Forbid    []Forbid // what labels take away, whatever the roles
	Relations Relations
}
