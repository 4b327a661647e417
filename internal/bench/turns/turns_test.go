package turns_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

var sink []byte

// A slower case is slower, memory is counted, and what comes before a batch is not measured.
func TestMeasure(t *testing.T) {
	batches := 0
	fast := &turns.Case{Name: "fast", Run: func() error { sink = make([]byte, 1024); return nil }}
	slow := &turns.Case{
		Name: "slow", Units: 2, Run: func() error { time.Sleep(2 * time.Millisecond); return nil },
		Before: func() error { batches++; time.Sleep(20 * time.Millisecond); return nil },
	}
	require.NoError(t, turns.Plan{Batch: time.Millisecond, First: 3}.Measure(fast, slow))
	require.Equal(t, 4, batches) // three before, one for the measurement
	require.GreaterOrEqual(t, slow.Best(), float64(time.Millisecond))
	require.Less(t, slow.Best(), float64(10*time.Millisecond))
	require.Less(t, fast.Best(), slow.Best())
	require.LessOrEqual(t, fast.Best(), fast.Median())
	require.GreaterOrEqual(t, fast.Bytes, 1024.0)
	require.GreaterOrEqual(t, fast.Allocs, 1.0)
}

// What comes before each run is done as often as that and is not measured, neither its time nor its memory.
func TestReady(t *testing.T) {
	ready, runs := 0, 0
	c := &turns.Case{
		Ready: func() error { ready++; time.Sleep(5 * time.Millisecond); sink = make([]byte, 1<<20); return nil },
		Run: func() error {
			if runs++; ready != runs {
				return errors.New("not ready")
			}
			sink = make([]byte, 1024)
			return nil
		},
	}
	require.NoError(t, turns.Plan{Batch: time.Second, First: 3, Most: 4}.Measure(c))
	require.Equal(t, 3+3+3+4, runs)
	require.Less(t, c.Median(), float64(2*time.Millisecond))
	require.GreaterOrEqual(t, c.Bytes, 1024.0)
	require.Less(t, c.Bytes, float64(1<<19))
}

func TestMost(t *testing.T) {
	runs := 0
	c := &turns.Case{Run: func() error { runs++; return nil }}
	require.NoError(t, turns.Plan{Batch: time.Second, First: 5, Most: 7}.Measure(c))
	require.Equal(t, 5+5+5+7, runs)
}

// An error of a case, at first or later, or before a batch, ends it all.
func TestErrors(t *testing.T) {
	failed, runs := errors.New("failed"), 0
	for _, c := range []*turns.Case{
		{Run: func() error { return failed }},
		{Run: func() error { return nil }, Before: func() error { return failed }},
		{Run: func() error { return nil }, Ready: func() error { return failed }},
		{Run: func() error {
			if runs++; runs > 10 {
				return failed
			}
			return nil
		}},
	} {
		require.ErrorIs(t, turns.Plan{Time: time.Minute, Batch: time.Microsecond, First: 5}.Measure(c), failed)
	}
}
