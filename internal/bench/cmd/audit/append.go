package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// cell is one line of the table of appends.
type cell struct {
	name    string
	writers int
	measure func(ctx context.Context, dir string, d time.Duration) (*sample, error)
}

// result is what the rounds of a cell gave.
type result struct {
	rate, units, p50, p99, cpu []float64 // events a second, the same by the unit, milliseconds, µs an event
}

// measureAppend runs all cells once in each round, so that what else the machine does hits
// all of them alike, each right after a sample of the unit.
func measureAppend(ctx context.Context, c *config, dir string) error {
	cells := appendCells(c)
	results := make([]result, len(cells))
	var units, loads []float64
	d := time.Duration(c.seconds * float64(time.Second))
	for range c.rounds {
		for i, cell := range cells {
			unit, err := measureUnit(ctx, dir, d/4)
			if err != nil {
				return err
			}
			s, err := inOwnDir(ctx, dir, d, cell)
			if err != nil {
				return fmt.Errorf("%s, %d writers: %w", cell.name, cell.writers, err)
			}
			units = append(units, unit.rate())
			results[i].add(s, unit.rate())
			var l float64
			_, _ = fmt.Sscan(load(), &l)
			loads = append(loads, l)
		}
	}
	fmt.Fprintf(c.out, "\n### Durable events\n\nUnit: %.0f appends and flushes a second by one writer (p10 %.0f, p90 %.0f). Load average %.1f (up to %.1f).\n\n",
		median(units), quantile(units, 0.1), quantile(units, 0.9), median(loads), quantile(loads, 1))
	fmt.Fprintln(c.out, "| log | writers | events/s | × unit | p50 ms | p99 ms | CPU µs/event |")
	fmt.Fprintln(c.out, "|---|---|---|---|---|---|---|")
	for i, cell := range cells {
		r := results[i]
		fmt.Fprintf(c.out, "| %s | %d | %.0f | %.2f | %.2f | %.1f | %.0f |\n", cell.name, cell.writers, median(r.rate), median(r.units), median(r.p50), median(r.p99), median(r.cpu))
	}
	return nil
}

func (r *result) add(s *sample, unit float64) {
	r.rate = append(r.rate, s.rate())
	r.units = append(r.units, s.rate()/unit)
	r.p50 = append(r.p50, float64(quantile(s.waits, 0.5))/float64(time.Millisecond))
	r.p99 = append(r.p99, float64(quantile(s.waits, 0.99))/float64(time.Millisecond))
	r.cpu = append(r.cpu, float64(s.cpu)/float64(time.Microsecond)/float64(max(s.done, 1)))
}

func inOwnDir(ctx context.Context, dir string, d time.Duration, c cell) (*sample, error) {
	own, err := os.MkdirTemp(dir, "cell-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(own)
	return c.measure(ctx, own, d)
}

func appendCells(c *config) []cell {
	var all []cell
	add := func(name string, writers int, f func(ctx context.Context, dir string, writers int, d time.Duration) (*sample, error)) {
		if strings.Contains(name, c.cells) {
			all = append(all, cell{name, writers, func(ctx context.Context, dir string, d time.Duration) (*sample, error) {
				return f(ctx, dir, writers, d)
			}})
		}
	}
	for _, n := range []int{1, 16, 256} {
		add("file, group commit, SHA-256", n, measureRaw)
	}
	for _, open := range engines(c) {
		for _, n := range []int{1, 16, 256} {
			add("wardkit, "+open.name, n, recording(open, event))
		}
		add("wardkit, "+open.name+", 50 patients", 256, recording(open, crowded))
		add("wardkit, "+open.name+", addresses sealed", 256, recording(open.sealing(), addressed))
	}
	if c.postgres != "" {
		add("wardkit, PostgreSQL, two processes", 256, twoProcesses(c.postgres))
	}
	for _, n := range []int{1, 16, 256} {
		add("Tessera POSIX, index durable", n, tesseraCell(false))
		add("Tessera POSIX, published", n, tesseraCell(true))
	}
	return all
}

// opener opens a fresh store in dir.
type opener struct {
	name string
	open func(ctx context.Context, dir string) (*engine, error)
	seal bool // private values are kept
}

func (o opener) sealing() opener { o.seal = true; return o }

func engines(c *config) []opener {
	all := []opener{{name: "SQLite", open: func(ctx context.Context, dir string) (*engine, error) {
		return openSQLite(ctx, dir, "audit", false)
	}}}
	if c.postgres != "" {
		all = append(all, opener{name: "PostgreSQL", open: func(ctx context.Context, _ string) (*engine, error) {
			return openPostgres(ctx, c.postgres, "", false)
		}})
	}
	return all
}

// recording measures a fresh log.
func recording(o opener, makeEvent func(*rand.Rand, time.Time) audit.Event) func(context.Context, string, int, time.Duration) (*sample, error) {
	return func(ctx context.Context, dir string, writers int, d time.Duration) (s *sample, err error) {
		e, err := o.open(ctx, dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		return e.record(ctx, writers, d, o.seal, makeEvent)
	}
}

// record measures Log.Record with Log.Run beside it. The measured time ends when every event
// can be found, not when the last was acknowledged.
func (e *engine) record(ctx context.Context, writers int, d time.Duration, seal bool, makeEvent func(*rand.Rand, time.Time) audit.Event) (*sample, error) {
	log, err := newLog(ctx, e.store, seal)
	if err != nil {
		return nil, err
	}
	stop := keep(ctx, log)
	defer stop()
	before, err := placed(ctx, e)
	if err != nil {
		return nil, err
	}
	from := sources(writers, makeEvent)
	s, err := closedLoop(ctx, writers, d, func(ctx context.Context, w int) error {
		return log.Record(ctx, from[w]())
	}, e.drain)
	if err != nil {
		return nil, err
	}
	return s, e.expect(ctx, before+s.done)
}

// keep runs Log.Run until stop is called.
func keep(ctx context.Context, log *audit.Log) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = log.Run(ctx, platform) // it ends with ctx's error
	}()
	return func() { cancel(); <-done }
}

// drain gives everything its place in the order.
func (e *engine) drain(ctx context.Context) error {
	for {
		n, err := e.store.Sequence(ctx, 4096)
		if err != nil || n == 0 {
			return err
		}
	}
}

// expect fails unless n events of the workload can be found.
func (e *engine) expect(ctx context.Context, n int) error {
	found, err := placed(ctx, e)
	if err == nil && found != n {
		err = fmt.Errorf("%d events can be found, %d were acknowledged", found, n)
	}
	return err
}

// placed tells how many events of the workload can be found. It reads the heads of the orders:
// Store.Count would read ten million events.
func placed(ctx context.Context, e *engine) (n int, err error) {
	err = e.db.QueryRowContext(ctx, "SELECT COALESCE(SUM(size), 0) FROM audit_tenant WHERE tenant LIKE 'clinic-%'").Scan(&n)
	return n, err
}
