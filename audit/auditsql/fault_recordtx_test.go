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

// prepared makes events ready for a host's transaction.
func prepared(t testing.TB, store *auditsql.Store, log *audit.Log, events ...audit.Event) *auditsql.Prepared {
	t.Helper()
	p, err := store.Prepare(t.Context(), log, events...)
	require.NoError(t, err)
	return p
}

// TestRecordTxSharesTheFate of the host's transaction.
func TestRecordTxSharesTheFate(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		chart(t, db)
		store, log := db.process(t)
		pool := db.hosts(t)
		e := secret(fresh())
		p := prepared(t, store, log, e)

		tx := begin(t, pool)
		note(t, tx, "one")
		require.NoError(t, p.RecordTx(t.Context(), tx))
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
		require.NoError(t, p.RecordTx(t.Context(), tx), "the ID is free again")
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
		require.Equal(t, 1, notes(t, db))
	})
}

// TestRecordTxAgain: what is prepared once is recorded once, placed or not, whoever chose the
// ID; a second change with it does not happen, so that no change is without its event.
func TestRecordTxAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		chart(t, db)
		store, log := db.process(t)
		pool := db.hosts(t)
		for i, id := range []string{fresh(), ""} {
			e := secret(id)
			e.Tenant = audit.Tenant("clinic-" + string('0'+rune(i)))
			e.Actor.Tenant = e.Tenant
			p := prepared(t, store, log, e)
			for range 2 {
				tx := begin(t, pool)
				require.NoError(t, p.RecordTx(t.Context(), tx))
				require.NoError(t, tx.Rollback())
			}
			tx := begin(t, pool)
			note(t, tx, string(e.Tenant))
			require.NoError(t, p.RecordTx(t.Context(), tx))
			require.NoError(t, tx.Commit())
			for range 2 { // before and after it has its place
				tx := begin(t, pool)
				note(t, tx, "again")
				closed(t, p.RecordTx(t.Context(), tx), audit.ErrConflict)
				require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
				require.Len(t, order(t, log, e.Tenant), 1)
			}
			require.Equal(t, i+1, notes(t, db))
		}
		b, err := store.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, audit.Backlog{}, b)
	})
}

// TestRecordTxOneAtOnce: one change prepared once and made in two transactions that are open
// at the same time happens once.
func TestRecordTxOneAtOnce(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	e := secret("")
	p := prepared(t, store, log, e)
	first, second := begin(t, db.hosts(t)), begin(t, db.hosts(t))
	require.NoError(t, p.RecordTx(t.Context(), first))
	refused := make(chan error)
	go func() { refused <- p.RecordTx(t.Context(), second) }()
	require.NoError(t, first.Commit())
	closed(t, <-refused, audit.ErrConflict)
	require.Len(t, order(t, log, e.Tenant), 1)
}

// TestRecordTxNeedsPreparing: what nobody prepared is no reason to commit.
func TestRecordTxNeedsPreparing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		for _, p := range []*auditsql.Prepared{nil, {}} {
			tx := begin(t, db.hosts(t))
			require.Error(t, p.RecordTx(t.Context(), tx))
			require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
			_, err := p.Statements()
			require.Error(t, err)
		}
		_, err := store.Prepare(t.Context(), nil, secret(fresh()))
		require.Error(t, err)
		tx := begin(t, db.hosts(t))
		require.NoError(t, prepared(t, store, log).RecordTx(t.Context(), tx), "nothing to record")
		require.NoError(t, tx.Commit())
	})
}

// TestRecordTxSavepoint: what a savepoint takes back takes the events along, no others.
func TestRecordTxSavepoint(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		tx := begin(t, db.hosts(t))
		kept, gone, last := secret(fresh()), secret(fresh()), secret(fresh())
		require.NoError(t, prepared(t, store, log, kept).RecordTx(t.Context(), tx))
		_, err := tx.ExecContext(t.Context(), `SAVEPOINT mine`)
		require.NoError(t, err)
		require.NoError(t, prepared(t, store, log, gone).RecordTx(t.Context(), tx))
		_, err = tx.ExecContext(t.Context(), `ROLLBACK TO SAVEPOINT mine`)
		require.NoError(t, err)
		require.NoError(t, prepared(t, store, log, last).RecordTx(t.Context(), tx))
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{kept.ID, last.ID}, order(t, log, kept.Tenant))
	})
}

