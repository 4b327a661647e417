package auditsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
)

// Somebody has the database, every right on it included, and not the key. What he does to rows
// that wait for their place:
//
//	inject, change a column, swap or cut off MACs, take a row to another tenant
//	    refused: never placed, kept, counted in Backlog.Refused
//	copy a row that was placed already
//	    not placed twice
//	change the number that rows wait by
//	    reorders what was recorded within the moment before sequencing; not seen
//	delete a row
//	    not seen by the store: what had no place leaves no gap. The moment in which it can
//	    be done is Run's pace; who holds the acknowledged ID still notices that it is gone

// attacker changes the tables as their owner may, triggers out of the way.
type attacker struct {
	t  *testing.T
	db *shared
}

func (a attacker) does(statement string, args ...any) int64 {
	a.t.Helper()
	conn, err := a.db.pool.Conn(a.t.Context())
	require.NoError(a.t, err)
	defer conn.Close()
	tx, err := conn.BeginTx(a.t.Context(), nil)
	require.NoError(a.t, err)
	defer tx.Rollback()
	_, err = tx.ExecContext(a.t.Context(), `ALTER TABLE audit_pending DISABLE TRIGGER USER`)
	require.NoError(a.t, err)
	result, err := tx.ExecContext(a.t.Context(), statement, args...)
	require.NoError(a.t, err, statement)
	n, err := result.RowsAffected()
	require.NoError(a.t, err)
	require.NoError(a.t, tx.Commit())
	return n
}

// of is an event of a tenant.
func of(tenant audit.Tenant) audit.Event {
	e := secret(fresh())
	e.Tenant, e.Actor.Tenant = tenant, tenant
	return e
}

// sequenced gives what waits its place and returns the backlog.
func sequenced(t testing.TB, store *auditsql.Store) audit.Backlog {
	t.Helper()
	_, err := store.Sequence(t.Context(), 100)
	require.NoError(t, err)
	b, err := store.Backlog(t.Context())
	require.NoError(t, err)
	require.Zero(t, b.Waiting)
	return b
}

// columns lists the columns of audit_pending and a change of each.
func columns(t *testing.T, db *shared) map[string]string {
	t.Helper()
	rows, err := db.pool.QueryContext(t.Context(), `SELECT column_name, data_type FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = 'audit_pending'`)
	require.NoError(t, err)
	defer rows.Close()
	changes := map[string]string{}
	for rows.Next() {
		var name, kind string
		require.NoError(t, rows.Scan(&name, &kind))
		switch kind {
		case "bytea":
			changes[name] = `set_byte(` + name + `, length(` + name + `) - 1, get_byte(` + name + `, length(` + name + `) - 1) # 1)`
		case "bigint", "integer", "smallint":
			changes[name] = name + ` + 1`
		case "text":
			changes[name] = name + ` || 'x'`
		case "boolean":
			changes[name] = `NOT ` + name
		default:
			t.Fatalf("a column %s of type %s", name, kind)
		}
	}
	require.NoError(t, rows.Err())
	require.Greater(t, len(changes), 5)
	return changes
}

// TestEveryColumnIsAuthenticated changes one column of a waiting row at a time, by one bit or a
// little more. The event is never found as something else than what was recorded.
func TestEveryColumnIsAuthenticated(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	changes := columns(t, db)
	// serial only orders what waits; sealed authenticates itself and may be erased at any
	// time; refused is what the sequencer writes, and setting it raises the alarm it stands for.
	open := map[string]bool{"serial": true, "sealed": true}
	n := 0
	for column, change := range changes {
		n++
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			changedColumn(t, column, change, open[column])
		})
	}
	require.Equal(t, 11, n)
}

