package audittest

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
)

// Rules gives the suite's own tests the rules, for the mutants.
func Rules() []conform.Rule[audit.Store] { return rules() }
