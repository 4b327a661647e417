package tlog_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// The environment of a child process.
const (
	childEngine  = "TLOG_CHILD_ENGINE"
	childAddress = "TLOG_CHILD_ADDRESS"
	childSink    = "TLOG_CHILD_SINK"
)

func TestMain(m *testing.M) {
	if engine := os.Getenv(childEngine); engine != "" {
		fmt.Fprintln(os.Stderr, child(engine))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// child appends and integrates until it is killed. It appends at most three times for one try to
// integrate: where that is slow the rest would never end.
func child(engine string) error {
	driver, address, dialect := "pgx", os.Getenv(childAddress), sqlkit.Postgres
	if engine == "sqlite" {
		driver, dialect = "sqlite", sqlkit.SQLite
		address = "file:" + address + "?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	}
	pool, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	h, err := opened(enginetest.Engine{Pool: pool, Dialect: dialect})
	if err != nil {
		return err
	}
	h.log, err = tlog.New(h.events, h.trees, origin, key("key"), &tlog.Options{Sinks: []tlog.Sink{tlog.NewFileSink(os.Getenv(childSink))}})
	if err != nil {
		return err
	}
	ctx := context.Background()
	turns := make(chan struct{}, 3)
	go func() {
		for {
			<-turns
			now := time.Now()
			var some []audit.Entry
			for i := range 60 {
				e := entry([]audit.Tenant{clinic, other}[i%2], i, "crash")
				e.ID = audit.NewID(now)
				some = append(some, e)
			}
			_ = h.events.Append(ctx, some)
			_, _ = h.events.Sequence(ctx, 10_000)
		}
	}()
	for size := int64(0); ; {
		for range cap(turns) {
			select {
			case turns <- struct{}{}:
			default:
			}
		}
		c, err := h.log.Integrate(ctx)
		if err != nil && !sqlkit.IsBusy(err) && !errors.Is(err, tlog.ErrConflict) {
			return err
		}
		if c.Size > size {
			fmt.Println(c.Size)
		} else {
			time.Sleep(time.Millisecond) // asking without end would keep what it waits for from coming
		}
		size = c.Size
	}
}

// TestKilled kills two processes at once in the midst of integrating, again and again. What is
// left is whole, continues what the file of checkpoints has, and goes on.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var e enginetest.Engine
			address := filepath.Join(t.TempDir(), "test.db")
			if engine == "postgres" {
				e = enginetest.Engine{Name: engine, Dialect: sqlkit.Postgres}
				e.Pool, address = enginetest.PostgresSchema(t)
			} else {
				e = enginetest.Engine{Name: engine, Dialect: sqlkit.SQLite, Pool: enginetest.OpenSQLite(t, address)}
			}
			h := over(t, e)
			sink := tlog.NewFileSink(filepath.Join(t.TempDir(), "checkpoints"))
			var oldest []byte
			for kill := range kills(t) {
				killChildren(t, engine, address, sink, 5+7*(kill%4))
				again := build(t, h, "key", &tlog.Options{Sinks: []tlog.Sink{sink}})
				again.cover(t)
				_, err := again.verify(oldest)
				require.NoError(t, err)
				if oldest == nil {
					oldest = again.log.Checkpoint()
				}
			}
			last, err := sink.Last(t.Context())
			require.NoError(t, err)
			_, err = h.verify(last)
			require.NoError(t, err)
			h.add(t, clinic, 3, "after")
		})
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

// killChildren runs two children until each has integrated n times, and kills them.
func killChildren(t *testing.T, engine, address string, sink *tlog.FileSink, n int) {
	t.Helper()
	var group sync.WaitGroup
	for range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEngine+"="+engine, childAddress+"="+address, childSink+"="+sink.Path())
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		group.Go(func() {
			lines := bufio.NewScanner(out)
			seen := 0
			for lines.Scan() {
				if seen++; seen == n {
					_ = cmd.Process.Kill() // nothing is flushed
				}
			}
			_ = cmd.Wait()
			if seen < n {
				t.Errorf("a child ended by itself: %s", stderr.String())
			}
		})
	}
	group.Wait()
}
