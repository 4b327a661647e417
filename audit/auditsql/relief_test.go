package auditsql_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestAppendersHelp: where nobody sequences, those who append do, so the backlog is bounded.
func TestAppendersHelp(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		s := over(t, open(t))
		s.Relief(20, 100, 50)
		r := rand.New(rand.NewPCG(12, 1))
		most := 0
		for n := range 60 {
			batch := make([]audit.Entry, 10)
			for i := range batch {
				batch[i] = random(t, r, 10*n+i)
			}
			require.NoError(t, s.Append(t.Context(), batch))
			b, err := s.Backlog(t.Context())
			require.NoError(t, err)
			most = max(most, b.Waiting)
		}
		require.GreaterOrEqual(t, most, 80, "nobody helps before it is needed")
		require.LessOrEqual(t, most, 130)
	})
}

// TestQueueStaysSmall: what left the queue is cleaned up, also on a server without autovacuum. The server is one of
// its own: transactions of other tests would keep what they may still see.
func TestQueueStaysSmall(t *testing.T) {
	inTurn(t)
	t.Parallel()
	pool := enginetest.Cluster(t).Pool()
	s := migrated(t, pool, sqlkit.Postgres)
	_, err := pool.ExecContext(t.Context(), `ALTER TABLE audit_pending SET (autovacuum_enabled = false)`)
	require.NoError(t, err)
	s.Relief(1<<40, 1<<40, 500)
	r := rand.New(rand.NewPCG(12, 1))
	size := func() (n int64) {
		require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT pg_total_relation_size('audit_pending')`).Scan(&n))
		return n
	}
	var early int64
	for n := range 40 {
		batch := make([]audit.Entry, 200)
		for i := range batch {
			batch[i] = random(t, r, 200*n+i)
		}
		require.NoError(t, s.Append(t.Context(), batch))
		drain(t, s)
		if n == 6 {
			early = size()
		}
	}
	require.Eventually(t, func() bool { return size() < 3*early }, 30*time.Second, 50*time.Millisecond)
}
