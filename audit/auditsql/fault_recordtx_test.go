package auditsql_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// chart makes the host's own table.
func chart(t testing.TB, db *shared) {
	t.Helper()
	_, err := db.pool.ExecContext(t.Context(), `CREATE TABLE chart (note TEXT PRIMARY KEY)`)
	require.NoError(t, err)
}

// note is the host's write.
func note(t testing.TB, tx *sql.Tx, text string) {
	t.Helper()
	_, err := tx.ExecContext(t.Context(), `INSERT INTO chart (note) VALUES ('`+text+`')`)
	require.NoError(t, err)
}

func notes(t testing.TB, db *shared) (n int) {
	t.Helper()
	require.NoError(t, db.pool.QueryRowContext(t.Context(), `SELECT count(*) FROM chart`).Scan(&n))
	return n
}

func begin(t testing.TB, pool *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// hosts opens the database as a host does that records in its transactions: on SQLite they
// begin with BEGIN IMMEDIATE.
func (db *shared) hosts(t testing.TB) *sql.DB {
	t.Helper()
	if db.dialect == sqlkit.SQLite {
		return sqlite(t, db.address, sound+"&_txlock=immediate")
	}
	return db.another(t)
}

// TestRecordTxSharesTheFate of the host's transaction.
func TestRecordTxSharesTheFate(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		chart(t, db)
		store, log := db.process(t)
		pool := db.hosts(t)
		e := secret(fresh())

		tx := begin(t, pool)
		note(t, tx, "one")
		require.NoError(t, store.RecordTx(t.Context(), tx, log, e))
		if db.dialect == sqlkit.Postgres { // SQLite's other connections would wait
			require.Empty(t, order(t, log, e.Tenant), "not committed, not there")
		}
		require.NoError(t, tx.Rollback())
		require.Empty(t, order(t, log, e.Tenant))
		require.Zero(t, notes(t, db))
		_, err := store.Get(t.Context(), e.Tenant, e.ID)
		require.ErrorIs(t, err, audit.ErrNotFound)

		tx = begin(t, pool)
		note(t, tx, "one")
		require.NoError(t, store.RecordTx(t.Context(), tx, log, e), "the ID is free again")
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
		require.Equal(t, 1, notes(t, db))
	})
}

// TestRecordTxSavepoint: what a savepoint takes back takes the events along, no others.
func TestRecordTxSavepoint(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		tx := begin(t, db.hosts(t))
		kept, gone, last := secret(fresh()), secret(fresh()), secret(fresh())
		require.NoError(t, store.RecordTx(t.Context(), tx, log, kept))
		_, err := tx.ExecContext(t.Context(), `SAVEPOINT mine`)
		require.NoError(t, err)
		require.NoError(t, store.RecordTx(t.Context(), tx, log, gone))
		_, err = tx.ExecContext(t.Context(), `ROLLBACK TO SAVEPOINT mine`)
		require.NoError(t, err)
		require.NoError(t, store.RecordTx(t.Context(), tx, log, last))
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{kept.ID, last.ID}, order(t, log, kept.Tenant))
	})
}

// TestRecordTxRefuses: what cannot be recorded does not happen; the host's transaction is over,
// even for a host that looks at no error.
func TestRecordTxRefuses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		chart(t, db)
		store, log := db.process(t)
		there := secret(fresh())
		require.NoError(t, log.Record(t.Context(), there))
		other := there
		other.Action = "secret.write"
		for _, c := range []struct {
			event audit.Event
			want  error
		}{
			{audit.Event{Actor: there.Actor}, audit.ErrInvalid},
			{audit.Event{Action: "secret.read", Verb: audit.Read}, audit.ErrNoActor},
			{other, audit.ErrConflict},
		} {
			tx := begin(t, db.hosts(t))
			note(t, tx, "one")
			closed(t, store.RecordTx(t.Context(), tx, log, c.event), c.want)
			require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
			require.Zero(t, notes(t, db))
			err := store.RecordTx(t.Context(), tx, log, secret(fresh()))
			closed(t, err, sql.ErrTxDone)
			require.ErrorIs(t, err, audit.ErrUnconfirmed)
		}
		require.Equal(t, []string{there.ID}, order(t, log, there.Tenant))
	})
}

