// Package tlog makes an audit log provable: whoever holds one old checkpoint, three lines of
// text, can tell later whether an event that it covers was changed, removed, added in between or
// put in another order, whether a whole tenant disappeared, and whether the database was put back
// to a backup or written anew, by somebody who owns the database and recomputes every hash.
//
//	trees, err := tlog.New(events, tlog.NewMemory(), "clinic.example.com/audit", key,
//		&tlog.Options{Sinks: []tlog.Sink{tlog.NewFileSink("/mnt/append-only/checkpoints")}})
//	go trees.Run(ctx)
//	proof, err := trees.Prove(ctx, tenant, event.Index)        // one event was there
//	report, err := tlog.Verify(ctx, events, store, trees.VerifierKey(), old, nil) // all of it was
//
// Each tenant has a Merkle tree over its events in their order (RFC 6962, section 2). What every
// tree is, its [Head], is an entry of the root log, which is a tree itself, and that one's root is
// signed: a [Checkpoint] in the form of C2SP tlog-checkpoint and signed-note, with Ed25519. So one
// checkpoint covers all tenants, and what one tenant is given (its events, proofs and heads)
// tells nothing about another.
//
// # Purges
//
// Events that need not be kept any longer lose their bytes and keep their hash, so that the tree
// stays the one that was signed (audit.Purger). Verify accepts that only where a purge in the log covers
// it: an event of audit.ActionPurgeExecuted in the same tree, later, whole and under a signed head,
// that names the places, two people and an age of 72 months at least (45 CFR 164.316(b)(2)(i)); and
// where signed heads prove that age, see [Ages]. Everything else is [ErrUncoveredPurge]. An event that
// is older than its tree counts from its tree's first head on: what was before that, only the
// database says. So a log that was imported keeps everything for that long.
//
// # What it cannot do
//
// An event is covered when Integrate has run after it was recorded, by default within ten
// seconds; what somebody changes before that is not noticed here (auditsql authenticates
// events on PostgreSQL until they have their place). Nor does a checkpoint help that lies in the
// database alone, or a key that the intruder has: then the checkpoints kept elsewhere count, and
// nothing else.
//
// Whether bodies were destroyed before or after the purge that covers them was recorded cannot be
// told when both have happened; between the two a verification finds it. Two people who agree to
// what they should not have are two people.
//
// # What the host must still do
//
//   - keep the key for checkpoints in its secrets or a KMS, apart from the database;
//   - name sinks that the database's owner cannot write to, or print a checkpoint now and then;
//   - call Run on at least one server, beside audit.Log.Run, without which there are no events to
//     cover, and treat [Log.Health] with ErrTampered as an alarm;
//   - call Verify regularly, and from another machine than the servers;
//   - let rbac decide who may ask for a proof: it names the tenant and the number of its events.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Checkpoints, heads,
// proofs and stored rows never break: what was signed once can be verified for ever.
package tlog
