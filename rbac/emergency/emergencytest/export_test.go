package emergencytest

// Rules lets the mutants see the suite.
var Rules = rules
