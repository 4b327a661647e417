package audittest_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
)

func toyCrash(f flaw, processes int) audittest.CrashOptions {
	return audittest.CrashOptions{
		Database:  func(t testing.TB) string { return filepath.Join(t.TempDir(), "toy crash.db") },
		Open:      func(t testing.TB, address string) audit.Store { return openToy(t, address, f) },
		Processes: processes,
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	o := toyCrash(sane, 0)
	if testing.Short() {
		o.Kills = 1
	}
	audittest.TestCrash(t, o)
}

// TestCrashCatches proves the suite: processes of an unsound store leave behind what it finds.
func TestCrashCatches(t *testing.T) {
	t.Parallel()
	cases := []struct {
		flaw      flaw
		processes int
		finding   string
	}{
		{acksEarly, 1, "acknowledged and is lost"},
		{halves, 1, "a call of"},
		{wastes, 1, "follows place"},
		{erasesLate, 1, "an erasure was acknowledged"},
		{byID, 1, "lower place"},
		{cachedHead, 2, "place"},
		{looseSequence, 2, "place"},
		{lookThenLeap, 2, "one ID"},
		{ownIDs, 1, "under an acknowledged ID"},
	}
	if testing.Short() {
		cases = cases[:3]
	}
	for _, c := range cases {
		t.Run(string(c.flaw), func(t *testing.T) {
			t.Parallel()
			o := toyCrash(c.flaw, c.processes)
			o.Kills = 40 // until chance has its way
			err := audittest.CheckCrash(t, o)
			require.ErrorContains(t, err, c.finding)
			t.Log(err)
		})
	}
}

// A process that cannot work is no process that survived.
func TestCrashSeesProcessesEnd(t *testing.T) {
	t.Parallel()
	o := toyCrash(sane, 1)
	o.Open = func(t testing.TB, _ string) audit.Store {
		t.Fatal("no such database")
		return nil
	}
	err := audittest.CheckCrash(t, o)
	require.ErrorContains(t, err, "a process ended by itself")
	require.ErrorContains(t, err, "no such database")
}
