package auditsql_test

import (
	"testing"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestServerKilled kills PostgreSQL's own server while two processes record from 32 goroutines
// and both sequence. Whoever was cut off records the same event again once the server is back.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	server := enginetest.Cluster(t)
	store := migrated(t, server.Pool(), sqlkit.Postgres)
	other := reopen(t, server.Pool(), sqlkit.Postgres)
	var done acknowledged
	stop := load(t, &done, 32, store, other)
	for range kills(t) {
		n := done.len()
		until(t, "the writers go on", func() bool { return done.len() > n+300 })
		server.Kill()
		server.Start()
	}
	n := done.len()
	until(t, "the writers go on", func() bool { return done.len() > n })
	stop()
	done.verify(t, store)
	t.Logf("%d kills, %d events acknowledged, none lost", kills(t), done.len())
}
