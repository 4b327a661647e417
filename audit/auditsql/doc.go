// Package auditsql keeps audit events in SQLite or PostgreSQL, over database/sql and without
// importing a driver.
//
//	store, err := auditsql.Postgres(db)
//	err = store.Migrate(ctx)
//	log, err := audit.New(store, sealer, nil)
//
// What it protects against: acknowledged events that a crash takes away. On PostgreSQL every
// append sets synchronous_commit for its own transaction, and Migrate refuses a server with
// fsync off. On SQLite Migrate refuses an engine that is too old or not in WAL mode, and
// every append looks at the connection it is about to commit on and refuses one below
// synchronous=FULL. Rows are only ever added; triggers refuse a careless UPDATE or DELETE.
// Whoever owns the database can still do anything; nothing in it can be read from it that is
// private, because private values arrive sealed.
//
// What the host still does: give the tables a role of their own that may only SELECT and
// INSERT (and DELETE on audit_opening), keep backups, and never call Log.Record while its own
// write transaction on the same SQLite file is open: it would wait for itself.
//
// The tables are audit_event, audit_event_patient, audit_event_object and audit_opening.
// Released migrations never change.
package auditsql
