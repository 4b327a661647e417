package tlogtest

import "github.com/wardkit/wardkit/internal/conform"

// Rules returns the rules, for the tests that prove them.
func Rules() []rule { return rules() }

// SourceRules returns the rules of sources, for the tests that prove them.
func SourceRules() []conform.Rule[Events] { return sourceRules() }
