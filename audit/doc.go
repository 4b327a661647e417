// Package audit records who did what to whose data, so that what cannot be recorded does not
// happen, and finds it again. It is also the vocabulary that every other package of wardkit
// shares: Tenant, ActorID, Patient, Actor, Event, Recorder.
//
//	log, err := audit.New(store, sealer, nil)
//	ctx, trail := audit.WithTrail(audit.WithActor(ctx, actor), log, audit.Event{})
//	err = audit.Decide(ctx, audit.Event{Action: "patient.read", Verb: audit.Read})
//	err = audit.Seen(ctx, "p-1", audit.Object{Type: "patient", ID: "p-1", Fields: []string{"phone"}})
//	err = trail.Flush(ctx) // nil: durable. Now, and not before, the data may leave.
//
// In a web application audithttp.Hold makes the trail and flushes it before bytes leave, rbac
// decides, phi adds what is seen; a handler does none of it by hand. The host lets Run keep the
// log in a goroutine of its own, on every server:
//
//	go log.Run(ctx, "platform") // gives events their order, watches clock and store
//
// # What it protects against
//
// Silent loss: Record returns nil only for events that survive a crash, there is no other
// mode, and a full queue, a slow store, one that panics and an ended context are errors. Pages
// that shift: every event has a place in its tenant's order that never changes, and a page
// follows it. Attribution by hand:
// the actor comes from the context. Personal data inside rows that nobody may change: an
// event holds identifiers; addresses, typed reasons, searches and recipients enter it as
// salted commitments, and the values are sealed beside it and can be erased. Bytes that
// drift: what is hashed, stored and exported are the same canonical bytes, and every read
// compares them with their leaf hash and with the columns that found them.
//
// # What it does not do by itself
//
// A leaf hash shows that one event was changed. It does not show that an event was removed,
// or added with a fresh hash, by somebody who owns the database: that takes package tlog, a
// Merkle tree over the leaves, and a checkpoint that is kept outside.
//
// # What the host still does
//
// It gives the store a database of its own or at least a role that cannot update or delete,
// keeps the server's clock synchronised and lets Options.Clock say so (45 CFR 170.210(g)),
// keeps events for six years or longer (45 CFR 164.316(b)(2)(i)), shows Health.Alarms to
// somebody, and records the reading of the log. Behind its readiness probe it puts Health.OK.
//
// # Finding
//
// A Query filters by period, actor, action, outcome, patient and object, in the order of the
// log. With a Sort it is a report by any element of 45 CFR 170.210(e), up to 100,000 events.
// Workflow.History is the history of one object. Count counts up to 10,000.
//
// # Reading is recorded too
//
// Query and Open record nothing themselves, because only their caller knows the decision that
// allowed the reading. Whoever serves a page decides first, names the patient who was asked
// for, and flushes before the page leaves:
//
//	err := audit.Decide(ctx, audit.Event{Action: audit.ActionRead, Verb: audit.Execute})
//	page, err := log.Query(ctx, q)
//	err = audit.Seen(ctx, q.Patient, audit.Object{Type: "audit_event"})
//	err = audit.Flush(ctx)
//
// Behind rbac and audithttp only the line with Seen is left.
//
// # Compatibility
//
// Go names may change before version 1, with an entry in the changelog. The canonical bytes
// of version 1, the leaf hash, the commitments and the names of fields in them never change;
// a later version of the encoding has another "v", and all older ones stay readable.
package audit
