// Package rbactest proves the parts of access control that a host brings itself.
//
//   - TestStore and Check: a store of grants keeps the contract of rbac.Store.
//   - FilterAgreesWithCheck: on the host's own schema, a list shows exactly the rows that a
//     check allows.
//   - Routes: the table of routes is the one in a golden file, so that a new or a widened
//     route shows in review.
//   - DenialMatrix: no route lets in a stranger, somebody without a role, somebody whose role
//     is not in force yet, or somebody of another tenant.
package rbactest
