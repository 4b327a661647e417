package tlog_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/tlog"
)

// TestFileSink keeps everything and finds the last one, also behind what a crash cut short at
// any byte.
func TestFileSink(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoints")
	sink := tlog.NewFileSink(path)
	last, err := sink.Last(t.Context())
	require.NoError(t, err)
	require.Nil(t, last)

	note := olderNote(t)
	require.NoError(t, sink.Put(t.Context(), note))
	size := fileSize(t, path)
	second := append([]byte("clinic.example.com/audit\n2\n"), note[strings.Index(string(note), "\n1\n")+3:]...)
	require.NoError(t, sink.Put(t.Context(), second))
	last, err = sink.Last(t.Context())
	require.NoError(t, err)
	require.Equal(t, second, last)

	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(whole), "\n====\nclinic.example.com/audit\n1\n")
	for cut := size; cut < len(whole); cut++ {
		torn := filepath.Join(t.TempDir(), "torn")
		require.NoError(t, os.WriteFile(torn, whole[:cut], 0o600))
		again := tlog.NewFileSink(torn)
		last, err := again.Last(t.Context())
		require.NoError(t, err)
		require.Equal(t, note, last, "cut at %d of %d", cut, len(whole))
		if cut%17 == 0 {
			require.NoError(t, again.Put(t.Context(), second))
			last, err = again.Last(t.Context())
			require.NoError(t, err)
			require.Equal(t, second, last)
		}
	}
}

func fileSize(t testing.TB, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return int(info.Size())
}

func TestFileSinkTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoints")
	note := olderNote(t)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { require.NoError(t, tlog.NewFileSink(path).Put(t.Context(), note)) })
	}
	group.Wait()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 16, strings.Count(string(data), "\n====\n"+string(note)))
}

// TestFileSinkSaysNothing: errors hold no path, and what is no checkpoint is not kept.
func TestFileSinkSaysNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sink := tlog.NewFileSink(filepath.Join(dir, "nowhere", "checkpoints"))
	err := sink.Put(t.Context(), olderNote(t))
	require.Error(t, err)
	require.NotContains(t, err.Error(), dir)
	_, err = tlog.NewFileSink(dir).Last(t.Context())
	require.Error(t, err)
	require.NotContains(t, err.Error(), dir)

	path := filepath.Join(dir, "garbage")
	require.NoError(t, os.WriteFile(path, []byte("something else"), 0o600))
	_, err = tlog.NewFileSink(path).Last(t.Context())
	require.Error(t, err, "a file of something else is not an empty one")
	require.Error(t, tlog.NewFileSink(path).Put(t.Context(), make([]byte, 1<<20)))
	require.Error(t, tlog.NewFileSink(path).Put(t.Context(), []byte("a\n====\nb")))
}
