// Package auditpgx records audit events in a transaction of pgx's own, for hosts that use
// github.com/jackc/pgx without database/sql.
//
//	store, err := auditsql.Postgres(stdlib.OpenDBFromPool(pool), key)
//	log, err := audit.New(store, sealer, nil)
//
//	prepared, err := store.Prepare(ctx, log, event) // before the transaction
//	tx, err := pool.Begin(ctx)
//	defer tx.Rollback(ctx)
//	// the host's own statements on tx
//	err = auditpgx.RecordTx(ctx, tx, prepared)
//	err = tx.Commit(ctx)
//
// The host's change and the event about it have one fate: both are durable when Commit returns
// nil, and neither is there otherwise. What has to stay when the transaction does not, a denial
// or a failure, is recorded with [audit.Log.Record], which uses connections of the store.
//
// This is the one package of the library that imports a database driver. It holds no statement
// of its own: what it runs is what auditsql runs, in one round trip.
//
// What the host must still do: migrate the store, give it the key of all servers, run
// [audit.Log.Run], and look at Commit's error. An error of Commit can leave it open whether the
// transaction took effect, and the event shares that fate, too.
//
// Before version 1 the Go API may change with an entry in the changelog.
package auditpgx
