package mfa

// What recovery codes look like, for tests.
var (
	ReadRecovery = readRecovery
	ShowRecovery = showRecovery
)
