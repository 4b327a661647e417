package mfa

// What recovery codes look like, for tests.
var (
	ReadRecovery = readRecovery
	ShowRecovery = showRecovery
)

// How the record of a passkey is written, for tests.
type KeyRecord = keyRecord

var (
	EncodeRecord = encodeRecord
	DecodeRecord = decodeRecord
	UsableLabel  = usableLabel
)
