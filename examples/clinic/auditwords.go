package main

import (
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/rbac"
)

// optionGroup is a headed part of a select box.
type optionGroup struct {
	Name    string
	Options []option
}

// actionWords are the clinic's words for what the library and the clinic record. Those of a
// decision name what was asked for; the outcome says whether it happened.
func actionWords() []optionGroup {
	return []optionGroup{
		{"Patients", slices.Concat(patientWords(), careWords(), emergencyWords(), shredWords())},
		{"Letters and questionnaires", paperWords()},
		{"Claims", claimWords()},
		{"Roles", slices.Concat(roleEventWords(), maskWords())},
		{"Safeguards and disclosures", slices.Concat(controlWords(), deidWords())},
		{"Team and audit", slices.Concat(auditWords(), proofWords(), reviewWords(), retentionWords())},
		{"Signing in", signInWords()},
		{"Programs and agents", machineWords()},
		{"Incidents", incidentWords()},
		{"Access reviews", campaignWords()},
		{"Platform support", supportWords()},
		{"Second factors", slices.Concat(factorWords(), factorUseWords())},
		{"The system itself", systemWords()},
	}
}

func patientWords() []option {
	return []option{
		{"patient.read", "Look at patients"},
		{"patient.reveal_ssn", "Reveal a social security number"},
		{"patient.register_open", "Open the registration form"},
		{"patient.register", "Ask to register a patient"},
		{"patient.registered", "Patient registered"},
		{"portal.read", "Look at a patient's own access"},
		{"portal.manage", "Change a patient's own access"},
		{"portal.reset_factor", "Ask to reset a patient's second factor"},
		{"note.read", "Read a clinical note"},
		{"note.write", "Ask to change a clinical note"},
		{"note.saved", "Clinical note saved"},
		{"note.draft", "Keep or throw away a note in the making"},
		{string(actionDraftKept), "Note in the making kept"},
		{string(actionDraftDiscarded), "Note in the making thrown away"},
	}
}

func claimWords() []option {
	return []option{
		{"claim.read", "Look at claims"},
		{"claim.history", "Look at the steps of a claim"},
		{"claim.submit", "Ask to submit a claim"},
		{"claim.change", "Ask to move a claim on"},
		{"claim.submitted", "Claim submitted"},
		{"claim.denied", "Claim denied by the insurer"},
		{"claim.appealed", "Claim appealed"},
		{"claim.paid", "Claim paid"},
	}
}

func auditWords() []option {
	return []option{
		{"team.read", "Look at the team"},
		{"team.manage", "Change the team"},
		{"person.reset_factor", "Ask to reset a second factor"},
		{"rbac.grant", "Give a role"},
		{"rbac.revoke", "Take a role away"},
		{"settings.change", "Ask to change the settings"},
		{"settings.read", "Look at the settings"},
		{"keys.renew", "Ask to renew the keys of the records"},
		{"audit.read", "Read the audit"},
		{"audit.open", "Open an event of the audit"},
		{"audit.health", "Look at the state of recording"},
		{"access_report.read", "Look who viewed a patient"},
		{"history.read", "Look at the history of a record"},
	}
}

