package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// EmergencyRelation says who opened emergency access ("break-glass") to whom, and by which grant.
// Package emergency has one; rbacsql.EmergencyRelation makes one of a host's table.
//
// A decision that nothing else allows names the grant: Decision.Emergency, and in the event
// Actor.Emergency and an object of type EmergencyObject. A list whose rule has scope Emergency names
// every grant that the person has open then as an object, because it may have their rows; it has
// Actor.Emergency, the first of them, only where no other scope contributes: what else is in it was not
// seen in an emergency.
type EmergencyRelation interface {
	Relation
	// Grant returns the id of the grant by which subject, in tenant t at now, has emergency access
	// to patient, "" for none: exactly where Has reports true it returns one. An error means that
	// it could not be found out: the caller denies.
	Grant(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (id string, err error)
	// Open returns the ids of every grant that subject has open in tenant t at now, none twice. An
	// error means that it could not be found out: the caller denies.
	Open(ctx context.Context, t audit.Tenant, subject audit.ActorID, now time.Time) (ids []string, err error)
}

// EmergencyObject is the object type by which events name emergency grants, so that what was read
// under one is a query (audit.Query.ResourceType and ResourceID). A trail names them again in each
// further event of the decision.
const EmergencyObject = audit.EmergencyObject

var errEmergencyID = errors.New("rbac: an emergency grant without a usable id")

// mayOpen reports whether emergency access counts for s: a member of staff who acts for nobody. Whoever
// acts for somebody else has not stood before the patient.
func (s *subject) mayOpen() bool { return s.kind == audit.KindStaff && !s.lent }

// emergency asks the able roles once more, with open emergency access: what it allows was denied
// without. It only widens, because no permission has it inside Not.
func (s *subject) emergency(ctx context.Context, action int, able roleSet, q *question, a *Attrs, dec *Decision) error {
	q.emergency = true
	if err := s.poll(ctx, action, able, q, a, dec); err != nil {
		return err
	}
	if dec.Allowed {
		dec.Emergency = q.opened
	}
	return nil
}

// SupposeEmergency answers twice what Check answers about the actor in ctx, a and r: without any
// emergency access, and as if the actor had opened r's patient. Where the first allows, an emergency
// is not needed; where the second does not, it would not help. Like Check it only asks, and what it
// returns lets nobody in.
func SupposeEmergency[R Resource](ctx context.Context, z *Authorizer, a Action[R], r R) (without, with Decision, err error) {
	s, err := z.subject(ctx, z.now())
	if err != nil {
		return undecided(a.def), undecided(a.def), err
	}
	attrs := r.RBAC()
	var q question
	q.s, q.us = s, z.now().UnixMicro()
	q.heard(relEmergency, false)
	if err = s.answer(ctx, a.def, &attrs, &q, &without); err != nil {
		return without, undecided(a.def), err
	}
	q.heard(relEmergency, true)
	err = s.answer(ctx, a.def, &attrs, &q, &with)
	return without, with, err
}

// emergencies finds the grants whose rows the list may have.
func (f *filter) emergencies(ctx context.Context) error {
	if !f.urgent || !f.allow.Allowed || !f.q.emergency {
		return nil
	}
	ids, err := f.s.policy.emergency.Open(ctx, f.s.tenant, f.s.id, f.q.now())
	if err == nil && slices.ContainsFunc(ids, func(id string) bool { return !validID(id) }) {
		err = errEmergencyID
	}
	if err != nil {
		return fmt.Errorf("%w: asking for emergency access: %w", ErrUndecided, err)
	}
	if f.allow.open = &ids; len(ids) > 0 && !f.calm {
		f.allow.Emergency = ids[0]
	}
	return nil
}

// keeps reports whether every emergency grant whose rows the list may have is open still. The rows of one
// that ended must not go on.
func (f *filter) keeps(was *filter) bool {
	return !slices.ContainsFunc(was.allow.opened(), func(id string) bool { return !slices.Contains(f.allow.opened(), id) })
}

// emergencyEvent names what was allowed by emergency access.
func (d *Decision) emergencyEvent(e *audit.Event) {
	e.Actor.Emergency = d.Emergency
	ids := d.opened()
	if len(ids) == 0 && d.Emergency != "" {
		ids = []string{d.Emergency}
	}
	for _, id := range ids {
		e.Objects = append(e.Objects, audit.Object{Type: EmergencyObject, ID: id})
	}
}

// emergency compiles scope Emergency: it lets people read, and only widens.
func (c *compiler) emergency(d *definition, not bool) (node, string) {
	switch {
	case not:
		return node{}, "emergency access only widens"
	case d.verb != audit.Read || d.destructive || d.category == Exports:
		return node{}, "emergency access is for reading"
	}
	return c.relation(relEmergency, d, false)
}

// mentions reports whether a basic scope occurs in s.
func mentions(s Scope, b Base) bool {
	switch s := s.(type) {
	case Base:
		return s == b
	case *combined:
		return s != nil && slices.ContainsFunc(s.parts, func(p Scope) bool { return mentions(p, b) })
	}
	return false
}

// urgent reports whether emergency access may widen the rule.
func (r *rule) urgent() bool {
	return slices.ContainsFunc(r.clauses, func(c clause) bool { return c.node.leansOn(relEmergency) }) ||
		slices.ContainsFunc(r.bars, func(b bar) bool { return b.except != nil && b.except.leansOn(relEmergency) })
}

// needs reports whether nothing can lie in the scope without a relation.
func (n *node) needs(rel int) bool {
	part := func(p node) bool { return p.needs(rel) }
	switch n.op {
	case opAll:
		return slices.ContainsFunc(n.parts, part)
	case opAny:
		return !slices.ContainsFunc(n.parts, func(p node) bool { return !part(p) })
	}
	return n.leaf == leafRelation && n.rel == rel
}

// leansOn reports whether a leaf of the scope is about a relation.
func (n *node) leansOn(rel int) bool {
	return n.op == "" && n.leaf == leafRelation && n.rel == rel || slices.ContainsFunc(n.parts, func(p node) bool { return p.leansOn(rel) })
}
