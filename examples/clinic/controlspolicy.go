package main

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/rbac"
)

// What can be done about safeguards, and about what left the clinic. Whoever looks after the log of
// sign-ins reads the controls, auditors among them. Attesting is for those who run the clinic and the
// privacy officer: an auditor, who reads what others attest, attests nothing.
var (
	controlsRead   = rbac.Define[rbac.InTenant]("controls.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.SecurityLog))
	controlsPacket = rbac.Define[rbac.InTenant]("controls.packet", rbac.Columns{}, rbac.Verb(audit.Read), rbac.StepUp(eachTime), rbac.InCategory(rbac.SecurityLog))
	controlsAttest = rbac.Define[rbac.InTenant]("controls.attest", rbac.Columns{}, rbac.Verb(audit.Update), rbac.StepUp(eachTime), rbac.InCategory(rbac.Settings))

	accountingRead   = rbac.Define[Patient]("accounting.read", patientColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Exports))
	disclosureRecord = rbac.Define[Patient]("disclosure.record", patientColumns, rbac.Verb(audit.Create), rbac.PHI(), rbac.InCategory(rbac.Exports), rbac.Object("patient"))
)

func controlActions() []rbac.AnyAction {
	return []rbac.AnyAction{controlsRead, controlsPacket, controlsAttest, accountingRead, disclosureRecord}
}

// withControls gives what the presets leave open: administrators are this clinic's privacy officers,
// too; and what left the clinic is recorded by those who answer for records.
func withControls(roles []rbac.Role) []rbac.Role {
	for i := range roles {
		switch roles[i].Name {
		case rbac.ClinicAdmin, rbac.ClinicAdminFull:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, accountingRead, disclosureRecord))
		case rbac.PrivacyOfficer:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, disclosureRecord), rbac.In(rbac.Tenant, controlsAttest))
		case rbac.RecordsCustodian:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, disclosureRecord))
		}
	}
	return roles
}

// The clinic's own events about safeguards and disclosures.
const (
	actionPacketServed audit.Action = "controls.served"
	actionDisclosed    audit.Action = "disclosure.recorded"
)

// controlWords are the clinic's words for them. None of it is among what a patient or a therapist
// reads of the audit: an agency may have asked that the patient is not told.
func controlWords() []option {
	return []option{
		{"controls.read", "Look at the security controls"},
		{"controls.packet", "Ask for the review packet"},
		{string(actionPacketServed), "Hand out the review packet"},
		{"controls.attest", "Ask to attest a control"},
		{string(evidence.ActionAttest), "Attest a control"},
		{string(evidence.ActionWithdraw), "Withdraw an attestation"},
		{"accounting.read", "Look at what was disclosed about a patient"},
		{"disclosure.record", "Ask to record a disclosure"},
		{string(actionDisclosed), "Record a disclosure"},
	}
}

// controlTypes are its kinds of record.
func controlTypes() []option {
	return []option{
		{"controls", "Security controls"},
		{"attestation", "Attestation"},
		{"accounting", "Accounting of disclosures"},
	}
}
