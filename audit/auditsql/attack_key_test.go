package auditsql_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/auditsql"
)

// withKeys returns a store of another process that was given these keys.
func withKeys(t testing.TB, db *shared, keys ...byte) *auditsql.Store {
	t.Helper()
	all := make([][]byte, len(keys))
	for i, k := range keys {
		all[i] = bytes.Repeat([]byte{k}, 32)
	}
	s, err := auditsql.Postgres(db.another(t), all[0], all[1:]...)
	require.NoError(t, err)
	return s
}

// TestServerWithAWrongKey: it is told so at its start, before it refuses what others
// acknowledged. Where it did, the next start of one with the right key brings that back.
func TestServerWithAWrongKey(t *testing.T) {
	t.Parallel()
	db := postgres(t) // with key 7
	_, log := db.process(t)
	e := secret(fresh())
	require.NoError(t, log.Record(t.Context(), e))
	wrong := withKeys(t, db, 8)
	require.ErrorIs(t, wrong.Check(t.Context()), auditsql.ErrWrongKey)
	require.ErrorIs(t, wrong.Migrate(t.Context()), auditsql.ErrWrongKey)
	require.Equal(t, 1, sequenced(t, wrong).Refused, "whoever does not look")
	require.Empty(t, order(t, log, e.Tenant))

	require.NoError(t, withKeys(t, db, 7).Migrate(t.Context()))
	require.Equal(t, []string{e.ID}, order(t, log, e.Tenant))
	attacker{t, db}.does(forge+`VALUES (1, 'secret-clinic', $1, 0, 0, '', '', '', '')`, auditsql.IDBytes(fresh()))
	for range 2 {
		require.Equal(t, 1, sequenced(t, withKeys(t, db, 7)).Refused)
		require.NoError(t, withKeys(t, db, 7).Migrate(t.Context()))
	}
	require.Equal(t, []string{e.ID}, order(t, log, e.Tenant), "a forged row is refused again")
}

// TestKeyIsChanged follows the steps that Postgres describes.
func TestKeyIsChanged(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	for _, step := range []struct {
		keys  []byte
		right bool
	}{
		{[]byte{7, 8}, true},
		{[]byte{8}, false},
		{[]byte{8, 7}, true},
		{[]byte{7, 8}, true},
		{[]byte{8, 7}, true},
		{[]byte{7}, false},
		{[]byte{8}, true},
		{[]byte{7}, false},
		{[]byte{7, 8}, true},
	} {
		s := withKeys(t, db, step.keys...)
		if !step.right {
			require.ErrorIs(t, s.Check(t.Context()), auditsql.ErrWrongKey)
			require.ErrorIs(t, s.Migrate(t.Context()), auditsql.ErrWrongKey)
			continue
		}
		require.NoError(t, s.Check(t.Context()))
		require.NoError(t, s.Migrate(t.Context()))
		var n int
		require.NoError(t, db.pool.QueryRow(`SELECT COUNT(*) FROM audit_key`).Scan(&n))
		require.Equal(t, 1, n)
	}
}

// TestCheckBeforeMigrate: a database without tables was set up with no key.
func TestCheckBeforeMigrate(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	_, err := db.pool.Exec(`DROP TABLE audit_key`)
	require.NoError(t, err)
	require.NoError(t, withKeys(t, db, 8).Check(t.Context()))
}
