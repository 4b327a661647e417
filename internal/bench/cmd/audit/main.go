// Command audit measures package audit on this machine: durable events a second beside what
// the disk and other logs can do, what a transaction pays for recording, pages of a log of
// millions, and bytes per event. It prints Markdown; docs/benchmarks.md has a run.
//
//	cd internal/bench && go run ./cmd/audit -dir /on/the/disk/to/measure
//
// PostgreSQL is measured if WARDKIT_POSTGRES names a database; it should be on the same disk.
// Everything it creates is in -dir and in schemas called wardkit_bench_*, and is removed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// config is what the flags say.
type config struct {
	dir      string
	postgres string
	rounds   int
	seconds  float64
	parts    []string
	cells    string
	out      io.Writer
	sizes    []int
	keep     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == childArg {
		if err := child(ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "audit:", err)
			os.Exit(1)
		}
		return
	}
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*config, error) {
	c := &config{postgres: os.Getenv("WARDKIT_POSTGRES"), out: os.Stdout}
	f := flag.NewFlagSet("audit", flag.ContinueOnError)
	f.StringVar(&c.dir, "dir", os.TempDir(), "directory on the disk to measure")
	f.IntVar(&c.rounds, "rounds", 7, "interleaved rounds; the tables show medians")
	f.Float64Var(&c.seconds, "seconds", 1, "seconds of one sample")
	f.StringVar(&c.cells, "cells", "", "measure only the cells of append, or engines of tx and pages, whose name contains this")
	f.BoolVar(&c.keep, "keep", false, "keep the logs of pages, and use those of an earlier run")
	parts := f.String("parts", "append,tx,tree,pages,grow", "what to measure")
	sizes := f.String("sizes", "1000000,10000000", "events in the logs of pages")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	c.parts = strings.Split(*parts, ",")
	for s := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1000 {
			return nil, errors.New("-sizes: numbers of 1000 or more, with commas")
		}
		c.sizes = append(c.sizes, n)
	}
	if c.rounds < 1 || c.seconds <= 0 {
		return nil, errors.New("-rounds and -seconds must be positive")
	}
	return c, nil
}

func run(ctx context.Context, c *config) error {
	dir, err := os.MkdirTemp(c.dir, "wardkit-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(c.out, "%s, %s/%s, %d CPUs, %s; medians of %d rounds\n",
		time.Now().UTC().Format("2006-01-02 15:04"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), c.rounds)
	if c.postgres == "" {
		fmt.Fprintln(c.out, "PostgreSQL is left out: WARDKIT_POSTGRES is not set")
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context, *config, string) error
	}{{"append", measureAppend}, {"tx", measureTx}, {"tree", measureTree}, {"pages", measurePages}} {
		if !slices.Contains(c.parts, part.name) && (part.name != "pages" || !slices.Contains(c.parts, "grow")) {
			continue
		}
		if err := part.measure(ctx, c, dir); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}