// TestRecordTxTwoHostsOneNewTenant: two open transactions with the same tenant that nobody has
// recorded for before; neither waits for the other. On SQLite there is one writer at a time.
func TestRecordTxTwoHostsOneNewTenant(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	oneStore, oneLog := db.process(t)
	twoStore, twoLog := db.process(t)
	first, second := begin(t, db.hosts(t)), begin(t, db.hosts(t))
	a, b := secret(fresh()), secret(fresh())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, oneStore.RecordTx(ctx, first, oneLog, a))
	require.NoError(t, twoStore.RecordTx(ctx, second, twoLog, b))
	require.NoError(t, second.Commit())
	require.Equal(t, []string{b.ID}, order(t, oneLog, a.Tenant))
	require.NoError(t, first.Commit())
	require.Equal(t, []string{b.ID, a.ID}, order(t, oneLog, a.Tenant), "in the order of commits")
}

// TestRecordTxHoldsNobodyUp: a transaction that stays open keeps neither recorders nor the
// sequencer waiting; its event comes last.
func TestRecordTxHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	first := secret(fresh())
	require.NoError(t, log.Record(t.Context(), first))
	order(t, log, first.Tenant)
	tx := begin(t, db.hosts(t))
	late := secret(fresh())
	require.NoError(t, store.RecordTx(t.Context(), tx, log, late))
	want := []string{first.ID}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 20 {
		e := secret(fresh())
		require.NoError(t, log.Record(ctx, e))
		want = append(want, e.ID)
		require.Equal(t, want, order(t, log, e.Tenant))
	}
	b, err := store.Backlog(ctx)
	require.NoError(t, err)
	require.Zero(t, b.Waiting, "what is not committed does not wait yet")
	require.NoError(t, tx.Commit())
	require.Equal(t, append(want, late.ID), order(t, log, late.Tenant))
}

