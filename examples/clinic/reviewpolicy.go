package main

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// What can be done about findings. Whoever reads the audit reads them; the privacy officer and the
// administrators, who are this clinic's privacy officers, take them and say what they came to.
var (
	reviewRead   = rbac.Define[rbac.InTenant]("review.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.AuditLog))
	reviewChange = rbac.Define[rbac.InTenant]("review.change", rbac.Columns{}, rbac.Verb(audit.Update), rbac.InCategory(rbac.AuditLog))
)

func reviewActions() []rbac.AnyAction { return []rbac.AnyAction{reviewRead, reviewChange} }

// withReview lets those review who answer for privacy.
func withReview(roles []rbac.Role) []rbac.Role {
	for i, r := range roles {
		if r.Name == rbac.PrivacyOfficer || r.Name == rbac.ClinicAdmin || r.Name == rbac.ClinicAdminFull {
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, reviewChange))
		}
	}
	return roles
}

func reviewWords() []option {
	return []option{
		{"review.read", "Look at findings"},
		{"review.change", "Ask to go on with a finding"},
		{string(review.ActionOpened), "Finding made"},
		{string(review.ActionChanged), "Finding gone on with"},
		{string(audit.ActionPolicyChanged), "Rules of recording or review changed"},
		{string(phi.ActionInsecureFullSight), "A job of the server sees personal data"},
	}
}

func (a *app) reviewRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /audit/review", reviewRead, a.reviewPage)
	here.Handle("GET /audit/review/{finding}", reviewRead, a.findingPage)
	here.Handle("POST /audit/review/{finding}", reviewChange, a.changeFinding)
}

// ruleWords are the rules as the pages call them.
func ruleWords() []option {
	return []option{
		{string(review.Volume), "Many records in a day"},
		{string(review.ManyPatients), "Many patients in an hour"},
		{string(review.FirstContact), "Patients never seen before"},
		{string(review.OffHours), "Records opened while closed"},
		{string(review.Denied), "Many refusals"},
		{string(review.Sequence), "Records tried one after another"},
		{string(review.SameSurname), "Patient with the same surname"},
		{string(review.OwnRecord), "One’s own record"},
		{string(review.CoWorker), "Patient who works here"},
		{string(review.VIP), "Patient of public interest"},
		{string(review.Listing), "Long lists of patients"},
		{string(review.Export), "Copies taken out"},
		{string(review.Woken), "Account that came back"},
		{string(review.AuditReading), "Much reading in the audit"},
		{string(review.Unasked), "Could not be compared"},
		{string(review.Unreadable), "Events that cannot be read"},
		{string(review.Crowd), "Too many accounts"},
	}
}

// findingState is a state as the pages call it, with its looks.
func findingState(s review.State) (text, tag string) {
	switch s {
	case review.InReview:
		return "In review", "tag-warn"
	case review.Explained:
		return "Explained", "tag-good"
	case review.Escalated:
		return "Escalated", "tag-bad"
	case review.Closed:
		return "Closed", "tag-good"
	}
	return "Open", "tag-bad"
}

// verdicts are what a finding can be closed with.
func verdicts() []option {
	return []option{
		{string(review.NoIssue), "Nothing was wrong"},
		{string(review.Violation), "It was not allowed"},
		{string(review.Unclear), "It could not be found out"},
	}
}
