package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/phi"
)

// TestShredGate: what has to be kept is not destroyed, and neither is what cannot be asked about.
func TestShredGate(t *testing.T) {
	t.Parallel()
	a := opened(t, "-data", t.TempDir(), "-keep-records", "7")
	ctx := audit.WithActor(t.Context(), audit.System(tenant, "setup"))
	require.NoError(t, a.greet(ctx, io.Discard))
	patient := func(n int) audit.Patient {
		ids, err := a.patients.find(ctx, demoPatient(n).Email)
		require.NoError(t, err)
		require.Len(t, ids, 1)
		return audit.Patient(ids[0])
	}
	one, two := patient(10), patient(12)
	held := func(p audit.Patient) bool {
		is, err := shredGate{a}.Held(ctx, tenant, p)
		require.NoError(t, err)
		return is
	}
	refused := func(p audit.Patient) {
		t.Helper()
		_, err := a.shredder.Shred(ctx, tenant, p, shredReason)
		require.ErrorIs(t, err, phi.ErrHeld)
		_, err = a.patients.get(ctx, string(p))
		require.NoError(t, err)
	}

	refused(one)
	last, err := a.lastEntry(ctx, one)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), last, time.Minute)
	at := last.AddDate(7, 0, 0)
	a.config.now = func() time.Time { return at.Add(-time.Microsecond) }
	require.True(t, held(one), "until the last moment")
	a.config.now = func() time.Time { return at }
	require.False(t, held(one), "seven years after the last entry")
	p, err := a.patients.get(ctx, string(one))
	require.NoError(t, err)
	require.NoError(t, a.patients.writeNote(ctx, p, p.Version, "came back"))
	require.True(t, held(one), "a note begins the time again")
	_, err = a.papers.write(ctx, paperKinds()[0], string(two), typedPaper{"A letter", "to somebody"})
	require.NoError(t, err)
	a.config.now = func() time.Time { return time.Now().AddDate(7, 0, 1) }
	require.False(t, held(one))
	require.False(t, held(two))

	// A hold on somebody of the team keeps the patients that they had to do with.
	_, err = a.keeper.Place(ctx, purge.Hold{Tenant: tenant, Actor: "demo-therapist-2", Matter: "2026-020"}, "asked by counsel")
	require.NoError(t, err)
	require.False(t, held(one))
	require.NoError(t, a.log.Record(ctx, audit.Event{
		Tenant: tenant, Actor: audit.Actor{ID: "demo-therapist-2", Kind: audit.KindStaff, Tenant: tenant}, Action: patientRead.Name(), Verb: audit.Read,
		Patients: []audit.Patient{one}, Objects: []audit.Object{{Type: "patient", ID: string(one)}},
	}))
	require.True(t, held(one))
	refused(one)
	require.False(t, held(two))
	_, err = a.keeper.Place(ctx, purge.Hold{Tenant: tenant, ObjectType: "letter", Matter: "2026-021"}, "asked by counsel")
	require.NoError(t, err)
	require.True(t, held(two), "who has a letter")
	three := patient(14)
	require.False(t, held(three))
	_, err = a.keeper.Place(ctx, purge.Hold{Tenant: tenant, Patient: three, Matter: "2026-022"}, "asked by counsel")
	require.NoError(t, err)
	refused(three)
	require.False(t, held(patient(16)))
	_, err = a.keeper.Place(ctx, purge.Hold{Tenant: tenant, All: true, Matter: "2026-023"}, "asked by counsel")
	require.NoError(t, err)
	refused(patient(16))

	require.NoError(t, a.db.pool.Close())
	_, err = shredGate{a}.Held(ctx, tenant, one)
	require.Error(t, err, "nobody can say")
	_, err = a.shredder.Shred(ctx, tenant, one, shredReason)
	require.ErrorIs(t, err, phi.ErrUnavailable)
	gone, err := a.destroyed(ctx, string(one))
	require.NoError(t, err)
	require.False(t, gone)
}

// TestShredGateWithoutHolds: holds that cannot be read keep everything, though the rest can be.
func TestShredGateWithoutHolds(t *testing.T) {
	t.Parallel()
	a := opened(t, "-data", t.TempDir())
	ctx := audit.WithActor(t.Context(), audit.System(tenant, "setup"))
	require.NoError(t, a.greet(ctx, io.Discard))
	ids, err := a.patients.find(ctx, demoPatient(10).Email)
	require.NoError(t, err)
	one := audit.Patient(ids[0])
	held, err := shredGate{a}.Held(ctx, tenant, one)
	require.NoError(t, err)
	require.False(t, held)
	_, err = a.db.pool.ExecContext(ctx, `ALTER TABLE purge_hold RENAME TO purge_hold_away`)
	require.NoError(t, err)
	_, err = shredGate{a}.Held(ctx, tenant, one)
	require.Error(t, err)
	_, err = a.shredder.Shred(ctx, tenant, one, shredReason)
	require.ErrorIs(t, err, phi.ErrUnavailable)
	gone, err := a.destroyed(ctx, string(one))
	require.NoError(t, err)
	require.False(t, gone)
}

// TestShredJournalOfServers: servers with folders of their own share a journal in a database; one whose journal
// lacks what the keys know does not start.
func TestShredJournalOfServers(t *testing.T) {
	t.Parallel()
	_, records := enginetest.PostgresSchema(t)
	_, journal := enginetest.PostgresSchema(t)
	folder, other := t.TempDir(), t.TempDir()
	one := opened(t, "-data", folder, "-db", records, "-shreds", journal)
	ctx := audit.WithActor(t.Context(), audit.System(tenant, "setup"))
	require.NoError(t, one.greet(ctx, io.Discard))
	key, err := os.ReadFile(filepath.Join(folder, "clinic.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(other, "clinic.key"), key, 0o600))
	two := opened(t, "-data", other, "-db", records, "-shreds", journal)
	ids, err := one.patients.find(ctx, demoPatient(7).Email)
	require.NoError(t, err)
	_, err = two.patients.get(ctx, ids[0])
	require.NoError(t, err)
	_, err = one.shredder.Shred(ctx, tenant, audit.Patient(ids[0]), shredReason)
	require.NoError(t, err)
	gone, err := two.destroyed(ctx, ids[0])
	require.NoError(t, err)
	require.True(t, gone)
	require.NoFileExists(t, filepath.Join(folder, "clinic.shreds"))

	c, err := parseConfig([]string{"-data", other, "-db", records, "-url", "http://localhost:8080"})
	require.NoError(t, err)
	_, err = open(t.Context(), c, one.logger)
	require.ErrorIs(t, err, phi.ErrJournal, "its own file knows of nobody")
}

func TestShredFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args  []string
		years int
	}{
		{nil, 0},
		{[]string{"-demo=false"}, keptYears},
		{[]string{"-demo=false", "-keep-records", "0"}, 0},
		{[]string{"-keep-records", "12"}, 12},
	} {
		c, err := parseConfig(row.args)
		require.NoError(t, err)
		require.Equal(t, row.years, c.keepRecords, "%v", row.args)
	}
	for _, years := range []string{"-2", "101", "many"} {
		_, err := parseConfig([]string{"-keep-records", years})
		require.Error(t, err, years)
	}
	c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080", "-shreds", filepath.Join(t.TempDir(), "no", "folder")})
	require.NoError(t, err)
	_, err = open(t.Context(), c, nil)
	require.ErrorContains(t, err, "-shreds: ")
}
