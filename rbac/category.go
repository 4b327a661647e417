package rbac

// Category is a kind of record: the closed list over which the presets speak. A host may use
// names of its own; the presets then grant nothing on them.
type Category string

// The categories of records.
const (
	Demographics  Category = "demographics"  // name, contact, date of birth
	Identifiers   Category = "identifiers"   // social security number and the like, in full
	CareTeam      Category = "care_team"     // who treats whom
	Schedule      Category = "schedule"      // appointments
	Notes         Category = "notes"         // clinical notes, treatment plans
	Psychotherapy Category = "psychotherapy" // psychotherapy notes, 45 CFR 164.501
	Orders        Category = "orders"        // prescriptions, orders
	Documents     Category = "documents"     // laboratory results, files
	Billing       Category = "billing"       // claims, payments, codes
	Consents      Category = "consents"
	Exports       Category = "exports" // copies that leave the system
	Users         Category = "users"   // team, roles, invitations, sessions of others
	Settings      Category = "settings"
	AuditLog      Category = "audit_log"
)
