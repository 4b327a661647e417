package sqlkit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

func TestIsUnique(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		for _, s := range []string{
			`CREATE TABLE pair (a BIGINT PRIMARY KEY, b TEXT, c TEXT NOT NULL, d TEXT CHECK (d <> 'x'))`,
			`CREATE UNIQUE INDEX pair_b ON pair (b) WHERE b IS NOT NULL`,
			`INSERT INTO pair (a, b, c, d) VALUES (1, 'b', 'c', 'd')`,
		} {
			_, err := db.Exec(t.Context(), s)
			require.NoError(t, err)
		}
		for statement, want := range map[string]bool{
			`INSERT INTO pair (a, b, c, d) VALUES (1, 'other', 'c', 'd')`:  true,
			`INSERT INTO pair (a, b, c, d) VALUES (2, 'b', 'c', 'd')`:      true,
			`UPDATE pair SET a = 1, c = NULL WHERE a = 1`:                  false,
			`INSERT INTO pair (a, b, c, d) VALUES (2, 'other', 'c', 'x')`:  false,
			`INSERT INTO pair (a, b, c, d) VALUES (2, 'other', NULL, 'd')`: false,
			`INSERT INTO nowhere (a) VALUES (1)`:                           false,
		} {
			_, err := db.Exec(t.Context(), statement)
			require.Error(t, err, statement)
			require.Equal(t, want, sqlkit.IsUnique(err), "%s: %v", statement, err)
			require.Equal(t, want, sqlkit.IsUnique(fmt.Errorf("wrapped: %w", err)))
			require.False(t, sqlkit.IsBusy(err))
		}
		_, err := db.Exec(t.Context(), `INSERT INTO pair (a, b, c, d) VALUES (3, NULL, 'c', 'd'), (4, NULL, 'c', 'd')`)
		require.NoError(t, err)
	})
}

// SQLite's own row numbers are keys, too.
func TestIsUniqueRowID(t *testing.T) {
	t.Parallel()
	db := enginetest.SQLite(t).Kit(t)
	_, err := db.Exec(t.Context(), `CREATE TABLE plain (a TEXT)`)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `INSERT INTO plain (rowid, a) VALUES (1, 'a')`)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `INSERT INTO plain (rowid, a) VALUES (1, 'a')`)
	require.True(t, sqlkit.IsUnique(err), "%v", err)
}

// Other drivers tell the same in other ways.
func TestErrorsOfOtherDrivers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		err          error
		unique, busy bool
	}{
		{"lib/pq unique", pq("23505"), true, false},
		{"lib/pq serialization", pq("40001"), false, true},
		{"lib/pq deadlock", pq("40P01"), false, true},
		{"lib/pq lock", pq("55P03"), false, true},
		{"lib/pq other", pq("22001"), false, false},
		{"mattn unique", mattn{19, 2067}, true, false},
		{"mattn primary key", &mattn{19, 1555}, true, false},
		{"mattn not null", mattn{19, 1299}, false, false},
		{"mattn busy", mattn{5, 5}, false, true},
		{"mattn busy snapshot", mattn{5, 517}, false, true},
		{"mattn locked", mattn{6, 262}, false, true},
		{"nil pointer", (*mattn)(nil), false, false},
		{"nothing", nil, false, false},
		{"any", errStop, false, false},
	} {
		for _, err := range []error{c.err, wrap(c.err)} {
			require.Equal(t, c.unique, sqlkit.IsUnique(err), c.name)
			require.Equal(t, c.busy, sqlkit.IsBusy(err), c.name)
		}
	}
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("wrapped: %w", err)
}

type pq string

func (p pq) Error() string    { return "pq: error" }
func (p pq) SQLState() string { return string(p) }

type mattn struct{ Code, ExtendedCode int }

func (mattn) Error() string { return "error" }

