package auditsql_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// before makes the tables of release 0.1 only.
func before(t testing.TB, e enginetest.Engine) *sqlkit.DB {
	t.Helper()
	old := fstest.MapFS{}
	for _, d := range []string{"sqlite", "postgres"} {
		name := "migrations/" + d + "/0001_audit.sql"
		text, err := fs.ReadFile(auditsql.Migrations(), name)
		require.NoError(t, err)
		old[name] = &fstest.MapFile{Data: text}
	}
	kit := e.Kit(t)
	require.NoError(t, kit.Migrate(t.Context(), "audit", old, "migrations"))
	return kit
}

// oldRecord writes entries as release 0.1 did, in one transaction: thousands of flushes take
// minutes where others use the disk.
func oldRecord(t testing.TB, kit *sqlkit.DB, entries ...audit.Entry) {
	t.Helper()
	require.NoError(t, kit.Write(t.Context(), func(tx *sqlkit.Tx) error {
		for i := range entries {
			oldRows(t, tx, &entries[i])
		}
		return nil
	}))
}

func oldRows(t testing.TB, tx *sqlkit.Tx, e *audit.Entry) {
	t.Helper()
	id, at := auditsql.IDBytes(e.ID), e.Recorded.UnixMicro()
	exec := func(query string, args ...any) {
		_, err := tx.Exec(t.Context(), query, args...)
		require.NoError(t, err)
	}
	exec(`INSERT INTO audit_event (tenant, id, recorded, actor, action, outcome, leaf, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		string(e.Tenant), id, at, string(e.Actor), string(e.Action), int64(e.Outcome), e.Leaf[:], e.Body)
	for _, p := range e.Patients {
		exec(`INSERT INTO audit_event_patient (tenant, patient, recorded, id) VALUES (?, ?, ?, ?)`, string(e.Tenant), string(p), at, id)
	}
	for _, r := range e.Objects {
		exec(`INSERT INTO audit_event_object (tenant, type, object, recorded, id) VALUES (?, ?, ?, ?, ?)`, string(e.Tenant), r.Type, r.ID, at, id)
	}
	if len(e.Openings) > 0 {
		exec(`INSERT INTO audit_opening (tenant, id, sealed) VALUES (?, ?, ?)`, string(e.Tenant), id, e.Openings)
	}
}

// oldEntries returns entries of two tenants, as release 0.1 recorded them: in the order of their
// times.
func oldEntries(t testing.TB, n int) []audit.Entry {
	t.Helper()
	list := make([]audit.Entry, n)
	for i := range list {
		e := event("note.read")
		e.Tenant = audit.Tenant(fmt.Sprint("clinic-", 17+i%2))
		e.Actor.Tenant = e.Tenant
		e.Recorded = time.Unix(1_700_000_000+int64(i), 0).UTC()
		e.ID = fmt.Sprintf("%08x-0000-7000-8000-%012x", uint32(i)*2654435761, i)
		e.Patients = []audit.Patient{audit.Patient(fmt.Sprint("p-", i%7))}
		list[i] = entryOf(t, e)
		if i%3 == 0 {
			list[i].Openings = []byte("sealed " + e.ID)
		}
	}
	return list
}

// imported compares what a store finds with what there was.
func imported(t testing.TB, s *auditsql.Store, old []audit.Entry) {
	t.Helper()
	drain(t, s)
	for _, tenant := range []audit.Tenant{"clinic-17", "clinic-18"} {
		var want, got []string
		for _, e := range old {
			if e.Tenant == tenant {
				want = append(want, e.ID)
			}
		}
		for e, err := range s.List(t.Context(), audit.Filter{Tenant: tenant}, audit.Newest, 10_000) {
			require.NoError(t, err)
			got = append(got, e.ID)
			require.Equal(t, int64(len(want)-len(got)), e.Index, "dense")
		}
		slices.Reverse(got)
		require.Equal(t, want, got)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		kit := before(t, e)
		old := oldEntries(t, 1100)
		backwards := slices.Clone(old)
		slices.Reverse(backwards)
		oldRecord(t, kit, backwards...) // in whatever order
		_, err := kit.Exec(t.Context(), `DELETE FROM audit_opening WHERE id = ?`, auditsql.IDBytes(old[3].ID))
		require.NoError(t, err)

		s := over(t, e)
		for _, i := range []int{0, 6, 1098} {
			got, err := s.Get(t.Context(), old[i].Tenant, old[i].ID)
			require.NoError(t, err)
			require.Equal(t, old[i].Openings, got.Openings, "before it has its place, too")
		}
		imported(t, s, old)
		for i := range old[:60] {
			got, err := s.Get(t.Context(), old[i].Tenant, old[i].ID)
			require.NoError(t, err)
			require.Equal(t, old[i].Body, got.Body)
			require.Equal(t, old[i].Leaf, got.Leaf)
			if i == 3 {
				require.Empty(t, got.Openings, "erased before")
				continue
			}
			require.Equal(t, old[i].Openings, got.Openings)
		}
		for e, err := range s.List(t.Context(), audit.Filter{Tenant: "clinic-17", Patient: "p-4"}, audit.Newest, 1) {
			require.NoError(t, err)
			require.Equal(t, old[1096].ID, e.ID)
		}
		require.NoError(t, s.Append(t.Context(), old[:5]), "the same once more")
		require.NoError(t, s.Erase(t.Context(), old[0].Tenant, []string{old[0].ID}))
		imported(t, over(t, e), old)
		got, err := s.Get(t.Context(), old[0].Tenant, old[0].ID)
		require.NoError(t, err)
		require.Empty(t, got.Openings)
		var n int
		require.NoError(t, kit.Get(t.Context(), []any{&n}, `SELECT COUNT(*) FROM audit_opening WHERE id = ?`, auditsql.IDBytes(old[0].ID)))
		require.Zero(t, n, "nor does the older release find them")
	})
}

// TestImportWhileOldServersRun: what servers of release 0.1 record after the migration is found
// after the next one, and what they erase is erased.
func TestImportWhileOldServersRun(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		kit := before(t, e)
		old := oldEntries(t, 12)
		oldRecord(t, kit, old[:6]...)
		s := over(t, e)
		imported(t, s, old[:6])
		oldRecord(t, kit, old[6:]...)
		require.NoError(t, s.Append(t.Context(), []audit.Entry{entryOf(t, later(t, old[11]))}))
		imported(t, over(t, e), append(slices.Clone(old[:6]), old[11], old[6], old[7], old[8], old[9], old[10]))
		_, err := kit.Exec(t.Context(), `DELETE FROM audit_opening WHERE id = ?`, auditsql.IDBytes(old[9].ID))
		require.NoError(t, err)
		got, err := s.Get(t.Context(), old[9].Tenant, old[9].ID)
		require.NoError(t, err)
		require.Empty(t, got.Openings)
	})
}

// later is an entry's event, recorded a second later.
func later(t testing.TB, e audit.Entry) audit.Event {
	t.Helper()
	again, err := audit.Decode(e.Body)
	require.NoError(t, err)
	again.Recorded = again.Recorded.Add(time.Second)
	return again
}

// TestImportIsCut stops imports of two processes again and again: nothing is lost or doubled.
func TestImportIsCut(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		kit := before(t, e)
		old := oldEntries(t, 1100)
		oldRecord(t, kit, old...)
		cut := 0
		for wait := 2 * time.Millisecond; ; wait *= 2 {
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for i := range errs {
				s := unmigrated(t, e)
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), wait)
					defer cancel()
					errs[i] = s.Migrate(ctx)
				})
			}
			wg.Wait()
			if errs[0] == nil || errs[1] == nil {
				break
			}
			cut++
		}
		require.Greater(t, cut, 1)
		imported(t, over(t, e), old)
	})
}

// TestImportOfDamage: an old row that somebody changed is shown as damaged where it is listed,
// as before, and one that never was an event holds nothing up.
func TestImportOfDamage(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		kit := before(t, e)
		old := oldEntries(t, 8)
		old[2].Body = []byte("\x00\xff not an event")
		oldRecord(t, kit, old...)
		_, err := kit.Exec(t.Context(), `INSERT INTO audit_event (tenant, id, recorded, actor, action, outcome, leaf, body)
			VALUES ('clinic-17', ?, 5, 'a', 'b', 0, ?, ?)`, []byte("short"), []byte("leaf"), []byte{})
		require.NoError(t, err)
		s := over(t, e)
		log := newLog(t, s)
		_, err = log.Query(t.Context(), audit.Query{Tenant: "clinic-17"})
		require.ErrorIs(t, err, audit.ErrDamaged)
		page, err := log.Query(t.Context(), audit.Query{Tenant: "clinic-17", Patient: "p-4"})
		require.NoError(t, err)
		require.Len(t, page.Events, 1)
		page, err = log.Query(t.Context(), audit.Query{Tenant: "clinic-18"})
		require.NoError(t, err)
		require.Len(t, page.Events, 4)
	})
}
