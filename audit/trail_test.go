package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
)

// staff is a fictitious therapist.
var staff = audit.Actor{ID: "u-9", Kind: audit.KindStaff, Tenant: "clinic-17", Session: "s-1"}

func trail(t *testing.T) (context.Context, *audit.Trail, *audittest.Recorder) {
	t.Helper()
	rec := audittest.NewRecorder()
	ctx := audit.WithActor(t.Context(), staff)
	ctx, tr := audit.WithTrail(ctx, rec, audit.Event{
		Correlation: audit.Correlation{Request: "req-1"},
		Client:      audit.Client{App: "web"},
		Server:      audit.Server{ID: "api-3"},
	})
	return ctx, tr, rec
}

func read() audit.Event {
	return audit.Event{Action: "patient.read", Verb: audit.Read, Detail: map[string]string{"step": "1"}}
}

func note(id string, fields ...string) audit.Object {
	return audit.Object{Type: "note", ID: id, Fields: fields}
}

func TestTrailNeedsTrailActorAndDecision(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, audit.Decide(t.Context(), read()), audit.ErrNoTrail)
	require.ErrorIs(t, audit.Seen(t.Context(), "p", note("n")), audit.ErrNoTrail)
	require.ErrorIs(t, audit.Flush(t.Context()), audit.ErrNoTrail)
	require.ErrorIs(t, audit.Exempt(t.Context(), "probe"), audit.ErrNoTrail)
	require.ErrorIs(t, audit.OnRecheck(t.Context(), nil), audit.ErrNoTrail)

	rec := audittest.NewRecorder()
	ctx, tr := audit.WithTrail(t.Context(), rec, audit.Event{})
	require.ErrorIs(t, audit.Decide(ctx, read()), audit.ErrNoActor)
	require.ErrorIs(t, audit.Seen(ctx, "p", note("n")), audit.ErrUndecided)
	require.Error(t, audit.Exempt(ctx, ""))
	require.False(t, tr.Decided())
	require.NoError(t, tr.Flush(ctx))
	require.Zero(t, rec.Calls())
}

func TestTrailCollectsIntoOneEvent(t *testing.T) {
	t.Parallel()
	ctx, tr, rec := trail(t)
	require.NoError(t, audit.Decide(ctx, read()))
	require.NoError(t, audit.Seen(ctx, "p-1", note("n-1", "text", "author")))
	require.NoError(t, audit.Seen(ctx, "p-1", note("n-1", "author", "date")))
	require.NoError(t, audit.Seen(ctx, "p-2", audit.Object{}))
	require.Zero(t, rec.Len(), "nothing is recorded before the flush")
	require.NoError(t, audit.Flush(ctx))
	require.NoError(t, tr.Flush(ctx), "an empty flush")

	events := rec.Events()
	require.Len(t, events, 1)
	e := events[0]
	require.Equal(t, []audit.Patient{"p-1", "p-2"}, e.Patients)
	require.Equal(t, []audit.Object{note("n-1", "author", "date", "text")}, e.Objects)
	require.Equal(t, audit.Tenant("clinic-17"), e.Tenant)
	require.Equal(t, staff, e.Actor)
	require.Equal(t, "req-1", e.Correlation.Request)
	require.Equal(t, "web", e.Client.App)
	require.Equal(t, "api-3", e.Server.ID)
	require.NotEmpty(t, e.ID)
}

func TestTrailActorOfTheEventWins(t *testing.T) {
	t.Parallel()
	ctx, _, rec := trail(t)
	e := read()
	e.Actor = audit.System("clinic-17", "retention")
	require.NoError(t, audit.Decide(ctx, e))
	e = read()
	e.Actor.Roles = []string{"therapist"} // evidence that rbac adds
	require.NoError(t, audit.Decide(ctx, e))
	require.NoError(t, audit.Flush(ctx))
	require.Equal(t, audit.KindSystem, rec.Events()[0].Actor.Kind)
	require.Equal(t, audit.ActorID("u-9"), rec.Events()[1].Actor.ID)
	require.Equal(t, []string{"therapist"}, rec.Events()[1].Actor.Roles)
}

