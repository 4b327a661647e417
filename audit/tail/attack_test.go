package tail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/tail"
)

// stuck is a sink that never answers, whatever the context says.
type stuck struct{ entered, free chan struct{} }

func (s *stuck) Send(context.Context, tail.Batch) error {
	s.entered <- struct{}{}
	<-s.free
	return nil
}

// TestASinkThatNeverAnswers: a feed that hangs in its first batch is lagging, too.
func TestASinkThatNeverAnswers(t *testing.T) {
	t.Parallel()
	h, sink := newHouse(t), &stuck{make(chan struct{}), make(chan struct{})}
	feed, err := tail.New(h.store, h.cursors, sink, "siem", h.rec, &tail.Options{Now: h.clock.now, MaxLag: time.Minute})
	require.NoError(t, err)
	h.record(t, clinic, 3)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = feed.Step(context.Background())
	}()
	<-sink.entered
	require.NotContains(t, feed.Health().Alarms, tail.AlarmLag)
	h.clock.add(2 * time.Minute)
	require.Contains(t, feed.Health().Alarms, tail.AlarmLag)
	close(sink.free)
	<-done
}

// TestLinesAfterAKill: the half of a line that a killed process left behind does not swallow the first
// event that comes again.
func TestLinesAfterAKill(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]int{"readable": os.O_RDWR | os.O_APPEND, "not readable": os.O_WRONLY | os.O_APPEND} {
		path := filepath.Join(t.TempDir(), "events")
		require.NoError(t, os.WriteFile(path, []byte("{\"whole\":1}\n{\"half"), 0o600))
		for range 2 {
			file, err := os.OpenFile(path, flags, 0)
			require.NoError(t, err)
			h := newHouse(t)
			h.record(t, clinic, 2)
			feed, err := tail.New(h.store, h.cursors, &tail.Lines{W: file}, "siem", h.rec, nil)
			require.NoError(t, err)
			sent, err := feed.Step(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, sent)
			require.NoError(t, file.Close())
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		whole := 0
		for line := range bytes.Lines(text) {
			if json.Valid(line) {
				whole++
			}
		}
		require.Equal(t, 1+2*2, whole, "%s: %s", name, text)
		if name == "readable" {
			require.NotContains(t, string(text), "\n\n")
		}
	}
}
