package rbac

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Code says why something was decided as it was. Codes are API and stored in events; words
// for people are the host's.
type Code string

// The codes.
const (
	CodeAllowed      Code = "allowed"
	CodeAnonymous    Code = "not_signed_in"      // there is no actor, or an anonymous one
	CodeUnlisted     Code = "unlisted_action"    // a zero action, or one that the policy does not list
	CodeAssurance    Code = "assurance_required" // the actor must prove more of who they are (RFC 9470)
	CodeOtherTenant  Code = "other_tenant"       // the resource is another tenant's, or nobody's
	CodeNoPermission Code = "no_permission"      // no role in force grants the action
	CodeNothing      Code = "nothing"            // the same, asked of a list
	CodeOutOfScope   Code = "out_of_scope"       // a role grants it, but not on this resource
	CodeForbidden    Code = "forbidden"          // a Forbid holds the resource back: see Decision.Forbid
	CodeRank         Code = "above_own_rank"     // the role is above the actor's own
	CodeReach        Code = "beyond_own_reach"   // it lists practices, locations or queues that the actor's own roles do not
	CodeExclusive    Code = "exclusive_roles"    // nobody may hold these roles together
	CodeSingle       Code = "single_role"        // somebody else holds the role of one person
	CodeSeats        Code = "no_seat_left"       // the tenant's seats are taken
	CodeLastAdmin    Code = "last_admin"         // nobody would be left who administers the tenant
	CodeSelfGrant    Code = "own_grant"          // people grant no roles to themselves
	CodeReason       Code = "reason_required"    // the person has to say why
	CodeStepUp       Code = "step_up_required"   // the person has to prove again who they are (RFC 9470)
	CodeSecondPerson Code = "second_person"      // somebody else has to approve it first
	CodeLicence      Code = "licence_required"   // the actor has not the licence that the action needs
	CodeScopes       Code = "beyond_scopes"      // the scopes of the service or agent do not name the action
	CodePerson       Code = "person_may_not"     // whom the service or agent acts for may not do it
	CodeNotFound     Code = "not_found"          // there is no such resource
	CodeUndecided    Code = "undecided"          // a store failed: not an answer
	CodeNoMethod     Code = "no_method"          // the page does not take this method
)

// Decision is the answer to "may this actor do this to that?", with its reasons.
// The zero Decision denies.
type Decision struct {
	Allowed   bool
	assurance audit.Assurance // that the action demands; here, where it takes no room of its own

	Code     Code
	Scope    Scope         // the scope that allowed it; reaching nothing if it was denied
	Role     RoleName      // the role that allowed it
	Grant    string        // the id of the grant that was used
	Forbid   string        // the name of the Forbid that denied it
	Approver audit.ActorID // the second person, where the action needs one
	// Emergency is the id of the emergency grant without which it would have been denied, "" where
	// something else allows it. Of a list see EmergencyRelation.
	Emergency string

	policy *Policy
	masks  *masking // of the tenant, as of the same request; without one nothing is seen
	def    *definition
	roles  roleSet   // every role in force that allows it here
	person roleSet   // the same of whom a service or an agent acts for; empty where it acts for nobody
	held   roleSet   // every role in force
	open   *[]string // of a list: every emergency grant whose rows it may have; nil elsewhere
}

// opened returns the emergency grants whose rows a list may have.
func (d *Decision) opened() []string {
	if d.open == nil {
		return nil
	}
	return *d.open
}

// denied returns d as a denial for a reason that has nothing to do with roles.
func (d Decision) denied(code Code) Decision {
	return Decision{Code: code, Scope: Base(0), policy: d.policy, masks: d.masks, def: d.def, held: d.held, assurance: d.assurance}
}

// Policy returns the digest of the policy that decided, "" for the zero Decision.
func (d Decision) Policy() string {
	if d.policy == nil {
		return ""
	}
	return d.policy.digest
}

// mask returns the digest of the table of who sees how much, the policy's own where no tenant is known.
func (d Decision) mask() string {
	if d.masks == nil {
		return d.policy.masks.sum()
	}
	return d.masks.sum()
}

// Sight returns how much of each class of data the decision lets the actor see: of every
// role that allows the action here the widest level, plus what the action itself reveals. Who
// acts for somebody sees no more than they would. A denial sees nothing.
func (d Decision) Sight() phi.Sight {
	if !d.Allowed || d.masks == nil {
		return phi.Sight{}
	}
	if d.person != 0 {
		return reveal(narrowest(d.masks.widest(d.roles), d.masks.widest(d.person)), d.def)
	}
	return d.masks.sight(d.roles, d.def)
}
