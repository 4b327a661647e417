// Package mfa is the second factor: an authenticator app that shows six digits (TOTP, RFC 6238),
// and recovery codes for the day the phone is gone.
//
// It protects an account whose password is known to somebody else. A code is accepted once,
// also when the same code arrives at the same moment at several servers; the keys are sealed
// by phi, bound to tenant and person; after 100 consecutive wrong codes the authenticator is
// disabled (NIST SP 800-63B-4, section 3.2.2) and stays enrolled, so that guessing is no way
// around it; what happens is recorded, and what cannot be recorded does not happen.
//
//	factors, err := mfa.New(mfa.NewMemory(), vault, log, "Example Clinic", nil)
//	uri, manual, err := factors.Begin(ctx, tenant, person, "dr.lin@example.com")
//	picture, err := mfa.SVG(uri)                                // show it, and manual beside it
//	ok, err := factors.Confirm(ctx, tenant, person, "123 456")  // enrolled
//	methods, err := factors.Verify(ctx, tenant, person, "654321") // ["otp"], or nil: wrong
//
// Factors satisfies authn.SecondFactor, and authn asks it at the right moment. Stores are in
// Memory and in package mfasql (SQLite, PostgreSQL); package mfatest tests others.
//
// What the host still has to do:
//   - give Options.Sessions and Options.Notices, or Reset and Disable refuse;
//   - call Run in a goroutine of its own, which delivers what could not be delivered at once,
//     and watch Health;
//   - let rbac decide who may Reset, after a step-up;
//   - slow down guesses before they get here (authn does);
//   - keep the server's clock right: a code is good for 30 seconds and one step either side.
//
// TOTP can be phished: it is AAL2 but not phishing-resistant. Under GODEBUG=fips140=only it
// cannot be used at all, because its HMAC is SHA-1, and New returns ErrFIPS.
//
// Compatibility: the Go API may change before version 1, with an entry in the changelog. The
// tables, the sealed keys, the otpauth URIs and the names of actions and codes do not.
package mfa
