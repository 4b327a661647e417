package auditsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// grants are the rights that the package comment asks for.
const grants = `
	GRANT USAGE ON SCHEMA %[1]s TO %[2]s;
	GRANT SELECT ON ALL TABLES IN SCHEMA %[1]s TO %[2]s;
	GRANT INSERT ON audit_entry, audit_tenant, audit_mark, audit_run, audit_block, audit_pending, audit_import, audit_key TO %[2]s;
	GRANT UPDATE ON audit_tenant, audit_run, audit_key TO %[2]s;
	GRANT UPDATE (sealed) ON audit_entry TO %[2]s;
	GRANT UPDATE (sealed, refused) ON audit_pending TO %[2]s;
	GRANT DELETE ON audit_pending, audit_run, audit_block, audit_import, audit_opening TO %[2]s;
	GRANT USAGE ON SEQUENCE audit_serial TO %[2]s;`

// role makes a role that owns nothing in db, and returns a pool that acts as it.
func role(t *testing.T, db *shared, rights func(schema, role string) string) *sql.DB {
	t.Helper()
	var schema string
	require.NoError(t, db.pool.QueryRow(`SELECT current_schema()`).Scan(&schema))
	name := "role_of_" + schema
	_, err := db.pool.Exec(`CREATE ROLE ` + name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = db.pool.Exec(`DROP OWNED BY ` + name)
		_, _ = db.pool.Exec(`DROP ROLE ` + name)
	})
	_, err = db.pool.Exec(rights(schema, name))
	require.NoError(t, err)
	pool, err := sql.Open("pgx", db.address+"&role="+name)
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// TestRightsOfAHost records, orders, merges, reads and erases with no more rights than the
// package comment names.
func TestRightsOfAHost(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store := reopen(t, role(t, db, func(schema, role string) string { return fmt.Sprintf(grants, schema, role) }), sqlkit.Postgres)
	require.NoError(t, store.Migrate(t.Context()), "nothing is left to do")
	log, err := audit.New(store, plainSealer{}, nil)
	require.NoError(t, err)
	e := event("a")
	e.Why = audit.NewPrivate("because")
	for range 24 { // enough runs to merge
		require.NoError(t, log.Record(t.Context(), e))
		_, err := log.Query(t.Context(), audit.Query{Tenant: e.Tenant})
		require.NoError(t, err)
	}
	page, err := log.Query(t.Context(), audit.Query{Tenant: e.Tenant, Patient: "p-1"})
	require.NoError(t, err)
	require.Len(t, page.Events, 24)
	as := audit.WithActor(t.Context(), audit.System(e.Tenant, "test"))
	require.NoError(t, log.Erase(as, e.Tenant, audit.NewPrivate("asked to"), page.Events[0].ID))
	require.Empty(t, log.Health(t.Context()).Backlog.Refused)
}

// TestOldReleaseGivesNoRights: the trigger that queues what release 0.1 records runs with its
// owner's rights, and no temporary table can make it run somebody else's code with them.
func TestOldReleaseGivesNoRights(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	pool := role(t, db, func(schema, role string) string {
		return fmt.Sprintf(`GRANT USAGE ON SCHEMA %[1]s TO %[2]s; GRANT INSERT ON audit_event TO %[2]s`, schema, role)
	})
	conn, err := pool.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), `CREATE TABLE stolen (who TEXT)`)
	require.Error(t, err, "the role may not")
	for _, statement := range []string{
		`CREATE TEMP TABLE audit_import (recorded BIGINT, id BYTEA, tenant TEXT)`,
		`GRANT ALL ON audit_import TO PUBLIC`,
		`CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			EXECUTE 'CREATE TABLE stolen AS SELECT current_user::text AS who'; RETURN NEW; END $$`,
		`CREATE TRIGGER f BEFORE INSERT ON audit_import FOR EACH ROW EXECUTE FUNCTION pg_temp.f()`,
		`INSERT INTO audit_event (tenant, id, recorded, actor, action, outcome, leaf, body) VALUES ('x', '\x00', 0, '', '', 0, '\x', '\x')`,
	} {
		_, err := conn.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	var queued, stolen int
	require.NoError(t, db.pool.QueryRow(`SELECT COUNT(*) FROM audit_import`).Scan(&queued))
	require.Equal(t, 1, queued, "in the table that was meant")
	require.NoError(t, db.pool.QueryRow(`SELECT COUNT(*) FROM pg_class WHERE relname = 'stolen' AND relnamespace = current_schema()::regnamespace`).Scan(&stolen))
	require.Zero(t, stolen)
}