// TestRecordTxRefuses: what is no event is refused before the transaction; what cannot be
// recorded does not happen: the host's transaction is over, even for a host that looks at no
// error.
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
			events []audit.Event
			want   error
		}{
			{[]audit.Event{secret(fresh()), {Actor: there.Actor}}, audit.ErrInvalid},
			{[]audit.Event{{Action: "secret.read", Verb: audit.Read}}, audit.ErrNoActor},
			{[]audit.Event{there, other}, audit.ErrConflict},
		} {
			p, err := store.Prepare(t.Context(), log, c.events...)
			closed(t, err, c.want)
			require.Nil(t, p)
		}
		taken, free := prepared(t, store, log, other), prepared(t, store, log, secret(fresh()))
		tx := begin(t, db.hosts(t))
		note(t, tx, "one")
		closed(t, taken.RecordTx(t.Context(), tx), audit.ErrConflict)
		require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
		require.Zero(t, notes(t, db))
		err := free.RecordTx(t.Context(), tx)
		closed(t, err, sql.ErrTxDone)
		require.ErrorIs(t, err, audit.ErrUnconfirmed)
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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, prepared(t, oneStore, oneLog, a).RecordTx(ctx, first))
	require.NoError(t, prepared(t, twoStore, twoLog, b).RecordTx(ctx, second))
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
	require.NoError(t, prepared(t, store, log, late).RecordTx(t.Context(), tx))
	want := []string{first.ID}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
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
	p, err := store.Prepare(ctx, log, e)
	if err != nil {
		return err
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := p.RecordTx(ctx, tx); err != nil {
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
			require.NoError(t, prepared(t, store, log, last).RecordTx(t.Context(), tx))
			require.NoError(t, tx.Commit())
			want := []string{first.ID, between.ID, last.ID}
			require.Equal(t, want, order(t, log, first.Tenant))

			tx = snapshot()
			e := secret(fresh())
			require.NoError(t, log.Record(t.Context(), e))
			want = append(want, e.ID)
			require.Equal(t, want, order(t, log, first.Tenant))
			e.Action = "secret.write"
			err := prepared(t, store, log, e).RecordTx(t.Context(), tx)
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
	require.NoError(t, prepared(t, store, log, written).RecordTx(t.Context(), tx))
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
		require.NoError(t, prepared(t, store, log, e).RecordTx(t.Context(), tx))
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
	for _, events := range [][]audit.Event{{secret(fresh())}, {event("a")}, {event("a"), event("b")}} { // the host's ID, the log's, many
		tx := begin(t, pool)
		require.NoError(t, prepared(t, store, log, events...).RecordTx(t.Context(), tx))
		require.Equal(t, "on", setting(tx))
		require.NoError(t, tx.Commit())
		require.Equal(t, "off", setting(pool), "the host's session keeps its setting")
	}
}

// TestRecordTxRefusesLowSQLite: a connection that does not flush is not recorded on, neither for a
// new tenant nor for one that is known, nor for both at once.
func TestRecordTxRefusesLowSQLite(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/test.db"
	db := &shared{sqlkit.SQLite, path, enginetest.OpenSQLite(t, path)}
	migrated(t, db.pool, db.dialect)
	store, log := db.process(t)
	known, other := secret(fresh()), secret(fresh())
	known.Tenant, known.Actor.Tenant = "secret-known", "secret-known"
	require.NoError(t, log.Record(t.Context(), known))
	for _, level := range []string{"OFF", "NORMAL", "FULL", "EXTRA"} {
		pool := sqlite(t, path, "_pragma=busy_timeout(100)&_pragma=synchronous("+level+")")
		again := known
		again.ID = fresh()
		for _, events := range [][]audit.Event{{secret(fresh())}, {again}, {again, other}} {
			tx := begin(t, pool)
			err := prepared(t, store, log, events...).RecordTx(t.Context(), tx)
			if level == "FULL" || level == "EXTRA" {
				require.NoError(t, err, level)
				require.NoError(t, tx.Rollback())
				continue
			}
			closed(t, err, auditsql.ErrUnsafeEngine)
			require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
		}
	}
	require.Empty(t, order(t, log, other.Tenant))
	require.Equal(t, []string{known.ID}, order(t, log, known.Tenant))
}

// TestRecordTxCancelled: whose context has ended records nothing, and the transaction is over.
func TestRecordTxCancelled(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		tx := begin(t, db.hosts(t))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := prepared(t, store, log, secret(fresh())).RecordTx(ctx, tx)
		closed(t, err, context.Canceled)
		require.ErrorIs(t, err, audit.ErrUnconfirmed)
		require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
		require.Empty(t, order(t, log, "secret-clinic"))
	})
}

