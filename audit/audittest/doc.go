// Package audittest holds what tests need around package audit: a Recorder that keeps events
// for a host's unit tests, and the conformance suite for stores.
//
//	rec := audittest.NewRecorder()
//	ctx, trail := audit.WithTrail(ctx, rec, audit.Event{})
//	…
//	events := rec.Find("patient.read")
//
// A store of a host's own is proven in one line:
//
//	audittest.TestStore(t, func(t testing.TB) audit.Store { return mystore.New(t) })
package audittest
