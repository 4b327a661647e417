package emergencysql_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/emergency"
	"github.com/wardkit/wardkit/rbac/emergency/emergencysql"
	"github.com/wardkit/wardkit/rbac/emergency/emergencytest"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *emergencysql.Store {
	t.Helper()
	engines := map[sqlkit.Dialect]func() (*emergencysql.Store, error){
		sqlkit.SQLite:   func() (*emergencysql.Store, error) { return emergencysql.SQLite(e.Pool) },
		sqlkit.Postgres: func() (*emergencysql.Store, error) { return emergencysql.Postgres(e.Pool) },
	}
	s, err := engines[e.Dialect]()
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		emergencytest.TestStore(t, func(t testing.TB) emergencytest.Subject {
			s := open(t, engine(t))
			r, err := s.Relation()
			require.NoError(t, err)
			return emergencytest.Subject{Store: s, Relation: r}
		})
	})
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		s := open(t, engine(t))
		require.NoError(t, s.Migrate(t.Context()))
	})
}

func TestMigrationsAreExported(t *testing.T) {
	t.Parallel()
	require.NoError(t, fstest.TestFS(emergencysql.Migrations(), "sqlite/0001_emergency.sql", "postgres/0001_emergency.sql"))
}

func TestNilDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, err := emergencysql.SQLite(nil)
	require.Error(t, err)
	_, err = emergencysql.Postgres(nil)
	require.Error(t, err)
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		ctx := t.Context()
		_, err := s.Get(ctx, "clinic", "g")
		require.Error(t, err)
		require.NotErrorIs(t, err, emergency.ErrNotFound, "failed is not the same as missing")
		err = s.Create(ctx, emergency.Grant{Tenant: "clinic", ID: "a", Person: "p", Number: 1})
		require.Error(t, err)
		require.NotErrorIs(t, err, emergency.ErrConflict)
		err = s.Update(ctx, emergency.Grant{Tenant: "clinic", ID: "a", Version: 2})
		require.Error(t, err)
		require.NotErrorIs(t, err, emergency.ErrConflict)
		for _, err := range s.List(ctx, "", true, "") {
			require.Error(t, err)
		}
		n := 0
		for _, err := range s.Of(ctx, "clinic", "p", 0) {
			require.Error(t, err)
			n++
		}
		require.Equal(t, 1, n)
	})
}

// TestNoRowIsForEver: a row that the library did not write may be forged, but it ends after four hours.
func TestNoRowIsForEver(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		open(t, e)
		const opened = 1_772_442_000_000_000
		forge := func(id string, opened, until int64) error {
			row := fmt.Sprintf(`INSERT INTO emergency_grant (id, tenant, person, number, patient, reason, again, opened, until_at, live_until,
				due, ended, ended_by, verdict, reviewer, reviewed, told, limited, limited_told, reminders, reminded, pending, version)
				VALUES ('%s', 'clinic', 'ana', %s, 'p1', '', '', %d, %d, %d, 0, 0, '', '', '', 0, 0, 0, 0, 0, 0, 0, 1)`, id, id, opened, until, until)
			_, err := e.Pool.ExecContext(t.Context(), row)
			return err
		}
		require.NoError(t, forge("1", opened, opened+14_400_000_000))
		require.Error(t, forge("2", opened, opened+14_400_000_001))
		require.Error(t, forge("3", opened, 0))
		require.Error(t, forge("4", 0, 0))
		require.Error(t, forge("5", opened, opened-1))
	})
}
