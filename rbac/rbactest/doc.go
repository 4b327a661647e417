// Package rbactest proves the parts of access control that a host brings itself: a store of
// grants (TestStore, Check), a schema (FilterAgreesWithCheck), and a table of routes (Routes,
// DenialMatrix).
package rbactest
