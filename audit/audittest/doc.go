// Package audittest holds what tests need around package audit: a Recorder for a host's unit
// tests, and the suites that prove a store of the host's own.
//
// # Unit tests
//
// NewRecorder is a real audit.Log in memory. It completes and refuses events as the log in
// production does, and it fails or stalls when told to, so that a test can see that nothing
// happens which is not recorded:
//
//	rec := audittest.NewRecorder()
//	ctx := audit.WithActor(t.Context(), nurse)
//	err := app.OpenChart(ctx, rec, "p-1")
//	last, ok := rec.Last("patient.read")
//	rec.FailWith(errors.New("disk full")) // and OpenChart has to refuse
//
// # Stores
//
// A store of a host's own gets the guarantees of the built-in ones by passing the same four
// suites, one line each:
//
//	func TestStore(t *testing.T)       { audittest.TestStore(t, open) }        // a fresh store
//	func TestConcurrency(t *testing.T) { audittest.TestConcurrency(t, openTwo) } // two handles of a fresh database
//	func TestFork(t *testing.T)        { audittest.TestFork(t, openTwo) }
//	func TestCrash(t *testing.T) {
//		audittest.TestCrash(t, audittest.CrashOptions{Database: create, Open: openAt})
//	}
//
// TestStore has one rule for each clause in the comments of audit.Store and its four parts. A
// rule's name begins with the method it looks at, or with store, entry or filter, so that -run
// TestStore/sequence asks about one of them while a store grows. A store that gives entries
// their place in Append and one that does it later in Sequence both pass. Check runs the same
// rules outside of a test.
//
// TestConcurrency lets writers, sequencers and readers work at once and compares what they saw
// with what is left. TestFork tries to split the order between two handles of one database.
// TestCrash starts processes that work on one database, kills them at moments of chance, and
// compares what they had reported with what is there.
//
// A store whose events can be purged implements audit.Purger, too, and passes a fifth suite:
//
//	func TestPurger(t *testing.T) { audittest.TestPurger(t, open) }
//
// It looks at what a purge leaves, by every way to an event. What stays in the files of an engine
// it cannot see, nor a purge that is killed: a store's own tests look for both, see those of
// package auditsql.
//
// For each rule there is a store that is broken in that one place, which this rule catches and
// no other one; for each attack a small store over SQLite with the flaw that it is there for.
// What the suites cannot see is whether an engine flushes: a kill spares the operating
// system's buffers, a power failure does not. A store asks its engine for that, and refuses one
// that is set up otherwise, as package auditsql does.
//
// The suites may get new rules in any release, when a store is found that breaks a clause
// unnoticed.
package audittest
