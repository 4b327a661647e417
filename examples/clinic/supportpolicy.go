package main

import (
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// platformTenant is where the people are who run the servers of this and other clinics. They have accounts
// of their own there, and none here.
const platformTenant audit.Tenant = "harbor-platform"

// roleOperator is what operators hold at the platform, and, while the clinic lets them in, here: it reads the
// settings and the sign-ins of the team, and no patient's data.
const roleOperator = rbac.PlatformOperator

// What can be done about support. Who manages the team answers the platform; operators ask from their own page.
var (
	supportRead   = rbac.Define[rbac.InTenant]("support.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Users))
	supportAnswer = rbac.Define[Visit]("support.answer", visitColumns, rbac.Verb(audit.Update), rbac.StepUp(freshly), rbac.InCategory(rbac.Users))
	supportEnd    = rbac.Define[Visit]("support.close", visitColumns, rbac.Verb(audit.Update), rbac.InCategory(rbac.Users))
	platformUse   = rbac.Define[rbac.InTenant]("platform.use", rbac.Columns{}, rbac.Verb(audit.Execute))

	visitColumns = rbac.Columns{ID: "id", Tenant: "tenant"}
)

// Visit is an access of the platform's support, as rules see it.
type Visit struct{ ID string }

// RBAC says that it is the clinic's.
func (v Visit) RBAC() rbac.Attrs { return rbac.Attrs{ID: v.ID, Tenant: tenant} }

func supportActions() []rbac.AnyAction {
	return []rbac.AnyAction{supportRead, supportAnswer, supportEnd, platformUse}
}

// withSupport lets operators use their own page, and keeps answering to the administrators and the privacy officer.
func withSupport(roles []rbac.Role) []rbac.Role {
	for i := range roles {
		switch roles[i].Name {
		case roleOperator:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, platformUse))
		case rbac.PrivacyOfficer:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, supportEnd))
		}
	}
	return roles
}

// neverSupport are actions that no operator ever has here, whatever a role says.
func neverSupport() []rbac.AnyAction {
	return slices.Concat([]rbac.AnyAction{patientRead, noteRead, supportAnswer, supportEnd, teamManage, auditRead, auditOpen}, incidentActions(), emergencyActions())
}

// supportWords are the clinic's words for what becomes of support.
func supportWords() []option {
	return []option{
		{"support.read", "Look at the platform’s support"},
		{"support.answer", "Ask to answer the platform’s support"},
		{"support.close", "Ask to end the platform’s support"},
		{"platform.use", "Use the platform’s own page"},
		{string(support.ActionRequest), "Support asked for access"},
		{string(support.ActionApprove), "Support access approved"},
		{string(support.ActionRefuse), "Support access refused"},
		{string(support.ActionWithdraw), "Request for support access withdrawn"},
		{string(support.ActionEnter), "Support came in"},
		{string(support.ActionEnd), "Support access ended"},
		{string(actionTurnedAway), "Support turned away"},
	}
}

// actionTurnedAway: an operator asked for a page of the clinic without being let in.
const actionTurnedAway audit.Action = "support.turned_away"

// visitorName is what the pages call an operator, by the id under which they act here or there.
func visitorName(id audit.ActorID) string {
	for _, o := range demoOperators() {
		if id == o.ID || id == support.Person(support.Account{Tenant: platformTenant, ID: o.ID}) {
			return o.Name + ", platform support"
		}
	}
	return "Platform support"
}

// demoOperators are invented people of the platform.
func demoOperators() []demoAccount {
	return []demoAccount{{"demo-operator", "Noor Haddad", "noor.haddad@example.com", "Platform support", roleOperator}}
}

// reasonWords are the reasons among which an operator chooses.
func reasonWords() []option {
	return []option{
		{"ticket", "Somebody of the clinic asked for help"},
		{"fault", "A fault has to be found"},
		{"security", "A security matter"},
	}
}

func reasonText(code string) string {
	for _, o := range reasonWords() {
		if o.ID == code {
			return o.Name
		}
	}
	return strings.ReplaceAll(code, "_", " ")
}
