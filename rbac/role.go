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
}

// In grants actions in a scope: In(Own, PatientRead) lets the role read the patients that
// its holder cares for.
func In(s Scope, actions ...AnyAction) Allow {
	return Allow{s, slices.Clone(actions)}
}

// Relations are the host's relations between people and patients that scopes refer to.
type Relations struct {
	Own  Relation // who cares for whom; needed by scope Own
	Self Relation // whose account belongs to which patient; scope Self uses it where present
}

// Rules is a policy as a Go value: what can be done, and who may. Compile checks it.
type Rules struct {
	Actions   []AnyAction // every action there is
	Roles     []Role
	Relations Relations
}
