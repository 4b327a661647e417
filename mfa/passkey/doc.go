// Package passkey is the protocol of passkeys (W3C Web Authentication Level 3) for package mfa: what
// Face ID, Touch ID, Windows Hello, Android and security keys sign in with.
//
// It protects against phishing, replayed and forged responses, and devices that lie. A passkey
// answers to the relying party's own origins only, each compared byte for byte; every ceremony has a
// fresh challenge of 32 random bytes and five minutes; the person is always verified by the device
// (finger, face or PIN). What a browser or app posts is untrusted to the last byte: whatever is
// wrong with it is mfa.ErrPasskey, never a panic.
//
//	verifier, err := passkey.New(passkey.RelyingParty{
//		ID: "clinic.example", Name: "Example Clinic", Origins: []string{"https://app.clinic.example"},
//	}, nil)
//	options, state, err := verifier.Create(owner)       // options to the browser, state stays here
//	key, err := verifier.Created(state, response)       // keep key
//	options, state, err = verifier.Request(nil)         // whoever the browser knows
//	id, handle, err := verifier.Claimed(response)       // find key by them
//	used, err := verifier.Asserted(state, response, key)
//
// A Verifier is mfa.WebAuthn; Options.WebAuthn of mfa.New takes it, and mfa.Factors does what
// follows. go-webauthn parses and verifies behind it; nothing of it is in this package's API.
// Package passkeytest is a software authenticator for tests.
//
// What whoever calls a Verifier has to do (mfa and authn do):
//   - use each state once and keep it from the browser: the package keeps nothing, so the same
//     response with the same state is accepted again within the five minutes;
//   - bind the state to the browser that asked;
//   - refuse a credential ID that somebody has already;
//   - keep Count and BackedUp of each assertion, and disable a key whose assertion says Cloned.
//
// What the host has to do: choose RelyingParty.ID once, since passkeys of another are never found
// again; serve the files that tie apps to the domain (docs/mobile.md); and forbid foreign frames,
// as package session's headers do.
//
// No attestation is asked for, so PublicKey.Attested is never true, and a passkey is AAL2 (NIST SP
// 800-63B-4): a device's claim to keep its key in hardware is not proven. docs/design/passkey.md
// has the reasons.
//
// It works under GODEBUG=fips140=only.
//
// Compatibility: the Go API may change before version 1, with an entry in the changelog. States
// live for five minutes, and a release reads those of the release before it. COSE keys, credential
// IDs and user handles are the standard's and do not change.
package passkey
