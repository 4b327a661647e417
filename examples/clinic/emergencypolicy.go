package main

import (
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// categoryEmergency is a kind of record of the clinic's own, so that no preset grants it.
const categoryEmergency rbac.Category = "emergency"

// What can be done in an emergency. Who treats opens a patient who is not theirs, for reading; the privacy
// officer and the administrators, who are this clinic's privacy officers, see to it afterwards.
var (
	emergencyFind  = rbac.Define[rbac.InTenant]("emergency.find", rbac.Columns{}, rbac.Verb(audit.Execute), rbac.PHI(), rbac.InCategory(categoryEmergency))
	emergencyAsk   = rbac.Define[Patient]("emergency.ask", patientColumns, rbac.Verb(audit.Execute), rbac.PHI(), rbac.StepUp(freshly), rbac.InCategory(categoryEmergency), rbac.Object("patient"))
	emergencyOpen  = rbac.Define[Patient]("emergency.open_patient", patientColumns, rbac.Verb(audit.Execute), rbac.PHI(), rbac.StepUp(freshly), rbac.InCategory(categoryEmergency), rbac.Object("patient"))
	emergencyLeave = rbac.Define[Patient]("emergency.leave", patientColumns, rbac.Verb(audit.Execute), rbac.InCategory(categoryEmergency), rbac.Object("patient"))

	emergencyRead   = rbac.Define[rbac.InTenant]("emergency.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(categoryEmergency))
	emergencyReview = rbac.Define[rbac.InTenant]("emergency.judge", rbac.Columns{}, rbac.Verb(audit.Update), rbac.InCategory(categoryEmergency))
)

func emergencyActions() []rbac.AnyAction {
	return []rbac.AnyAction{emergencyFind, emergencyAsk, emergencyOpen, emergencyLeave, emergencyRead, emergencyReview}
}

// withEmergency lets those open patients who treat, and those review who answer for privacy. What may be
// read is the record, the note, letters and questionnaires; who looked at it, identifiers and claims are not.
func withEmergency(roles []rbac.Role) []rbac.Role {
	for i, r := range roles {
		switch r.Name {
		case rbac.Therapist, rbac.Nurse:
			roles[i].Allow = append(roles[i].Allow,
				rbac.In(rbac.Tenant, emergencyFind, emergencyAsk, emergencyOpen, emergencyLeave),
				rbac.In(rbac.Emergency, patientRead, noteRead, letterRead, formRead))
		case rbac.PrivacyOfficer, rbac.ClinicAdmin, rbac.ClinicAdminFull:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, emergencyRead, emergencyReview))
		}
	}
	return roles
}

// emergencySettings are this clinic's rules: an hour is what the form offers first, four are the most.
func emergencySettings() emergency.Settings {
	s := emergency.Standard()
	s.Reasons = nil
	for _, r := range emergencyReasons() {
		s.Reasons = append(s.Reasons, r.ID)
	}
	return s
}

// emergencyReasons are the codes with the clinic's words.
func emergencyReasons() []option {
	return []option{
		{"emergency_treatment", "The patient needs help now"},
		{"covering_colleague", "I stand in for the patient’s therapist"},
		{"patient_safety", "Somebody may be in danger"},
		{"patient_asked", "The patient asked me to"},
	}
}

// emergencyHours are for how long a record can be opened.
func emergencyHours() []option {
	return []option{{"1", "1 hour"}, {"2", "2 hours"}, {"4", "4 hours"}}
}

// emergencyVerdicts are what a review finds.
func emergencyVerdicts() []option {
	return []option{
		{string(emergency.Justified), "It was justified"},
		{string(emergency.NotJustified), "It was not justified"},
		{string(emergency.FollowUp), "Somebody has to find out more"},
	}
}

func emergencyWords() []option {
	return []option{
		{"emergency.find", "Look for a patient in an emergency"},
		{"emergency.ask", "Look at the form for an emergency"},
		{"emergency.open_patient", "Ask to open a patient in an emergency"},
		{"emergency.leave", "Ask to end emergency access"},
		{"emergency.read", "Look at emergencies"},
		{"emergency.judge", "Ask to review or end an emergency"},
		{string(emergency.ActionOpen), "Patient opened in an emergency"},
		{string(emergency.ActionEnd), "Emergency access ended"},
		{string(emergency.ActionExpire), "Emergency access ran out"},
		{string(emergency.ActionTell), "Notice about an emergency delivered"},
		{string(emergency.ActionReview), "Emergency reviewed"},
		{string(emergency.ActionOverdue), "Review of an emergency overdue"},
	}
}

func (a *app) emergencyRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /emergency", emergencyFind, a.emergencyFindPage)
	here.Handle("POST /emergency", emergencyFind, a.emergencyFind)
	one := rbac.For(mux, a.patientOf)
	one.Handle("GET /patients/{patient}/emergency", emergencyAsk, a.emergencyPage)
	one.Handle("POST /patients/{patient}/emergency", emergencyOpen, a.openEmergency)
	one.Handle("POST /patients/{patient}/emergency/end", emergencyLeave, a.leaveEmergency)
	here.Handle("GET /emergencies", emergencyRead, a.emergenciesPage)
	here.Handle("GET /emergencies/{emergency}", emergencyRead, a.emergencyCasePage)
	here.Handle("POST /emergencies/{emergency}/end", emergencyReview, a.stopEmergency)
	here.Handle("POST /emergencies/{emergency}/review", emergencyReview, a.reviewEmergency)
}

// left says how long something still lasts, for people.
func left(d time.Duration) string {
	switch minutes := int(d.Round(time.Minute) / time.Minute); {
	case minutes < 1:
		return "less than a minute"
	case minutes < 120:
		return plural(minutes, "minute")
	default:
		return plural(minutes/60, "hour")
	}
}
