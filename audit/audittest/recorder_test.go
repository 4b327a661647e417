package audittest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
)

func read(id string) audit.Event {
	return audit.Event{
		ID: id, Action: "patient.read", Verb: audit.Read,
		Actor:    audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: "clinic-17"},
		Patients: []audit.Patient{"p-1"},
	}
}

func TestRecorderKeeps(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	first, other := read(""), read("")
	other.Action = "patient.write"
	require.NoError(t, rec.Record(t.Context(), first, other))
	require.NoError(t, rec.Record(t.Context(), first))
	require.Equal(t, 3, rec.Len())
	require.Len(t, rec.Find("patient.read"), 2)
	require.Len(t, rec.Find("patient.write"), 1)
	require.Empty(t, rec.Find("patient.export"))
	last, ok := rec.Last("patient.read")
	require.True(t, ok)
	require.Equal(t, audit.Tenant("clinic-17"), last.Tenant)
	require.NotEmpty(t, last.ID)
	require.False(t, last.Recorded.IsZero())
	_, ok = rec.Last("patient.export")
	require.False(t, ok)

	first.Patients[0] = "p-2"
	rec.Events()[0].Action = "x"
	require.Equal(t, audit.Patient("p-1"), rec.Events()[0].Patients[0], "nothing is shared with the caller")
	require.Len(t, rec.Find("patient.read"), 2)
	rec.Reset()
	require.Zero(t, rec.Len()+rec.Calls())
}

// It behaves as a log does: one copy per ID, nothing of an invalid call.
func TestRecorderIsALog(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	id := audit.NewID(time.Unix(1, 0))
	require.NoError(t, rec.Record(t.Context(), read(id)))
	require.NoError(t, rec.Record(t.Context(), read(id)))
	require.Equal(t, 1, rec.Len())
	for name, change := range map[string]func(e *audit.Event){
		"action":  func(e *audit.Event) { e.Action = "patient.write" },
		"patient": func(e *audit.Event) { e.Patients = []audit.Patient{"p-2"} },
		"reason":  func(e *audit.Event) { e.Why = audit.NewPrivate("because") },
	} {
		other := read(id)
		change(&other)
		require.ErrorIs(t, rec.Record(t.Context(), read(""), other), audit.ErrConflict, name)
		require.Equal(t, 1, rec.Len(), name)
	}
	theirs := read(id)
	theirs.Tenant = "clinic-18"
	require.NoError(t, rec.Record(t.Context(), theirs), "another tenant's ID is another ID")
	require.Equal(t, 2, rec.Len())
	rec.Reset()
	require.NoError(t, rec.Record(t.Context(), read(id)))
	nameless := read("")
	nameless.Action = ""
	require.ErrorIs(t, rec.Record(t.Context(), read(""), nameless), audit.ErrInvalid)
	require.Equal(t, 1, rec.Len())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, rec.Record(ended, read("")), context.Canceled)
	require.Equal(t, 1, rec.Len())
}

// Nobody passes a user's ID by hand, in a unit test neither.
func TestRecorderAttributes(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	bare := audit.Event{Action: "job.run", Verb: audit.Execute}
	require.ErrorIs(t, rec.Record(t.Context(), bare), audit.ErrNoActor)
	ctx := audit.WithActor(t.Context(), audit.System("clinic-17", "nightly"))
	ctx, _ = audit.WithTrail(ctx, rec, audit.Event{Client: audit.Client{App: "web"}, Correlation: audit.Correlation{Request: "r-1"}})
	require.NoError(t, rec.Record(ctx, bare))
	last, ok := rec.Last("job.run")
	require.True(t, ok)
	require.Equal(t, audit.System("clinic-17", "nightly"), last.Actor)
	require.Equal(t, audit.Tenant("clinic-17"), last.Tenant)
	require.Equal(t, "web", last.Client.App)
	require.Equal(t, "r-1", last.Correlation.Request)
}

func TestRecorderFailsAndStalls(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	down := errors.New("down")
	rec.FailWith(down)
	require.ErrorIs(t, rec.Record(t.Context(), read("")), down)
	require.Zero(t, rec.Len())
	rec.FailWith(nil)

	rec.Stall()
	rec.Stall()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() { errs[0] = rec.Record(ctx, read("")) })
	require.Eventually(t, func() bool { return rec.Waiting() == 1 }, 30*time.Second, time.Millisecond)
	cancel()
	wg.Wait()
	require.ErrorIs(t, errs[0], context.Canceled)
	wg.Go(func() { errs[1] = rec.Record(t.Context(), read("")) })
	require.Eventually(t, func() bool { return rec.Waiting() == 1 }, 30*time.Second, time.Millisecond)
	require.Zero(t, rec.Len())
	rec.Release()
	rec.Release()
	wg.Wait()
	require.NoError(t, errs[1])
	require.Equal(t, 1, rec.Len())
	require.Equal(t, 3, rec.Calls())
}
