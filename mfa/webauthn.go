package mfa

import "errors"

// ErrPasskey is what a WebAuthn answers to a browser's response that it does not accept,
// whatever is wrong with it.
var ErrPasskey = errors.New("mfa: the passkey's response was not accepted")

// WebAuthn is the protocol of W3C Web Authentication Level 3 for one relying party, without any
// storage: passkey.New makes one. Options are what a browser's
// PublicKeyCredential.parseCreationOptionsFromJSON and parseRequestOptionsFromJSON take, a
// response is what PublicKeyCredential.toJSON returns. State is what the second call of a
// ceremony needs again: the caller keeps it where nobody can read or change it, binds it to the
// browser, and uses it once, within five minutes. Challenges are 32 random bytes, user verification is always
// required.
//
// It is safe for concurrent use and waits for nothing.
type WebAuthn interface {
	// Create begins a registration.
	Create(o PasskeyOwner) (options, state []byte, err error)
	// Created checks the response to it. A response that is not acceptable: ErrPasskey.
	Created(state, response []byte) (PublicKey, error)
	// Request begins an assertion with one of these keys or, if there are none, with whatever
	// discoverable one the browser has.
	Request(allow []PublicKey) (options, state []byte, err error)
	// Claimed returns the credential ID and the user handle that a response names, with nothing
	// proven; the handle is nil where the response has none. Not readable: ErrPasskey.
	Claimed(response []byte) (id, handle []byte, err error)
	// Asserted checks the response to Request with the key that Claimed led to. A response that
	// is not acceptable, also one that names another credential or handle: ErrPasskey.
	Asserted(state, response []byte, key PublicKey) (Assertion, error)
}

// PasskeyOwner is for whom a passkey is made.
type PasskeyOwner struct {
	Handle  []byte      // 64 random bytes that say nothing about the person
	Account string      // what the device shows the person, an e-mail address for instance
	Has     []PublicKey // those there are, so that no device makes a second one
}

// PublicKey is what a relying party keeps of a passkey.
type PublicKey struct {
	ID         []byte   // credential ID, 1 to 1023 bytes
	Handle     []byte   // of its owner
	Key        []byte   // COSE_Key (RFC 9052)
	Transports []string // hints for the browser: "internal", "hybrid", "usb" …
	Model      [16]byte // AAGUID, zero if not told
	Count      uint32   // signature counter, 0 for keys that have none

	BackupEligible bool // BE: may be copied to other devices, so at most AAL2 (SP 800-63B-4, section 3.1.7)
	BackedUp       bool // BS
	Attested       bool // its maker's attestation was verified
}

// Assertion is what a response proved.
type Assertion struct {
	Count    uint32
	BackedUp bool
	// Cloned says that the counter did not grow as it must: there may be a second copy of a key
	// that cannot be copied (WebAuthn Level 3, section 6.1.1).
	Cloned bool
}
