package main

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// What can be done to prove the audit. Whoever reads it may also have it checked and take a copy
// out: the privacy officer, the auditor, and the administrators. A copy takes a reason and a fresh
// proof of who is there.
var (
	proofRead  = rbac.Define[rbac.InTenant]("proof.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.AuditLog))
	proofCheck = rbac.Define[rbac.InTenant]("proof.check", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.AuditLog))
	exportRead = rbac.Define[rbac.InTenant]("audit_export.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.AuditLog))
	exportMake = rbac.Define[rbac.InTenant]("audit_export.make", rbac.Columns{}, rbac.Verb(audit.Read), rbac.PHI(), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.AuditLog))

	// demoTamper has a route in the demo alone.
	demoTamper = rbac.Define[rbac.InTenant]("demo.tamper", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.AuditLog))
)

func proofActions() []rbac.AnyAction {
	return []rbac.AnyAction{proofRead, proofCheck, exportRead, exportMake, demoTamper}
}

// What becomes of a check, and of an export that broke off.
const (
	actionCheckStarted audit.Action = "proof.check_started"
	actionCheckEnded   audit.Action = "proof.check_ended"
	actionExportBroken audit.Action = "audit_export.broken"
)

// proofEvent is about a check or an export.
func proofEvent(action audit.Action, kind, id string) audit.Event {
	return audit.Event{Tenant: tenant, Action: action, Verb: audit.Execute, Objects: []audit.Object{{Type: kind, ID: id, Category: string(rbac.AuditLog)}}}
}

// The types of these objects.
const (
	checkObject  = "audit_check"
	exportObject = "audit_export" // as package export calls it
)

func proofWords() []option {
	return []option{
		{"proof.read", "Look at the proof of the audit"},
		{"proof.check", "Ask to check the whole audit"},
		{string(actionCheckStarted), "Check of the whole audit begun"},
		{string(actionCheckEnded), "Check of the whole audit ended"},
		{"audit_export.read", "Look at the copies of the audit"},
		{"audit_export.make", "Ask to take out a copy of the audit"},
		{string(audit.ActionExportCreated), "Copy of the audit taken out"},
		{string(actionExportBroken), "Copy of the audit broke off"},
		{"demo.tamper", "Play a dishonest owner of the database (demo)"},
	}
}

func (a *app) proofRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /audit/proof", proofRead, a.proofPage)
	here.Handle("GET /audit/proof/checkpoint", proofRead, a.checkpointText)
	here.Handle("POST /audit/proof/check", proofCheck, a.beginCheck)
	here.Handle("GET /audit/proof/{event}", auditOpen, a.eventProof)
	here.Handle("GET /audit/exports", exportRead, a.exportsPage)
	here.Handle("POST /audit/exports", exportMake, a.makeExport)
	here.Handle("GET /audit/exports/{export}", exportRead, a.exportManifest)
	if a.demo != nil {
		here.Handle("POST /audit/proof/tamper", demoTamper, a.tamper)
		here.Handle("POST /audit/proof/undo", demoTamper, a.undoTampering)
	}
}
