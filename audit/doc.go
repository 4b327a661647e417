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
// decides, phi adds what is seen; a handler does none of it by hand.
//
// # What it protects against
//
// Silent loss: Record returns nil only for events that survive a crash, there is no other
// mode, and a full queue, a slow store and an ended context are errors. Attribution by hand:
// the actor comes from the context. Personal data inside rows that nobody may change: an
// event holds identifiers; addresses, typed reasons, searches and recipients enter it as
// salted commitments, and the values are sealed beside it and can be erased. Bytes that
// drift: what is hashed, stored and exported are the same canonical bytes, and every read
// compares them with their leaf hash and with the columns that found them.
//
// # What it does not do yet
//
// A leaf hash shows that one event was changed. It does not show that an event was removed,
// or added with a fresh hash, by somebody who owns the database: that takes a Merkle tree and
// a witness outside, for which the leaves and the store's contract are made.
//
// # What the host still does
//
// It gives the store a database of its own or at least a role that cannot update or delete,
// keeps the server's clock synchronised and says so in Options.Clock (45 CFR 170.210(g)),
// keeps events for six years or longer (45 CFR 164.316(b)(2)(i)), looks at Health, and records
// the reading of the log.
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
