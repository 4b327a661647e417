package enginetest_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Two tests never meet: the same table is another one for each, and it is gone with its test.
func TestEnginesAreTheTestsOwn(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		require.Equal(t, t.Name(), "TestEnginesAreTheTestsOwn/"+open(t).Name)
		require.Equal(t, open(t).Name, open(t).Dialect.String())
		one, two := open(t).Kit(t), open(t).Kit(t)
		require.NoError(t, one.Check(t.Context()))
		_, err := one.Exec(t.Context(), `CREATE TABLE mine (id TEXT)`)
		require.NoError(t, err)
		_, err = two.Exec(t.Context(), `SELECT 1 FROM mine`)
		require.Error(t, err)
		_, err = two.Exec(t.Context(), `CREATE TABLE mine (id TEXT)`)
		require.NoError(t, err)
	})
}

func TestPostgresSchemaIsDropped(t *testing.T) {
	t.Parallel()
	watch := enginetest.Postgres(t)
	schema := func(e enginetest.Engine) (name string) {
		require.NoError(t, e.Pool.QueryRowContext(t.Context(), `SELECT current_schema()`).Scan(&name))
		return name
	}
	exists := func(name string) (n int) {
		require.NoError(t, watch.Pool.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, name).Scan(&n))
		return n
	}
	var name string
	t.Run("test", func(t *testing.T) {
		e := enginetest.Postgres(t)
		_, err := e.Pool.ExecContext(t.Context(), `CREATE TABLE mine (id TEXT)`)
		require.NoError(t, err)
		name = schema(e)
		require.Equal(t, 1, exists(name))
	})
	require.Zero(t, exists(name))
	require.NotEqual(t, name, schema(watch))
}

// The connection string leads another process to the same schema, in either form.
func TestPostgresSchemaAddress(t *testing.T) {
	pool, address := enginetest.PostgresSchema(t)
	_, err := pool.ExecContext(t.Context(), `CREATE TABLE mine (id TEXT)`)
	require.NoError(t, err)
	reach := func(address string) {
		t.Helper()
		other, err := sql.Open("pgx", address)
		require.NoError(t, err)
		defer other.Close()
		_, err = other.ExecContext(t.Context(), `SELECT 1 FROM mine`)
		require.NoError(t, err)
	}
	reach(address)
	for _, c := range [][2]string{
		{"postgres://h/d", "postgres://h/d?search_path=s"},
		{"postgres://h/d?a=b", "postgres://h/d?a=b&search_path=s"},
		{"host=h dbname=d", "host=h dbname=d search_path=s"},
	} {
		require.Equal(t, c[1], enginetest.WithSearchPath(c[0], "s"))
	}
}

func TestRedisKeysAreTheTestsOwn(t *testing.T) {
	t.Parallel()
	watch, foreign := enginetest.Redis(t)
	ctx := t.Context()
	require.NoError(t, watch.Set(ctx, foreign+"kept", "1", 0).Err())
	var prefix string
	t.Run("test", func(t *testing.T) {
		client, mine := enginetest.Redis(t)
		prefix = mine
		require.NotEqual(t, foreign, mine)
		for i := range 2500 { // more than one page of a scan
			require.NoError(t, client.Set(ctx, fmt.Sprint(mine, i), "1", 0).Err())
		}
	})
	left, err := watch.Keys(ctx, prefix+"*").Result()
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, watch.Get(ctx, foreign+"kept").Err())
}

func TestSQLiteFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/a b.db"
	pool := enginetest.OpenSQLite(t, path)
	_, err := pool.ExecContext(t.Context(), `CREATE TABLE mine (id TEXT)`)
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.NoError(t, err)
	again := enginetest.OpenSQLite(t, path)
	_, err = again.ExecContext(t.Context(), `SELECT 1 FROM mine`)
	require.NoError(t, err)
	db, err := sqlkit.Open(again, sqlkit.SQLite)
	require.NoError(t, err)
	require.NoError(t, db.Check(t.Context()))
}

// verdict stands in for a test and notes how it was ended.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()                  {}
func (v *verdict) Context() context.Context { return context.Background() }
func (v *verdict) Cleanup(func())           {}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// judge runs f as a test of its own and returns how it ended.
func judge(f func(testing.TB)) *verdict {
	v := &verdict{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(v)
	}()
	<-done
	return v
}

// An engine that nobody set up skips its tests, loudly; where all were asked for, it fails
// them; and one that is set up and does not work always fails them.
func TestMissingEngines(t *testing.T) {
	uses := map[string]func(testing.TB){
		"WARDKIT_POSTGRES": func(t testing.TB) { enginetest.Postgres(t) },
		"WARDKIT_REDIS":    func(t testing.TB) { enginetest.Redis(t) },
	}
	for variable, use := range uses {
		for _, wanted := range []string{"", "all"} {
			t.Setenv("WARDKIT_ENGINES", wanted)
			t.Setenv(variable, "")
			v := judge(use)
			if wanted == "all" {
				require.Equal(t, "enginetest: WARDKIT_ENGINES=all, but "+variable+" is not set", v.failed)
				require.Empty(t, v.skipped)
			} else {
				require.Equal(t, "SKIPPED: "+variable+" is not set", v.skipped)
				require.Empty(t, v.failed)
			}
			for _, broken := range []string{"nonsense://", "://", strings.Replace("postgres://x@127.0.0.1:1/x?connect_timeout=5", "postgres", scheme(variable), 1)} {
				t.Setenv(variable, broken)
				v = judge(use)
				require.Contains(t, v.failed, "enginetest: ", broken)
				require.Empty(t, v.skipped, broken)
			}
		}
	}
}

func scheme(variable string) string { return strings.ToLower(strings.TrimPrefix(variable, "WARDKIT_")) }

func TestMissing(t *testing.T) {
	t.Setenv("WARDKIT_ENGINES", "")
	require.Equal(t, "SKIPPED: a browser is not there", judge(func(t testing.TB) { enginetest.Missing(t, "a browser is not there") }).skipped)
	t.Setenv("WARDKIT_ENGINES", "all")
	require.Contains(t, judge(func(t testing.TB) { enginetest.Missing(t, "a browser is not there") }).failed, "a browser is not there")
}
