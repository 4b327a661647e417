// Command phi measures package phi on this machine: fields, rows and files beside the bare
// AES-GCM of the standard library and beside Tink. It prints Markdown; docs/benchmarks.md has
// a run.
//
//	cd internal/bench && go run ./cmd/phi
//	cd internal/bench && go run ./cmd/phi -backfill 100000
//
// All cases run in turns, a batch of some 100 µs each, so that a neighbour who takes the
// machine takes it from all of them alike. "best" is the fastest batch, the work itself;
// "median" has what the garbage collector and the neighbours add. It uses one processor.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

func main() {
	d := flag.Duration("time", 20*time.Second, "how long to measure")
	rows := flag.Int("backfill", 0, "measure instead the rotation of an index of so many rows; with WARDKIT_POSTGRES there too")
	flag.Parse()
	if *rows > 0 {
		if err := backfill(context.Background(), os.Stdout, *rows); err != nil {
			fmt.Fprintln(os.Stderr, "phi:", err)
			os.Exit(1)
		}
		return
	}
	runtime.GOMAXPROCS(1)
	if err := run(context.Background(), os.Stdout, *d); err != nil {
		fmt.Fprintln(os.Stderr, "phi:", err)
		os.Exit(1)
	}
}

// run measures every case for d altogether and prints the tables.
func run(ctx context.Context, w io.Writer, d time.Duration) error {
	cases, err := allCases(ctx)
	if err != nil {
		return err
	}
	files := slices.IndexFunc(cases, func(c *timed) bool { return c.table == fileTable })
	for _, group := range [][]*timed{cases[:files], cases[files:]} { // files push the others out of the caches
		var all []*turns.Case
		for _, c := range group {
			all = append(all, &c.Case)
		}
		if err := (turns.Plan{Time: d / 2, Batch: 100 * time.Microsecond, First: 200}).Measure(all...); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%s/%s, %s, one processor, %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	for _, table := range []string{fieldTable, rowTable, fileTable} {
		printTable(w, table, cases)
	}
	return nil
}

func printTable(w io.Writer, table string, cases []*timed) {
	fmt.Fprintf(w, "| %s | best ns | median ns | × bare | × Tink | × a row of Tink's | B/op | allocs/op |\n|---|---|---|---|---|---|---|---|\n", table)
	for _, c := range cases {
		if c.table == table {
			fmt.Fprintf(w, "| %s | %.0f | %.0f | %s | %s | %s | %.0f | %.0f |\n",
				c.Name, c.Best(), c.Median(), ratio(c, c.bare), ratio(c, c.tink), ratio(c, c.row), c.Bytes, c.Allocs)
		}
	}
	fmt.Fprintln(w)
}

// ratio compares the best batches.
func ratio(c, with *timed) string {
	if with == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", c.Best()/with.Best())
}
