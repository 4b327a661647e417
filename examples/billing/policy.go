package main

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// company is the one tenant: a billing company. The practices it works for are places inside it.
const company audit.Tenant = "ledger-lane"

// Claim is a bill of one practice to a patient's insurer.
type Claim struct {
	ID       string        `phi:",row"`
	Patient  audit.Patient `phi:",patient"`
	Practice rbac.PracticeID
	State    string

	Name   phi.Text `phi:"name,class=name"`
	Amount int64    // cents
}

// RBAC says where the claim belongs.
func (c Claim) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: c.ID, Tenant: company, Practice: c.Practice, Patient: c.Patient}
}

// Payment is money for a claim. It belongs to the claim's practice.
type Payment struct {
	ID, Claim string
	Patient   audit.Patient
	Practice  rbac.PracticeID
	Amount    int64 // cents
}

// RBAC says where the payment belongs.
func (p Payment) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: p.ID, Tenant: company, Practice: p.Practice, Patient: p.Patient}
}

// The columns by which rules select rows; both tables have them.
var columns = rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "patient"}

// What can be done here. Lists, counts and sums are made with the action of the record itself, so
// no report can tell what its records would not.
var (
	claimRead   = rbac.Define[Claim]("claim.read", columns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Billing))
	claimUpdate = rbac.Define[Claim]("claim.update", columns, rbac.Verb(audit.Update), rbac.PHI(), rbac.InCategory(rbac.Billing))
	paymentRead = rbac.Define[Payment]("payment.read", columns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Billing))
	paymentPost = rbac.Define[Payment]("payment.post", columns, rbac.Verb(audit.Create), rbac.PHI(), rbac.InCategory(rbac.Billing))
)

// rules are the presets: an owner sees the accounts of the whole company, a biller those of the
// practices that the grant lists, and no others.
func rules() (*rbac.Policy, error) {
	actions := []rbac.AnyAction{claimRead, claimUpdate, paymentRead, paymentPost}
	roles := rbac.Presets(actions, &rbac.PresetOptions{Roles: []rbac.RoleName{rbac.Owner, rbac.Biller}})
	return rbac.Compile(rbac.Rules{Actions: actions, Roles: roles})
}
