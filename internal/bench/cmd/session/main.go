// Command session measures package session on this machine: a request with a live session
// beside alexedwards/scs and gorilla/sessions, and looking up and listing among a million
// sessions. It prints Markdown; docs/benchmarks.md has a run.
//
//	cd internal/bench && go run ./cmd/session
//
// PostgreSQL and Redis are measured if WARDKIT_POSTGRES and WARDKIT_REDIS name them; scale
// empties the logical databases 14 and 15 of that Redis, and refuses where something is in
// them. What is created in PostgreSQL is in schemas wardkit_bench_*, and is removed.
//
// All cases of a table run in turns, a batch each, so that a neighbour who takes the machine takes it
// from all of them alike. "best" is the fastest batch, the work itself; "median" has what the
// garbage collector and the neighbours add. It uses one processor, the databases theirs.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

// config is what the flags say.
type config struct {
	postgres, redis string
	dir             string
	time            time.Duration
	parts, engines  []string
	sessions        int // of requests; ten times as many in memory
	small, large    int
	out             io.Writer
}

func main() {
	c := &config{postgres: os.Getenv("WARDKIT_POSTGRES"), redis: os.Getenv("WARDKIT_REDIS"), out: os.Stdout}
	flag.StringVar(&c.dir, "dir", os.TempDir(), "directory for SQLite's files")
	flag.DurationVar(&c.time, "time", 20*time.Second, "how long to measure each table")
	parts := flag.String("parts", "requests,parallel,scale", "what to measure")
	engines := flag.String("engines", "memory,sqlite,postgres,redis", "which stores")
	flag.IntVar(&c.sessions, "sessions", 1000, "sessions in the stores of requests; ten times as many in memory")
	flag.IntVar(&c.small, "small", 10_000, "sessions in the small stores of scale")
	flag.IntVar(&c.large, "large", 1_000_000, "sessions in the large stores of scale")
	flag.Parse()
	c.parts, c.engines = strings.Split(*parts, ","), strings.Split(*engines, ",")
	runtime.GOMAXPROCS(1)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "session:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *config) error {
	dir, err := os.MkdirTemp(c.dir, "wardkit-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.dir = dir
	fmt.Fprintf(c.out, "%s, %s/%s, %s, one processor\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if slices.Contains(c.parts, "requests") {
		if err := requests(ctx, c); err != nil {
			return err
		}
	}
	if slices.Contains(c.parts, "parallel") {
		if err := parallel(ctx, c); err != nil {
			return err
		}
	}
	if slices.Contains(c.parts, "scale") {
		return scale(ctx, c)
	}
	return nil
}

// has reports whether an engine is to be measured and there.
func (c *config) has(engine string) bool {
	return slices.Contains(c.engines, engine) &&
		(engine != "postgres" || c.postgres != "") && (engine != "redis" || c.redis != "")
}

// measure measures the cases of a table, in batches that last so long.
func (c *config) measure(cases []*turns.Case, batch time.Duration) error {
	return turns.Plan{Time: c.time, Batch: batch, First: 200}.Measure(cases...)
}
