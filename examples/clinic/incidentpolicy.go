package main

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/rbac"
)

// Incident is a case, as rules see it.
type Incident struct{ ID string }

// RBAC says that it is the clinic's.
func (i Incident) RBAC() rbac.Attrs { return rbac.Attrs{ID: i.ID, Tenant: tenant} }

// What can be done about incidents. They are for who keeps the clinic's audit; reporting one is for
// everybody.
var (
	incidentColumns = rbac.Columns{ID: "id", Tenant: "tenant"}
	incidentList    = rbac.Define[rbac.InTenant]("incident.list", rbac.Columns{}, rbac.Verb(audit.Read))
	incidentRead    = rbac.Define[Incident]("incident.read", incidentColumns, rbac.Verb(audit.Read), rbac.PHI())
	incidentWork    = rbac.Define[Incident]("incident.work", incidentColumns, rbac.Verb(audit.Update), rbac.PHI())
)

func incidentActions() []rbac.AnyAction {
	return []rbac.AnyAction{incidentList, incidentRead, incidentWork}
}

// withIncidents gives the cases to the administrators and the privacy officer.
func withIncidents(roles []rbac.Role) []rbac.Role {
	for i := range roles {
		switch roles[i].Name {
		case rbac.ClinicAdmin, rbac.ClinicAdminFull, rbac.PrivacyOfficer:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, incidentActions()...))
		}
	}
	return roles
}

// incidentWords are the clinic's words for what becomes of incidents.
func incidentWords() []option {
	return []option{
		{"incident.list", "Look at the incidents"},
		{"incident.read", "Look at an incident"},
		{"incident.work", "Ask to work on an incident"},
		{string(incident.ActionReport), "Problem reported"},
		{string(incident.ActionOpen), "Finding made an incident"},
		{string(incident.ActionTriage), "Incident sorted"},
		{string(incident.ActionAssign), "Incident given to somebody else"},
		{string(incident.ActionStart), "Investigation begun"},
		{string(incident.ActionNote), "Note added to an incident"},
		{string(incident.ActionLink), "Evidence added to an incident"},
		{string(incident.ActionDiscover), "Day of discovery moved earlier"},
		{string(incident.ActionAffected), "Who is affected was changed"},
		{string(incident.ActionAssess), "Risk of an incident assessed"},
		{string(incident.ActionSign), "Assessment looked at by a second person"},
		{string(incident.ActionNotice), "Somebody was told of an incident"},
		{string(incident.ActionDelay), "Law enforcement asked to wait"},
		{string(incident.ActionDismiss), "Incident dismissed"},
		{string(incident.ActionClose), "Incident closed"},
		{string(incident.ActionReopen), "Incident opened again"},
		{string(incident.ActionHold), "Hold of an incident changed"},
		{string(incident.ActionRemind), "Reminder of an incident given"},
		{string(incident.ActionPacket), "Evidence of an incident handed out"},
	}
}
