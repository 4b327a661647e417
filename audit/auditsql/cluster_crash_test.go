package auditsql_test

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestServerKilled kills PostgreSQL's own server while two processes record from 32 goroutines,
// hosts record in 8 transactions of their own, and two sequence. Whoever was cut off records
// the same event again once the server is back.
//
// The server is told not to wait for the disk, and to write its log late: whatever does not ask
// for more itself is lost with it.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	server := enginetest.Cluster(t, "synchronous_commit=off", "wal_writer_delay=10s")
	store := migrated(t, server.Pool(), sqlkit.Postgres)
	other := reopen(t, server.Pool(), sqlkit.Postgres)
	var done acknowledged
	stop := load(t, &done, 32, store, other)
	stopHosts := hostLoad(t, &done, 8, server.Pool(), store)
	log := newLog(t, store)
	for range kills(t) {
		n := done.len()
		until(t, "the writers go on", func() bool { return done.len() > n+300 })
		before := order(t, log, "clinic-0")
		server.Kill()
		server.Start()
		require.Equal(t, before, order(t, log, "clinic-0")[:len(before)], "a place that was seen has changed")
	}
	n := done.len()
	until(t, "the writers go on", func() bool { return done.len() > n })
	stop()
	stopHosts()
	done.verify(t, store)
	t.Logf("%d kills, %d events acknowledged, none lost", kills(t), done.len())
}

// hostLoad records from n goroutines in a host's transactions until the function that it
// returns is called. An event whose transaction failed is given up.
func hostLoad(t *testing.T, done *acknowledged, n int, pool *sql.DB, store *auditsql.Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log := newLog(t, store)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				e := event("host")
				e.ID, e.Tenant, e.Actor.Tenant = fresh(), "clinic-0", "clinic-0"
				if childTx(pool, store, log, e) == nil {
					done.add(e.Tenant, e.ID)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// TestErasureSurvives: what was erased is not back after a crash of the server.
func TestErasureSurvives(t *testing.T) {
	t.Parallel()
	server := enginetest.Cluster(t, "synchronous_commit=off", "wal_writer_delay=10s")
	store := migrated(t, server.Pool(), sqlkit.Postgres)
	log, err := audit.New(store, plainSealer{}, nil)
	require.NoError(t, err)
	var ids []string
	for range 4 {
		e := secret(fresh())
		e.Why = audit.NewPrivate("secret")
		require.NoError(t, log.Record(t.Context(), e))
		ids = append(ids, e.ID)
		if len(ids) == 2 { // two have their place, two wait for it
			require.Len(t, order(t, log, e.Tenant), 2)
		}
	}
	require.NoError(t, store.Erase(t.Context(), "secret-clinic", []string{ids[0], ids[2]}))
	server.Kill()
	server.Start()
	for i, id := range ids {
		var entry audit.Entry
		until(t, "the server answers", func() bool {
			entry, err = store.Get(t.Context(), "secret-clinic", id)
			return err == nil
		})
		require.Equal(t, slices.Contains([]int{0, 2}, i), len(entry.Openings) == 0, i)
	}
}