// TestTemporaryTableTakesNothing: neither Append nor Sequence writes into a table that only
// looks like one of the log's.
func TestTemporaryTableTakesNothing(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"audit_pending", "audit_entry", "audit_tenant", "audit_run", "audit_block", "audit_mark"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			db := postgres(t)
			pool := db.another(t)
			pool.SetMaxOpenConns(1)
			log := newLog(t, reopen(t, pool, db.dialect))
			_, err := pool.ExecContext(t.Context(), `CREATE TEMP TABLE `+table+` (LIKE `+table+` INCLUDING ALL)`)
			require.NoError(t, err)
			e := event("a")
			e.ID = fresh()
			require.NoError(t, log.Record(t.Context(), e))
			_, _ = log.Query(t.Context(), audit.Query{Tenant: e.Tenant}) // what it says does not matter
			_, other := db.process(t)
			require.Equal(t, []string{e.ID}, order(t, other, e.Tenant))
			page, err := other.Query(t.Context(), audit.Query{Tenant: e.Tenant, Patient: "p-1"})
			require.NoError(t, err)
			require.Len(t, page.Events, 1)
		})
	}
}

// TestStricterIsolationIsRefused: in a session whose transactions keep one snapshot, Append
// could not see that an ID is taken; so it records nothing there.
func TestStricterIsolationIsRefused(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	for _, level := range []string{"repeatable read", "serializable"} {
		pool := db.another(t)
		pool.SetMaxOpenConns(1)
		_, err := pool.ExecContext(t.Context(), `SET default_transaction_isolation = '`+level+`'`)
		require.NoError(t, err)
		require.ErrorIs(t, newLog(t, reopen(t, pool, db.dialect)).Record(t.Context(), event("a")), audit.ErrUnconfirmed, level)
	}
	_, log := db.process(t)
	require.NoError(t, log.Record(context.WithoutCancel(t.Context()), event("b")))
	n, err := log.Count(t.Context(), audit.Query{Tenant: "clinic-17"})
	require.NoError(t, err)
	require.Equal(t, 1, n.N)
}

// TestTemporaryTableTakesNoRecordTx: neither does RecordTx, whose IDs are chosen by the log or by the
// host, and a host that has temporary tables of its own records as others do.
func TestTemporaryTableTakesNoRecordTx(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{
		`CREATE TEMP TABLE audit_pending (LIKE audit_pending INCLUDING ALL)`,
		`CREATE TEMP SEQUENCE audit_serial`,
		`CREATE TEMP TABLE mine (id INTEGER)`,
	} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			db := postgres(t)
			store, log := db.process(t)
			chosen := event("a")
			chosen.ID = fresh()
			pool := db.another(t)
			pool.SetMaxOpenConns(1)
			for i, e := range []audit.Event{event("a"), chosen, event("a")} {
				p := prepared(t, store, log, e)
				tx := begin(t, pool)
				if i == 0 { // in the same transaction, and then there before it
					_, err := tx.ExecContext(t.Context(), statement)
					require.NoError(t, err)
				}
				require.NoError(t, p.RecordTx(t.Context(), tx))
				require.NoError(t, tx.Commit())
				tx = begin(t, pool)
				closed(t, p.RecordTx(t.Context(), tx), audit.ErrConflict)
			}
			require.Len(t, order(t, log, chosen.Tenant), 3)
		})
	}
}

// TestRightsToPurge: a server's role reads what was purged and cannot purge; another role purges with
// the rights that Purge names.
func TestRightsToPurge(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	e := event("a")
	for range 8 {
		require.NoError(t, log.Record(t.Context(), e))
	}
	drain(t, store)
	server := reopen(t, role(t, db, func(schema, role string) string { return fmt.Sprintf(grants, schema, role) }), sqlkit.Postgres)
	spans := []audit.Span{{From: 2, To: 5}}
	require.Error(t, server.Purge(t.Context(), e.Tenant, spans))
	n, err := store.Count(t.Context(), audit.Filter{Tenant: e.Tenant}, 100)
	require.NoError(t, err)
	require.Equal(t, 8, n, "nothing was destroyed")

	var schema string
	require.NoError(t, db.pool.QueryRow(`SELECT current_schema()`).Scan(&schema))
	_, err = db.pool.Exec(fmt.Sprintf(`
		GRANT UPDATE (body, outcome) ON audit_entry TO role_of_%[1]s;
		GRANT INSERT, UPDATE, DELETE ON audit_purged TO role_of_%[1]s;
		GRANT INSERT, DELETE ON audit_purging TO role_of_%[1]s;
		GRANT DELETE ON audit_event, audit_event_patient, audit_event_object TO role_of_%[1]s`, schema))
	require.NoError(t, err)
	require.NoError(t, server.Purge(t.Context(), e.Tenant, spans))
	n, err = server.Count(t.Context(), audit.Filter{Tenant: e.Tenant, Patient: "p-1"}, 100)
	require.NoError(t, err)
	require.Equal(t, 5, n)
}
