package main

import (
	"strings"

	"github.com/wardkit/wardkit/rbac"
)

// recordKind is a kind of record in the clinic's words.
type recordKind struct {
	category rbac.Category
	name     string
}

func recordKinds() []recordKind {
	return []recordKind{
		{rbac.Demographics, "Patients: name and contact"},
		{rbac.Identifiers, "Social security numbers"},
		{rbac.Notes, "Clinical notes"},
		{rbac.Documents, "Letters"},
		{rbac.Forms, "Questionnaires"},
		{rbac.Billing, "Claims"},
		{rbac.CareTeam, "Registration, care team and patient portal"},
		{rbac.Users, "Team and roles"},
		{rbac.Settings, "Settings"},
		{rbac.Exports, "What was disclosed to others"},
		{rbac.AuditLog, "Who saw and did what"},
		{rbac.Retention, "How long that is kept"},
		{rbac.SecurityLog, "Sign-ins of the team"},
		{rbac.OwnLog, "What they did themselves"},
		{categoryEmergency, "Records in an emergency"},
	}
}

func kindWords(c rbac.Category) string {
	for _, k := range recordKinds() {
		if k.category == c {
			return k.name
		}
	}
	return strings.ReplaceAll(string(c), "_", " ")
}

// scopeWords says how far a permission reaches.
func scopeWords(c rbac.Category, scope string) string {
	switch {
	case strings.Contains(scope, "own"):
		return "own patients"
	case scope == "self":
		return "only theirs"
	case scope == "emergency":
		return "in an emergency"
	case scope != "tenant":
		return "some"
	}
	switch c {
	case rbac.Users, rbac.Settings, rbac.CareTeam, rbac.SecurityLog:
		return "yes"
	}
	return "all"
}

// reachWords says the same within a sentence.
func reachWords(scope string) string {
	switch {
	case strings.Contains(scope, "own"):
		return "for their own patients"
	case scope == "self":
		return "for themselves"
	case scope == "emergency":
		return "in an emergency"
	case scope == "tenant":
		return "for the whole clinic"
	}
	return "for some records"
}

// roleWords say what a role is for.
func roleWords(name rbac.RoleName) string {
	switch name {
	case rbac.ClinicAdmin:
		return "Runs the clinic: team, settings, registration, audit. Reads no clinical notes."
	case rbac.ClinicAdminFull:
		return "As Clinic Admin, and reads the clinical notes, letters and questionnaires of every patient. Nobody is this unless the clinic decides so."
	case rbac.PrivacyOfficer:
		return "Watches over who sees what."
	case rbac.Manager:
		return "Runs the front desk and the billing."
	case rbac.RecordsCustodian:
		return "Keeps the whole record of every patient, and may delete where the clinic allows it."
	case rbac.Therapist:
		return "Treats patients, and sees only those in care."
	case rbac.Nurse:
		return "Looks after the patients in care and adds to their notes."
	case rbac.Finance:
		return "Bills and follows claims. Reads nothing clinical."
	case rbac.AIAgent:
		return "An AI agent. It acts for somebody and never does more than they may, nor more than it was made for."
	case rbac.ServiceAccount:
		return "A program with a key, which does no more than it was made for."
	case rbac.FrontDesk:
		return "Registers patients and hands in papers. Reads nothing clinical."
	case roleOperator:
		return "Somebody of the platform who helps. Nobody of the clinic has it; whom the clinic lets in reads settings and sign-ins, until the time is over."
	case rbac.PatientRole:
		return "Sees their own record in the patient portal, and who looked at it."
	case rbac.Auditor:
		return "Reads the audit and the settings, and does nothing else here."
	}
	return ""
}

// codeWords say why something is not allowed, where no role has more to say about it.
func codeWords(code rbac.Code) string {
	switch code {
	case rbac.CodeAllowed:
		return ""
	case rbac.CodeNoPermission, rbac.CodeNothing:
		return "None of their roles includes it."
	case rbac.CodeOutOfScope:
		return "Their roles include it, but not for this patient."
	case rbac.CodeForbidden:
		return "A rule about sensitive records keeps it back."
	case rbac.CodeLicence:
		return "It takes a licence that they do not hold."
	case rbac.CodeAssurance:
		return "They would have to sign in more strongly."
	case rbac.CodeUndecided:
		return "It could not be found out just now."
	}
	return "It is not for them."
}

// dutyWords say what else is asked of somebody who may.
func dutyWords(duties []string) string {
	var words []string
	for _, duty := range duties {
		name, _, _ := strings.Cut(duty, ":")
		switch name {
		case "reason":
			words = append(words, "a reason has to be given")
		case "step-up":
			words = append(words, "password or code are asked again")
		case "two-person":
			words = append(words, "a second person has to agree")
		case "licence":
			words = append(words, "a licence is needed")
		case "destructive":
			words = append(words, "it cannot be undone")
		case "reveals":
			words = append(words, "shows the whole number")
		}
	}
	if len(words) == 0 {
		return ""
	}
	text := strings.Join(words, "; ") + "."
	return strings.ToUpper(text[:1]) + text[1:]
}

// whyWords are the words for the code that a grant carries.
func whyWords(code string) string {
	switch code {
	case "invited":
		return "with the invitation"
	case "set_up":
		return "when the clinic was set up"
	case whyChange:
		return "a change of roles"
	}
	return ""
}

// refusalWords say why a change of roles is refused.
func refusalWords(code rbac.Code, rule string) string {
	switch code {
	case rbac.CodeSelfGrant:
		return "Nobody gives a role to themselves. Ask another administrator."
	case rbac.CodeRank:
		return "This role stands above yours. Somebody who holds it, or a higher one, can do that."
	case rbac.CodeSeats:
		return "No seat is left: the clinic’s seats are all taken. Take a role from somebody who left, or get more seats."
	case rbac.CodeLastAdmin:
		return "This is the last administrator. Make somebody else administrator first."
	case rbac.CodeSingle:
		return "Only one person at a time can have this role, and somebody has it."
	case rbac.CodeExclusive:
		switch rule {
		case "billing_manages_no_users":
			return "These roles do not go together: who bills does not also run the team. Take the other role away in the same step."
		case "auditor_does_nothing_else":
			return "An auditor has no other role. Take the other role away in the same step."
		}
		return "These roles do not go together. Take the other role away in the same step."
	}
	return "This is not yours to give or to take."
}

func roleEventWords() []option {
	return []option{
		{"roles.read", "Look at the roles"},
		{"rights.read", "Look at what somebody may see"},
		{"roles.propose", "Try out a change of roles"},
		{"roles.change", "Ask to change somebody’s roles"},
		{"choices.propose", "Try out who may delete"},
		{"choices.change", "Ask to change who may delete"},
		{string(actionChose), "Who may delete was changed"},
		{"security_log.read", "Look at the sign-ins of the team"},
		{"own_log.read", "Look at what one did oneself"},
	}
}

func paperWords() (all []option) {
	for _, k := range paperKinds() {
		noun := strings.ToLower(k.One)
		all = append(all,
			option{string(k.read.Name()), "Read a " + noun}, option{string(k.add.Name()), "Ask to add a " + noun},
			option{string(k.remove.Name()), "Ask to delete or put back a " + noun}, option{string(k.purge.Name()), "Ask to destroy a " + noun},
			option{k.noun() + stepAdded, k.One + " added"}, option{k.noun() + stepDeleted, k.One + " deleted"},
			option{k.noun() + stepRestored, k.One + " put back"}, option{k.noun() + stepPurged, k.One + " destroyed"})
	}
	return all
}
