package sqlkit_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// kit returns a DB that never connects.
func kit(t testing.TB, d sqlkit.Dialect) *sqlkit.DB {
	t.Helper()
	db, err := sqlkit.Open(enginetest.OpenSQLite(t, "unused"), d)
	require.NoError(t, err)
	return db
}

func TestRebind(t *testing.T) {
	t.Parallel()
	lite, postgres := kit(t, sqlkit.SQLite), kit(t, sqlkit.Postgres)
	for query, want := range map[string]string{
		"":                              "",
		"SELECT 1":                      "SELECT 1",
		"?":                             "$1",
		"a = ? AND b IN (?, ?)":         "a = $1 AND b IN ($2, $3)",
		strings.Repeat("?,", 11):        "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,",
		"größer \xff ?":                 "größer \xff $1",
		"SELECT 'no parameter' WHERE ?": "SELECT 'no parameter' WHERE $1",
	} {
		require.Equal(t, query, lite.Rebind(query))
		for range 2 { // the second time from memory
			require.Equal(t, want, postgres.Rebind(query))
		}
	}
}

// An endless variety of statements is rewritten, too, and not remembered.
func TestRebindManyStatements(t *testing.T) {
	t.Parallel()
	db := kit(t, sqlkit.Postgres)
	for i := range 3000 {
		n := strconv.Itoa(i)
		require.Equal(t, "SELECT "+n+" WHERE $1", db.Rebind("SELECT "+n+" WHERE ?"))
	}
	require.Equal(t, 1024, db.Remembered())
}

// Every question mark becomes the next number, and nothing else changes.
func FuzzRebind(f *testing.F) {
	f.Add("SELECT ? FROM a WHERE b = ? AND c = 'd'")
	f.Add("\xff??")
	f.Fuzz(func(t *testing.T, query string) {
		got := kit(t, sqlkit.Postgres).Rebind(query)
		parts := strings.Split(query, "?")
		for i, part := range parts {
			if i > 0 {
				rest, ok := strings.CutPrefix(got, "$"+strconv.Itoa(i))
				require.True(t, ok)
				got = rest
			}
			rest, ok := strings.CutPrefix(got, part)
			require.True(t, ok)
			got = rest
		}
		require.Empty(t, got)
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	require.Equal(t, "(?)", sqlkit.List(1))
	require.Equal(t, "(?, ?, ?)", sqlkit.List(3))
	require.Equal(t, "(NULL)", sqlkit.List(-1))
}

// A list of none finds nothing, and its opposite finds nothing either: no filter turns into
// none because its list is empty.
func TestListOfNone(t *testing.T) {
	engines(t, func(t *testing.T, _ enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, run(t, db, insert, "a", "1", 1))
		for _, condition := range []string{"IN", "NOT IN"} {
			var n int
			require.NoError(t, db.Get(t.Context(), []any{&n}, `SELECT count(*) FROM item WHERE id `+condition+` `+sqlkit.List(0)))
			require.Zero(t, n, condition)
		}
	})
}

func TestTimesAreMicroseconds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
	require.Equal(t, int64(1772597167123456), sqlkit.Micros(at))
	require.Equal(t, time.Date(2026, 3, 4, 4, 6, 7, 123456000, time.UTC), sqlkit.Time(sqlkit.Micros(at)))
	require.Zero(t, sqlkit.Micros(time.Time{}))
	require.True(t, sqlkit.Time(0).IsZero())
}

// What is stored is what is read, to the microsecond, before 1970 too.
func FuzzTime(f *testing.F) {
	f.Add(int64(1), int64(999))
	f.Add(int64(-1), int64(1))
	f.Fuzz(func(t *testing.T, sec, nsec int64) {
		at := time.Unix(sec%1e11, nsec%1e9)
		us := sqlkit.Micros(at)
		back := sqlkit.Time(us)
		require.Equal(t, us, sqlkit.Micros(back))
		if us != 0 {
			require.Equal(t, time.UTC, back.Location())
			require.WithinRange(t, at, back, back.Add(time.Microsecond-1))
		}
	})
}
