// Package reqcheck keeps docs/requirements.md honest: a requirement that claims to be proven
// names tests, and each of them has to have run and passed in the very run that is checked,
// unskipped, on every engine the table lists.
//
// The document has one fenced block of language "ids" that lists every requirement, with
// their number behind the language, and one table row for each:
//
//	| S20 | TOTP with any app | done | `mfa TestACodeIsAcceptedOnce/*` on memory, sqlite, postgres<br>`mfa TestRFC6238Vectors` |
//
// The state is "not yet", "partly" or "done". A test is a package folder and the test's full
// name as go test prints it; a star stands for the engine and needs "on" with the engines.
package reqcheck
