package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
)

// leak is what a driver might say in an error.
const leak = `SELECT … WHERE patient = 'Jane Roe'`

// desk is a log over a store that fails at one call of the test's choice.
type desk struct {
	*audit.Log
	store *faulty
	words bytes.Buffer
	asked int // calls since the fault was set
}

func newDesk(t *testing.T) *desk {
	d := &desk{store: newFaulty(newStaged())}
	d.Log = newLog(t, d.store, &audit.Options{Logger: slog.New(slog.NewTextHandler(&d.words, nil))})
	for i := range 10 {
		e := event(i, "a")
		e.Why = audit.NewPrivate("because")
		if e.Patients = []audit.Patient{"p-1"}; i%2 == 0 {
			e.Disclosure = &audit.Disclosure{Recipient: audit.NewPrivate("County Health"), Description: "a test result"}
		}
		require.NoError(t, d.Record(t.Context(), e))
	}
	return d
}

// failAt lets the n-th call from now on, and all after it, do what the fault does.
func (d *desk) failAt(n int, fault func(ctx context.Context) error) {
	d.asked = 0
	d.store.set(func(ctx context.Context, _ string) error {
		if d.asked++; d.asked <= n {
			return nil
		}
		return fault(ctx)
	})
}

// TestEveryCallOfTheStoreFails lets each operation meet a fault at each of its calls: it is an
// error of a known kind, in bounded time, that says nothing of the store's own words; what was
// not acknowledged is not there by half, and the log goes on when the store is back.
func TestEveryCallOfTheStoreFails(t *testing.T) {
	t.Parallel()
	cause := errors.New(leak)
	faults := map[string]func(ctx context.Context) error{
		"fails":  func(context.Context) error { return cause },
		"panics": func(context.Context) error { panic(leak) },
		"stalls": func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("%s: %w", leak, ctx.Err()) },
	}
	for kind, fault := range faults {
		for name, op := range operations() {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				bubble.Test(t, func(t *testing.T) { everyCall(t, fault, op) })
			})
		}
	}
}

func everyCall(t *testing.T, fault func(context.Context) error, op func(ctx context.Context, d *desk) error) {
	d := newDesk(t)
	met := 0
	for n := 0; ; n++ {
		d.failAt(n, fault)
		ctx, cancel := context.WithTimeout(audit.WithActor(context.Background(), staff), time.Minute)
		began := time.Now()
		err := op(ctx, d)
		cancel()
		require.LessOrEqual(t, time.Since(began), time.Minute)
		hit := d.asked > n
		d.store.set(nil)
		require.NotContains(t, d.words.String(), "Roe", "in the log")
		require.NoError(t, op(audit.WithActor(t.Context(), staff), d), "it recovers")
		if !hit {
			require.NoError(t, err)
			require.Positive(t, met)
			return
		}
		met++
		require.Error(t, err, "call %d", n)
		require.True(t, errors.Is(err, audit.ErrUnconfirmed) || errors.Is(err, audit.ErrUnavailable), "call %d: %v", n, err)
		require.NotContains(t, err.Error(), "Roe")
	}
}

// operations returns each thing a log does, as something that may be repeated.
func operations() map[string]func(ctx context.Context, d *desk) error {
	tenant := staff.Tenant
	query := func(q audit.Query) func(ctx context.Context, d *desk) error {
		return func(ctx context.Context, d *desk) error {
			q := q
			q.Tenant, q.Limit = tenant, 4
			for range 2 {
				page, err := d.Query(ctx, q)
				if err != nil {
					return err
				}
				q.Cursor = page.Next
			}
			return nil
		}
	}
	return map[string]func(ctx context.Context, d *desk) error{
		"record": func(ctx context.Context, d *desk) error {
			return d.Record(ctx, audit.Event{Action: "b", Verb: audit.Read})
		},
		"record again": func(ctx context.Context, d *desk) error {
			e := event(3, "a")
			e.Why, e.Patients = audit.NewPrivate("because"), []audit.Patient{"p-1"}
			return d.Record(ctx, e, audit.Event{Action: "b", Verb: audit.Read})
		},
		"query":  query(audit.Query{}),
		"sorted": query(audit.Query{Sort: audit.Sort{By: audit.ByActor}}),
		"count": func(ctx context.Context, d *desk) error {
			_, err := d.Count(ctx, audit.Query{Tenant: tenant})
			return err
		},
		"open": func(ctx context.Context, d *desk) error {
			_, err := d.Open(ctx, tenant, event(1, "a").ID)
			return err
		},
		"erase": func(ctx context.Context, d *desk) error {
			return d.Erase(ctx, tenant, audit.NewPrivate("request 12"), event(5, "a").ID)
		},
		"disclosures": func(ctx context.Context, d *desk) error {
			_, err := d.Disclosures(ctx, audit.Subject{Tenant: tenant, Patient: "p-1"}, nil)
			return err
		},
		"viewers": func(ctx context.Context, d *desk) error {
			_, err := d.Viewers(ctx, audit.Subject{Tenant: tenant, Patient: "p-1"})
			return err
		},
		"health": func(ctx context.Context, d *desk) error {
			if !d.Health(ctx).OK {
				return audit.ErrUnavailable
			}
			return nil
		},
	}
}

