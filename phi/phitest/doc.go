// Package phitest helps hosts test what they build on phi: a KMS that counts and fails, a
// search for plaintext where none may be, and the conformance suites for key stores and term
// stores.
//
//	func TestMyKeys(t *testing.T) {
//		phitest.TestKeys(t, func(t testing.TB) phi.KeyStore { return open(t) })
//	}
package phitest