func changedColumn(t *testing.T, column, to string, harmless bool) {
	db := postgres(t)
	store := reopen(t, db.pool, db.dialect)
	log, err := audit.New(store, plainSealer{}, nil)
	require.NoError(t, err)
	e := of("secret-clinic")
	e.Why = audit.NewPrivate("secret")
	require.NoError(t, log.Record(t.Context(), e))
	require.Equal(t, int64(1), attacker{t, db}.does(`UPDATE audit_pending SET `+column+` = `+to))
	genuine := of("secret-clinic")
	require.NoError(t, log.Record(t.Context(), genuine))
	b := sequenced(t, store)
	page, err := log.Query(t.Context(), audit.Query{Tenant: e.Tenant})
	require.NoError(t, err)
	require.Equal(t, genuine.ID, page.Events[0].ID, "others get their place")
	if harmless {
		require.Zero(t, b.Refused)
		require.Len(t, page.Events, 2)
		return
	}
	require.Len(t, page.Events, 1)
	require.Equal(t, 1, b.Refused)
	require.Equal(t, 1, waiting(t, db), "kept as evidence")
	_, err = log.Open(t.Context(), e.Tenant, e.ID)
	if column == "refused" {
		require.NoError(t, err, "it is what was recorded")
		return
	}
	require.Error(t, err)
	closed(t, err, err)
}

// waiting counts the rows that have no place.
func waiting(t testing.TB, db *shared) (n int) {
	t.Helper()
	require.NoError(t, db.pool.QueryRowContext(t.Context(), `SELECT count(*) FROM audit_pending`).Scan(&n))
	return n
}

// TestInjectedRow: a row that somebody made up, with any MAC, is no event.
func TestInjectedRow(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	genuine := of("secret-clinic")
	require.NoError(t, log.Record(t.Context(), genuine))
	for _, mac := range []string{`mac`, `''::bytea`, `decode(repeat('00', 32), 'hex')`, `sha256(body)`, `mac || mac`, `substr(mac, 1, 8)`} {
		attacker{t, db}.does(`CREATE TABLE forged AS SELECT * FROM audit_pending WHERE NOT refused LIMIT 1`)
		attacker{t, db}.does(`UPDATE forged SET id = decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), mac = ` + mac)
		attacker{t, db}.does(`INSERT INTO audit_pending SELECT * FROM forged`)
		attacker{t, db}.does(`DROP TABLE forged`)
	}
	b := sequenced(t, store)
	require.Equal(t, 6, b.Refused)
	require.Equal(t, []string{genuine.ID}, order(t, log, genuine.Tenant))
	require.Contains(t, log.Health(t.Context()).Alarms, audit.AlarmRefused)
}

// TestSwappedMACs: each of two genuine MACs belongs to its own row.
func TestSwappedMACs(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	for range 2 {
		require.NoError(t, log.Record(t.Context(), of("secret-clinic")))
	}
	require.Equal(t, int64(2), attacker{t, db}.does(`UPDATE audit_pending p SET mac = o.mac FROM audit_pending o WHERE o.id <> p.id`))
	require.Equal(t, 2, sequenced(t, store).Refused)
	require.Empty(t, order(t, log, "secret-clinic"))
}

// TestRowOfAnotherTenant: a genuine row under another tenant's name is no event of his.
func TestRowOfAnotherTenant(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	e := of("secret-clinic")
	require.NoError(t, log.Record(t.Context(), e))
	attacker{t, db}.does(`CREATE TABLE forged AS SELECT * FROM audit_pending`)
	attacker{t, db}.does(`UPDATE forged SET tenant = 'secret-victim'`)
	attacker{t, db}.does(`INSERT INTO audit_pending SELECT * FROM forged`)
	require.Equal(t, 1, sequenced(t, store).Refused)
	require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
	require.Empty(t, order(t, log, "secret-victim"))
}

// TestReplayedRow: a genuine row that was placed is not placed again.
func TestReplayedRow(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	e := of("secret-clinic")
	require.NoError(t, log.Record(t.Context(), e))
	attacker{t, db}.does(`CREATE TABLE kept AS SELECT * FROM audit_pending`)
	require.Zero(t, sequenced(t, store).Refused)
	for range 2 {
		attacker{t, db}.does(`INSERT INTO audit_pending SELECT * FROM kept`)
		sequenced(t, store)
		require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
	}
}

