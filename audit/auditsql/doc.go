// Package auditsql keeps audit events in SQLite or PostgreSQL, over database/sql and without
// importing a driver.
//
//	store, err := auditsql.Postgres(db, key) // or auditsql.SQLite(db)
//	err = store.Migrate(ctx)
//	log, err := audit.New(store, sealer, nil)
//	go log.Run(ctx, "platform") // on every server
//
// # What it protects against
//
// Acknowledged events that a crash takes away. On PostgreSQL every recording transaction sets
// synchronous_commit for itself, and Migrate refuses a server with fsync off. On SQLite Migrate
// refuses an engine that is too old or not in WAL mode, and every transaction looks at the
// connection it is about to commit on and refuses one below synchronous=FULL.
//
// Events that somebody puts there who has only the database. On PostgreSQL an entry gets its
// place after its commit, and until then it carries a MAC with a key that is not in the
// database. One that was made up or changed meanwhile is kept, marked refused, never placed or
// returned, and counted in audit.Backlog. Not protected are entries that have their place, and
// that somebody removes or reorders entries while they wait; on SQLite, where the place is
// given in the commit itself, who can write the file can write events.
//
// Careless statements: triggers refuse to change or delete events. Whoever owns the database
// can still do anything; what is private cannot be read from it, because it arrives sealed.
//
// # Order
//
// Append takes no lock that others wait for. On PostgreSQL any number of servers append, and
// whoever calls Sequence, usually Log.Run and every query, is the only one who does so until
// its transaction ends; nothing of that belongs to a session, so poolers of transactions are
// fine. If nobody runs Log.Run, or it is slower than those who append, they help: from 65,536
// waiting entries on, one call of Append in a while also sequences as many as were appended.
//
// Prepare and Prepared.RecordTx record in the host's own transaction. Package auditpgx does so
// for pgx.
//
// # Purging
//
// Purge destroys events after their retention, for package purge. An event's place, ID, time and
// leaf hash stay. The engine still has the bytes in places that no query sees: on SQLite in free
// pages and in the WAL, until VACUUM and PRAGMA wal_checkpoint(TRUNCATE); on PostgreSQL in dead
// rows, which VACUUM frees and only VACUUM FULL removes, and in archived WAL. Both are the host's
// to run, and so are backups. Upgrade all servers before the first purge: release 0.4 takes a
// purged event for a damaged one, and fails the pages that reach it.
//
// # What the host still does
//
//   - keep the key of Postgres with its secrets, the same on all servers, see there how to
//     change it;
//   - on SQLite, never call Log.Record or Prepare while its own write transaction on the same
//     file is open: it would wait for itself; prepare before it, RecordTx within it;
//   - where the program's role is not the tables' owner, grant it SELECT on all tables of the
//     prefix audit_; INSERT on all but audit_event, audit_event_patient, audit_event_object,
//     audit_opening, audit_purged and audit_purging; UPDATE on audit_tenant, audit_run and audit_key, on the column sealed of
//     audit_entry and on the columns sealed and refused of audit_pending; DELETE on
//     audit_pending, audit_run, audit_block, audit_import and audit_opening; USAGE on the
//     sequence audit_serial. The owner then also cleans up audit_pending, see VACUUM; who purges
//     needs more, see Purge;
//   - backups.
//
// # Upgrading from release 0.1
//
// Migrate imports what release 0.1 recorded, in the order of its times, and leaves the old
// tables as they are. Servers of that release can go on beside newer ones: what they record
// waits, is counted in audit.Backlog, and is imported by the next Sequence.
//
// Release 0.1 had no key. Until EndImport closes its tables, whoever may INSERT into
// audit_event can have events imported that nobody can tell from that release's own. So call
// EndImport as soon as its last server has stopped.
//
// Released migrations never change.
package auditsql
