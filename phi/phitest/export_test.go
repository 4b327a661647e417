package phitest

import "bytes"

// The rules, for the tests that prove them with mutants.
var (
	KeyRules   = keyRules
	TermRules  = termRules
	IndexRules = indexRules
	KMSRules   = kmsRules
	ShredRules = shredRules
)

// Printed returns what every printer of CheckValue makes of a decoy.
func Printed(decoy string) map[string]string {
	out := map[string]string{}
	for _, p := range printers() {
		var b bytes.Buffer
		p.print(&b, decoyed(decoy))
		out[p.name] = b.String()
	}
	return out
}