// TestForgerStopsNobody: refused rows keep nothing else from its place, however many there are.
func TestForgerStopsNobody(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	require.NoError(t, log.Record(t.Context(), of("secret-clinic")))
	attacker{t, db}.does(`INSERT INTO audit_pending SELECT (jsonb_populate_record(p, jsonb_build_object('id', '\x' || lpad(to_hex(n), 32, '0')))).*
		FROM audit_pending p, generate_series(1, 500) n`)
	var want []string
	for range 10 {
		e := of("secret-clinic")
		require.NoError(t, log.Record(t.Context(), e))
		want = append(want, e.ID)
		found := order(t, log, e.Tenant)
		require.Equal(t, want, found[1:])
	}
	b, err := store.Backlog(t.Context())
	require.NoError(t, err)
	require.Equal(t, audit.Backlog{Refused: 500}, b)
	for range 3 {
		n, err := store.Sequence(t.Context(), 1)
		require.NoError(t, err)
		require.Zero(t, n, "refused once, not looked at again")
	}
}

// TestRefusedMarkTakenBack: clearing the mark makes no event of a forged row.
func TestRefusedMarkTakenBack(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	require.NoError(t, log.Record(t.Context(), of("secret-clinic")))
	attacker{t, db}.does(`UPDATE audit_pending SET outcome = outcome + 4`)
	require.Equal(t, 1, sequenced(t, store).Refused)
	attacker{t, db}.does(`UPDATE audit_pending SET refused = FALSE`)
	require.Equal(t, 1, sequenced(t, store).Refused)
	require.Empty(t, order(t, log, "secret-clinic"))
}

// TestDeletedRow: the store does not see that a row is gone before it had a place; what was
// placed before and after keeps a dense order. Whoever holds the ID asks for it.
func TestDeletedRow(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	first, gone, last := of("secret-clinic"), of("secret-clinic"), of("secret-clinic")
	require.NoError(t, log.Record(t.Context(), first))
	sequenced(t, store)
	require.NoError(t, log.Record(t.Context(), gone))
	require.Equal(t, int64(1), attacker{t, db}.does(`DELETE FROM audit_pending`))
	require.NoError(t, log.Record(t.Context(), last))
	require.Zero(t, sequenced(t, store).Refused)
	require.Equal(t, []string{first.ID, last.ID}, order(t, log, first.Tenant))
	_, err := log.Open(t.Context(), gone.Tenant, gone.ID)
	require.ErrorIs(t, err, audit.ErrNotFound)
}

// TestAnotherKey: a process with another key does not place what this one recorded. It keeps
// it, so that once somebody has looked and taken the mark back, the key's owner does.
func TestAnotherKey(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	_, log := db.process(t)
	e := of("secret-clinic")
	require.NoError(t, log.Record(t.Context(), e))
	stranger, err := auditsql.Postgres(db.another(t), []byte("another key, also of 32 bytes or more"))
	require.NoError(t, err)
	require.Equal(t, 1, sequenced(t, stranger).Refused)
	require.Empty(t, order(t, log, e.Tenant))
	require.Equal(t, 1, waiting(t, db), "kept: nothing acknowledged is thrown away")
	attacker{t, db}.does(`UPDATE audit_pending SET refused = FALSE`)
	require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
}

// TestShortKey: a key that could be guessed is refused.
func TestShortKey(t *testing.T) {
	t.Parallel()
	pool := postgres(t).pool
	for _, n := range []int{0, 1, 16, 31} {
		_, err := auditsql.Postgres(pool, make([]byte, n))
		require.Error(t, err, n)
	}
	_, err := auditsql.Postgres(pool, make([]byte, 32))
	require.NoError(t, err)
}
