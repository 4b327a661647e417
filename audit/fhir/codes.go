package fhir

import "github.com/wardkit/wardkit/audit"

// Systems of codes.
const (
	profileBase      = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
	balpEntities     = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
	actionSystem     = "https://github.com/wardkit/wardkit/fhir/action"
	dcm              = "http://dicom.nema.org/resources/ontology/DCM"
	eventTypes       = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	interactions     = "http://hl7.org/fhir/restful-interaction"
	lifecycle        = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
	entityTypes      = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	objectRoles      = "http://terminology.hl7.org/CodeSystem/object-role"
	participations   = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	provenance       = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
	reasons          = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	sourceTypes      = "http://terminology.hl7.org/CodeSystem/security-source-type"
	absentReasonsURL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
)

// coding is a FHIR Coding.
type coding struct{ system, code string }

// shape is what an event is in the words of FHIR, DICOM and BALP.
type shape struct {
	profile              string // the end of the BALP profile's URL; empty for none
	kind                 coding
	subtypes             [2]coding
	verb                 audit.Verb
	client, server, user coding // the agents' types
	query, disclosure    bool
}

// shapeOf finds the shape of a resource with so many patients and objects.
func shapeOf(e *audit.Event, patients, objects int) shape {
	s := restful(e)
	switch kind, subtype := special(e.Action); {
	case e.Disclosure != nil:
		return disclosed(e, s, patients)
	case kind != "":
		s.kind, s.profile, s.subtypes = coding{dcm, kind}, "", [2]coding{}
		if subtype != "" {
			s.subtypes[0] = coding{dcm, subtype}
		}
	}
	if e.Actor.Emergency != "" {
		s.subtypes[1] = coding{dcm, "110127"} // Emergency Override Started
	}
	bad := e.Outcome != audit.Success || patients > 1 || !s.query && patients+objects == 0
	switch {
	case bad:
		s.profile = ""
	case s.profile != "" && patients == 1:
		s.profile = "Patient" + s.profile
	}
	return s
}

// restful is the shape of what an event's verb says. The client is the destination of what it reads
// and the source of everything else, its search among it.
func restful(e *audit.Event) shape {
	source, destination := coding{dcm, "110153"}, coding{dcm, "110152"}
	recipient, author := coding{participations, "IRCP"}, coding{participations, "AUT"}
	s := shape{kind: coding{eventTypes, "rest"}, verb: e.Verb, client: source, server: destination, user: author}
	interaction := "operation"
	switch e.Verb {
	case audit.Create:
		s.profile, interaction = "Create", "create"
	case audit.Read:
		s.profile, interaction = "Read", "read"
		s.client, s.server, s.user = destination, source, recipient
	case audit.Update:
		s.profile, interaction = "Update", "update"
	case audit.Delete:
		s.profile, interaction = "Delete", "delete"
		s.client, s.server = coding{dcm, "110150"}, coding{provenance, "custodian"}
	case audit.Execute:
		s.user = recipient
		if !e.Search.IsZero() {
			s.profile, interaction, s.query = "Query", "search", true
		}
	}
	s.subtypes[0] = coding{interactions, interaction}
	return s
}

// disclosed is an export to somebody outside. The server is the source; the recipient is an agent of
// its own.
func disclosed(e *audit.Event, s shape, patients int) shape {
	out := shape{
		kind: coding{dcm, "110106"}, subtypes: [2]coding{{lifecycle, "disclose"}}, verb: audit.Read, disclosure: true,
		client: coding{dcm, "110150"}, server: coding{dcm, "110153"}, user: s.user,
	}
	if e.Actor.Emergency != "" {
		out.subtypes[1] = coding{dcm, "110127"}
	}
	if e.Outcome == audit.Success && patients == 1 {
		out.profile = "PrivacyDisclosure.Source"
	}
	return out
}

// special returns the DICOM codes (PS3.16, CID 400 to 402) of actions that are no work with records.
func special(a audit.Action) (kind, subtype string) {
	switch a {
	case "authn.sign_in":
		return "110114", "110122" // User Authentication, Login
	case "authn.sign_out", "session.end":
		return "110114", "110123" // Logout
	case "authn.step", "authn.reauthenticate", "mfa.verified", "mfa.failed", "mfa.text_verified", "mfa.text_failed",
		"mfa.replayed", "mfa.recovered", "machine.enter", "machine.token":
		return "110114", ""
	case audit.ActionRead, audit.ActionOpen:
		return "110101", "" // Audit Log Used
	case audit.ActionEnabled:
		return "110113", "110134" // Security Alert, Audit Recording Started
	case audit.ActionDisabled:
		return "110113", "110133" // Audit Recording Stopped
	case audit.ActionPrivilegeChanged, "rbac.grant", "rbac.revoke", "rbac.policy_swap":
		return "110113", "110136" // Security Roles Changed
	case audit.ActionExportCreated:
		return "110106", "" // Export
	}
	return "", ""
}
