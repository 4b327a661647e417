package rbactest

// Rules lets the suite's own test prove each rule by a mutant.
func Rules() []rule { return rules() }
