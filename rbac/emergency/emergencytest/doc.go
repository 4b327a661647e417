// Package emergencytest proves stores of emergency access, with the relation over them. A store of your
// own adopts the suite in one line:
//
//	emergencytest.TestStore(t, func(t testing.TB) emergencytest.Subject { return emergencytest.Subject{Store: yours, Relation: yours.Relation()} })
package emergencytest