func signInWords() []option {
	return []option{
		{"authn.sign_in", "Sign in"},
		{"authn.step", "A step of signing in"},
		{"authn.throttle", "Slow down after wrong tries"},
		{"authn.link", "Open a link"},
		{"authn.set_up", "Prepare the first administrator"},
		{"authn.invite", "Invite somebody"},
		{"authn.resend", "Send an invitation again"},
		{"authn.join", "Accept an invitation"},
		{"authn.suspend", "Suspend an account"},
		{"authn.reinstate", "Reinstate an account"},
		{"authn.unlock", "Unlock an account"},
		{"authn.reset_factor", "End sign-ins before a second factor is reset"},
		{string(authn.ActionForgetDevices), "Forget all browsers of a person"},
		{"authn.request_reset", "Ask for a new password"},
		{"authn.reset_password", "Choose a new password with a link"},
		{"authn.change_password", "Change one's own password"},
		{"authn.expire_password", "Have somebody change the password"},
		{"authn.admin_reset", "Take a password away and mail a link"},
		{"authn.remove", "Close an account for good"},
		{"authn.approve", "Approve an account"},
		{"authn.policy", "Change who may sign in, and how"},
		{"authn.notice", "Give up a mail that could not be delivered"},
		{"session.start", "Begin a session"},
		{"authn.reauthenticate", "Give the password again"},
		{"session.reauthenticate", "Prove again who is there"},
		{"session.lock", "Lock the screen"},
		{"session.unlock", "Unlock the screen"},
		{"session.rotate", "Renew a session"},
		{"session.policy", "Change the rules for signing in"},
		{"session.check", "Send what no page sends"},
		{"session.end", "End a session"},
		{"session.end_all", "End all sessions of a person"},
		{"rbac.signed_in", "Open a page of one's own"},
	}
}

// factorWords are what becomes of second factors, factorUseWords what is done with them every day.
func factorWords() []option {
	return []option{
		{"mfa.enrolled", "Set up a second factor"},
		{"mfa.failed", "Give a wrong code"},
		{"mfa.replayed", "Use a code twice"},
		{"mfa.locked", "Lock a second factor"},
		{"mfa.reset", "Reset a second factor"},
		{"mfa.disabled", "Turn one's own second factor off"},
		{"mfa.replaced", "Move codes to another phone"},
		{"mfa.codes_issued", "Make recovery codes"},
		{"mfa.recovered", "Use a recovery code"},
		{string(mfa.ActionPasskeyAdded), "Make a passkey"},
		{string(mfa.ActionPasskeyRemoved), "Remove a passkey"},
		{string(mfa.ActionPasskeyCloned), "Find a copy of a passkey, and turn it off"},
		{string(mfa.ActionTextAlarm), "Stop text messages to numbers that begin alike"},
		{string(mfa.ActionTextAdded), "Set up codes by text message"},
		{string(mfa.ActionTextReplaced), "Move text messages to another number"},
		{string(mfa.ActionTextRemoved), "Remove a number for text messages"},
		{string(mfa.ActionTextLocked), "Lock codes by text message"},
	}
}

func factorUseWords() []option {
	return []option{
		{"mfa.begun", "Begin to set up a second factor"},
		{"mfa.verified", "Give the right code"},
		{string(mfa.ActionPasskeyRenamed), "Give a passkey another name"},
		{string(mfa.ActionTextSent), "Send a code by text message"},
		{string(mfa.ActionTextRefused), "Send no text message"},
		{string(mfa.ActionTextVerified), "Give the right code of a text message"},
		{string(mfa.ActionTextFailed), "Give a wrong code of a text message"},
		{string(authn.ActionAddPasskey), "Ask to make a passkey"},
		{string(authn.ActionForgetDevice), "Forget a browser"},
		{string(ownSecurity), "Change my ways to sign in"},
	}
}

func systemWords() []option {
	return []option{
		{string(audit.ActionEnabled), "Begin recording"},
		{string(audit.ActionDisabled), "End recording"},
		{string(audit.ActionRefused), "Find rows of somebody else in the audit"},
		{string(audit.ActionClockUnsynced), "Find the clock not synchronised"},
		{string(audit.ActionClockSynced), "Find the clock synchronised again"},
		{string(audit.ActionClockStep), "Find that the clock was set"},
		{string(audit.ActionKeyRotated), "Renew keys"},
		{string(actionRenewalOrdered), "Order a renewal of keys at the server"},
		{"demo.seeded", "Fill the demo"},
	}
}

// careActions are what is done with patients' records: what their therapists may see of the
// audit. Who looks after the audit itself is not among it.
func careActions() (all []audit.Action) {
	for _, o := range slices.Concat(patientWords(), careWords(), paperWords(), claimWords()) {
		all = append(all, audit.Action(o.ID))
	}
	return all
}

