// Package rbac decides who may do what to which record. It protects against the two ways in
// which access control fails in practice: a guard that was forgotten, and a list that shows
// what the page behind it refuses.
//
//   - One rule, two readings. A role grants an action in a scope (tenant, practice, own,
//     self); Check asks it about one record, Visible turns the same rule into a WHERE clause,
//     so that lists, counts, search and exports cannot disagree with the pages behind them.
//   - No route without a decision. A Mux takes an action with every pattern, its handlers see
//     only what was already authorised, and audithttp.Hold drops what nobody decided.
//   - Typed, not spelt. Actions are values of Define, so that a misspelt name, the wrong
//     resource type or a string in a role does not compile; Compile reports the rest at once.
//   - Read once per request, never cached across requests: a revocation is in force with the
//     person's next request on every server.
//   - Denied and failed are different, and both close. Every decision is recorded, with the
//     role, scope, grant and policy that made it, before anything is shown or done.
//
// In five lines:
//
//	var PatientRead = rbac.Define[Patient]("patient.read", columns, rbac.Verb(audit.Read), rbac.PHI())
//	policy, err := rbac.Compile(rbac.Rules{Actions: []rbac.AnyAction{PatientRead}, Roles: []rbac.Role{{Name: "therapist", Label: "Therapist",
//		Allow: []rbac.Allow{rbac.In(rbac.Own, PatientRead)}}}, Relations: rbac.Relations{Own: careTeam}})
//	z, err := rbac.New(policy, store, log, nil)
//	mux := rbac.NewMux(z, nil)
//	rbac.For(mux, loadPatient).Handle("GET /patients/{id}", PatientRead, showPatient)
//
// Then audithttp.Hold(log, sessions.Handler(mux), nil) is the server's handler.
//
// # The words
//
// A Resource says where it belongs (Attrs), from the row as stored. An Action is something
// done to one type of resource, with its duties: PHI, Destructive, NeedReason, StepUp,
// TwoPerson, NeedLicence, Reveals. A Role allows actions in scopes and says how much of each class of data its holder sees. A Grant
// gives a role to a person of a tenant, from and until; it is a row, and ending it keeps it as
// evidence. Toggles are what a tenant makes of the policy: permissions that it may switch, and Masks
// by which its roles see less. A Relation tells who cares for whom. A Decision answers with its reasons; Granted
// and Filter are proofs of one, which store methods can ask for.
//
// # Scopes
//
// A person's own tenant is part of every decision and of every filter; there is no scope that
// crosses tenants. Practice, Location and Queue need grants that list some: a grant of such a
// role without any is refused, and so is a list for another role. Own asks Relations.Own
// about the record's patient, and Supervisees, Proxy, Consented and Emergency ask theirs; package
// emergency keeps who opened whom in an emergency, which only widens what is read. Self
// is what the person owns and, for patients, what Relations.Self says is theirs; roles of
// patients and proxies go no further than that, Proxy, Author and Related. And, Or and Not
// combine scopes; what a record does not say is reached by none of them. A Forbid takes
// labelled records away, from checks and lists alike, whatever the roles. Several
// roles add up; what is seen of a record is the widest of the roles that allow the action
// there, and of a list what holds for all its rows. Services and agents have the roles granted
// to themselves and never those of the person they act for. What they may do is the least of three:
// these roles, the scopes on their audit.Actor, without which they may do nothing, and what the
// person they act for may do now. What asks for a step-up or for more than AAL1 they never pass.
//
// # What the host must do
//
//   - Put a Mux, or Authorize and Visible, before everything that touches records, behind
//     audithttp.Hold and the session's handler, which puts the audit.Actor into the context.
//   - Fill Attrs from the database, never from the request; see For about new records.
//   - Use Filter.SQL in every query that lists, counts or searches, and prove the columns with
//     rbactest.FilterAgreesWithCheck on its own schema; keep ids in columns that compare byte
//     by byte, without a case-insensitive collation.
//   - Read grants from the primary database: a replica that lags lets revoked people in.
//   - Guard the page on which grants are given with an action of its own, and end a person's
//     sessions where a revocation must also cut off a request under way.
//   - Pin its routes with rbactest.Routes and try them with rbactest.DenialMatrix.
//   - Say with every type's Columns where its labels are, or that it is Unlabelled.
//
// # Compatibility
//
// Version 0: the Go API may change with a changelog entry. What is stored does not: names of
// actions and roles, codes, migrations, and the meaning of scopes. The digest of a policy
// changes with the policy only; should its form have to change, its format number does too.
package rbac
