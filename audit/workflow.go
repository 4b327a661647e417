package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Workflow declares what happens to one type of a host's objects: a message, a claim, a
// document, an exception. Its events have the guarantees of all others, and one object's
// history is a Query. The zero Workflow declares nothing and refuses every event.
type Workflow struct {
	object string
	steps  []Step
}

// Step is one thing that can happen to the object.
type Step struct {
	Action  Action   // for example "claim.denied"; never changes its meaning
	Verb    Verb     // Create, Read …
	Needs   []string // keys of Detail that every such event has
	May     []string // further keys that it may have
	Patient bool     // every such event names a patient
}

// NewWorkflow returns a Workflow of objects of this type. Names that no event could carry,
// actions that are declared twice or belong to the log itself, and more details than an event
// can hold are errors.
func NewWorkflow(object string, steps ...Step) (Workflow, error) {
	c := &checker{}
	c.required("objects.type", object, MaxName)
	if c.err() != nil || len(steps) == 0 {
		return Workflow{}, errors.New("audit: new workflow: it needs a type of object and a step")
	}
	w := Workflow{object: object}
	for i, s := range steps {
		if err := s.check(w.step(s.Action) != nil); err != nil {
			return Workflow{}, fmt.Errorf("audit: new workflow: step %d of %d: %w", i+1, len(steps), err)
		}
		w.steps = append(w.steps, s)
	}
	w.steps = w.Steps() // detached from the caller's lists
	return w, nil
}

func (s *Step) check(twice bool) error {
	ours := slices.ContainsFunc(SystemActions(), func(a SystemAction) bool { return a.Action == s.Action })
	e := Event{Tenant: "t", Action: s.Action, Verb: s.Verb, Actor: System("t", "t"), Detail: map[string]string{}}
	for _, k := range slices.Concat(s.Needs, s.May) {
		e.Detail[k] = "v"
	}
	switch {
	case twice:
		return errors.New("its action is declared before")
	case ours:
		return errors.New("its action is the log's own")
	case len(e.Detail) != len(s.Needs)+len(s.May):
		return errors.New("a detail is named twice")
	}
	return e.Validate()
}

func (w Workflow) step(a Action) *Step {
	i := slices.IndexFunc(w.steps, func(s Step) bool { return s.Action == a })
	if i < 0 {
		return nil
	}
	return &w.steps[i]
}

// Steps returns what was declared, for a page that explains it.
func (w Workflow) Steps() []Step {
	out := slices.Clone(w.steps)
	for i := range out {
		out[i].Needs, out[i].May = slices.Clone(out[i].Needs), slices.Clone(out[i].May)
	}
	return out
}

// Event returns the event of what happened to one object, ready for Log.Record; the caller
// may add what else it knows. The patient may be empty unless the step asks for one.
//
// It returns an *InvalidError that names what is missing: "objects.id", "patients",
// "detail.<key>", or the "action" or "detail" that were not declared.
func (w Workflow) Event(action Action, id string, patient Patient, detail map[string]string) (Event, error) {
	c := &checker{}
	s := w.step(action)
	if s == nil {
		c.wrong("action")
		return Event{}, c.err()
	}
	if id == "" {
		c.missing("objects.id")
	}
	if s.Patient && patient == "" {
		c.missing("patients")
	}
	for _, k := range s.Needs {
		if detail[k] == "" {
			c.missing("detail." + k)
		}
	}
	for k := range detail {
		if !slices.Contains(s.Needs, k) && !slices.Contains(s.May, k) {
			c.wrong("detail") // an undeclared key may be anything, so it is not named
		}
	}
	if err := c.err(); err != nil {
		return Event{}, err
	}
	e := Event{Action: s.Action, Verb: s.Verb, Objects: []Object{{Type: w.object, ID: id}}, Detail: maps.Clone(detail)}
	if patient != "" {
		e.Patients = []Patient{patient}
	}
	return e, nil
}

// History is the Query of everything that happened to one object, its own steps and all else.
// Without an id it is a Query that is refused: no object's history is not everybody's.
func (w Workflow) History(tenant Tenant, id string) Query {
	return Query{Tenant: tenant, ResourceType: w.object, ResourceID: id, nameless: id == ""}
}
