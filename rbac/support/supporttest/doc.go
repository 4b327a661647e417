// Package supporttest proves stores of support accesses. A store of your own adopts the suite in one line:
//
//	supporttest.TestStore(t, func(t testing.TB) support.Store { return openYours(t) })
package supporttest
