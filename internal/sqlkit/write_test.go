package sqlkit_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const table = `CREATE TABLE item (tenant TEXT NOT NULL, id TEXT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (tenant, id))`

const insert = `INSERT INTO item (tenant, id, n) VALUES (?, ?, ?)`

// engines runs f on each engine with an empty table item.
func engines(t *testing.T, f func(t *testing.T, e enginetest.Engine, db *sqlkit.DB)) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		db := e.Kit(t)
		_, err := db.Exec(t.Context(), table)
		require.NoError(t, err)
		f(t, e, db)
	})
}

// items returns the ids in the table, sorted.
func items(t testing.TB, db *sqlkit.DB) (ids []string) {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT id FROM item WHERE tenant = ? ORDER BY id`, "a")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(t, rows.Err())
	return ids
}

func add(t testing.TB, tx *sqlkit.Tx, id string) {
	t.Helper()
	n, err := tx.Exec(t.Context(), insert, "a", id, 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

// usable shows that a pool has no connection with an open transaction: every connection that
// can be had at once writes.
func usable(t testing.TB, db *sqlkit.DB) {
	t.Helper()
	for _, id := range []string{"w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9"} {
		require.NoError(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
			_, err := tx.Exec(t.Context(), insert, "other", id, 1)
			return err
		}))
	}
	_, err := db.Exec(t.Context(), `DELETE FROM item WHERE tenant = ?`, "other")
	require.NoError(t, err)
}

var errStop = errors.New("stop")

func TestWriteCommits(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			add(t, tx, "2")
			var n int
			require.NoError(t, tx.Row(t.Context(), `SELECT count(*) FROM item WHERE tenant = ?`, "a").Scan(&n))
			require.Equal(t, 2, n)
			return nil
		}))
		require.Equal(t, []string{"1", "2"}, items(t, db))
		require.False(t, db.Joined())
	})
}

func TestWriteRollsBack(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		require.ErrorIs(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			return errStop
		}), errStop)
		require.PanicsWithValue(t, errStop, func() {
			_ = db.Write(t.Context(), func(tx *sqlkit.Tx) error {
				add(t, tx, "2")
				panic(errStop)
			})
		})
		require.Empty(t, items(t, db))
		usable(t, db)
	})
}

// A statement that failed is never followed by a commit, even if nobody looked at its error:
// PostgreSQL would answer the COMMIT with a ROLLBACK and no error.
func TestWriteWithAnIgnoredError(t *testing.T) {
	for name, failing := range map[string]func(ctx context.Context, tx *sqlkit.Tx){
		"exec": func(ctx context.Context, tx *sqlkit.Tx) { _, _ = tx.Exec(ctx, insert, "a", "1", 1) },
		"row": func(ctx context.Context, tx *sqlkit.Tx) {
			var n int
			_ = tx.Row(ctx, insert+` RETURNING n`, "a", "1", 1).Scan(&n)
		},
		"query": func(ctx context.Context, tx *sqlkit.Tx) {
			rows, err := tx.Query(ctx, insert+` RETURNING n`, "a", "1", 1)
			if err == nil {
				for rows.Next() {
				}
				_ = rows.Err()
				_ = rows.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
				err := db.Write(t.Context(), func(tx *sqlkit.Tx) error {
					add(t, tx, "1")
					failing(t.Context(), tx)
					return nil
				})
				require.True(t, sqlkit.IsUnique(err), "%v", err)
				require.Empty(t, items(t, db))
				usable(t, db)
			})
		})
	}
}

// A row that is not there is an answer, no failure.
func TestNoRowsDoesNotFailAWrite(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
			var n int
			err := tx.Row(t.Context(), `SELECT n FROM item WHERE tenant = ? AND id = ?`, "a", "none").Scan(&n)
			require.Equal(t, sql.ErrNoRows, err)
			add(t, tx, "1")
			return nil
		}))
		require.Equal(t, []string{"1"}, items(t, db))
		var n int
		require.Equal(t, sql.ErrNoRows, db.Get(t.Context(), []any{&n}, `SELECT n FROM item WHERE tenant = ?`, "b"))
	})
}

// The commit itself fails: a deferred constraint is only checked there.
func TestCommitFails(t *testing.T) {
	engines(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		_, err := db.Exec(t.Context(), `CREATE TABLE part (tenant TEXT, id TEXT, FOREIGN KEY (tenant, id) REFERENCES item (tenant, id) DEFERRABLE INITIALLY DEFERRED)`)
		require.NoError(t, err)
		if e.Dialect == sqlkit.SQLite {
			e.Pool.SetMaxOpenConns(1)
			_, err = e.Pool.ExecContext(t.Context(), "PRAGMA foreign_keys = ON")
			require.NoError(t, err)
		}
		err = db.Write(t.Context(), func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			_, err := tx.Exec(t.Context(), `INSERT INTO part (tenant, id) VALUES (?, ?)`, "a", "none")
			return err
		})
		require.ErrorContains(t, err, "sqlkit: constraint")
		require.Empty(t, items(t, db))
		usable(t, db)
	})
}

// The context ends while f works: nothing is committed.
func TestWriteIsCancelled(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, items(t, db))
		require.ErrorIs(t, db.Write(ctx, func(*sqlkit.Tx) error { panic("ran") }), context.Canceled)
		usable(t, db)
	})
}

// Contexts that end at any moment, BEGIN and COMMIT included, leave no transaction open, and
// what was reported as committed is there.
func TestWriteIsCancelledAnywhere(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		committed := 0
		for range rounds {
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*time.Millisecond))
			err := db.Write(ctx, func(tx *sqlkit.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO item (tenant, id, n) VALUES (?, ?, ?)`, "a", time.Now().Format(time.RFC3339Nano), 1)
				return err
			})
			if err == nil {
				committed++
			}
			cancel()
		}
		require.GreaterOrEqual(t, len(items(t, db)), committed)
		usable(t, db)
	})
}