// actionText is the words for an action, its code where there are none.
func actionText(action audit.Action) string {
	for _, g := range actionWords() {
		for _, o := range g.Options {
			if o.ID == string(action) {
				return o.Name
			}
		}
	}
	return string(action)
}

// deedText names an action as what is done, where actionText says that it was asked for.
func deedText(action audit.Action) string {
	text, asked := strings.CutPrefix(actionText(action), "Ask to ")
	if asked {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text
}

// recordTypes are the kinds of record that the audit can be asked about.
func recordTypes() []option {
	return append(slices.Concat(controlTypes(), retentionTypes(), maskTypes(), campaignTypes()), []option{
		{"patient", "Patient record"},
		{"note", "Clinical note"},
		{"patient_keys", "Keys of a patient"},
		{"claim", "Claim"},
		{"access_report", "Report of who viewed a patient"},
		{"history", "History of a record"},
		{"person", "Account"},
		{"session", "Session"},
		{"settings", "Settings"},
		{"keys", "Keys of the records"},
		{"key.rotation", "Renewal of keys"},
		{"team", "Team"},
		{"audit", "The audit"},
		{"audit_event", "Event of the audit"},
		{"proof", "Proof of the audit"},
		{"audit_finding", "Finding"},
		{checkObject, "Check of the audit"},
		{exportObject, "Copy of the audit"},
		{"grant", "Role given to somebody"},
		{rbac.EmergencyObject, "Emergency access"},
		{"roles", "Roles"},
		{"rights", "What somebody may see"},
		{"choices", "Who may delete"},
		{"letter", "Letter"},
		{"form", "Questionnaire"},
		{"security_log", "Sign-ins of the team"},
		{"own_log", "What somebody did themselves"},
	}...)
}

// wordOf is an option's name, its code where there is none.
func wordOf(options []option, id string) string {
	if i := slices.IndexFunc(options, func(o option) bool { return o.ID == id }); i >= 0 {
		return options[i].Name
	}
	return id
}

// fieldWords are the words for fields whose name is none.
func fieldWords() []option {
	return []option{
		{"birth", "date of birth"},
		{"mrn", "medical record number"},
		{"email", "e-mail"},
		{"ssn", "social security number"},
		{"payer", "insurer"},
		{"served", "day of the visit"},
	}
}

// plainly writes fields or categories as words, each once. An excerpt, such as the last digits
// of a number, is told from the whole.
func plainly(codes []string) string {
	var words []string
	for _, code := range codes {
		field, rest, _ := strings.Cut(code, ":")
		word := strings.ReplaceAll(wordOf(fieldWords(), field), "_", " ")
		if rest != "" {
			word += " (in part)"
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}

func whoText(actor audit.Actor, team map[audit.ActorID]member) string {
	if m, ok := team[actor.ID]; ok {
		return m.Name
	}
	if rbac.IsVisitor(actor.ID) {
		return visitorName(actor.ID)
	}
	switch actor.Kind {
	case audit.KindPatient:
		return "the patient, in the portal"
	case audit.KindAnonymous:
		return "not signed in"
	case audit.KindSystem:
		return "the clinic's server"
	case audit.KindService:
		return "a program"
	case audit.KindAgent:
		return "an AI agent for " + whoText(audit.Actor{ID: actor.OnBehalfOf}, team)
	}
	return string(actor.ID)
}

// verbText says what kind of doing an event is.
func verbText(v audit.Verb) string {
	switch v {
	case audit.Create:
		return "create"
	case audit.Read:
		return "read"
	case audit.Update:
		return "change"
	case audit.Delete:
		return "delete"
	}
	return "carry out"
}

func outcomeText(e audit.Event) (text, tag string) {
	switch {
	case e.Outcome == audit.Success && isDone(e.Action):
		return "Done", "tag-good"
	case e.Outcome == audit.Success:
		return "Allowed", "tag-good"
	case e.Actor.Kind == audit.KindSystem:
		return "Needs a look", "tag-warn"
	case e.Outcome == audit.MajorFailure:
		return "Failed", "tag-bad"
	}
	return "Refused", "tag-bad"
}