func TestTrailContinuesAfterFlush(t *testing.T) {
	t.Parallel()
	ctx, _, rec := trail(t)
	e := read()
	e.Disclosure = &audit.Disclosure{Recipient: audit.NewPrivate("court"), Description: "notes"}
	e.Changes = []audit.Change{{Field: "phone"}}
	require.NoError(t, audit.Decide(ctx, e))
	require.NoError(t, audit.Seen(ctx, "p-1", note("n-1", "text")))
	require.NoError(t, audit.Flush(ctx))
	require.NoError(t, audit.Seen(ctx, "p-2", note("n-2", "text")))
	require.NoError(t, audit.Flush(ctx))

	events := rec.Events()
	require.Len(t, events, 2)
	first, second := events[0], events[1]
	require.Equal(t, []audit.Patient{"p-1"}, first.Patients)
	require.Equal(t, []audit.Patient{"p-2"}, second.Patients)
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, first.Action, second.Action)
	require.Equal(t, map[string]string{"continues": first.ID}, second.Detail)
	require.NotNil(t, first.Disclosure)
	require.Nil(t, second.Disclosure, "a disclosure is counted once")
	require.Nil(t, second.Changes)
}

func TestTrailFailingRecorderKeepsEverything(t *testing.T) {
	t.Parallel()
	ctx, _, rec := trail(t)
	down := errors.New("down")
	rec.FailWith(down)
	require.NoError(t, audit.Decide(ctx, read()))
	require.NoError(t, audit.Seen(ctx, "p-1", note("n-1")))
	require.ErrorIs(t, audit.Flush(ctx), down)
	require.NoError(t, audit.Seen(ctx, "p-2", note("n-2")))
	require.ErrorIs(t, audit.Flush(ctx), down)
	rec.FailWith(nil)
	require.NoError(t, audit.Flush(ctx))

	events := rec.Events()
	require.Len(t, events, 2, "what a recorder has seen does not change any more")
	require.Equal(t, []audit.Patient{"p-1"}, events[0].Patients)
	require.Equal(t, []audit.Patient{"p-2"}, events[1].Patients)
	require.Equal(t, events[0].ID, events[1].Detail["continues"])
	require.NoError(t, audit.Flush(ctx))
	require.Equal(t, 3, rec.Calls(), "nothing was pending any more")
}

// The first recorder keeps the events and still reports an error; recording the same IDs
// again must be accepted by a real log.
func TestTrailUnconfirmedFlushIsRepeatable(t *testing.T) {
	t.Parallel()
	log := newLog(t, audit.NewMemory(), nil)
	failing := true
	rec := recorderFunc(func(ctx context.Context, events ...audit.Event) error {
		err := log.Record(ctx, events...)
		if failing {
			return errors.New("the answer was lost")
		}
		return err
	})
	ctx, tr := audit.WithTrail(audit.WithActor(t.Context(), staff), rec, audit.Event{})
	require.NoError(t, audit.Decide(ctx, read()))
	require.Error(t, tr.Flush(ctx))
	require.NoError(t, audit.Seen(ctx, "p-1", note("n-1")))
	failing = false
	require.NoError(t, tr.Flush(ctx))
	page, err := log.Query(t.Context(), audit.Query{Tenant: "clinic-17"})
	require.NoError(t, err)
	require.Len(t, page.Events, 2)
}

func TestTrailLateReveal(t *testing.T) {
	t.Parallel()
	ctx, tr, rec := trail(t)
	require.NoError(t, audit.Decide(ctx, read()))
	require.NoError(t, tr.Flush(ctx))
	tr.Return()
	require.NoError(t, audit.Seen(ctx, "p-1", note("n-1")))
	require.Equal(t, 2, rec.Len(), "recorded before Seen returns")
	require.NoError(t, audit.Decide(ctx, read()))
	require.Equal(t, 3, rec.Len(), "recorded before Decide returns")

	down := errors.New("down")
	rec.FailWith(down)
	require.ErrorIs(t, audit.Seen(ctx, "p-2", note("n-2")), down)
	require.ErrorIs(t, audit.Decide(ctx, read()), down)
}

func TestTrailFlushOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	ctx, _, rec := trail(t)
	ctx, cancel := context.WithCancel(ctx)
	require.NoError(t, audit.Decide(ctx, read()))
	cancel()
	require.NoError(t, audit.Flush(ctx), "the client went away; the record stays")
	require.Equal(t, 1, rec.Len())
}

func TestTrailExempt(t *testing.T) {
	t.Parallel()
	ctx, tr, rec := trail(t)
	require.NoError(t, audit.Exempt(ctx, "health probe"))
	require.True(t, tr.Decided())
	require.NoError(t, tr.Flush(ctx))
	require.Zero(t, rec.Calls())
	require.ErrorIs(t, audit.Seen(ctx, "p-1", note("n-1")), audit.ErrUndecided, "exempt is no licence to see")
}

