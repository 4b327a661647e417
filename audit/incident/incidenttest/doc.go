// Package incidenttest proves stores of incidents. A store of your own adopts the suite in one line:
//
//	incidenttest.TestStore(t, func(t testing.TB) incident.Store { return openYours(t) })
package incidenttest
