package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
)

func TestHealthLag(t *testing.T) {
	t.Parallel()
	now := day(12)
	store := newStaged()
	log := newLog(t, store, &audit.Options{Now: clock(&now)})
	require.NoError(t, log.Record(t.Context(), event(1, "a")))
	now = day(13)
	require.NoError(t, log.Record(t.Context(), event(2, "a")))
	h := log.Health(t.Context())
	require.Equal(t, 2, h.Backlog.Waiting)
	require.Equal(t, time.Hour, h.Lag)
	require.Contains(t, h.Alarms, audit.AlarmLag)
	require.Contains(t, h.Alarms, audit.AlarmRun)
	require.True(t, h.OK, "a query would still find everything")
	_, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant})
	require.NoError(t, err)
	h = log.Health(t.Context())
	require.Zero(t, h.Lag)
	require.Equal(t, []string{audit.AlarmRun}, h.Alarms)
}

func TestHealthQueue(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, &audit.Options{MaxQueue: 2})
	entered, release := store.stall()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer release()
	wg.Go(func() { _ = log.Record(t.Context(), event(0, "a")) })
	<-entered
	for i := range 2 {
		wg.Go(func() { _ = log.Record(t.Context(), event(i+1, "a")) })
	}
	waitQueued(t, log, 2)
	require.Contains(t, log.Health(t.Context()).Alarms, audit.AlarmQueue)
}

// TestHealthP99 lets appends take a known time.
func TestHealthP99(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		store := newGated()
		log := newLog(t, store, nil)
		require.Zero(t, log.Health(t.Context()).P99)
		take := func(n int, d time.Duration, err error) {
			store.set(func(context.Context, []audit.Entry) error { time.Sleep(d); return err })
			for range n {
				e := audit.Event{Action: "a", Verb: audit.Read, Actor: staff}
				require.ErrorIs(t, log.Record(t.Context(), e), err)
			}
		}
		take(1, 3*time.Millisecond, nil)
		require.Equal(t, 3*time.Millisecond, log.Health(t.Context()).P99)
		take(98, time.Millisecond, nil)
		take(1, 9*time.Millisecond, nil)
		require.Equal(t, 3*time.Millisecond, log.Health(t.Context()).P99, "99 of 100 took no longer")
		take(1, 9*time.Millisecond, errors.New("down"))
		require.Equal(t, 9*time.Millisecond, log.Health(t.Context()).P99, "one that failed counts, too")
		take(1013, 2*time.Millisecond, nil)
		require.Equal(t, 2*time.Millisecond, log.Health(t.Context()).P99)
		take(11, 4*time.Millisecond, nil)
		require.Equal(t, 4*time.Millisecond, log.Health(t.Context()).P99, "a hundredth of them and one")
		take(1024, 2*time.Millisecond, nil)
		require.Equal(t, 2*time.Millisecond, log.Health(t.Context()).P99, "what is older is forgotten")
	})
}

// TestHealthAnswers: a store that never does makes a server unready, not a probe wait.
func TestHealthAnswers(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		store := newFaulty(audit.NewMemory())
		log := newLog(t, store, nil)
		for _, stalled := range []string{"Get", "Backlog"} {
			store.set(func(ctx context.Context, method string) error {
				if method == stalled {
					<-ctx.Done()
				}
				return ctx.Err()
			})
			began := time.Now()
			h := log.Health(context.Background())
			require.False(t, h.OK, stalled)
			require.Contains(t, h.Alarms, audit.AlarmStore)
			require.LessOrEqual(t, time.Since(began), 5*time.Second)
		}
	})
}

// TestHealthIsNumbers: every metrics system can take every field.
func TestHealthIsNumbers(t *testing.T) {
	t.Parallel()
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for i := range typ.NumField() {
			switch f := typ.Field(i); {
			case f.Type == reflect.TypeFor[time.Time](), f.Type == reflect.TypeFor[[]string]():
			case f.Type.Kind() == reflect.Struct:
				check(f.Type)
			default:
				require.True(t, f.Type.Kind() == reflect.Bool || f.Type.ConvertibleTo(reflect.TypeFor[float64]()), f.Name)
			}
		}
	}
	check(reflect.TypeFor[audit.Health]())
}

// Health is a struct of plain numbers. expvar takes it as it is; an OpenTelemetry host reads
// the fields in the callbacks of its gauges.
func ExampleLog_Health() {
	ctx := context.Background()
	log, _ := audit.New(audit.NewMemory(), audit.DropOpenings{}, nil)
	_ = log.Record(ctx, audit.Event{Action: "patient.read", Verb: audit.Read, Actor: therapist})

	state := expvar.Func(func() any { return log.Health(ctx) }) // expvar.Publish("audit", state)
	var shown struct {
		OK       bool
		Alarms   []string
		Recorded int
		Queued   int
		Backlog  struct{ Waiting, Refused int }
	}
	err := json.Unmarshal([]byte(state.String()), &shown)
	fmt.Printf("%+v %v\n", shown, err)
	// Output:
	// {OK:true Alarms:[not_running] Recorded:1 Queued:0 Backlog:{Waiting:0 Refused:0}} <nil>
}
