package sqlkit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const lockKept = `UPDATE kept_item SET n = n WHERE n = -1`

// keeping returns an SQLite database that keeps its statements, with a table.
func keeping(t *testing.T) (*sqlkit.DB, enginetest.Engine) {
	t.Helper()
	e := enginetest.SQLite(t)
	_, err := e.Pool.ExecContext(t.Context(), `CREATE TABLE kept_item (n INTEGER PRIMARY KEY, text TEXT NOT NULL)`)
	require.NoError(t, err)
	db := e.Kit(t)
	db.KeepStatements(lockKept)
	return db, e
}

func insertKept(ctx context.Context, db *sqlkit.DB, n int) error {
	return db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO kept_item (n, text) VALUES (?, ?)`, n, fmt.Sprint("text ", n))
		return err
	})
}

func countKept(t *testing.T, db *sqlkit.DB) (n int) {
	t.Helper()
	require.NoError(t, db.Get(t.Context(), []any{&n}, `SELECT COUNT(*) FROM kept_item`))
	return n
}

func TestKeptWrites(t *testing.T) {
	t.Parallel()
	db, _ := keeping(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 40 {
				if err := insertKept(t.Context(), db, 100*g+i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 320, countKept(t, db))
	for i := range 3 { // the same statement again, with other values
		var text string
		require.NoError(t, db.Get(t.Context(), []any{&text}, `SELECT text FROM kept_item WHERE n = ?`, 100*i))
		require.Equal(t, fmt.Sprint("text ", 100*i), text)
	}
	require.True(t, sqlkit.IsUnique(insertKept(t.Context(), db, 1)))
}

func TestKeptRollsBack(t *testing.T) {
	t.Parallel()
	db, _ := keeping(t)
	stop := errors.New("stop")
	for range 3 {
		err := db.Write(t.Context(), func(tx *sqlkit.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO kept_item (n, text) VALUES (1, 'x')`)
			require.NoError(t, err)
			return stop
		})
		require.ErrorIs(t, err, stop)
		require.Panics(t, func() {
			_ = db.Write(t.Context(), func(tx *sqlkit.Tx) error {
				_, _ = tx.Exec(t.Context(), `INSERT INTO kept_item (n, text) VALUES (1, 'x')`)
				panic("stop")
			})
		})
		ended, cancel := context.WithCancel(t.Context())
		err = db.Write(ended, func(tx *sqlkit.Tx) error {
			_, err := tx.Exec(ended, `INSERT INTO kept_item (n, text) VALUES (1, 'x')`)
			cancel()
			return err
		})
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Zero(t, countKept(t, db))
	require.NoError(t, insertKept(t.Context(), db, 1))
}

// TestKeptLocksAtOnce: two processes read before they write, and none fails because the other
// wrote in between.
func TestKeptLocksAtOnce(t *testing.T) {
	t.Parallel()
	db, e := keeping(t)
	other, err := sqlkit.Open(e.Pool, sqlkit.SQLite)
	require.NoError(t, err)
	other.KeepStatements(lockKept)
	require.NoError(t, insertKept(t.Context(), db, 0))
	var wg sync.WaitGroup
	for _, d := range []*sqlkit.DB{db, other} {
		wg.Go(func() {
			for range 60 {
				err := d.Write(t.Context(), func(tx *sqlkit.Tx) error {
					var n int
					if err := tx.Row(t.Context(), `SELECT COUNT(*) FROM kept_item`).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(t.Context(), `INSERT INTO kept_item (n, text) VALUES (?, 'x')`, n)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 121, countKept(t, db))
}

func TestKeptJoins(t *testing.T) {
	t.Parallel()
	db, e := keeping(t)
	for n := range 4 {
		require.NoError(t, insertKept(t.Context(), db, n))
		tx, err := e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = db.Join(tx).Exec(t.Context(), `INSERT INTO kept_item (n, text) VALUES (?, ?)`, 100+n, "y")
		require.NoError(t, err)
		if n%2 == 0 {
			require.NoError(t, tx.Rollback())
		} else {
			require.NoError(t, tx.Commit())
		}
	}
	require.Equal(t, 6, countKept(t, db))

	// A transaction of another pool for the same file.
	var path string
	require.NoError(t, e.Pool.QueryRowContext(t.Context(), `SELECT file FROM pragma_database_list`).Scan(&path))
	other := enginetest.OpenSQLite(t, path)
	for n := range 2 {
		tx, err := other.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = db.Join(tx).Exec(t.Context(), `INSERT INTO kept_item (n, text) VALUES (?, ?)`, 200+n, "z")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
	}
	require.Equal(t, 8, countKept(t, db))
}

// TestKeptOneConnection: a pool of one connection does not wait for itself, and a connection
// that went takes its statements along.
func TestKeptOneConnection(t *testing.T) {
	t.Parallel()
	db, e := keeping(t)
	e.Pool.SetMaxOpenConns(1)
	for n := range 5 {
		require.NoError(t, insertKept(t.Context(), db, n))
		require.Equal(t, n+1, countKept(t, db))
	}
	e.Pool.SetMaxIdleConns(0) // each goes after its use
	for n := range 5 {
		require.NoError(t, insertKept(t.Context(), db, 10+n))
		require.Equal(t, n+6, countKept(t, db))
	}
	_, err := e.Pool.ExecContext(t.Context(), `ALTER TABLE kept_item ADD COLUMN more INTEGER`)
	require.NoError(t, err)
	require.NoError(t, insertKept(t.Context(), db, 20), "after another connection changed the tables")
	require.NoError(t, e.Pool.Close())
	require.Error(t, insertKept(t.Context(), db, 21))
}

// TestKeep prepares before the first use; a statement that is none does no harm.
func TestKeep(t *testing.T) {
	t.Parallel()
	db, e := keeping(t)
	const query = `SELECT COUNT(*) FROM kept_item`
	require.Zero(t, db.Kept())
	soon(t, db, func() { db.Keep(t.Context(), query) })
	db.Keep(t.Context(), query, `SELEKT`)
	require.Equal(t, 1, db.Kept())
	require.Zero(t, countKept(t, db))
	tx, err := e.Pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	require.Zero(t, countKept(t, db.Join(tx)))

	other := e.Kit(t) // keeps none
	other.Keep(t.Context(), query)
	require.Zero(t, other.Kept())
}

// TestKeptByReading: a program that only reads keeps its statements, too.
func TestKeptByReading(t *testing.T) {
	t.Parallel()
	db, _ := keeping(t)
	require.Zero(t, countKept(t, db))
	soon(t, db, func() { require.Zero(t, countKept(t, db)) })
	require.Equal(t, 1, db.Kept())
}

// soon asks until the statement is kept: preparing it is given up when it takes long.
func soon(t *testing.T, db *sqlkit.DB, ask func()) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); db.Kept() == 0; ask() {
		require.True(t, time.Now().Before(end), "no statement is kept")
	}
	require.Equal(t, 1, db.Kept())
}

// TestKeptIsBounded runs more kinds of statements than are kept.
func TestKeptIsBounded(t *testing.T) {
	t.Parallel()
	db, _ := keeping(t)
	for range 2 {
		for i := range 200 {
			var n int
			require.NoError(t, db.Get(t.Context(), []any{&n}, fmt.Sprintf(`SELECT COUNT(*) + %d FROM kept_item`, i)))
			require.Equal(t, i, n)
		}
		err := db.Write(t.Context(), func(tx *sqlkit.Tx) error { return tx.Row(t.Context(), `SELECT 1 WHERE 0`).Scan(new(int)) })
		require.ErrorIs(t, err, sql.ErrNoRows)
	}
}