func TestTrailSplitsBeforeAnEventIsFull(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ patients, objects, fields, each int }{
		"many patients":            {1000, 0, 0, 0},
		"many objects":             {0, 1000, 1, 1},
		"many patients' records":   {1000, 1, 3, 1},
		"objects with many fields": {0, 100, audit.MaxFields, audit.MaxFields},
		"an object that grows":     {0, 1, 3 * audit.MaxFields, 1},
	} {
		ctx, tr, rec := trail(t)
		require.NoError(t, audit.Decide(ctx, read()))
		for i := range test.patients {
			require.NoError(t, audit.Seen(ctx, audit.Patient(fmt.Sprintf("p-%d", i)), audit.Object{}))
		}
		for i := range test.objects {
			for f := 0; f < test.fields; f += test.each {
				o := note(fmt.Sprintf("n-%d", i))
				for j := range test.each {
					o.Fields = append(o.Fields, fmt.Sprintf("a_field_with_a_rather_long_name_%d", f+j))
				}
				require.NoError(t, audit.Seen(ctx, "", o))
			}
		}
		log := newLog(t, audit.NewMemory(), nil)
		require.NoError(t, tr.Flush(ctx), name)
		patients, fields := map[audit.Patient]bool{}, map[string]bool{}
		for _, e := range rec.Events() {
			require.NoError(t, log.Record(t.Context(), e), "%s: a real log takes it too", name)
			for _, p := range e.Patients {
				patients[p] = true
			}
			for _, o := range e.Objects {
				for _, f := range o.Fields {
					fields[o.ID+" "+f] = true
				}
			}
		}
		require.Len(t, patients, test.patients, name)
		require.Len(t, fields, test.objects*test.fields, name)
	}
}

func TestTrailRefusesWhatNoLogTakes(t *testing.T) {
	t.Parallel()
	ctx, tr, rec := trail(t)
	require.ErrorIs(t, audit.Decide(ctx, audit.Event{Action: "patient.read"}), audit.ErrInvalid, "no verb")
	require.False(t, tr.Decided())

	require.NoError(t, audit.Decide(ctx, read()))
	require.ErrorIs(t, audit.Seen(ctx, "p\x00", note("n")), audit.ErrInvalid)
	require.ErrorIs(t, audit.Seen(ctx, "p", audit.Object{ID: "n"}), audit.ErrInvalid)
	require.ErrorIs(t, audit.Seen(ctx, "p", note("n", "bad\nfield")), audit.ErrInvalid)
	require.NoError(t, audit.Flush(ctx), "one bad sighting does not spoil the event")
	require.Empty(t, rec.Events()[0].Patients)
}

// What a stranger chooses must not keep the attempt out of the log.
func TestTrailRecordsHostileIDs(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{"\x00", "\xff\xfe", "a\nb", strings.Repeat("é", 5000), "\u0085"} {
		rec := audittest.NewRecorder()
		ctx, tr := audit.WithTrail(audit.WithActor(t.Context(), audit.Actor{
			ID: "u-9", Kind: audit.KindStaff, Tenant: "clinic-17", Device: hostile,
		}), rec, audit.Event{
			Correlation: audit.Correlation{Request: hostile, Trace: hostile},
			Client:      audit.Client{App: hostile, Location: hostile},
		})
		e := read()
		e.Outcome, e.Code = audit.Failure, "not_found"
		e.Objects = []audit.Object{{Type: "patient", ID: hostile}}
		require.NoError(t, audit.Decide(ctx, e))
		require.NoError(t, audit.Seen(ctx, "", audit.Object{Type: "note", ID: hostile}))
		require.NoError(t, tr.Flush(ctx))
		require.Equal(t, hostile, e.Objects[0].ID, "the caller's event is not touched")
		require.NotEqual(t, hostile, rec.Events()[0].Objects[0].ID)
		require.Equal(t, rec.Events()[0].Objects[0].ID, rec.Events()[0].Objects[1].ID)
	}
	require.NotEqual(t, audit.FitID("\x00"), audit.FitID("\x01"), "different texts stay different")
	require.Equal(t, "n-1", audit.FitID("n-1"))
}

func TestTrailRecorderMayNotUseTheTrail(t *testing.T) {
	t.Parallel()
	var inner error
	rec := recorderFunc(func(ctx context.Context, _ ...audit.Event) error {
		inner = audit.Decide(ctx, read())
		return nil
	})
	ctx, tr := audit.WithTrail(audit.WithActor(t.Context(), staff), rec, audit.Event{})
	require.NoError(t, audit.Decide(ctx, read()))
	require.NoError(t, tr.Flush(ctx))
	require.ErrorIs(t, inner, audit.ErrNoTrail, "it would wait for itself")

	ctx, tr = audit.WithTrail(audit.WithActor(t.Context(), staff), nil, audit.Event{})
	require.NoError(t, audit.Decide(ctx, read()))
	require.Error(t, tr.Flush(ctx), "a trail without a recorder is closed")
}

