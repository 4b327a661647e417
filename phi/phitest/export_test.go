package phitest

// The rules, for the tests that prove them with mutants.
var (
	KeyRules  = keyRules
	TermRules = termRules
	KMSRules  = kmsRules
)