// TestRecordTxUnderLoad commits and rolls back at random beside other recorders and two
// sequencers: what was committed is there, what was not is not.
func TestRecordTxUnderLoad(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		chart(t, db)
		store, _ := db.process(t)
		var done, rolledBack acknowledged
		stop := load(t, &done, 4, store)
		var wg sync.WaitGroup
		for g := range 4 {
			store, log := db.process(t)
			pool := db.hosts(t)
			wg.Go(func() {
				for i := range 25 {
					e := secret(fresh())
					e.Tenant, e.Actor.Tenant = "clinic-0", "clinic-0"
					if err := hostWrites(t.Context(), pool, store, log, e, (g+i)%3 == 0); err == nil {
						done.add(e.Tenant, e.ID)
					} else if errors.Is(err, errRolledBack) {
						rolledBack.add(e.Tenant, e.ID)
					} else if db.dialect == sqlkit.Postgres || !sqlkit.IsBusy(err) {
						t.Errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		stop()
		done.verify(t, store)
		require.NotZero(t, rolledBack.len())
		for _, id := range rolledBack.ids["clinic-0"] {
			_, err := store.Get(t.Context(), "clinic-0", id)
			require.ErrorIs(t, err, audit.ErrNotFound)
		}
	})
}

var errRolledBack = errors.New("rolled back")

func hostWrites(ctx context.Context, pool *sql.DB, store *auditsql.Store, log *audit.Log, e audit.Event, regret bool) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := store.RecordTx(ctx, tx, log, e); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO chart (note) VALUES ('`+e.ID+`')`); err != nil {
		return err
	}
	if regret {
		return errRolledBack
	}
	return tx.Commit()
}

// TestRecordTxIsolation: in a transaction that sees the database as it was at its beginning,
// events are recorded like in any other, however the order has moved on. An ID that was taken
// and placed since cannot be seen there; its event is not placed, and the alarm says so.
func TestRecordTxIsolation(t *testing.T) {
	t.Parallel()
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			db := postgres(t)
			store, log := db.process(t)
			first, between, last := secret(fresh()), secret(fresh()), secret(fresh())
			require.NoError(t, log.Record(t.Context(), first))
			snapshot := func() *sql.Tx {
				tx, err := db.pool.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
				require.NoError(t, err)
				t.Cleanup(func() { _ = tx.Rollback() })
				var n int
				require.NoError(t, tx.QueryRow(`SELECT count(*) FROM audit_entry`).Scan(&n))
				return tx
			}
			tx := snapshot()
			require.NoError(t, log.Record(t.Context(), between))
			require.Len(t, order(t, log, first.Tenant), 2)
			require.NoError(t, store.RecordTx(t.Context(), tx, log, last))
			require.NoError(t, tx.Commit())
			want := []string{first.ID, between.ID, last.ID}
			require.Equal(t, want, order(t, log, first.Tenant))

			tx = snapshot()
			e := secret(fresh())
			require.NoError(t, log.Record(t.Context(), e))
			want = append(want, e.ID)
			require.Equal(t, want, order(t, log, first.Tenant))
			e.Action = "secret.write"
			err := store.RecordTx(t.Context(), tx, log, e)
			if err == nil {
				err = tx.Commit()
			}
			require.Equal(t, want, order(t, log, first.Tenant), "never twice")
			b, backlogErr := store.Backlog(t.Context())
			require.NoError(t, backlogErr)
			require.True(t, err != nil || b.Refused == 1, "a conflict that nobody is told of")
		})
	}
}

// TestRecordTxDenialSurvives: what must stay when the transaction does not is recorded with
// Record, on the log's own connections.
func TestRecordTxDenialSurvives(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	tx := begin(t, db.hosts(t))
	written := secret(fresh())
	require.NoError(t, store.RecordTx(t.Context(), tx, log, written))
	denied := secret(fresh())
	denied.Outcome, denied.Code = audit.Failure, "policy"
	require.NoError(t, log.Record(t.Context(), denied))
	require.NoError(t, tx.Rollback())
	require.Equal(t, []string{denied.ID}, order(t, log, denied.Tenant))
}

// TestRecordTxCutAtCommit: the host's row and its event are both there or both not, and what
// is there gets its place, whoever sequences.
func TestRecordTxCutAtCommit(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	chart(t, db)
	store, log := db.process(t)
	pool, proxy := enginetest.Proxied(t, db.address)
	for moment, want := range map[enginetest.Moment]int{enginetest.Before: 0, enginetest.After: 1} {
		_, err := db.pool.ExecContext(t.Context(), `DELETE FROM chart`)
		require.NoError(t, err)
		e := secret(fresh())
		e.Tenant = audit.Tenant("clinic-" + string('0'+rune(moment)))
		e.Actor.Tenant = e.Tenant
		tx := begin(t, pool)
		note(t, tx, "one")
		require.NoError(t, store.RecordTx(t.Context(), tx, log, e))
		proxy.Cut(moment, enginetest.Commit, 1)
		require.Error(t, tx.Commit())
		require.Equal(t, want, notes(t, db))
		require.Len(t, order(t, log, e.Tenant), want)
	}
}

// TestRecordTxCommitsSynchronously: a host that does not wait for its commits waits for those
// that record.
func TestRecordTxCommitsSynchronously(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	pool := db.hosts(t)
	pool.SetMaxOpenConns(1)
	setting := func(q interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	},
	) (v string) {
		require.NoError(t, q.QueryRowContext(t.Context(), `SHOW synchronous_commit`).Scan(&v))
		return v
	}
	_, err := pool.ExecContext(t.Context(), `SET synchronous_commit = off`)
	require.NoError(t, err)
	tx := begin(t, pool)
	require.NoError(t, store.RecordTx(t.Context(), tx, log, secret(fresh())))
	require.Equal(t, "on", setting(tx))
	require.NoError(t, tx.Commit())
	require.Equal(t, "off", setting(pool), "the host's session keeps its setting")
}

// TestRecordTxRefusesLowSQLite: a connection that does not flush is not recorded on.
func TestRecordTxRefusesLowSQLite(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/test.db"
	db := &shared{sqlkit.SQLite, path, enginetest.OpenSQLite(t, path)}
	migrated(t, db.pool, db.dialect)
	store, log := db.process(t)
	tx := begin(t, sqlite(t, path, "_pragma=busy_timeout(100)&_pragma=synchronous(NORMAL)"))
	err := store.RecordTx(t.Context(), tx, log, secret(fresh()))
	closed(t, err, auditsql.ErrUnsafeEngine)
	require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
	require.Empty(t, order(t, log, "secret-clinic"))
}
