package auditsql_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
)

// oldEvent records an event as a server of release 0.1 does.
func oldEvent(t testing.TB, store *auditsql.Store, log *audit.Log) string {
	t.Helper()
	entries, err := log.Prepare(t.Context(), secret(fresh()))
	require.NoError(t, err)
	oldRecord(t, store.Kit(), entries...)
	return entries[0].ID
}

// TestOldReleaseBesideIsFound: what a server of release 0.1 acknowledges after the last Migrate
// waits like everything else, and the next query finds it.
func TestOldReleaseBesideIsFound(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		var want []string
		for range 3 {
			want = append(want, oldEvent(t, store, log))
			b, err := store.Backlog(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, b.Waiting)
			require.False(t, b.Oldest.IsZero())
			require.Equal(t, want, order(t, log, "secret-clinic"))
		}
		b, err := store.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, audit.Backlog{}, b)
	})
}

// TestImportEnds: whatever is in the queue of the import, it comes to an end, and what is no
// event does not stay there.
func TestImportEnds(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		id := oldEvent(t, store, log)
		for _, statement := range []string{
			`INSERT INTO audit_import (recorded, id, tenant) SELECT recorded + 1, id, tenant FROM audit_import`,
			`INSERT INTO audit_import (recorded, id, tenant) SELECT recorded + 2, id, 'nobody' FROM audit_event`,
			`INSERT INTO audit_event (tenant, id, recorded, actor, action, outcome, leaf, body) SELECT 'short', leaf, 0, '', '', 0, id, id FROM audit_event`,
		} {
			_, err := store.Kit().Exec(t.Context(), statement)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, store.Migrate(ctx))
		require.Equal(t, []string{id}, order(t, log, "secret-clinic"))
		b, err := store.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, audit.Backlog{}, b)
		e, err := log.Open(t.Context(), "secret-clinic", id)
		require.NoError(t, err)
		require.Equal(t, id, e.ID)
	})
}

// TestForgedRowStopsNoImport: a forged row under the ID of an event of release 0.1 keeps that
// event waiting and nothing else.
func TestForgedRowStopsNoImport(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	store, log := db.process(t)
	blocked := oldEvent(t, store, log)
	attacker{t, db}.does(forge+`VALUES (1, 'secret-clinic', $1, 0, 0, '', '', '', '')`, auditsql.IDBytes(blocked))
	id := oldEvent(t, store, log)
	require.Equal(t, []string{id}, order(t, log, "secret-clinic"))
	b, err := store.Backlog(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, b.Waiting)
	require.Equal(t, 1, b.Refused)
	attacker{t, db}.does(`DELETE FROM audit_pending`)
	require.Equal(t, []string{id, blocked}, order(t, log, "secret-clinic"))
}

// TestEndImport: once no server of release 0.1 is left, nobody has events imported any more.
func TestEndImport(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		id := oldEvent(t, store, log)
		for range 2 {
			require.NoError(t, store.EndImport(t.Context()))
		}
		_, err := store.Kit().Exec(t.Context(), `INSERT INTO audit_event (tenant, id, recorded, actor, action, outcome, leaf, body)
			VALUES ('secret-clinic', ?, 5, 'a', 'b', 0, ?, ?)`, auditsql.IDBytes(fresh()), make([]byte, 32), []byte("forged"))
		require.Error(t, err)
		require.NoError(t, store.Migrate(t.Context()), "does not open them again")
		_, err = store.Kit().Exec(t.Context(), `INSERT INTO audit_event (tenant, id, recorded, actor, action, outcome, leaf, body)
			SELECT tenant, leaf, recorded, actor, action, outcome, leaf, body FROM audit_event`)
		require.Error(t, err)
		require.Equal(t, []string{id}, order(t, log, "secret-clinic"))
		e := secret(fresh())
		require.NoError(t, log.Record(t.Context(), e))
		require.Equal(t, []string{id, e.ID}, order(t, log, "secret-clinic"))
	})
}
