// Package mfa is the second factor: passkeys (W3C WebAuthn), an authenticator app that shows six
// digits (TOTP, RFC 6238), codes by text message where nothing better is at hand, and recovery
// codes for the day the phone is gone.
//
// It protects an account whose password is known to somebody else. A code is accepted once,
// also when the same code arrives at the same moment at several servers; the keys are sealed
// by phi, bound to tenant and person, so that nobody with the database alone has one or adds one;
// after 100 consecutive wrong codes the authenticator is disabled (NIST SP 800-63B-4, section
// 3.2.2), a passkey once there is a copy of it, and either stays enrolled, so that neither is a
// way around it; what happens is recorded, and what cannot be recorded does not happen.
//
//	factors, err := mfa.New(mfa.NewMemory(), vault, log, "Example Clinic", nil)
//	uri, manual, err := factors.Begin(ctx, tenant, person, "dr.lin@example.com")
//	picture, err := mfa.SVG(uri)                                // show it, and manual beside it
//	ok, err := factors.Confirm(ctx, tenant, person, "123 456")  // enrolled
//	methods, err := factors.Verify(ctx, tenant, person, "654321") // ["otp"], or nil: wrong
//
// Passkeys need Options.WebAuthn, which package mfa/passkey makes. Between the two calls of a
// ceremony is the browser; state waits on the server, bound to that browser, and is used once:
//
//	options, state, err := factors.BeginPasskey(ctx, tenant, person, "dr.lin@example.com")
//	proof, err := factors.AddPasskey(ctx, tenant, person, state, response, "My laptop")
//	options, state, err = factors.AskPasskey(ctx, tenant, "") // of whoever it is
//	person, err = factors.PasskeyOwner(ctx, tenant, response)
//	proof, err = factors.VerifyPasskey(ctx, tenant, person, state, response) // no ID: not accepted
//
// Codes by text message need Options.Texts. They go to a number that the person confirmed: six
// digits for five minutes, five tries, one at a time, within budgets that toll fraud runs into.
// The telephone network is a restricted authenticator (section 3.2.9): offer another beside it,
// and say why (NoticeRestricted).
//
//	again, err := factors.BeginText(ctx, tenant, person, "+1 415 555 0123") // signed in, proven anew
//	ok, err = factors.ConfirmText(ctx, tenant, person, "123456")
//	again, err = factors.SendText(ctx, tenant, person)
//	methods, err = factors.VerifyText(ctx, tenant, person, "654321") // ["sms"], or nil: wrong
//
// A person's factors of all kinds hang together. The first is set up in guided set-up, by whoever
// proved the password; a further one only by the person themselves, signed in, who proved one of
// them within the last 15 minutes. The last that can be used is not removed where one is required.
// Reset ends all of them.
//
// Factors satisfies authn.SecondFactor, authn.Passkeys and authn.Texts, and authn asks it at the
// right moment. Stores are in Memory and in package mfasql (SQLite, PostgreSQL); package mfatest tests others.
//
// What the host still has to do:
//   - give Options.Sessions and Options.Notices, or Reset and Disable refuse;
//   - call Run in a goroutine of its own, which delivers what could not be delivered at once,
//     and watch Health;
//   - let rbac decide who may Reset, after a step-up;
//   - slow down guesses before they get here, and use the state of a ceremony once (authn does both);
//   - have people prove who they are again before RemovePasskey and before they add a factor, and
//     put the session's audit.Actor with Assurance and AuthTime into the context;
//   - keep the server's clock right: a code is good for 30 seconds and one step either side.
//
// Passkeys resist phishing and reach AAL2, and AAL3 where they cannot be copied and their maker
// vouches for that. TOTP can be phished: it is AAL2 but not phishing-resistant. Under GODEBUG=fips140=only it
// cannot be used at all, because its HMAC is SHA-1, and New returns ErrFIPS.
//
// Compatibility: the Go API may change before version 1, with an entry in the changelog. The
// tables, the sealed records, the otpauth URIs and the names of actions and codes do not.
package mfa
