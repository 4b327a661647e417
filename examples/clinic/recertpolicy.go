package main

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// What can be done about access reviews. Administrators and the privacy officer begin them, see them and
// sign them off; auditors see them and take the evidence. Anybody of the team can be asked to review
// somebody: package recert shows each person only what waits for them.
var (
	campaignRead     = rbac.Define[rbac.InTenant]("campaign.read", rbac.Columns{}, rbac.Verb(audit.Read))
	campaignStart    = rbac.Define[rbac.InTenant]("campaign.start", rbac.Columns{}, rbac.Verb(audit.Create))
	campaignSign     = rbac.Define[rbac.InTenant]("campaign.sign", rbac.Columns{}, rbac.Verb(audit.Update), rbac.StepUp(freshly))
	campaignEvidence = rbac.Define[rbac.InTenant]("campaign.evidence", rbac.Columns{}, rbac.Verb(audit.Execute))
	campaignMine     = rbac.Define[rbac.InTenant]("campaign.mine", rbac.Columns{}, rbac.Verb(audit.Read))
	campaignDecide   = rbac.Define[rbac.InTenant]("campaign.decide", rbac.Columns{}, rbac.Verb(audit.Update))
)

func campaignActions() []rbac.AnyAction {
	return []rbac.AnyAction{campaignRead, campaignStart, campaignSign, campaignEvidence, campaignMine, campaignDecide}
}

// withCampaigns gives access reviews to who answers for them, and a reviewer's part to the team.
func withCampaigns(roles []rbac.Role) []rbac.Role {
	for i := range roles {
		switch roles[i].Name {
		case rbac.ClinicAdmin, rbac.ClinicAdminFull, rbac.PrivacyOfficer:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, campaignRead, campaignStart, campaignSign, campaignEvidence))
		case rbac.Auditor:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, campaignRead, campaignEvidence))
		}
		if reviewsOthers(roles[i]) {
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, campaignMine, campaignDecide))
		}
	}
	return roles
}

// reviewsOthers reports whether a role is for people of the clinic's own team.
func reviewsOthers(r rbac.Role) bool {
	return (r.Kind == "" || r.Kind == audit.KindStaff) && r.Name != rbac.PlatformOperator && r.Name != rbac.Suspended
}

// campaignWords are the clinic's words for what becomes of access reviews.
func campaignWords() []option {
	return []option{
		{"campaign.read", "Look at access reviews"},
		{"campaign.start", "Ask to begin an access review"},
		{"campaign.sign", "Ask to sign off an access review"},
		{"campaign.evidence", "Ask for the evidence of an access review"},
		{"campaign.mine", "Look at what waits for one’s review"},
		{"campaign.decide", "Ask to decide about somebody’s access"},
		{string(recert.ActionStart), "Access review begun"},
		{string(recert.ActionDecide), "Decided about somebody’s access"},
		{string(recert.ActionDelegate), "Review handed to somebody else"},
		{string(recert.ActionAbstain), "Review passed on"},
		{string(recert.ActionPassOn), "Review passed on because its reviewer left"},
		{string(recert.ActionGiveBack), "Suspended access given back"},
		{string(recert.ActionDue), "Nobody reviewed an access in time"},
		{string(recert.ActionEffect), "What a review decided was carried out"},
		{string(recert.ActionGone), "Access under review ended by itself"},
		{string(recert.ActionRegrant), "Access was given again after its review"},
		{string(recert.ActionNotice), "Somebody was told of an access review"},
		{string(recert.ActionSignOff), "Access review signed off"},
		{string(recert.ActionEvidence), "Evidence of an access review handed out"},
	}
}

// campaignTypes are its kinds of record.
func campaignTypes() []option {
	return []option{
		{recert.ObjectCampaign, "Access review"},
		{recert.ObjectItem, "Access under review"},
		{string(recert.KindSupport), "Access of the platform’s support"},
		{string(recert.KindProxy), "Access of a family member"},
		{string(recert.KindMachine), "Access of a program"},
	}
}

// doneCampaign are words about access reviews.
func doneCampaign() map[string]string {
	return map[string]string{
		"campaign": "The review has begun. Each reviewer sees what waits for them under “My reviews”.",
		"decided":  "Your decision is saved and on record.",
		"signed":   "The review is signed off. It does not change any more.",
	}
}
