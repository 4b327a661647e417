package main

import (
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// The roles of this clinic are the presets.
const (
	roleAdmin     = rbac.ClinicAdmin
	roleTherapist = rbac.Therapist
	roleFrontDesk = rbac.FrontDesk
	roleFinance   = rbac.Finance
)

// tenant is the one customer of this clinic's own server.
const tenant audit.Tenant = "harbor-clinic"

// The columns of clinic_patient and clinic_claim by which rules select rows.
var (
	patientColumns = rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}
	claimColumns   = rbac.Columns{ID: "id", Tenant: "tenant", Patient: "patient"}
)

// What can be done in this clinic; rolespolicy.go and papers.go have more. Every category of records
// that the clinic keeps is bound to an action, and the presets say whose it is. Orders, schedules,
// messages and exports are no part of this clinic.
var (
	patientRead    = rbac.Define[Patient]("patient.read", patientColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Demographics))
	patientReveal  = rbac.Define[Patient]("patient.reveal_ssn", patientColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.NeedReason(), rbac.Reveals(phi.ClassSSN), rbac.InCategory(rbac.Identifiers))
	noteRead       = rbac.Define[Patient]("note.read", patientColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Notes))
	noteWrite      = rbac.Define[Patient]("note.write", patientColumns, rbac.Verb(audit.Update), rbac.PHI(), rbac.InCategory(rbac.Notes))
	noteDraft      = rbac.Define[Patient]("note.draft", patientColumns, rbac.Verb(audit.Update), rbac.PHI(), rbac.InCategory(rbac.Notes))
	registerOpen   = rbac.Define[rbac.InTenant]("patient.register_open", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.CareTeam))
	registerSubmit = rbac.Define[rbac.InTenant]("patient.register", rbac.Columns{}, rbac.Verb(audit.Create), rbac.PHI(), rbac.InCategory(rbac.Demographics))
	teamRead       = rbac.Define[rbac.InTenant]("team.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Users))
	teamManage     = rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{}, rbac.Verb(audit.Update), rbac.InCategory(rbac.Users))
	auditRead      = rbac.Define[rbac.InTenant]("audit.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.AuditLog))
	auditOpen      = rbac.Define[rbac.InTenant]("audit.open", rbac.Columns{}, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.AuditLog))
	settingsRead   = rbac.Define[rbac.InTenant]("settings.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Settings))
	settingsChange = rbac.Define[rbac.InTenant]("settings.change", rbac.Columns{}, rbac.Verb(audit.Update), rbac.InCategory(rbac.Settings))
	keysRenew      = rbac.Define[rbac.InTenant]("keys.renew", rbac.Columns{}, rbac.Verb(audit.Update), rbac.NeedReason(), rbac.InCategory(rbac.Settings))
	auditHealth    = rbac.Define[rbac.InTenant]("audit.health", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.AuditLog))

	// What the audit says about one patient is a right of its own. The administrator, who is
	// this clinic's privacy officer, has it for everybody, a therapist for the patients in care.
	accessRead  = rbac.Define[Patient]("access_report.read", patientColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.AuditLog))
	historyRead = rbac.Define[Patient]("history.read", patientColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.AuditLog))

	claimRead    = rbac.Define[Claim]("claim.read", claimColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Billing))
	claimHistory = rbac.Define[Claim]("claim.history", claimColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Billing))
	claimChange  = rbac.Define[Claim]("claim.change", claimColumns, rbac.Verb(audit.Update), rbac.PHI(), rbac.InCategory(rbac.Billing))
	claimSubmit  = rbac.Define[Patient]("claim.submit", patientColumns, rbac.Verb(audit.Create), rbac.PHI(), rbac.InCategory(rbac.Billing), rbac.Object("patient"))
)

// rules compiles the policy: the presets over this clinic's actions, and who cares for whom, and who opened whom in an emergency.
func rules(s *stores) (*rbac.Policy, error) {
	care, err := s.rbac.Relation(rbac.TableRelation{
		Table: "clinic_care", Tenant: "tenant", Subject: "therapist", Object: "patient", From: "since", Until: "until",
	})
	if err != nil {
		return nil, err
	}
	self, err := s.rbac.Relation(ownRecord())
	if err != nil {
		return nil, err
	}
	opened, err := s.emergency.Relation()
	if err != nil {
		return nil, err
	}
	actions := []rbac.AnyAction{
		patientRead, patientReveal, noteRead, noteWrite, registerOpen, registerSubmit, teamRead, teamManage,
		settingsRead, settingsChange, keysRenew, noteDraft,
		auditRead, auditOpen, auditHealth, accessRead, historyRead, claimRead, claimHistory, claimChange, claimSubmit,
	}
	actions = slices.Concat(actions, roleActions(), paperActions(), portalActions(), machineActions(), incidentActions(), campaignActions(), supportActions(), careTeamActions(), controlActions(), proofActions(), retentionActions(), shredActions(), reviewActions(), maskActions(), emergencyActions(), []rbac.AnyAction{memberReset})
	return rbac.Compile(rbac.Rules{Actions: actions, Roles: clinicRoles(actions), Relations: rbac.Relations{Own: care, Self: self, Emergency: opened}})
}
