package auditsql_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
)

// forge is a row that nobody with the key wrote.
const forge = `INSERT INTO audit_pending (serial, tenant, id, recorded, outcome, leaf, body, keys, mac) `

// TestForgedRowsDelayOrder: 60,000 forged rows in front of an event delay it for a moment.
// Whoever gives up in between got further, so that the next one does not begin anew.
func TestForgedRowsDelayOrder(t *testing.T) {
	inTurn(t)
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	const n = 60_000
	attacker{t, db}.does(forge+`SELECT -g, 'x', decode(md5(g::text), 'hex'), 0, 0, '', '', '', '' FROM generate_series(1, $1::int) g`, n)
	e := secret(fresh())
	require.NoError(t, log.Record(t.Context(), e))
	refusals := func() (n int) {
		require.NoError(t, db.pool.QueryRow(`SELECT COUNT(*) FROM audit_pending WHERE refused`).Scan(&n))
		return n
	}
	refused, wait := 0, 3*time.Second
	until(t, "the event gets its place", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		got, err := store.Sequence(ctx, 4096)
		now := refusals()
		if err != nil && now == refused {
			wait *= 2 // a busy machine
			require.Less(t, wait, time.Minute, "no progress: %v", err)
		}
		refused = now
		return err == nil && got == 1
	})
	require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
	require.Equal(t, n, refusals(), "kept as evidence")
}

// TestForgedRowsUseUpNoLimit: as many events are placed as were asked for, whatever is in
// between, and rows with one serial are no more than others.
func TestForgedRowsUseUpNoLimit(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	var want []string
	for range 5 {
		e := secret(fresh())
		require.NoError(t, log.Record(t.Context(), e))
		want = append(want, e.ID)
	}
	attacker{t, db}.does(forge + `SELECT p.serial, 'x', decode(md5(p.serial::text || g::text), 'hex'), 0, 0, '', '', '', ''
		FROM audit_pending p, generate_series(1, 300) g`)
	for left := 4; left >= 0; left-- {
		n, err := store.Sequence(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		var waits int
		require.NoError(t, db.pool.QueryRow(`SELECT COUNT(*) FROM audit_pending WHERE tenant <> 'x'`).Scan(&waits))
		require.Equal(t, left, waits)
	}
	require.Equal(t, want, order(t, log, "secret-clinic"))
}

// TestForgedRowHidesNoPlacedEvent: a forged row under the ID of an event that has its place
// keeps nobody from opening that or from recording it again.
func TestForgedRowHidesNoPlacedEvent(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	e := secret(fresh())
	require.NoError(t, log.Record(t.Context(), e))
	sequenced(t, store)
	attacker{t, db}.does(forge+`VALUES (1, 'secret-clinic', $1, 0, 0, '', '', '', '')`, auditsql.IDBytes(e.ID))
	for range 2 {
		_, err := log.Open(t.Context(), e.Tenant, e.ID)
		require.NoError(t, err)
		sequenced(t, store)
	}
	require.Contains(t, log.Health(t.Context()).Alarms, audit.AlarmRefused)
	forged := secret(fresh()) // perfect but for the key
	require.NoError(t, newLog(t, withKeys(t, db, 8)).Record(t.Context(), forged))
	_, err := log.Open(t.Context(), e.Tenant, forged.ID)
	require.ErrorIs(t, err, audit.ErrDamaged, "nothing else is there")
}

// TestFrozenSequencer: a sequencer that hears nothing any more, because its machine stopped or
// its network was cut, is ended by the server after half a minute.
func TestFrozenSequencer(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, _ := db.process(t)
	idle, path := store.Begun(t)
	require.Equal(t, "30s", idle)
	require.Regexp(t, `, pg_temp$`, path)
}

// TestAppendersWaitForNoLock: any login can hold the sequencer's lock. Whoever appends does not
// wait for it, however much is to be placed.
func TestAppendersWaitForNoLock(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	store.Relief(1, 1, 1<<40)
	tx, err := db.pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.Exec(`SELECT pg_advisory_xact_lock(7706325, 'audit_pending'::regclass::oid::integer)`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 5 {
		require.NoError(t, log.Record(ctx, secret(fresh())))
	}
	require.NoError(t, ctx.Err())
	require.Equal(t, 5, waiting(t, db))
}

// TestLockOfTheRealTable: a temporary table of the same name leads to no other lock, with which
// two sequencers could run at once.
func TestLockOfTheRealTable(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	_, log := db.process(t)
	require.NoError(t, log.Record(t.Context(), secret(fresh())))
	pool := db.another(t)
	pool.SetMaxOpenConns(1)
	_, err := pool.Exec(`CREATE TEMP TABLE audit_pending (LIKE audit_pending INCLUDING ALL)`)
	require.NoError(t, err)
	_, err = pool.Exec(`INSERT INTO audit_pending SELECT * FROM ` + schemaOf(t, db) + `.audit_pending`) // so that something waits there
	require.NoError(t, err)
	tx, err := db.pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.Exec(`SELECT pg_advisory_xact_lock(7706325, 'audit_pending'::regclass::oid::integer)`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = reopen(t, pool, db.dialect).Sequence(ctx, 10)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func schemaOf(t testing.TB, db *shared) (name string) {
	t.Helper()
	require.NoError(t, db.pool.QueryRow(`SELECT quote_ident(current_schema())`).Scan(&name))
	return name
}
