package rbac

import (
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Action is something that can be done to an R. It is opaque: only Define makes one, so a
// misspelt name or the wrong resource type does not compile. The zero Action is denied to
// everybody.
type Action[R Resource] struct{ def *definition }

// AnyAction is an Action of any resource type, for lists of actions.
type AnyAction interface {
	// Name returns the action's name, "" for a zero Action.
	Name() audit.Action
	definition() *definition
}

// Name returns the name given to Define, "" for the zero Action.
func (a Action[R]) Name() audit.Action {
	if a.def == nil {
		return ""
	}
	return a.def.name
}

// StepUpWithin returns what StepUp said, 0 where the action has no such duty of its own.
func (a Action[R]) StepUpWithin() time.Duration {
	if a.def == nil {
		return 0
	}
	return a.def.stepUp
}

// Reads reports whether the action's Verb is audit.Read.
func (a Action[R]) Reads() bool { return a.def != nil && a.def.verb == audit.Read }

// String returns the name, "(zero action)" for the zero Action.
func (a Action[R]) String() string {
	if a.def == nil {
		return "(zero action)"
	}
	return string(a.def.name)
}

func (a Action[R]) definition() *definition { return a.def }

// definition is what an Action stands for. It is never changed after Define, but for last.
type definition struct {
	last        atomic.Int32 // see Policy.find; what every decision reads comes first
	phi         bool
	licence     Licence
	name        audit.Action
	resource    reflect.Type
	object      string // the object type of events
	columns     Columns
	verb        audit.Verb
	category    Category
	destructive bool
	reason      bool
	stepUp      time.Duration
	twoPerson   bool
	reveals     []phi.Class
}

// Define declares an action on resources of type R. Names are dotted lower-case words,
// "patient.read": what stands before the last dot is the object type of events. A name is
// stored in audit logs and never changes its meaning.
//
// Define is pure. It registers nothing, and what is wrong with an action (its name, its
// columns, a duty that is missing) is reported by Compile, where it is listed.
func Define[R Resource](name string, columns Columns, opts ...Opt) Action[R] {
	d := &definition{
		name:     audit.Action(name),
		resource: reflect.TypeFor[R](),
		columns:  columns,
		verb:     audit.Execute,
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		d.object = name[:i]
	}
	for _, o := range opts {
		if o.apply != nil {
			o.apply(d)
		}
	}
	return Action[R]{d}
}

// Opt is a property of an action.
type Opt struct{ apply func(*definition) }

// Verb says what the action does to stored data. The default is audit.Execute.
func Verb(v audit.Verb) Opt { return Opt{func(d *definition) { d.verb = v }} }

// InCategory says in which category of records the action lies: the "data category" of
// ASTM E2147-18, 7.1.9. Events carry it, and Presets grants by it.
func InCategory(c Category) Opt { return Opt{func(d *definition) { d.category = c }} }

// PHI says that the action shows or changes protected health information. It is refused to
// actors whose assurance is below Options.PHIAssurance.
func PHI() Opt { return Opt{func(d *definition) { d.phi = true }} }

// Destructive says that the action cannot be undone. It must also need a reason, and it
// cannot be routed to a safe HTTP method.
func Destructive() Opt { return Opt{func(d *definition) { d.destructive = true }} }

// NeedReason says that the person has to say why. The reason is stored in the event as a
// private value.
func NeedReason() Opt { return Opt{func(d *definition) { d.reason = true }} }

// StepUp says that the person must have proven who they are within this time, or must do so
// now (RFC 9470). Options.StepUps is asked; what a tenant demands beyond the policy comes from
// there as well, for every action. More than zero and at most a day.
func StepUp(within time.Duration) Opt { return Opt{func(d *definition) { d.stepUp = within }} }

// TwoPerson says that somebody else must have approved it: the two-person rule of NIST SP
// 800-53, AC-3(2). Options.Approvals is asked who.
func TwoPerson() Opt { return Opt{func(d *definition) { d.twoPerson = true }} }

// Reveals says that the action shows data of these classes in full, whatever the role's own
// sight is. An action that reveals should also need a reason.
func Reveals(classes ...phi.Class) Opt {
	return Opt{func(d *definition) { d.reveals = append(slices.Clip(d.reveals), classes...) }}
}

// Object sets the object type of events, where it is not the part of the name before its
// last dot.
func Object(kind string) Opt { return Opt{func(d *definition) { d.object = kind }} }

// dutyDestructive is how duties names Destructive.
const dutyDestructive = "destructive"

// duties returns the duties as route tables and explanations print them: "phi", "destructive",
// "reason", "step-up:5m0s", "two-person", "licence:npi", "reveals:ssn".
func (d *definition) duties() []string {
	var out []string
	add := func(on bool, name string) {
		if on {
			out = append(out, name)
		}
	}
	add(d.phi, "phi")
	add(d.destructive, dutyDestructive)
	add(d.reason, "reason")
	add(d.stepUp > 0, "step-up:"+d.stepUp.String())
	add(d.twoPerson, "two-person")
	add(d.licence != "", "licence:"+string(d.licence))
	for _, c := range d.reveals {
		add(true, "reveals:"+string(c))
	}
	return out
}