func TestTrailRecheck(t *testing.T) {
	t.Parallel()
	ctx, tr, _ := trail(t)
	ended := errors.New("session ended")
	var answer error
	require.NoError(t, tr.Recheck(ctx))
	require.NoError(t, audit.OnRecheck(ctx, func(context.Context) error { return nil }))
	require.NoError(t, audit.OnRecheck(ctx, func(context.Context) error { return answer }))
	require.NoError(t, tr.Recheck(ctx))
	answer = ended
	require.ErrorIs(t, tr.Recheck(ctx), ended)
}

func TestTrailConcurrently(t *testing.T) {
	t.Parallel()
	ctx, tr, rec := trail(t)
	var wg sync.WaitGroup
	require.NoError(t, audit.Decide(ctx, read()))
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				p := audit.Patient(fmt.Sprintf("p-%d-%d", g, i))
				if err := audit.Seen(ctx, p, note(string(p))); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if err := audit.Flush(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, tr.Flush(ctx))
	seen := map[audit.Patient]bool{}
	for _, e := range rec.Events() {
		for _, p := range e.Patients {
			require.False(t, seen[p], "seen once, recorded once")
			seen[p] = true
		}
	}
	require.Len(t, seen, 400)
}

type recorderFunc func(ctx context.Context, events ...audit.Event) error

func (f recorderFunc) Record(ctx context.Context, events ...audit.Event) error {
	return f(ctx, events...)
}

// What is shown after somebody was refused something else belongs to what they were allowed:
// in the event of the refusal it would look as if nothing had been seen.
func TestTrailRefusalCollectsNothing(t *testing.T) {
	t.Parallel()
	for _, flushed := range []bool{false, true} {
		ctx, _, rec := trail(t)
		require.NoError(t, audit.Decide(ctx, read()))
		if flushed {
			require.NoError(t, audit.Flush(ctx))
		}
		refused := audit.Event{Action: "note.read", Verb: audit.Read, Outcome: audit.Failure, Code: "out_of_scope"}
		require.NoError(t, audit.Decide(ctx, refused))
		require.NoError(t, audit.Seen(ctx, "p-1", note("n-1", "name")))
		require.NoError(t, audit.Flush(ctx))
		require.NoError(t, audit.Seen(ctx, "p-1", note("n-1", "phone")))
		require.NoError(t, audit.Flush(ctx))

		var seen []string
		for _, e := range rec.Events() {
			if e.Action == "note.read" {
				require.Empty(t, e.Patients, "nothing was seen under a refusal")
				require.Equal(t, audit.Failure, e.Outcome)
				continue
			}
			require.Equal(t, audit.Success, e.Outcome)
			for _, o := range e.Objects {
				seen = append(seen, o.Fields...)
			}
		}
		require.Equal(t, []string{"name", "phone"}, seen)
	}
}

// TestTrailNamesTheEmergencyAgain: what is seen after a flush, and what overflows an event, was seen under
// the same emergency, and a query for that finds it.
func TestTrailNamesTheEmergencyAgain(t *testing.T) {
	t.Parallel()
	glass := audit.Object{Type: audit.EmergencyObject, ID: "e-1"}
	e := read()
	e.Objects = []audit.Object{{Type: "patient", ID: "p-1"}, glass}
	ctx, tr, rec := trail(t)
	require.NoError(t, audit.Decide(ctx, e))
	require.NoError(t, audit.Flush(ctx)) // the guard of a POST does it before its handler
	for i := range 3 * audit.MaxObjects {
		require.NoError(t, audit.Seen(ctx, "p-1", note(fmt.Sprint("n-", i), "text")))
	}
	require.NoError(t, tr.Flush(ctx))
	events := rec.Events()
	require.Greater(t, len(events), 4)
	for _, e := range events {
		require.Contains(t, e.Objects, glass)
	}
	for _, e := range events[1:] {
		require.NotContains(t, e.Objects, audit.Object{Type: "patient", ID: "p-1"}, "only the emergency goes on")
		require.Equal(t, events[0].ID, e.Detail["continues"])
	}
	require.NoError(t, audit.Decide(ctx, read()))
	require.NoError(t, audit.Flush(ctx))
	require.NoError(t, audit.Seen(ctx, "p-2", note("n", "text")))
	require.NoError(t, tr.Flush(ctx))
	events = rec.Events()
	require.NotContains(t, events[len(events)-1].Objects, glass, "the next decision is no emergency")
}