// An engine that is busy once or twice is asked again, and f runs from its beginning.
func TestWriteRetries(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		runs := 0
		require.NoError(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
			runs++
			add(t, tx, "1")
			if runs < 3 {
				return busy{}
			}
			return nil
		}))
		require.Equal(t, 3, runs)
		require.Equal(t, []string{"1"}, items(t, db))

		runs = 0
		require.ErrorIs(t, db.Write(t.Context(), func(*sqlkit.Tx) error { runs++; return errStop }), errStop)
		require.Equal(t, 1, runs, "only what may succeed the next time is repeated")
	})
}

// busy is an error as the SQLite driver makes it.
type busy struct{}

func (busy) Error() string { return "database is locked" }
func (busy) Code() int     { return 5 }

// Retrying ends with the deadline, long before the 5 seconds of the kit.
func TestRetryHonoursTheDeadline(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := db.Write(ctx, func(*sqlkit.Tx) error { return busy{} })
		require.ErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel = context.WithCancel(t.Context())
		runs := 0
		err = db.Write(ctx, func(*sqlkit.Tx) error {
			if runs++; runs == 2 {
				cancel()
			}
			return busy{}
		})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// Two connections to one SQLite file: the second writer waits for the first, and gives up at
// its deadline.
func TestBusySQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	open := func() *sqlkit.DB {
		return enginetest.Engine{Pool: enginetest.OpenSQLite(t, path), Dialect: sqlkit.SQLite}.Kit(t)
	}
	one, two := open(), open()
	_, err := one.Exec(t.Context(), table)
	require.NoError(t, err)

	done := make(chan error, 1)
	require.NoError(t, one.Write(t.Context(), func(tx *sqlkit.Tx) error {
		add(t, tx, "1")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := two.Write(ctx, func(*sqlkit.Tx) error { panic("two writers at once") })
		require.True(t, sqlkit.IsBusy(err) || errors.Is(err, context.DeadlineExceeded), "%v", err)
		require.Empty(t, items(t, two), "a reader does not wait and sees what is committed")

		waiting := make(chan struct{})
		go func() {
			close(waiting)
			_, err := two.Exec(t.Context(), insert, "a", "2", 1)
			done <- err
		}()
		<-waiting
		return nil
	}))
	require.NoError(t, <-done)
	require.Equal(t, []string{"1", "2"}, items(t, one))
}

