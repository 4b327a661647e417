package mfa

// What codes and numbers are made of, for tests.
var (
	NewTextCode = newTextCode
	CallingCode = callingCode
)

// Prefix returns the range that the number shares a budget with.
func (p Phone) Prefix() string { return p.prefix() }
