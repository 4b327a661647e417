package export_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// The environment of a child process.
const (
	childDatabase = "EXPORT_CHILD_DATABASE"
	childFolder   = "EXPORT_CHILD_FOLDER"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childDatabase); path != "" {
		fmt.Fprintln(os.Stderr, child(path, os.Getenv(childFolder)))
		os.Exit(2)
	}
	goleak.VerifyTestMain(m) // nobody reads or hashes after an export
}

// onDisk is a house whose events and trees are in a database.
func onDisk(pool *sql.DB) (*house, error) {
	events, err := auditsql.SQLite(pool)
	if err != nil {
		return nil, err
	}
	trees, err := tlogsql.SQLite(pool)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(events.Migrate(context.Background()), trees.Migrate(context.Background())); err != nil {
		return nil, err
	}
	h := &house{events: events, rec: audittest.NewRecorder(), now: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
	now := func() time.Time { return h.now }
	if h.trees, err = tlog.New(events, trees, "clinic.example.com/audit", key("log"), &tlog.Options{Now: now}); err != nil {
		return nil, err
	}
	h.x, err = export.New(events, h.trees, h.rec, "clinic.example.com/export", key("export"), &export.Options{Now: now})
	return h, err
}

// child exports again and again until it is killed, as a host does it: the file, then its manifest.
func child(database, folder string) error {
	pool, err := sql.Open("sqlite", "file:"+database+"?_pragma=busy_timeout(1000)")
	if err != nil {
		return err
	}
	h, err := onDisk(pool)
	if err != nil {
		return err
	}
	ctx := audit.WithActor(context.Background(), staff)
	if _, err := h.trees.Integrate(ctx); err != nil {
		return err
	}
	for n := 0; ; n++ {
		name := filepath.Join(folder, fmt.Sprint(os.Getpid(), ".", n))
		file, err := os.Create(name + ".jsonl")
		if err != nil {
			return err
		}
		manifest, err := h.x.Export(ctx, &teller{File: file}, export.Request{Tenant: clinic})
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		if err := os.WriteFile(name+".next", manifest, 0o600); err != nil {
			return err
		}
		if err := os.Rename(name+".next", name+".manifest"); err != nil {
			return err
		}
	}
}

// teller tells of every write.
type teller struct{ *os.File }

func (t *teller) Write(b []byte) (int, error) {
	fmt.Println("writing")
	return t.File.Write(b)
}

// TestKilledExports kills a process in the midst of exports over a purge, as often as WARDKIT_KILLS says:
// WARDKIT_KILLS=20 go test -run Killed ./audit/export. A manifest that is there has its whole file.
func TestKilledExports(t *testing.T) {
	t.Parallel()
	database, folder := filepath.Join(t.TempDir(), "log.db"), t.TempDir()
	h, err := onDisk(enginetest.OpenSQLite(t, database))
	require.NoError(t, err)
	h.years(t, 2018, 3000)
	h.agree(t, clinic, span(100, 1300))
	h.destroy(t, span(100, 1300))
	for kill := range kills(t) {
		exporting(t, database, folder, 3+6*kill)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	require.NoError(t, err)
	whole, cut := 0, 0
	for _, name := range files {
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		manifest, err := os.ReadFile(name[:len(name)-len("jsonl")] + "manifest")
		if errors.Is(err, os.ErrNotExist) {
			cut++
			continue
		}
		require.NoError(t, err)
		v, err := export.Verify(bytes.NewReader(file), manifest, h.keys(), nil)
		require.NoError(t, err)
		require.Equal(t, int64(1200), v.Manifest.Purged)
		whole++
	}
	require.NotZero(t, cut, "some were killed half-way")
	if !testing.Short() {
		require.NotZero(t, whole)
	}
}

func kills(t testing.TB) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("WARDKIT_KILLS")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 1
	}
	return 3
}

// exporting runs a child and kills it when it has written so many times.
func exporting(t *testing.T, database, folder string, writes int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDatabase+"="+database, childFolder+"="+folder)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines, seen := bufio.NewScanner(out), 0
	for lines.Scan() {
		if seen++; seen == writes {
			_ = cmd.Process.Kill() // nothing is flushed
		}
	}
	_ = cmd.Wait()
	require.GreaterOrEqual(t, seen, writes, "the child ended by itself: %s", stderr.String())
}
