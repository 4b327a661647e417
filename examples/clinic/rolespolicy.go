package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
)

// Member is somebody of the team: whose roles are looked at and changed, and whose own doings a
// log of one's own is about.
type Member struct{ ID audit.ActorID }

// RBAC says whose the account is.
func (m Member) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: string(m.ID), Tenant: tenant, Owner: m.ID}
}

// actor is the member as somebody whose rights are asked about.
func (m Member) actor() audit.Actor { return audit.Actor{ID: m.ID, Kind: audit.KindStaff} }

// freshly is how old a proof of who somebody is may be before roles change or records are purged.
const freshly = 5 * time.Minute

// The columns of clinic_staff by which rules select rows.
var memberColumns = rbac.Columns{ID: "id", Tenant: "tenant", Owner: "id"}

// What can be done about roles, and which logs there are beside the audit. Who looks at somebody's
// rights sees no patient's data; whose rights they were, and about which patient, is on record.
var (
	rolesRead      = rbac.Define[rbac.InTenant]("roles.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Users))
	rightsRead     = rbac.Define[Member]("rights.read", memberColumns, rbac.Verb(audit.Read), rbac.InCategory(rbac.Users))
	rolesPropose   = rbac.Define[Member]("roles.propose", memberColumns, rbac.Verb(audit.Update), rbac.InCategory(rbac.Users))
	rolesChange    = rbac.Define[Member]("roles.change", memberColumns, rbac.Verb(audit.Update), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Users))
	choicesPropose = rbac.Define[rbac.InTenant]("choices.propose", rbac.Columns{}, rbac.Verb(audit.Update), rbac.InCategory(rbac.Settings))
	choicesChange  = rbac.Define[rbac.InTenant]("choices.change", rbac.Columns{}, rbac.Verb(audit.Update), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Settings))
	securityRead   = rbac.Define[rbac.InTenant]("security_log.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.SecurityLog))
	ownLogRead     = rbac.Define[Member]("own_log.read", memberColumns, rbac.Verb(audit.Read), rbac.InCategory(rbac.OwnLog))
)

func roleActions() []rbac.AnyAction {
	return []rbac.AnyAction{rolesRead, rightsRead, rolesPropose, rolesChange, choicesPropose, choicesChange, securityRead, ownLogRead}
}

// clinicRoles are those presets that a clinic has people for. There are two kinds of
// administrator: the one reads no clinical notes; the other does, and nobody is it unless the
// clinic says so. It stands below the first here, who can therefore give it to a colleague, and
// not to themselves.
func clinicRoles(actions []rbac.AnyAction) []rbac.Role {
	roles := rbac.Presets(actions, &rbac.PresetOptions{Roles: []rbac.RoleName{
		rbac.ClinicAdmin, rbac.ClinicAdminFull, rbac.PrivacyOfficer, rbac.Manager, rbac.RecordsCustodian,
		rbac.Therapist, rbac.Nurse, rbac.Finance, rbac.FrontDesk, rbac.Auditor, rbac.PatientRole, roleOperator,
	}})
	for i := range roles {
		if roles[i].Name == rbac.ClinicAdminFull {
			roles[i].Rank = 99
		}
	}
	return withEmergency(withPrograms(withShred(withRetention(withControls(withReview(withCampaigns(withIncidents(withSupport(withCare(roles))))))))))
}

// paidSeats is for how many people of the team this clinic pays.
const paidSeats = 25

// grantRules are the rules of the presets, and the seats.
func grantRules(p *rbac.Policy) rbac.GrantRules {
	rules := rbac.PresetGrantRules(p.Roles())
	rules.Seats = rbac.SeatLimit(paidSeats)
	return rules
}

// errStale: somebody else changed roles since a proposal was looked at.
var errStale = errors.New("roles were changed since")

// grants are the rows that say who has which role. A change that somebody looked at before is
// made only of what they saw.
type grants struct{ *rbacsql.Store }

// lookedAt is the key of the version that somebody saw.
type lookedAt struct{}

// Apply writes a change, under the version that was looked at if one was.
func (s grants) Apply(ctx context.Context, t audit.Tenant, ifVersion int64, c rbac.Change) error {
	if seen, ok := ctx.Value(lookedAt{}).(int64); ok && seen != ifVersion {
		return errStale
	}
	return s.Store.Apply(ctx, t, ifVersion, c)
}

// member is whom a page is about: an account of the team, whether or not it can sign in.
func (a *app) member(ctx context.Context, r *http.Request) (Member, error) {
	id := audit.ActorID(r.PathValue("member"))
	found, err := a.people.Account(ctx, tenant, id)
	if errors.Is(err, authn.ErrNotFound) || err == nil && found.Person.Kind != audit.KindStaff {
		return Member{}, rbac.ErrNotFound
	}
	return Member{id}, err
}

// myself is the person who asks.
func myself(ctx context.Context, _ *http.Request) (Member, error) {
	actor, ok := audit.ActorFrom(ctx)
	if !ok {
		return Member{}, rbac.ErrNotFound
	}
	return Member{actor.ID}, nil
}