// Many writers of one process stand in line instead of racing for the lock.
func TestManyWriters(t *testing.T) {
	const writers = 24
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		_, err := db.Exec(t.Context(), insert, "a", "counter", 0)
		require.NoError(t, err)
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				err := db.Write(t.Context(), func(tx *sqlkit.Tx) error {
					var n int
					if err := tx.Row(t.Context(), `UPDATE item SET n = n + 1 WHERE tenant = ? AND id = ? RETURNING n`, "a", "counter").Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(t.Context(), `UPDATE item SET n = ? WHERE tenant = ? AND id = ?`, n, "a", "counter")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var n int
		require.NoError(t, db.Get(t.Context(), []any{&n}, `SELECT n FROM item WHERE tenant = ? AND id = ?`, "a", "counter"))
		require.Equal(t, writers, n)
	})
}

// A write inside a write waits for itself; its deadline ends that.
func TestWriteInsideWrite(t *testing.T) {
	t.Parallel()
	db := enginetest.SQLite(t).Kit(t)
	_, err := db.Exec(t.Context(), table)
	require.NoError(t, err)
	require.ErrorIs(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
		add(t, tx, "1")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := db.Exec(ctx, insert, "a", "2", 1)
		return err
	}), context.DeadlineExceeded)
	require.Empty(t, items(t, db))
	usable(t, db)
}

// PostgreSQL finds that two transactions do not fit each other: the whole of f runs again.
func TestSerializationFailure(t *testing.T) {
	t.Parallel()
	e := enginetest.Postgres(t)
	db := e.Kit(t)
	_, err := db.Exec(t.Context(), table)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), insert, "a", "counter", 0)
	require.NoError(t, err)
	const bump = `UPDATE item SET n = n + 1 WHERE tenant = ? AND id = ?`

	var failures []error
	require.NoError(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(t.Context(), "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
		require.NoError(t, err)
		var n int
		require.NoError(t, tx.Row(t.Context(), `SELECT n FROM item WHERE tenant = ? AND id = ?`, "a", "counter").Scan(&n))
		if len(failures) == 0 { // somebody else is faster, the first time
			_, err = db.Exec(t.Context(), bump, "a", "counter")
			require.NoError(t, err)
		}
		_, err = tx.Exec(t.Context(), bump, "a", "counter")
		failures = append(failures, err)
		return err
	}))
	require.Len(t, failures, 2)
	require.True(t, sqlkit.IsBusy(failures[0]), "%v", failures[0])
	require.NoError(t, failures[1])
	var n int
	require.NoError(t, db.Get(t.Context(), []any{&n}, `SELECT n FROM item WHERE tenant = ?`, "a"))
	require.Equal(t, 2, n)
}

// A lock that is not waited for, and a deadlock, are busy as well.
func TestLockNotAvailable(t *testing.T) {
	t.Parallel()
	e := enginetest.Postgres(t)
	db := e.Kit(t)
	_, err := db.Exec(t.Context(), table)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), insert, "a", "1", 0)
	require.NoError(t, err)
	holder, err := e.Pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = holder.ExecContext(t.Context(), `SELECT n FROM item FOR UPDATE`)
	require.NoError(t, err)
	runs := 0
	require.NoError(t, db.Write(t.Context(), func(tx *sqlkit.Tx) error {
		if runs++; runs == 2 {
			require.NoError(t, holder.Rollback())
		}
		var n int
		return tx.Row(t.Context(), `SELECT n FROM item WHERE tenant = ? FOR UPDATE NOWAIT`, "a").Scan(&n)
	}))
	require.Equal(t, 2, runs)
}

// Whatever a session's default is, a write's isolation is the documented one.
func TestIsolation(t *testing.T) {
	t.Parallel()
	e := enginetest.Postgres(t)
	e.Pool.SetMaxOpenConns(1)
	_, err := e.Pool.ExecContext(t.Context(), "SET default_transaction_isolation = 'serializable'")
	require.NoError(t, err)
	require.NoError(t, e.Kit(t).Write(t.Context(), func(tx *sqlkit.Tx) error {
		var level string
		require.NoError(t, tx.Row(t.Context(), "SHOW transaction_isolation").Scan(&level))
		require.Equal(t, "read committed", level)
		return nil
	}))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	_, err := sqlkit.Open(nil, sqlkit.SQLite)
	require.Error(t, err)
	e := enginetest.SQLite(t)
	_, err = sqlkit.Open(e.Pool, 0)
	require.Error(t, err)
	_, err = sqlkit.Open(e.Pool, 3)
	require.Error(t, err)
	require.Equal(t, "unknown", sqlkit.Dialect(3).String())
	require.Equal(t, sqlkit.SQLite, e.Kit(t).Dialect())
}