// TestSlowStore: every commit takes long. Who can wait is recorded, in few commits; who cannot
// gets an error at his deadline; more than the queue holds is refused at once.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		store := newGated()
		store.set(func(ctx context.Context, _ []audit.Entry) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		log := newLog(t, store, &audit.Options{MaxQueue: 100})
		began := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		results := map[string]int{}
		for i := range 200 {
			wg.Go(func() {
				ctx, cancel := context.Background(), context.CancelFunc(func() {})
				if i%2 == 0 {
					ctx, cancel = context.WithTimeout(ctx, 1500*time.Millisecond)
				}
				defer cancel()
				err := log.Record(ctx, event(i, "a"))
				kind := "recorded"
				switch {
				case errors.Is(err, audit.ErrBusy):
					kind = "busy"
				case errors.Is(err, context.DeadlineExceeded) && errors.Is(err, audit.ErrUnconfirmed):
					kind = "late"
				case err != nil:
					kind = err.Error()
				}
				mu.Lock()
				defer mu.Unlock()
				results[kind]++
				if kind == "busy" {
					require.Less(t, time.Since(began), time.Millisecond, "a full queue answers at once")
				}
			})
		}
		wg.Wait()
		require.Equal(t, 99, results["busy"], "one runs, a hundred wait: %v", results)
		require.Equal(t, 101, results["recorded"]+results["late"], "%v", results)
		require.Positive(t, results["late"])
		require.GreaterOrEqual(t, count(t, log), results["recorded"])
		require.LessOrEqual(t, len(store.calls()), 2)
		require.LessOrEqual(t, time.Since(began), 2*time.Second)
	})
}

// TestAnEntryThatAStorePanicsOver sinks alone, among others and by itself.
func TestAnEntryThatAStorePanicsOver(t *testing.T) {
	t.Parallel()
	var words bytes.Buffer
	store := newGated()
	log := newLog(t, store, &audit.Options{Logger: slog.New(slog.NewTextHandler(&words, nil))})
	store.set(func(context.Context, []audit.Entry) error { panic(leak) })
	err := log.Record(t.Context(), event(1, "a"))
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.NotContains(t, err.Error(), "Roe")
	require.Contains(t, words.String(), "gated).Append", "the log says where")
	require.NotContains(t, words.String(), "Roe")
	require.Equal(t, uint64(1), log.Health(t.Context()).Failing)
}

// TestPanicOfTheSealer: a bug of the sealer is not hidden, and writes nothing.
func TestPanicOfTheSealer(t *testing.T) {
	t.Parallel()
	log, err := audit.New(audit.NewMemory(), panicking{}, nil)
	require.NoError(t, err)
	e := event(1, "a")
	e.Why = audit.NewPrivate("because")
	require.Panics(t, func() { _ = log.Record(t.Context(), e) })
	require.Zero(t, count(t, log), "nothing was written")
	require.NoError(t, log.Record(t.Context(), event(2, "a")), "the log goes on")
}

type panicking struct{ audit.DropOpenings }

func (panicking) Seal(context.Context, audit.Tenant, string, []byte) ([]byte, error) { panic("sealer") }
