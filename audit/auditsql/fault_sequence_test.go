package auditsql_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// load records from n goroutines, spread over the stores and three tenants, and sequences with
// each store, until the function it returns is called. A writer whose event is not confirmed
// records it again until it is.
func load(t *testing.T, done *acknowledged, n int, stores ...*auditsql.Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var logs []*audit.Log
	for _, store := range stores {
		logs = append(logs, newLog(t, store))
		wg.Go(func() {
			for ctx.Err() == nil {
				if n, err := store.Sequence(ctx, 100); err != nil || n == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	for i := range n {
		log, tenant := logs[i%len(logs)], audit.Tenant(fmt.Sprint("clinic-", i%3))
		wg.Go(func() {
			for ctx.Err() == nil {
				e := event("load")
				e.ID, e.Tenant, e.Actor.Tenant = fresh(), tenant, tenant
				for ctx.Err() == nil && done.record(ctx, log, e) != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// TestManySequencers: however many place entries at once, each is placed once, and what they
// say they placed adds up.
func TestManySequencers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		_, log := db.process(t)
		var placed atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		var sequencers, writers sync.WaitGroup
		for range 4 {
			store, _ := db.process(t)
			sequencers.Go(func() {
				for ctx.Err() == nil {
					n, err := store.Sequence(t.Context(), 7)
					placed.Add(int64(n))
					if err != nil || n == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		var done acknowledged
		for i := range 16 {
			tenant := audit.Tenant(fmt.Sprint("clinic-", i%3))
			writers.Go(func() {
				for range 40 {
					e := event("load")
					e.ID, e.Tenant, e.Actor.Tenant = fresh(), tenant, tenant
					if err := done.record(t.Context(), log, e); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		store, _ := db.process(t)
		until(t, "the backlog drains", func() bool {
			b, err := store.Backlog(t.Context())
			return err == nil && b.Waiting == 0
		})
		cancel()
		sequencers.Wait()
		require.Equal(t, int64(16*40), placed.Load())
		done.verify(t, store)
	})
}

// TestSequencerIsTerminated ends the sequencer's session within its transaction, when it has
// placed something: nothing is placed, nothing is lost, and the next one goes on.
func TestSequencerIsTerminated(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	name := "wardkit-" + fresh()
	victim := &shared{sqlkit.Postgres, db.address + "&application_name=" + url.QueryEscape(name), nil}
	store, log := victim.process(t)
	var done acknowledged
	for range 20 {
		require.NoError(t, done.record(t.Context(), log, secret(fresh())))
	}
	run := func(statement string) {
		t.Helper()
		_, err := db.pool.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	run(`CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$`)
	for _, table := range []string{"audit_entry", "audit_tenant", "audit_pending"} {
		run(`CREATE TRIGGER slowly AFTER INSERT OR UPDATE OR DELETE ON ` + table + ` FOR EACH STATEMENT EXECUTE FUNCTION slowly()`)
		sequenced := make(chan error)
		go func() {
			_, err := store.Sequence(t.Context(), 100)
			sequenced <- err
		}()
		until(t, "the sequencer sleeps in "+table, func() bool {
			var ended bool
			err := db.pool.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity
				WHERE application_name = $1 AND wait_event = 'PgSleep'`, name).Scan(&ended)
			return err == nil && ended
		})
		err := <-sequenced
		require.Error(t, err)
		closed(t, err, err)
		run(`DROP TRIGGER slowly ON ` + table)
		other := reopen(t, db.pool, sqlkit.Postgres)
		b, err := other.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, 20, b.Waiting, "all or none of a call are placed")
	}
	n, err := store.Sequence(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, 20, n)
	done.verify(t, store)
}

// TestSequencerIsCancelled ends its context at random moments.
func TestSequencerIsCancelled(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		var done acknowledged
		placed, want := 0, 0
		for i := range 60 {
			for range 5 {
				require.NoError(t, done.record(t.Context(), log, secret(fresh())))
				want++
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
			n, err := store.Sequence(ctx, 3)
			cancel()
			if err != nil {
				closed(t, err, err)
			}
			placed += n
		}
		require.LessOrEqual(t, placed, want)
		order(t, log, "secret-clinic")
		done.verify(t, store)
	})
}

// TestSameEventFromTwoProcesses: both are told that it is durable, it is there once, whether
// the other's copy still waits or has its place.
func TestSameEventFromTwoProcesses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, one := db.process(t)
		_, two := db.process(t)
		ctx, cancel := context.WithCancel(t.Context())
		var sequencer sync.WaitGroup
		sequencer.Go(func() {
			for ctx.Err() == nil {
				_, _ = store.Sequence(t.Context(), 3)
			}
		})
		var done acknowledged
		for range 150 {
			e := secret(fresh())
			var wg sync.WaitGroup
			for _, log := range []*audit.Log{one, two} {
				wg.Go(func() {
					if err := log.Record(t.Context(), e); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			done.add(e.Tenant, e.ID)
		}
		cancel()
		sequencer.Wait()
		done.verify(t, store)
	})
}

// TestOneIDForTwoEvents: one of them is recorded, the other refused, on whichever process and
// wherever the first one is.
func TestOneIDForTwoEvents(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, one := db.process(t)
		_, two := db.process(t)
		ctx, cancel := context.WithCancel(t.Context())
		var sequencer sync.WaitGroup
		sequencer.Go(func() {
			for ctx.Err() == nil {
				_, _ = store.Sequence(t.Context(), 3)
			}
		})
		var done acknowledged
		for range 150 {
			a := secret(fresh())
			b := a
			b.Action = "secret.write"
			var errs [2]error
			var wg sync.WaitGroup
			wg.Go(func() { errs[0] = one.Record(t.Context(), a) })
			wg.Go(func() { errs[1] = two.Record(t.Context(), b) })
			wg.Wait()
			if errs[0] == nil {
				errs[0], errs[1] = errs[1], errs[0]
			}
			require.NoError(t, errs[1], "one of two is recorded")
			closed(t, errs[0], audit.ErrConflict)
			done.add(a.Tenant, a.ID)
		}
		cancel()
		sequencer.Wait()
		done.verify(t, store)
	})
}

// TestClockStepsBack: the order is that of becoming durable, whatever clocks say; a period
// finds by the recorded time, and all of it.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store := reopen(t, db.another(t), db.dialect)
		base := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		steps := []time.Duration{0, 10, 20, -300, -290, 30, -1000, 40, 35, 50}
		var ids []string
		recorded := map[string]time.Time{}
		for _, step := range steps { // each a process of its own: one log's time never goes back
			now := base.Add(step * time.Second)
			log, err := audit.New(store, audit.DropOpenings{}, &audit.Options{Now: func() time.Time { return now }})
			require.NoError(t, err)
			e := secret(audit.NewID(now))
			require.NoError(t, log.Record(t.Context(), e))
			ids = append(ids, e.ID)
			recorded[e.ID] = now
			require.Equal(t, ids, order(t, log, e.Tenant))
		}
		log := newLog(t, store)
		for _, from := range steps {
			for _, to := range steps {
				period := audit.Period{Start: base.Add(from * time.Second), End: base.Add(to * time.Second)}
				if period.End.Before(period.Start) {
					continue
				}
				page, err := log.Query(t.Context(), audit.Query{Tenant: "secret-clinic", Period: period})
				require.NoError(t, err)
				want, got := map[string]bool{}, map[string]bool{}
				for id, at := range recorded {
					if !at.Before(period.Start) && at.Before(period.End) {
						want[id] = true
					}
				}
				for _, e := range page.Events {
					got[e.ID] = true
				}
				require.Equal(t, want, got)
			}
		}
	})
}

// TestLocksOfOthers: whoever holds a lock on the tables or the sequencer's lock costs a caller
// no more than his deadline, and nothing is lost.
func TestLocksOfOthers(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	var done acknowledged
	require.NoError(t, done.record(t.Context(), log, secret(fresh())))
	for _, lock := range []string{
		`LOCK TABLE audit_pending IN ACCESS EXCLUSIVE MODE`,
		`LOCK TABLE audit_entry, audit_tenant IN ACCESS EXCLUSIVE MODE`,
		`SELECT pg_advisory_xact_lock(7706325, 'audit_pending'::regclass::oid::integer)`,
	} {
		tx, err := db.pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), lock)
		require.NoError(t, err, lock)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		e := secret(fresh())
		start := time.Now()
		if err := log.Record(ctx, e); err != nil {
			closed(t, err, audit.ErrUnconfirmed)
		}
		_, err = store.Sequence(ctx, 10)
		require.Error(t, err)
		require.True(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
		cancel()
		require.Less(t, time.Since(start), time.Minute, "nobody ends the lock")
		require.NoError(t, tx.Rollback())
		require.NoError(t, done.record(t.Context(), log, e), "the lock is gone; the same event again")
	}
	done.verify(t, store)
}
