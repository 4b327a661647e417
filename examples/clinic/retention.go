package main

import (
	"path/filepath"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/rbac"
)

// What can be done about how long the audit is kept. The administrators and the privacy officer
// decide; every decision takes a reason and a fresh proof of who is there, and a purge takes two of
// them.
var (
	retentionRead   = rbac.Define[rbac.InTenant]("retention.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Retention))
	retentionChange = rbac.Define[rbac.InTenant]("retention.change", rbac.Columns{}, rbac.Verb(audit.Update), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Retention))
	holdPlace       = rbac.Define[rbac.InTenant]("hold.place", rbac.Columns{}, rbac.Verb(audit.Update), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Retention))
	holdRelease     = rbac.Define[rbac.InTenant]("hold.release", rbac.Columns{}, rbac.Verb(audit.Update), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Retention))
	purgePropose    = rbac.Define[rbac.InTenant]("purge.propose", rbac.Columns{}, rbac.Verb(audit.Execute), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Retention))
	purgeApprove    = rbac.Define[rbac.InTenant]("purge.approve", rbac.Columns{}, rbac.Verb(audit.Execute), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Retention))
	purgeExport     = rbac.Define[rbac.InTenant]("purge.export", rbac.Columns{}, rbac.Verb(audit.Read), rbac.PHI(), rbac.StepUp(freshly), rbac.InCategory(rbac.AuditLog))
)

func retentionActions() []rbac.AnyAction {
	return []rbac.AnyAction{retentionRead, retentionChange, holdPlace, holdRelease, purgePropose, purgeApprove, purgeExport}
}

// withRetention gives what the presets leave to each clinic.
func withRetention(roles []rbac.Role) []rbac.Role {
	for i := range roles {
		switch roles[i].Name {
		case rbac.ClinicAdmin, rbac.ClinicAdminFull, rbac.PrivacyOfficer:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, retentionChange, holdPlace, holdRelease, purgePropose, purgeApprove))
		case rbac.Auditor:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, retentionRead))
		}
	}
	return roles
}

// retentionWords are the clinic's words for it.
func retentionWords() []option {
	return []option{
		{"retention.read", "Look how long the audit is kept"},
		{"retention.change", "Ask to change how long the audit is kept"},
		{string(audit.ActionRetentionChanged), "Time that the audit is kept changed"},
		{"hold.place", "Ask to place a legal hold"},
		{string(audit.ActionHoldPlaced), "Legal hold placed"},
		{"hold.release", "Ask to release a legal hold"},
		{string(audit.ActionHoldReleased), "Legal hold released"},
		{"purge.propose", "Ask to propose a purge of the audit"},
		{string(purge.ActionProposed), "Purge of the audit proposed"},
		{"purge.approve", "Ask to agree to a purge of the audit"},
		{string(purge.ActionApproved), "Purge of the audit agreed to"},
		{string(purge.ActionWithdrawn), "Purge of the audit withdrawn"},
		{string(audit.ActionPurgeExecuted), "Old events of the audit destroyed"},
		{"purge.export", "Take the copy of what a purge destroys"},
	}
}

func retentionTypes() []option {
	return []option{
		{"retention", "Time that the audit is kept"},
		{"audit_retention", "Time that the audit is kept, as it was changed"},
		{"hold", "Legal holds"},
		{"legal_hold", "Legal hold"},
		{"purge", "Purges of the audit"},
		{audit.PurgeObject, "Purge of the audit"},
	}
}

// bundleFolder is where the copies of what purges destroy are kept. Every server shares it, like
// the key file.
func (c config) bundleFolder() string { return filepath.Join(c.data, "purged") }

// wireRetention makes what decides how long the audit is kept.
func (a *app) wireRetention(s *stores) (err error) {
	a.keeper, err = purge.New(purge.Parts{
		Source: s.audit, Trees: a.trees, Exporter: a.exporter, Recorder: a.log,
		Bundles: purge.NewFolder(a.config.bundleFolder()), Store: s.purge,
	}, &purge.Options{Every: 5 * time.Second, Now: a.config.now})
	return err
}

func (a *app) retentionRoutes(mux *rbac.Mux) {
	const page = "/settings/retention"
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET "+page, retentionRead, a.retentionPage)
	here.Handle("POST "+page, retentionChange, a.changeRetention)
	here.Handle("POST "+page+"/holds", holdPlace, a.placeHold)
	here.Handle("POST "+page+"/holds/{hold}/release", holdRelease, a.releaseHold)
	here.Handle("POST "+page+"/purges", purgePropose, a.proposePurge)
	here.Handle("POST "+page+"/purges/{plan}/approve", purgeApprove, a.approvePurge)
	here.Handle("POST "+page+"/purges/{plan}/withdraw", purgePropose, a.withdrawPurge)
	here.Handle("GET "+page+"/purges/{plan}/copy", purgeExport, a.purgeCopy)
}
