package authntest

// Rules gives the tests of this package the rules.
func Rules() []rule { return rules() }
