package mfasql_test

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfasql"
)

// A database of the release before, which had no passkeys, opens with its rows as they were; and
// that release goes on writing while servers of this one run beside it.
func TestADatabaseOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		kit, err := sqlkit.Open(e.Pool, e.Dialect)
		require.NoError(t, err)
		require.NoError(t, kit.Migrate(t.Context(), "mfa", older(t), "."))
		const insert = `INSERT INTO mfa_credential (tenant, person, id, version, secret, step, failures, created, confirmed, used, locked, recovery)
			VALUES ('clinic', ?, 'e-1', 4, ?, 58000000, 1, 1, 2, 3, 0, ?)`
		_, err = kit.Exec(t.Context(), insert, "p-lin", []byte("sealed"), []byte("codes"))
		require.NoError(t, err)
		s := open(t, e)
		want := mfa.Credential{
			Tenant: "clinic", Person: "p-lin", ID: "e-1", Version: 4, Secret: []byte("sealed"), Step: 58000000, Failures: 1,
			Created: time.UnixMicro(1).UTC(), Confirmed: time.UnixMicro(2).UTC(), Used: time.UnixMicro(3).UTC(),
			Recovery: []byte("codes"),
		}
		have, err := s.Get(t.Context(), "clinic", "p-lin")
		require.NoError(t, err)
		require.Empty(t, have.Next)
		require.Empty(t, have.Handle)
		have.Next, have.Handle = nil, nil
		require.Equal(t, want, have)
		rows, err := s.Passkeys(t.Context(), "clinic", "p-lin")
		require.NoError(t, err)
		require.Empty(t, rows)
		_, err = kit.Exec(t.Context(), insert, "p-diaz", []byte("sealed"), []byte{})
		require.NoError(t, err, "the release before still writes")
		put := have
		put.Passkeys, put.Handle = 1, []byte("handle")
		require.NoError(t, s.Apply(t.Context(), mfa.Change{Was: have.Ref(), Version: 4, Put: &put}))
		const update = `UPDATE mfa_credential SET step = 58000001, version = version + 1 WHERE person = 'p-lin'`
		_, err = kit.Exec(t.Context(), update)
		require.NoError(t, err)
		have, err = s.Get(t.Context(), "clinic", "p-lin")
		require.NoError(t, err)
		require.Equal(t, 1, have.Passkeys, "it leaves alone what it does not know")
	})
}

// older are the migrations of the release before, of both dialects' folders the engine's.
func older(t *testing.T) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	for _, dialect := range []string{"sqlite", "postgres"} {
		for _, name := range []string{"0001_factors.sql", "0002_recovery.sql"} {
			text, err := fs.ReadFile(mfasql.Migrations(), dialect+"/"+name)
			require.NoError(t, err)
			out[dialect+"/"+name] = &fstest.MapFile{Data: text}
		}
	}
	return out
}
