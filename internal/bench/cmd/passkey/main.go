// Command passkey measures package mfa/passkey on this machine: the check of one sign-in's response
// beside go-webauthn's own and beside the bare signature. It prints Markdown; docs/benchmarks.md
// has a run.
//
//	cd internal/bench && go run ./cmd/passkey
//
// Each case starts from the bytes that a browser posted. go-webauthn gets them as its FinishLogin
// does: parsed, then ValidateLogin with user verification required and an expiry. All cases run in
// turns, a batch of some 300 µs each, so that a neighbour who takes the machine takes it from all
// of them alike. "best" is the fastest batch, the work itself; "median" has what the garbage
// collector and the neighbours add. It uses one processor.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

func main() {
	d := flag.Duration("time", 20*time.Second, "how long to measure")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	if err := run(os.Stdout, *d); err != nil {
		fmt.Fprintln(os.Stderr, "passkey:", err)
		os.Exit(1)
	}
}

// run measures every case for d altogether and prints the table.
func run(w io.Writer, d time.Duration) error {
	rows, err := allRows()
	if err != nil {
		return err
	}
	var all []*turns.Case
	for _, r := range rows {
		all = append(all, r.bare, r.ours, r.theirs)
	}
	if err := (turns.Plan{Time: d, Batch: 300 * time.Microsecond, First: 50}).Measure(all...); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s/%s, %s, one processor, %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintln(w, "| passkey | best µs | median µs | × go-webauthn, best | × go-webauthn, median | B/op | allocs/op |\n|---|---|---|---|---|---|---|")
	for _, r := range rows {
		for _, c := range []*turns.Case{r.bare, r.ours, r.theirs} {
			fmt.Fprintf(w, "| %s | %.1f | %.1f | %.2f | %.2f | %.0f | %.0f |\n", c.Name, c.Best()/1000, c.Median()/1000,
				c.Best()/r.theirs.Best(), c.Median()/r.theirs.Median(), c.Bytes, c.Allocs)
		}
	}
	return nil
}
