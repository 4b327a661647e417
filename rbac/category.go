package rbac

import "slices"

// Category is a kind of record: the closed list over which the presets speak. A host binds its
// own types to it, action by action, with InCategory. It may use names of its own; the presets
// then grant nothing on them.
type Category string

// The categories of records.
const (
	Demographics  Category = "demographics"        // name, contact, date of birth
	Identifiers   Category = "identifiers"         // social security number and the like, in full
	CareTeam      Category = "care_team"           // who treats whom
	Schedule      Category = "schedule"            // appointments
	Notes         Category = "notes"               // clinical notes, treatment plans; Execute is signing
	Psychotherapy Category = "psychotherapy"       // psychotherapy notes, 45 CFR 164.501
	Orders        Category = "orders"              // prescriptions, orders; Execute is signing them
	Documents     Category = "documents"           // laboratory results, reports, scans
	Forms         Category = "forms"               // questionnaires, intake and prescreening answers
	Files         Category = "files"               // what was uploaded
	Messages      Category = "messages"            // between patients and staff
	Attachments   Category = "message_attachments" // files of messages
	Billing       Category = "billing"             // claims, payments, codes
	Consents      Category = "consents"
	Exports       Category = "exports" // copies that leave the system
	Users         Category = "users"   // team, roles, invitations, sessions of others
	Settings      Category = "settings"
	Retention     Category = "retention" // retention rules, legal holds
	AuditLog      Category = "audit_log" // who saw and did what; about one patient where the record has one
	SecurityLog   Category = "security_log"
	OwnLog        Category = "own_log" // what somebody did themselves
)

// Categories returns the closed list, in the order of the presets' table.
func Categories() []Category {
	return []Category{
		Demographics, Identifiers, CareTeam, Schedule, Notes, Psychotherapy, Orders, Documents, Forms, Files, Messages,
		Attachments, Billing, Consents, Exports, Users, Settings, Retention, AuditLog, SecurityLog, OwnLog,
	}
}

// Clinical reports whether records of the category say something about somebody's health, so
// that nobody reads all of them unless a tenant says so.
func (c Category) Clinical() bool {
	return slices.Contains([]Category{Notes, Psychotherapy, Orders, Documents, Forms, Files, Messages, Attachments}, c)
}
