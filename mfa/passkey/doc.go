// Package passkey is the protocol of W3C Web Authentication Level 3 for mfa.WebAuthn.
package passkey
