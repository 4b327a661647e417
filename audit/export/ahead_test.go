package export_test

import (
	"bytes"
	"context"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
)

// watched counts who is reading, and panics at the n-th read.
type watched struct {
	store
	reading, reads, panics atomic.Int64
}

func (w *watched) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		w.reading.Add(1)
		defer w.reading.Add(-1)
		if w.reads.Add(1) == w.panics.Load() {
			panic("a secret")
		}
		w.store.List(ctx, f, below, limit)(yield)
	}
}

// TestNobodyReadsAfterAnExport: however an export ends, its reader has ended with it; a source
// that panics takes nobody along, and is no manifest.
func TestNobodyReadsAfterAnExport(t *testing.T) {
	t.Parallel()
	w := &watched{store: audit.NewMemory()}
	h := newHouse(t, w)
	h.add(t, 9000, nil)
	ctx := audit.WithActor(t.Context(), staff)
	for _, room := range []int{0, 100_000, 1 << 30} {
		_, err := h.x.Export(ctx, &pipe{room}, export.Request{Tenant: clinic})
		require.Equal(t, room == 1<<30, err == nil)
		require.Zero(t, w.reading.Load())
	}
	for n := range int64(3) {
		w.reads.Store(0)
		w.panics.Store(n + 1)
		m, err := h.x.Export(ctx, &bytes.Buffer{}, export.Request{Tenant: clinic})
		require.ErrorIs(t, err, export.ErrUnavailable)
		require.NotContains(t, err.Error(), "secret")
		require.Nil(t, m)
	}
	w.panics.Store(-1)
	for after := range int64(4) {
		ended, cancel := context.WithCancel(ctx)
		w.reads.Store(0)
		m, err := h.x.Export(ended, &canceller{cancel: cancel, after: after * 100_000}, export.Request{Tenant: clinic})
		require.Nil(t, m)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, w.reading.Load())
		cancel()
	}
}

// canceller ends its caller's context after so many bytes.
type canceller struct {
	cancel func()
	after  int64
}

func (c *canceller) Write(b []byte) (int, error) {
	if c.after -= int64(len(b)); c.after < 0 {
		c.cancel()
	}
	return len(b), nil
}
