package authnsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// Each decision of the throttle is one round trip to PostgreSQL, whatever it is, once its statement
// is prepared, and one statement of SQLite's, of which a refused try takes a second one.
func TestADecisionIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		e, trips := enginetest.CountedPostgres(t)
		decide(t, store(t, e), trips.Of, 1)
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		e := enginetest.SQLite(t)
		said := &atomic.Int64{}
		e.Pool = sql.OpenDB(heard{e.Pool.Driver(), "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "heard.db")) + "?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", said})
		t.Cleanup(func() { e.Pool.Close() })
		decide(t, store(t, e), func(f func()) int {
			before := said.Load()
			f()
			return int(said.Load() - before)
		}, 2)
	})
}

// decide makes every kind of decision and counts what each costs.
func decide(t *testing.T, s *authnsql.Store, cost func(func()) int, refused int) {
	t.Helper()
	limits := authn.Limits{Free: 2, Base: time.Hour, Max: 2 * time.Hour, Disable: 5}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	charge := func(who audit.ActorID, at time.Time, allowed bool) func() {
		return func() {
			_, ok, err := s.Charge(t.Context(), "clinic", who, authn.FamilyPassword, limits, at)
			require.NoError(t, err)
			require.Equal(t, allowed, ok)
		}
	}
	hit := func(key string) func() {
		return func() {
			_, _, err := s.Hit(t.Context(), "clinic", key, time.Minute, now)
			require.NoError(t, err)
		}
	}
	hit("first")()
	charge("first", now, true)()
	read := func() {
		_, err := s.Credential(t.Context(), "clinic", "ann", authn.FamilyPassword)
		require.NoError(t, err)
	}
	read()
	for _, step := range []struct {
		name string
		do   func()
		cost int
	}{
		{"a new budget", hit("a key"), 1},
		{"a budget", hit("a key"), 1},
		{"a first try", charge("ann", now, true), 1},
		{"a second try", charge("ann", now, true), 1},
		{"the try that sets a delay", charge("ann", now, true), 1},
		{"a refused try", charge("ann", now, false), refused},
		{"a try after the delay", charge("ann", now.Add(2*time.Hour), true), 1},
		{"a try refused early", read, 1},
	} {
		require.Equal(t, step.cost, cost(step.do), step.name)
	}
}

// What is counted in a window need not outlive a crash of the server, so its commit waits for no
// disk. A host's own transaction, and what the connection is used for next, does.
func TestWindowsWeakenNobodyElsesCommit(t *testing.T) {
	t.Parallel()
	e, _ := enginetest.CountedPostgres(t)
	s := store(t, e)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	_, _, err := s.Hit(t.Context(), "clinic", "a key", time.Minute, now)
	require.NoError(t, err)
	var how string
	require.NoError(t, e.Pool.QueryRowContext(t.Context(), "SHOW synchronous_commit").Scan(&how))
	require.Equal(t, "on", how, "the connection's next transaction")
	tx, err := e.Pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	n, _, err := s.WithTx(tx).Hit(t.Context(), "clinic", "a key", time.Minute, now)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.NoError(t, tx.QueryRowContext(t.Context(), "SHOW synchronous_commit").Scan(&how))
	require.Equal(t, "on", how, "the host's transaction")
}

// heard is a driver whose statements are counted.
type heard struct {
	driver driver.Driver
	name   string
	said   *atomic.Int64
}

func (h heard) Connect(context.Context) (driver.Conn, error) {
	c, err := h.driver.Open(h.name)
	return hearing{c, h.said}, err
}

func (h heard) Driver() driver.Driver { return h.driver }

type hearing struct {
	driver.Conn
	said *atomic.Int64
}

func (h hearing) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	h.said.Add(1)
	return h.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (h hearing) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	h.said.Add(1)
	return h.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (h hearing) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	h.said.Add(1)
	return h.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}
