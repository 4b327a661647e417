package purge_test

import (
	"bufio"
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

	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/purge/purgesql"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// The environment of a child process.
const (
	childEngine  = "PURGE_CHILD_ENGINE"
	childAddress = "PURGE_CHILD_ADDRESS"
	childFolder  = "PURGE_CHILD_FOLDER"
	childClock   = "PURGE_CHILD_CLOCK" // days since noon
)

func TestMain(m *testing.M) {
	if engine := os.Getenv(childEngine); engine != "" {
		fmt.Fprintln(os.Stderr, child(engine))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// child has people purge what is old until it is killed. It says of each step that it is done.
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
	h, err := opened(enginetest.Engine{Pool: pool, Dialect: dialect}, os.Getenv(childFolder))
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(os.Getenv(childClock))
	if err != nil {
		return err
	}
	h.clock.set(noon.Add(time.Duration(days) * day))
	for {
		if err := h.start(); err != nil {
			return err
		}
		for p, err := range h.rows.Open(bg) {
			if err != nil {
				return err
			}
			fmt.Println(p.State)
			switch p.State {
			case purge.Proposed:
				_, err = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
			default:
				_, err = h.keeper.Resume(bg, clinic, p.ID)
			}
			if err != nil && !errors.Is(err, purge.ErrConflict) && !errors.Is(err, purge.ErrPending) &&
				!errors.Is(err, purge.ErrStopped) && !errors.Is(err, purge.ErrUnavailable) {
				return err
			}
		}
		_, err := h.keeper.Propose(as(bg, "p-ada"), clinic, "")
		switch {
		case errors.Is(err, purge.ErrNothing):
			time.Sleep(time.Millisecond)
		case err != nil && !errors.Is(err, purge.ErrOpen) && !errors.Is(err, purge.ErrConflict) && !errors.Is(err, purge.ErrUnavailable):
			return err
		}
		fmt.Println("round")
	}
}

// past records events of 2017.
func (h *house) past(n int) error {
	now := h.clock.now()
	h.clock.set(long)
	if err := h.start(); err != nil {
		return err
	}
	err := h.fill(clinic, n)
	_, covered := h.tlog.Integrate(bg)
	h.clock.set(now)
	return errors.Join(err, covered, h.start())
}

// opened is a house over a database.
func opened(e enginetest.Engine, folder string) (*house, error) {
	h := &house{clock: &clock{at: noon}, bundles: purge.NewFolder(folder)}
	h.options.Most = 1200
	var (
		a          *auditsql.Store
		l          *tlogsql.Store
		p          *purgesql.Store
		e1, e2, e3 error
	)
	if e.Dialect == sqlkit.SQLite {
		a, e1 = auditsql.SQLite(e.Pool)
		l, e2 = tlogsql.SQLite(e.Pool)
		p, e3 = purgesql.SQLite(e.Pool)
	} else {
		a, e1 = auditsql.Postgres(e.Pool, make([]byte, 32))
		l, e2 = tlogsql.Postgres(e.Pool)
		p, e3 = purgesql.Postgres(e.Pool)
	}
	if err := errors.Join(e1, e2, e3); err != nil {
		return nil, err
	}
	h.events, h.trees, h.rows = a, l, p
	return h, errors.Join(a.Migrate(bg), l.Migrate(bg), p.Migrate(bg), h.start())
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

// TestKilled kills two servers at once in the midst of purging, again and again. What is missing is
// always named by a purge that a signed tree covers, and another server finishes the plan.
func TestKilled(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		engine := strings.TrimPrefix(t.Name(), "TestKilled/")
		var e enginetest.Engine
		address := filepath.Join(t.TempDir(), "test.db")
		if engine == "postgres" {
			e = enginetest.Engine{Name: engine, Dialect: sqlkit.Postgres}
			e.Pool, address = enginetest.PostgresSchema(t)
		} else {
			e = enginetest.Engine{Name: engine, Dialect: sqlkit.SQLite, Pool: enginetest.OpenSQLite(t, address)}
		}
		folder := t.TempDir()
		h, err := opened(e, folder)
		require.NoError(t, err)
		require.NoError(t, h.past(4000*kills(t)))
		var checkpoint []byte
		for kill := range kills(t) {
			killChildren(t, engine, address, folder, kill)
			h.clock.set(noon.Add(time.Duration(kill)*day + 12*time.Hour))
			h.build(t)
			_, err := h.tlog.Integrate(bg)
			require.NoError(t, err)
			h.legal(t)
			_, err = tlog.Verify(bg, h.events, h.trees, h.tlog.VerifierKey(), checkpoint, &tlog.VerifyOptions{Now: h.clock.now})
			require.NoError(t, err)
			checkpoint = h.tlog.Checkpoint()
		}
		h.finish(t)
		missing, err := h.events.Purged(bg, clinic, 0, 1<<40)
		require.NoError(t, err)
		require.NotEmpty(t, missing, "something was purged")
		h.legal(t)
	})
}

// finish goes on until the plan that is open is carried out.
func (h *house) finish(t testing.TB) {
	t.Helper()
	_, _ = h.keeper.Propose(as(bg, "p-ada"), clinic, "") // unless one is
	for range 20 {
		open := 0
		for _, err := range h.rows.Open(bg) {
			require.NoError(t, err)
			open++
		}
		if open == 0 {
			return
		}
		h.step(t)
	}
	t.Fatal("it does not get there")
}

// killChildren runs two children until one of them has gone some steps, and kills both.
func killChildren(t *testing.T, engine, address, folder string, kill int) {
	t.Helper()
	var group sync.WaitGroup
	for i := range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEngine+"="+engine, childAddress+"="+address, childFolder+"="+folder, childClock+"="+strconv.Itoa(kill))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		group.Go(func() {
			lines := bufio.NewScanner(out)
			n, steps := 0, 3+(kill*5+i*3)%7
			for lines.Scan() {
				if n++; n == steps {
					time.Sleep(time.Duration((kill*37+i*11)%40) * time.Millisecond) // somewhere inside the step
					_ = cmd.Process.Kill()                                          // nothing is flushed
				}
			}
			_ = cmd.Wait()
			if n < steps {
				t.Errorf("a child ended by itself: %s", stderr.String())
			}
		})
	}
	group.Wait()
}
