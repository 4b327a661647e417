package sqlkit_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// files makes a migration folder for both engines.
func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		for _, d := range []string{"sqlite", "postgres"} {
			fsys["m/"+d+"/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return fsys
}

// fresh runs f on each engine with nothing in it.
func fresh(t *testing.T, f func(t *testing.T, e enginetest.Engine, db *sqlkit.DB)) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		f(t, e, e.Kit(t))
	})
}

func migrate(t testing.TB, db *sqlkit.DB, texts map[string]string) error {
	t.Helper()
	return db.Migrate(t.Context(), "line", files(texts), "m")
}

// applied lists the recorded migrations of a line.
func applied(t testing.TB, db *sqlkit.DB, line string) (names []string) {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT name FROM wardkit_migration WHERE line = ? ORDER BY number`, line)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	return names
}

func with(texts map[string]string, more ...string) map[string]string {
	all := maps.Clone(texts)
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

var first = map[string]string{
	"0001_a.sql": "CREATE TABLE step (n BIGINT);\nINSERT INTO step VALUES (1);\n",
	"0002_b.sql": "INSERT INTO step SELECT max(n) + 1 FROM step;\n",
}

func steps(t testing.TB, db *sqlkit.DB) (n int) {
	t.Helper()
	require.NoError(t, db.Get(t.Context(), []any{&n}, `SELECT count(*) FROM step`))
	return n
}

func TestMigrateAppliesEachOnceInOrder(t *testing.T) {
	fresh(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		for range 2 {
			require.NoError(t, migrate(t, db, first))
			require.Equal(t, 2, steps(t, db))
		}
		later := with(first, "0003_c.sql", "INSERT INTO step SELECT max(n) + 1 FROM step;")
		require.NoError(t, migrate(t, db, later))
		require.Equal(t, 3, steps(t, db))
		require.Equal(t, []string{"0001_a.sql", "0002_b.sql", "0003_c.sql"}, applied(t, db, "line"))
	})
}

// Ten is after two, and lines do not meet.
func TestMigrateOrderAndLines(t *testing.T) {
	fresh(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		texts := map[string]string{"1_a.sql": "CREATE TABLE step (n BIGINT PRIMARY KEY);\n"}
		for i := 2; i <= 10; i++ {
			texts[fmt.Sprintf("%d_x.sql", i)] = fmt.Sprintf("INSERT INTO step VALUES (%d);\n", i)
		}
		require.NoError(t, migrate(t, db, texts))
		require.Equal(t, "10_x.sql", applied(t, db, "line")[9])
		other := files(map[string]string{"0001_other.sql": "CREATE TABLE other (n BIGINT);\n"})
		require.NoError(t, db.Migrate(t.Context(), "other", other, "m"))
		require.Equal(t, []string{"0001_other.sql"}, applied(t, db, "other"))
		require.Len(t, applied(t, db, "line"), 10)
	})
}

func TestMigrateRefusesFiles(t *testing.T) {
	t.Parallel()
	for name, texts := range map[string]map[string]string{
		"gap":        {"0001_a.sql": "", "0003_c.sql": ""},
		"from zero":  {"0000_a.sql": "", "0001_b.sql": ""},
		"from two":   {"0002_a.sql": ""},
		"twice":      {"0001_a.sql": "", "01_b.sql": ""},
		"no number":  {"0001_a.sql": "", "readme.sql": ""},
		"negative":   {"0001_a.sql": "", "-2_b.sql": ""},
		"extension":  {"0001_a.sql": "", "0002_b.txt": ""},
		"no name":    {"0001.sql": ""},
		"subfolders": {"0001_a.sql/x": ""},
	} {
		e := enginetest.SQLite(t)
		err := migrate(t, e.Kit(t), texts)
		require.Error(t, err, name)
		require.ErrorContains(t, err, "sqlkit: migrating line: ", name)
		if name != "subfolders" {
			require.ErrorIs(t, err, sqlkit.ErrMigrationGap, name)
		}
	}
	db := enginetest.SQLite(t).Kit(t)
	require.Error(t, db.Migrate(t.Context(), "line", files(first), "elsewhere"))
	require.ErrorIs(t, db.Migrate(t.Context(), "line", fstest.MapFS{"m/sqlite": {Mode: os.ModeDir | 0o755}}, "m"), sqlkit.ErrMigrationGap)
}

// What was applied is history: an edited file is refused, and nothing is done.
func TestMigrateEdited(t *testing.T) {
	fresh(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, migrate(t, db, first))
		for _, edited := range []map[string]string{
			with(first, "0002_b.sql", first["0002_b.sql"]+"-- harmless\n"),
			with(first, "0001_a.sql", first["0001_a.sql"]+" ", "0003_c.sql", "INSERT INTO step VALUES (3);\n"),
		} {
			err := migrate(t, db, edited)
			require.ErrorIs(t, err, sqlkit.ErrMigrationEdited)
			require.Equal(t, 2, steps(t, db))
		}
		windows := maps.Clone(first)
		for name, text := range windows {
			windows[name] = strings.ReplaceAll(text, "\n", "\r\n")
		}
		require.NoError(t, migrate(t, db, windows), "a checkout with other line ends is no edit")
	})
}

// A newer release was here: the older one works on, and touches nothing.
func TestMigrateNewerDatabase(t *testing.T) {
	fresh(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, migrate(t, db, with(first, "0003_c.sql", "INSERT INTO step VALUES (3);\n")))
		require.NoError(t, migrate(t, db, first))
		require.Equal(t, 3, steps(t, db))
		require.Len(t, applied(t, db, "line"), 3)
	})
}

// A migration below an applied one is missing: somebody deleted from the table.
func TestMigrateHole(t *testing.T) {
	fresh(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, migrate(t, db, first))
		require.NoError(t, run(t, db, `DELETE FROM wardkit_migration WHERE number = 1`))
		require.ErrorIs(t, migrate(t, db, first), sqlkit.ErrMigrationGap)
		require.Equal(t, 2, steps(t, db))
	})
}

// A migration that fails half-way leaves nothing of itself nor of those before it in the same
// run, and its error does not quote it.
func TestMigrateHalfFailing(t *testing.T) {
	fresh(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		for _, broken := range []string{
			"CREATE TABLE half (secret_column BIGINT);\nINSERT INTO secret_nowhere VALUES (1);\n",
			"CREATE TABLE half (secret_column BIGINT);\nSECRET NONSENSE;\n",
			"CREATE TABLE half (n BIGINT PRIMARY KEY);\nINSERT INTO half VALUES (1);\nINSERT INTO half VALUES (1);",
		} {
			err := migrate(t, db, with(first, "0003_broken.sql", broken))
			require.ErrorContains(t, err, "sqlkit: migrating line: 0003_broken.sql: sqlkit: ")
			require.NotContains(t, strings.ToLower(err.Error()), "secret")
			require.NotContains(t, err.Error(), "half")
			for _, gone := range []string{"half", "step", "wardkit_migration"} {
				require.Error(t, run(t, db, `SELECT 1 FROM `+gone), gone)
			}
		}
		require.NoError(t, migrate(t, db, with(first, "0003_broken.sql", "CREATE TABLE half (n BIGINT);\n")))
		require.Len(t, applied(t, db, "line"), 3)
	})
}

// Statements are the engine's: comments, semicolons in strings, question marks, triggers.
func TestMigrateTakesFilesWhole(t *testing.T) {
	t.Parallel()
	const common = "-- What is this;\n-- a comment?\nCREATE TABLE note (id BIGINT, text TEXT DEFAULT 'what; \n?');\n\n;\nINSERT INTO note (id) VALUES (1);\n/* the end;\n */"
	const trigger = "\nCREATE TRIGGER note_kept BEFORE DELETE ON note BEGIN\n\tSELECT 1;\n\tSELECT RAISE(ABORT, 'kept');\nEND;\n"
	const function = "\nCREATE FUNCTION note_keep() RETURNS trigger AS $$ BEGIN\n\tPERFORM 1;\n\tRAISE EXCEPTION 'kept';\nEND; $$ LANGUAGE plpgsql;\n" +
		"CREATE TRIGGER note_kept BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION note_keep();\n"
	fsys := fstest.MapFS{
		"m/sqlite/0001_a.sql":   {Data: []byte(common + trigger)},
		"m/postgres/0001_a.sql": {Data: []byte(common + function)},
	}
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		db := open(t).Kit(t)
		require.NoError(t, db.Migrate(t.Context(), "line", fsys, "m"))
		var text string
		require.NoError(t, db.Get(t.Context(), []any{&text}, `SELECT text FROM note`))
		require.Equal(t, "what; \n?", text)
		require.Error(t, run(t, db, `DELETE FROM note`))
	})
}

// Inside a host's transaction the migrations are the host's to commit.
func TestMigrateJoined(t *testing.T) {
	fresh(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		tx, err := e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		in := db.Join(tx)
		require.NoError(t, migrate(t, in, first))
		require.NoError(t, migrate(t, in, first))
		require.Equal(t, 2, steps(t, in))
		require.NoError(t, tx.Rollback())
		require.Error(t, run(t, db, `SELECT 1 FROM step`))
		require.NoError(t, migrate(t, db, first))
	})
}

// A program that may only read starts on a database that is up to date.
func TestMigrateWithoutTheRightTo(t *testing.T) {
	fresh(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, migrate(t, db, first))
		e.Pool.SetMaxOpenConns(1)
		readOnly := "PRAGMA query_only = 1"
		if e.Dialect == sqlkit.Postgres {
			readOnly = "SET default_transaction_read_only = on"
		}
		_, err := e.Pool.ExecContext(t.Context(), readOnly)
		require.NoError(t, err)
		require.NoError(t, migrate(t, db, first))
		require.Error(t, migrate(t, db, with(first, "0003_c.sql", "INSERT INTO step VALUES (3);\n")))
		require.ErrorIs(t, migrate(t, db, with(first, "0001_a.sql", "SELECT 1;")), sqlkit.ErrMigrationEdited)
	})
}

const childVariable = "SQLKIT_TEST_MIGRATE"

// TestMain is also the program of the processes that TestMigrateProcesses starts: it waits
// for a line on standard input, migrates, and says how it went.
func TestMain(m *testing.M) {
	driver, address, ok := strings.Cut(os.Getenv(childVariable), " ")
	if !ok {
		os.Exit(m.Run())
	}
	_, _ = fmt.Println("ready")
	_, _ = io.ReadFull(os.Stdin, make([]byte, 1))
	pool, err := sql.Open(driver, address)
	if err == nil {
		dialect := sqlkit.SQLite
		if driver == "pgx" {
			dialect = sqlkit.Postgres
		}
		var db *sqlkit.DB
		if db, err = sqlkit.Open(pool, dialect); err == nil {
			err = db.Migrate(context.Background(), "line", files(first), "m")
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Several processes start at once on an empty database: all of them succeed, one migrates.
func TestMigrateProcesses(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "test.db")
		migrateAtOnce(t, "sqlite file:"+filepath.ToSlash(path)+"?"+safe)
		require.Equal(t, 2, steps(t, enginetest.Engine{Pool: enginetest.OpenSQLite(t, path), Dialect: sqlkit.SQLite}.Kit(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		pool, address := enginetest.PostgresSchema(t)
		migrateAtOnce(t, "pgx "+address)
		require.Equal(t, 2, steps(t, enginetest.Engine{Pool: pool, Dialect: sqlkit.Postgres}.Kit(t)))
	})
}

func migrateAtOnce(t *testing.T, address string) {
	t.Helper()
	type child struct {
		cmd *exec.Cmd
		in  io.WriteCloser
		err strings.Builder
	}
	var children []*child
	for range 4 {
		c := &child{cmd: exec.CommandContext(t.Context(), os.Args[0])}
		c.cmd.Env = append(slices.Clone(os.Environ()), childVariable+"="+address)
		in, err := c.cmd.StdinPipe()
		require.NoError(t, err)
		out, err := c.cmd.StdoutPipe()
		require.NoError(t, err)
		c.in, c.cmd.Stderr = in, &c.err
		require.NoError(t, c.cmd.Start())
		_, err = io.ReadFull(out, make([]byte, len("ready\n")))
		require.NoError(t, err)
		children = append(children, c)
	}
	for _, c := range children {
		_, err := c.in.Write([]byte("\n"))
		require.NoError(t, err)
	}
	for _, c := range children {
		require.NoError(t, c.cmd.Wait(), &c.err)
	}
}

// A database that could lose what it acknowledges gets no tables.
func TestMigrateRefusesAnUnsafeEngine(t *testing.T) {
	t.Parallel()
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "unsafe.db"))+"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	db, err := sqlkit.Open(pool, sqlkit.SQLite)
	require.NoError(t, err)
	files := fstest.MapFS{"m/sqlite/0001_one.sql": {Data: []byte("CREATE TABLE one (id INTEGER);\n")}}
	require.ErrorIs(t, db.Migrate(t.Context(), "test", files, "m"), sqlkit.ErrUnsafeEngine)
	var n int
	require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM sqlite_master`).Scan(&n))
	require.Zero(t, n)
}
