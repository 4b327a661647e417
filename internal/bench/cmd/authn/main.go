// Command authn measures package authn on this machine: what a flood of sign-ins does to other
// requests, what a decision of the throttle costs, and whether an unknown identifier takes as long
// as a wrong password. It prints Markdown; docs/benchmarks.md has a run.
//
//	cd internal/bench && go run ./cmd/authn
//
// PostgreSQL and Redis are measured if WARDKIT_POSTGRES and WARDKIT_REDIS name them. What is
// created in PostgreSQL is in schemas wardkit_bench_*, what is in Redis begins with
// wardkit_bench_; both are removed.
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
)

// config is what the flags say.
type config struct {
	postgres, redis string
	dir             string
	parts           []string
	flood           time.Duration // each round of the flood
	rounds          int           // of the flood
	table           time.Duration // the table of decisions
	tries           int           // of each kind, of timing
	quick           bool          // cheap hashing: for this command's own test
	out             io.Writer
}

func main() {
	c := &config{postgres: os.Getenv("WARDKIT_POSTGRES"), redis: os.Getenv("WARDKIT_REDIS"), out: os.Stdout}
	flag.StringVar(&c.dir, "dir", os.TempDir(), "directory for SQLite's files")
	flag.DurationVar(&c.flood, "flood", 3*time.Second, "how long each round of the flood takes")
	flag.IntVar(&c.rounds, "rounds", 7, "rounds of the flood")
	flag.DurationVar(&c.table, "table", 20*time.Second, "how long to measure decisions")
	flag.IntVar(&c.tries, "tries", 300, "sign-ins of each kind, of timing")
	parts := flag.String("parts", "flood,decisions,timing", "what to measure")
	flag.Parse()
	c.parts = strings.Split(*parts, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "authn:", err)
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
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	fmt.Fprintf(c.out, "%s, %s/%s, %s, two processors\n\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.Version())
	for _, part := range []struct {
		name    string
		measure func(context.Context, *config) error
	}{{"flood", flood}, {"decisions", decisions}, {"timing", timing}} {
		if !slices.Contains(c.parts, part.name) {
			continue
		}
		if err := part.measure(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// quantile of sorted values.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }
