package rbactest

// Rules and ToggleRules let the suites' own tests prove each rule by a mutant.
func Rules() []rule { return rules() }

func ToggleRules() []toggleRule { return toggleRules() }