// No error quotes a value, a statement or a name; the driver's own stays reachable.
func TestErrorsQuoteNothing(t *testing.T) {
	const secret = "000-12-3456"
	engines(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		_, err := db.Exec(t.Context(), insert, "a", secret, 1)
		require.NoError(t, err)
		number := func(ctx context.Context, query string, args ...any) error {
			var n int
			return db.Get(ctx, []any{&n}, query, args...)
		}
		rows, err := db.Query(t.Context(), `SELECT id FROM item`)
		require.NoError(t, err)
		require.True(t, rows.Next())
		var n int
		scanned := rows.Scan(&n)
		require.NoError(t, rows.Close())
		for name, err := range map[string]error{
			"unique":     run(t, db, insert, "a", secret, 1),
			"syntax":     run(t, db, `SELEKT '000-12-3456' FROM item`),
			"no table":   run(t, db, `DELETE FROM item_000_12_3456 WHERE id = '000-12-3456'`),
			"not null":   run(t, db, `UPDATE item SET n = NULL WHERE id = ?`, secret),
			"conversion": run(t, db, insert, "a", "x", struct{ s string }{secret}),
			"parameters": run(t, db, insert, secret),
			"get":        number(t.Context(), `SELECT id FROM item WHERE id = ?`, secret),
			"scan":       scanned,
			"write": db.Write(t.Context(), func(tx *sqlkit.Tx) error {
				_, err := tx.Exec(t.Context(), insert, "a", secret, 1)
				return err
			}),
		} {
			require.Error(t, err, name)
			require.Regexp(t, `^sqlkit: [a-z]`, err.Error(), name)
			require.NotContains(t, err.Error(), secret, name)
			require.NotContains(t, err.Error(), "item", name)
			require.NotContains(t, fmt.Sprintf("%v %s %q", err, err, err), secret, name)
		}

		err = run(t, db, insert, "a", secret, 1)
		var postgres *pgconn.PgError
		var lite *sqlite.Error
		if e.Dialect == sqlkit.Postgres {
			require.ErrorAs(t, err, &postgres)
			require.EqualError(t, err, "sqlkit: unique constraint (SQLSTATE 23505)")
		} else {
			require.ErrorAs(t, err, &lite)
			require.EqualError(t, err, "sqlkit: unique constraint (SQLite 1555)")
		}
	})
}

func run(t testing.TB, db *sqlkit.DB, query string, args ...any) error {
	_, err := db.Exec(t.Context(), query, args...)
	return err
}

// An error of another interface to a driver is told like one of sqlkit's own.
func TestHide(t *testing.T) {
	t.Parallel()
	require.NoError(t, sqlkit.Hide(nil))
	require.Equal(t, context.Canceled, sqlkit.Hide(context.Canceled))
	err := sqlkit.Hide(&pgconn.PgError{Code: "23505", Message: "secret", ConstraintName: "secret"})
	require.EqualError(t, err, "sqlkit: unique constraint (SQLSTATE 23505)")
	require.True(t, sqlkit.IsUnique(err))
	require.Equal(t, err, sqlkit.Hide(err))
}

// What callers compare with is still what they get.
func TestSentinelsPass(t *testing.T) {
	engines(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := db.Exec(ctx, insert, "a", "1", 1)
		require.ErrorIs(t, err, context.Canceled)
		_, err = db.Query(ctx, `SELECT n FROM item`)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, e.Pool.Close())
		require.Error(t, run(t, db, insert, "a", "1", 1))
	})
}

// An operator reads what to look at, in one line.
func TestErrorsForOperators(t *testing.T) {
	t.Parallel()
	gone := enginetest.OpenSQLite(t, filepath.Join(t.TempDir(), "no-such-folder-000", "x.db"))
	db, err := sqlkit.Open(gone, sqlkit.SQLite)
	require.NoError(t, err)
	require.EqualError(t, run(t, db, table), "sqlkit: the database file cannot be opened (SQLite 14)")

	const address = "127.0.0.1:1" // nobody listens there
	pool, err := sql.Open("pgx", "postgres://someone:hunter2@"+address+"/records?sslmode=disable")
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	db, err = sqlkit.Open(pool, sqlkit.Postgres)
	require.NoError(t, err)
	err = run(t, db, table)
	require.ErrorContains(t, err, "sqlkit: the database cannot be reached: dial tcp "+address)
	require.NotContains(t, err.Error(), "hunter2")
	require.NotContains(t, err.Error(), "someone")
	var network *net.OpError
	require.True(t, errors.As(err, &network))
}
