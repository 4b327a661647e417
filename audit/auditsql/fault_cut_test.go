package auditsql_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestCutCommit cuts the connection at the commit of an append and of a sequencing, once
// before and once after the server has carried it out. Nobody is told that it worked; tried
// again, each event is there once.
func TestCutCommit(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	pool, proxy := enginetest.Proxied(t, db.address)
	store := reopen(t, pool, sqlkit.Postgres)
	log := newLog(t, store)
	var done acknowledged
	for i, moment := range []enginetest.Moment{enginetest.Before, enginetest.Before, enginetest.After, enginetest.After} {
		e, cuts := of(audit.Tenant(fmt.Sprint("secret-clinic-", i))), proxy.Cuts()
		proxy.Cut(moment, string(e.Tenant), 1) // the statement is a transaction of its own
		closed(t, log.Record(t.Context(), e), audit.ErrUnconfirmed)
		require.Equal(t, cuts+1, proxy.Cuts())
		require.NoError(t, done.record(t.Context(), log, e), "the same event again")

		proxy.Cut(moment, enginetest.Commit, 1)
		_, err := store.Sequence(t.Context(), 100)
		require.Error(t, err)
		closed(t, err, err)
		require.Equal(t, cuts+2, proxy.Cuts())
		done.verify(t, store)
	}
}

// TestHangup cuts all connections again and again while many record and two sequence.
func TestHangup(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	pool, proxy := enginetest.Proxied(t, db.address)
	store := reopen(t, pool, sqlkit.Postgres)
	var done acknowledged
	stop := load(t, &done, 32, store, store)
	for range 10 {
		n := done.len()
		until(t, "somebody gets through", func() bool { return done.len() > n+50 })
		proxy.Hangup()
	}
	stop()
	done.verify(t, reopen(t, db.pool, sqlkit.Postgres))
}

// TestStalledServer: a server that takes what it is told and says nothing costs a caller his
// deadline, or the commit's time limit, and no more.
func TestStalledServer(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	pool, proxy := enginetest.Proxied(t, db.address)
	store := reopen(t, pool, sqlkit.Postgres)
	log, err := audit.New(store, audit.DropOpenings{}, &audit.Options{CommitTimeout: 200 * time.Millisecond})
	require.NoError(t, err)
	var done acknowledged
	require.NoError(t, done.record(t.Context(), newLog(t, store), secret(fresh())))
	proxy.Stall()
	start := time.Now()
	one, two := secret(fresh()), secret(fresh())
	closed(t, log.Record(t.Context(), one), audit.ErrUnconfirmed)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	closed(t, log.Record(ctx, two), audit.ErrUnconfirmed)
	_, err = log.Query(ctx, audit.Query{Tenant: "secret-clinic"})
	closed(t, err, audit.ErrUnavailable)
	require.False(t, log.Health(ctx).OK)
	require.Less(t, time.Since(start), time.Minute)
	proxy.Resume()
	for _, e := range []audit.Event{one, two} {
		require.NoError(t, done.record(t.Context(), newLog(t, store), e), "the same event again")
	}
	done.verify(t, store)
}
