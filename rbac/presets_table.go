package rbac

import "github.com/wardkit/wardkit/audit"

// Cells that several roles share.
const (
	adminCells   = "demographics:RCU care_team:RCUD schedule:RCU billing:R consents:R users:RCUDE settings:RCUDE audit_log:R security_log:R retention:R"
	chartReads   = "notes:R orders:R documents:R forms:R files:R messages:R message_attachments:R"
	clinicCells  = "demographics:RU identifiers:R care_team:R schedule:RCU notes:RCUE documents:RC forms:RC files:RC messages:RC message_attachments:RC billing:R consents:RC exports:E audit_log:R"
	financeCells = "demographics:R schedule:R billing:RCUE consents:R"
	deletions    = "forms:D documents:D files:D message_attachments:D"
	purges       = "forms:P documents:P files:P message_attachments:P"
)

// presets is the table: the roles, highest rank first.
func presets(o *PresetOptions) []preset {
	desk := o.Desk
	if desk != Practice && desk != Location {
		desk = Tenant
	}
	return append(append(leads(o, desk), clinicians(desk)...), append(desks(desk), others()...)...)
}

// leads run the practice, its records or its systems.
func leads(o *PresetOptions, desk Base) []preset {
	admin, adminSight := adminCells, seesAccounts
	if o.AdminReadsNotes {
		admin, adminSight = admin+" notes:R documents:R", seesChart
	}
	if o.AdminRevealsIdentifiers {
		admin += " identifiers:R"
	}
	return []preset{
		{Owner, "Owner", 120, true, "", seesAccounts, []cells{
			{Tenant, "demographics:RU schedule:R care_team:R billing:R consents:R retention:R audit_log:R users:RCUDE settings:RCUDE", false},
		}},
		{ClinicAdminFull, "Clinic Admin (full access)", 110, true, "", seesChart, []cells{{Tenant, adminCells + " " + chartReads, false}}},
		{ClinicAdmin, "Clinic Admin", 100, true, "", adminSight, []cells{{Tenant, admin, false}}},
		{PrivacyOfficer, "Privacy Officer", 95, true, "", seesContact, []cells{
			{Tenant, "demographics:R consents:R retention:R users:R audit_log:R security_log:R exports:RE", false},
		}},
		{Manager, "Manager", 90, true, "", seesAccounts, []cells{
			{desk, "demographics:RCU schedule:RCU care_team:RC forms:RC billing:RCUE consents:RC files:C users:R", false},
			{desk, deletions, true},
		}},
		{ITAdmin, "IT Admin", 85, true, "", seesNothing, []cells{{Tenant, "users:RCU settings:RCU security_log:R", false}}},
		{RecordsCustodian, "Records Custodian", 80, true, "", seesChart, []cells{
			{Tenant, "demographics:R notes:R documents:R forms:R files:R messages:R message_attachments:R consents:R exports:RE retention:RU", false},
			{Self, "own_log:R", false},
			{Tenant, deletions + " " + purges, true},
		}},
	}
}

// clinicians treat patients.
func clinicians(desk Base) []preset {
	return []preset{
		{Physician, "Physician", 60, true, "", seesPatient, []cells{
			{Own, clinicCells + " orders:RCE", false},
			{Own, deletions, true},
		}},
		{Supervisor, "Supervisor", 55, true, "", seesPatient, []cells{
			{Supervisees, "demographics:R schedule:R orders:R documents:R forms:R files:R consents:R audit_log:R notes:RE", false},
			{Supervisees, deletions, true},
		}},
		{Therapist, "Therapist", 50, true, "", seesPatient, []cells{
			{Own, clinicCells, false},
			{And(Own, Author), "psychotherapy:RCU", false},
			{Own, deletions, true},
		}},
		{Nurse, "Nurse", 45, true, "", seesPatient, []cells{
			{Own, "demographics:RC care_team:R notes:RC orders:C documents:RC forms:RC files:RC consents:RC", false},
			{desk, "schedule:R", false},
		}},
		{Trainee, "Trainee", 35, true, "", seesPatient, []cells{
			{Own, "demographics:R schedule:R care_team:R notes:RC documents:R forms:R consents:RC", false},
		}},
	}
}

// desks work with patients' data and not with their health.
func desks(desk Base) []preset {
	return []preset{
		{Finance, "Finance", 40, true, "", seesClaims, []cells{{desk, financeCells, false}}},
		{Biller, "Biller", 38, true, "", seesClaims, []cells{{Practice, "demographics:R billing:RCUE consents:R", false}}},
		{FrontDesk, "Front Desk", 30, true, "", seesAccounts, []cells{
			{desk, "demographics:RCU care_team:RC schedule:RCU documents:C files:C forms:RC billing:RC consents:RC", false},
		}},
		{Scheduler, "Scheduler", 25, true, "", seesNames, []cells{{desk, "demographics:R schedule:RCU", false}}},
	}
}

// others look from outside, are treated here, or are no people.
func others() []preset {
	return []preset{
		{Auditor, "Auditor", 20, false, "", seesNothing, []cells{{Tenant, "settings:R audit_log:R security_log:R", false}}},
		{PlatformOperator, "Platform Operator", 15, false, "", seesNothing, []cells{{Tenant, "settings:R security_log:R", false}}},
		{PatientRole, "Patient", 10, false, audit.KindPatient, seesOneself, []cells{
			{Self, "demographics:RU schedule:RC notes:R documents:RC forms:RC files:RC messages:RC message_attachments:RC billing:R consents:RCU exports:E audit_log:R", false},
		}},
		{FamilyProxy, "Family", 8, false, audit.KindProxy, seesContact, []cells{
			{Proxy, "demographics:R documents:R consents:R schedule:RC messages:RC", false},
		}},
		{AIAgent, "AI Agent", 6, false, audit.KindAgent, seesNothing, []cells{{Own, "documents:R", false}}},
		{ServiceAccount, "Service", 4, false, audit.KindService, seesNothing, nil},
		{Suspended, "Suspended", 0, false, "", seesNothing, nil},
	}
}
