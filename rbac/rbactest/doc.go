// Package rbactest proves the parts of access control that a host brings itself.
//
//   - TestStore and Check: a store of grants keeps the contract of rbac.Store.
//   - FilterAgreesWithCheck: on the host's own schema, a list shows exactly the rows that a
//     check allows.
//   - Routes: the table of routes is the one in a golden file, so that a new or a widened
//     route shows in review.
//   - DenialMatrix: no route lets in a stranger, somebody without a role or whose role is not
//     in force, somebody of another tenant, another patient or a proxy of nobody.
//   - Unguarded: a router of the host's own has no route that no guard decides.
package rbactest
