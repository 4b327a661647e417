// Package tail feeds an audit log to a SIEM or a repository of audit records, and can never hold up
// the application: it reads what is recorded already, in goroutines of its own, and remembers how far
// it has come.
//
//	feed, err := tail.New(events, cursors, &tail.Lines{W: conn, Encoder: ocsf.Events{}}, "siem", log, nil)
//	go feed.Run(ctx) // on every server
//
// A feed follows each tenant's order, place by place, so nothing that is committed late is passed
// over. A batch goes to the Sink; only when the sink says that the receiver has it, the stored cursor
// advances, by compare-and-set. So every event is sent at least once and in order; what may come twice,
// after a crash or a time-out, is the last batch. The receiver recognises it by the event's ID.
// Any number of servers may run the same feed: a lease in the cursor keeps all but one of them from
// sending a tenant's events, and one that died is replaced when it ends. Purged events are passed over.
//
// What it protects against: a SIEM that is slow, down or hangs for ever (Record knows nothing of it);
// events that silently never arrive (Health.Lag, AlarmLag); a database that was put back to an older state,
// or whose events were changed, under a feed that has sent more than is there (ErrRolledBack,
// AlarmRolledBack; the feed of that tenant stands still until a person says with Reset where to go on);
// a body that is missing though nobody purged it (ErrGap).
//
// What the host still does: it lets Run run and shows Health.Alarms to somebody; gives the sink a
// connection that is encrypted and authenticated, because events name patients by their opaque
// identifiers; lets rbac decide who may Reset; and asks the receiver to drop an ID that it has. A sink
// should honour its context: Run returns only when the sink has.
//
// Compatibility: before version 1 the Go API may change with an entry in the changelog. Stored
// cursors and migrations do not break.
package tail
