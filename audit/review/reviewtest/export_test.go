package reviewtest

// Rules returns the rules, for the tests that prove them.
func Rules() []rule { return rules() }
