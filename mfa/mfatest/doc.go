// Package mfatest tests stores for package mfa. A host that writes its own adopts the suite in
// one line:
//
//	func TestStore(t *testing.T) { mfatest.TestStore(t, open) }
//
// where open returns an empty store. Check does the same outside of a test.
package mfatest