// keysHere seals with a key for each tenant that it keeps in the host's own database and, once
// read, in memory, as a vault does.
type keysHere struct {
	audit.DropOpenings
	pool *sql.DB
	read sync.Map
}

func (k *keysHere) Seal(ctx context.Context, tenant audit.Tenant, _ string, plaintext []byte) ([]byte, error) {
	if _, known := k.read.Load(tenant); known {
		return plaintext, nil
	}
	_, err := k.pool.ExecContext(ctx, `INSERT INTO tenant_key (tenant) VALUES ('`+string(tenant)+`') ON CONFLICT DO NOTHING`)
	k.read.Store(tenant, err == nil)
	return plaintext, err
}

// sealing returns a store and a log whose sealer uses the store's own connections.
func sealing(t *testing.T, db *shared) (*sql.DB, *auditsql.Store, *audit.Log) {
	t.Helper()
	pool := db.hosts(t)
	_, err := pool.ExecContext(t.Context(), `CREATE TABLE tenant_key (tenant TEXT PRIMARY KEY)`)
	require.NoError(t, err)
	store := reopen(t, pool, db.dialect)
	log, err := audit.New(store, &keysHere{pool: pool}, nil)
	require.NoError(t, err)
	return pool, store, log
}

// private is an event with something to seal.
func private() audit.Event {
	e := secret(fresh())
	e.Why = audit.NewPrivate("secret")
	return e
}

// TestRecordTxSealsWithANewKey: the first event of a tenant makes the sealer write a key into
// the file in which the host's transaction writes.
func TestRecordTxSealsWithANewKey(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		chart(t, db)
		pool, store, log := sealing(t, db)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		e := private()
		p, err := store.Prepare(ctx, log, e)
		require.NoError(t, err)
		tx := begin(t, pool)
		note(t, tx, "one")
		require.NoError(t, p.RecordTx(ctx, tx))
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
	})
}

// TestRecordTxStarvesNoPool: as many transactions at once as the pool has connections, and
// nothing of the sealer in memory.
func TestRecordTxStarvesNoPool(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		pool, store, log := sealing(t, db)
		n := 3
		if db.dialect == sqlkit.SQLite {
			n = 1
		}
		pool.SetMaxOpenConns(n)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var begun, done sync.WaitGroup
		begun.Add(n)
		for range n {
			done.Go(func() {
				p, err := store.Prepare(ctx, log, private())
				if err != nil {
					t.Error(err)
				}
				tx, err := pool.BeginTx(ctx, nil)
				begun.Done()
				if err != nil {
					t.Error(err)
					return
				}
				defer tx.Rollback()
				begun.Wait()
				if err := errors.Join(p.RecordTx(ctx, tx), tx.Commit()); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		require.Len(t, order(t, log, "secret-clinic"), n)
	})
}

// TestRecordTxSeesThroughShadow: a table that pretends to be the setting makes nothing durable.
func TestRecordTxSeesThroughShadow(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/test.db"
	db := &shared{sqlkit.SQLite, path, enginetest.OpenSQLite(t, path)}
	migrated(t, db.pool, db.dialect)
	store, log := db.process(t)
	e := secret(fresh())
	require.NoError(t, log.Record(t.Context(), e))
	pool := sqlite(t, path, "_pragma=busy_timeout(100)&_pragma=synchronous(OFF)")
	pool.SetMaxOpenConns(1)
	_, err := pool.ExecContext(t.Context(), `CREATE TEMP TABLE pragma_synchronous (synchronous INTEGER); INSERT INTO pragma_synchronous VALUES (2)`)
	require.NoError(t, err)
	e.ID = fresh()
	tx := begin(t, pool)
	require.Error(t, prepared(t, store, log, e).RecordTx(t.Context(), tx))
	require.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
	require.Len(t, order(t, log, e.Tenant), 1)
}
