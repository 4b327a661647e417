package sqlkit_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// joined runs f inside a host's transaction that already wrote "host-1".
func joined(t *testing.T, f func(t *testing.T, tx *sql.Tx, in, out *sqlkit.DB)) {
	engines(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		tx, err := e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		host(t, tx, db, "host-1")
		in := db.Join(tx)
		require.True(t, in.Joined())
		require.Equal(t, db.Dialect(), in.Dialect())
		f(t, tx, in, db)
	})
}

// host is a statement of the host's own.
func host(t testing.TB, tx *sql.Tx, db *sqlkit.DB, id string) {
	t.Helper()
	_, err := tx.ExecContext(t.Context(), db.Rebind(insert), "a", id, 1)
	require.NoError(t, err)
}

func TestJoinedWriteIsTheHosts(t *testing.T) {
	joined(t, func(t *testing.T, tx *sql.Tx, in, out *sqlkit.DB) {
		require.NoError(t, in.Write(t.Context(), func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			return nil
		}))
		_, err := in.Exec(t.Context(), insert, "a", "2", 1)
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2", "host-1"}, items(t, in))
		require.Empty(t, items(t, out), "committed behind the host's back")
		require.NoError(t, tx.Rollback())
		require.Empty(t, items(t, out))
	})
}

// A write that fails takes back what it did itself, and nothing of the host's.
func TestSavepointRollsBackOnlyItself(t *testing.T) {
	joined(t, func(t *testing.T, tx *sql.Tx, in, out *sqlkit.DB) {
		require.ErrorIs(t, in.Write(t.Context(), func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			return errStop
		}), errStop)
		require.PanicsWithValue(t, errStop, func() {
			_ = in.Write(t.Context(), func(tx *sqlkit.Tx) error {
				add(t, tx, "2")
				panic(errStop)
			})
		})
		host(t, tx, out, "host-2")
		require.NoError(t, in.Write(t.Context(), func(tx *sqlkit.Tx) error {
			add(t, tx, "3")
			return nil
		}))
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{"3", "host-1", "host-2"}, items(t, out))
	})
}

// A statement that fails, such as a second insert of a key, does not cost the host its
// transaction, on PostgreSQL neither.
func TestHostGoesOnAfterAFailedStatement(t *testing.T) {
	joined(t, func(t *testing.T, tx *sql.Tx, in, out *sqlkit.DB) {
		for _, ignore := range []bool{false, true} {
			err := in.Write(t.Context(), func(tx *sqlkit.Tx) error {
				add(t, tx, "1")
				_, err := tx.Exec(t.Context(), insert, "a", "host-1", 1)
				if ignore {
					return nil
				}
				return err
			})
			require.True(t, sqlkit.IsUnique(err), "%v", err)
		}
		host(t, tx, out, "host-2")
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{"host-1", "host-2"}, items(t, out))
	})
}

// The context of one write ends, the host's own does not: only that write is taken back.
func TestHostGoesOnAfterACancelledWrite(t *testing.T) {
	joined(t, func(t *testing.T, tx *sql.Tx, in, out *sqlkit.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		require.ErrorIs(t, in.Write(ctx, func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			cancel()
			return ctx.Err()
		}), context.Canceled)
		host(t, tx, out, "host-2")
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{"host-1", "host-2"}, items(t, out))
	})
}

// A write leaves no savepoint behind, however it ends.
func TestNoSavepointStays(t *testing.T) {
	for _, end := range []error{nil, errStop} {
		t.Run(fmt.Sprint(end), func(t *testing.T) {
			joined(t, func(t *testing.T, tx *sql.Tx, in, _ *sqlkit.DB) {
				require.Equal(t, end, in.Write(t.Context(), func(*sqlkit.Tx) error { return end }))
				_, err := tx.ExecContext(t.Context(), "RELEASE SAVEPOINT wardkit")
				require.Error(t, err)
			})
		})
	}
}

// A write within a write's function, through the joined DB: the inner one fails alone.
func TestNestedSavepoints(t *testing.T) {
	joined(t, func(t *testing.T, tx *sql.Tx, in, out *sqlkit.DB) {
		require.NoError(t, in.Write(t.Context(), func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			require.ErrorIs(t, in.Write(t.Context(), func(tx *sqlkit.Tx) error {
				add(t, tx, "2")
				return errStop
			}), errStop)
			add(t, tx, "3")
			return nil
		}))
		require.NoError(t, tx.Commit())
		require.Equal(t, []string{"1", "3", "host-1"}, items(t, out))
	})
}

// Inside the host's transaction nothing is repeated: the host has to repeat the whole.
func TestJoinedIsNotRetried(t *testing.T) {
	joined(t, func(t *testing.T, _ *sql.Tx, in, _ *sqlkit.DB) {
		runs := 0
		require.Equal(t, busy{}, in.Write(t.Context(), func(*sqlkit.Tx) error {
			runs++
			return busy{}
		}))
		require.Equal(t, 1, runs)
	})
}

// The host's transaction is over: the error says so.
func TestJoinedAfterTheEnd(t *testing.T) {
	joined(t, func(t *testing.T, tx *sql.Tx, in, _ *sqlkit.DB) {
		require.NoError(t, tx.Rollback())
		require.ErrorIs(t, in.Write(t.Context(), func(*sqlkit.Tx) error { panic("ran") }), sql.ErrTxDone)
		_, err := in.Exec(t.Context(), insert, "a", "1", 1)
		require.ErrorIs(t, err, sql.ErrTxDone)
	})
}

// The context ends within a joined write: nothing of it is there, nothing stays open.
func TestJoinedIsCancelled(t *testing.T) {
	engines(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		tx, err := e.Pool.BeginTx(ctx, nil)
		require.NoError(t, err)
		defer tx.Rollback()
		err = db.Join(tx).Write(ctx, func(tx *sqlkit.Tx) error {
			add(t, tx, "1")
			cancel()
			return ctx.Err()
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Error(t, tx.Commit())
		require.Empty(t, items(t, db))
		usable(t, db)
	})
}
