package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// Suspended is the role that takes every other away: who holds it holds nothing else, whoever
// they are and whatever the policy says about it. It needs no place in the policy. Granting
// it suspends somebody at once and for any time; revoking it gives back what they held.
const Suspended RoleName = "suspended"

// GrantRules are the rules that every change of grants is held against, under the version of
// the tenant's grants that it writes: also of two changes at once on two servers none slips
// through. The zero value has no exclusions and no seat limit, refuses grants to oneself and
// protects the last administrator.
type GrantRules struct {
	// Exclusive are roles that nobody holds together (NIST SP 800-53, AC-5: separation of
	// duties; INCITS 359-2012, static separation of duty).
	Exclusive []Exclusive
	// Single are roles that at most one person of a tenant holds at a time, such as its owner.
	Single []RoleName
	// Admins are the roles of which somebody must hold one: a change that leaves nobody, or
	// only people whose grant has an end, is refused, unless the system makes it. Default: the
	// highest-ranking role of staff.
	Admins []RoleName
	// Seats tells the seat limit of a tenant. Default: none.
	Seats Seats
	// SelfGrants lets people grant roles to themselves, up to their own rank: for practices of
	// one. Otherwise an administrator who may not read notes could become a therapist.
	SelfGrants bool
}

// Exclusive is a rule of separation of duties: nobody holds a role of One and a role of Other
// at the same time.
type Exclusive struct {
	Name  string // lower-case letters, digits and underscores: what the refusal names
	One   []RoleName
	Other []RoleName
}

// joins reports whether the rule forbids the two roles together.
func (x Exclusive) joins(a, b RoleName) bool {
	return slices.Contains(x.One, a) && slices.Contains(x.Other, b) || slices.Contains(x.One, b) && slices.Contains(x.Other, a)
}

// Seats tells how many people of a tenant may hold a role that takes a seat. It is asked with
// every change that could take one. An error means that it could not be found out: the change
// does not happen. rbac.SeatLimit is one.
type Seats interface {
	Seats(ctx context.Context, t audit.Tenant) (limit int, err error)
}

// SeatLimit is the same number of seats for every tenant.
type SeatLimit int

// Seats returns the number.
func (n SeatLimit) Seats(context.Context, audit.Tenant) (int, error) { return int(n), nil }

// What rules say no to. Each comes as a *Refusal.
var (
	// ErrRefused: a rule about grants refuses the change.
	ErrRefused = errors.New("rbac: change of grants refused")
	// ErrExclusive: nobody may hold these roles together.
	ErrExclusive = fmt.Errorf("%w: roles that nobody holds together", ErrRefused)
	// ErrSingle: somebody else holds the role that only one person may hold.
	ErrSingle = fmt.Errorf("%w: a role of one person at a time", ErrRefused)
	// ErrSeats: no seat is left.
	ErrSeats = fmt.Errorf("%w: no seat is left", ErrRefused)
	// ErrLastAdmin: nobody would be left who administers the tenant.
	ErrLastAdmin = fmt.Errorf("%w: the last administrator", ErrRefused)
	// ErrSelfGrant: people grant no roles to themselves.
	ErrSelfGrant = fmt.Errorf("%w: a role for oneself", ErrRefused)
)

// Refusal is the error of a change that a rule refuses. errors.Is finds ErrRefused and the
// rule's own sentinel in it.
type Refusal struct {
	Code Code
	Rule string // the name of the Exclusive, or the role of a Single; otherwise empty
}

// Error returns the sentinel's text and the rule's name, a constant of the program.
func (r *Refusal) Error() string {
	if r.Rule == "" {
		return r.Unwrap().Error()
	}
	return r.Unwrap().Error() + ": rule " + r.Rule
}

// Unwrap returns the sentinel that r is about.
func (r *Refusal) Unwrap() error {
	switch r.Code {
	case CodeExclusive:
		return ErrExclusive
	case CodeSingle:
		return ErrSingle
	case CodeSeats:
		return ErrSeats
	case CodeLastAdmin:
		return ErrLastAdmin
	case CodeSelfGrant:
		return ErrSelfGrant
	}
	return ErrRefused
}

// check reports everything that is wrong with the rules, for New. Names of roles in its
// errors are the program's own constants.
func (r *GrantRules) check(p *Policy) error {
	var wrong []error
	known := func(what string, roles ...RoleName) {
		for _, name := range roles {
			if _, ok := p.byName[name]; !ok {
				wrong = append(wrong, fmt.Errorf("rbac: %s: the policy has no role %q", what, name))
			}
		}
	}
	names := map[string]bool{}
	for _, x := range r.Exclusive {
		what := "exclusive " + x.Name
		if !isWord(x.Name) || names[x.Name] {
			wrong = append(wrong, fmt.Errorf("rbac: %s: a name of its own is lower-case letters, digits and underscores", what))
		}
		names[x.Name] = true
		if len(x.One) == 0 || len(x.Other) == 0 {
			wrong = append(wrong, fmt.Errorf("rbac: %s: both sides need roles", what))
		}
		if slices.ContainsFunc(x.One, func(role RoleName) bool { return slices.Contains(x.Other, role) }) {
			wrong = append(wrong, fmt.Errorf("rbac: %s: a role excludes itself", what))
		}
		known(what, x.One...)
		known(what, x.Other...)
	}
	known("single", r.Single...)
	known("admins", r.Admins...)
	return errors.Join(wrong...)
}

// admins returns the roles of which somebody must hold one.
func (r *GrantRules) admins(p *Policy) []RoleName {
	if len(r.Admins) > 0 {
		return r.Admins
	}
	best := -1
	for i := range p.roles {
		if p.roles[i].Kind == audit.KindStaff && p.roles[i].Name != Suspended && (best < 0 || p.roles[i].Rank > p.roles[best].Rank) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return []RoleName{p.roles[best].Name}
}
