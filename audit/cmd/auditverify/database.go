package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver for PostgreSQL
	_ "modernc.org/sqlite"             // the driver for SQLite

	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
)

// database is what the flags say.
type database struct {
	key, checkpoint, mode, state, sqlite, postgres string
	samples                                        int
}

func (d *database) parse(args []string) error {
	f := flag.NewFlagSet("database", flag.ContinueOnError)
	f.StringVar(&d.key, "log-key", "", "")
	f.StringVar(&d.checkpoint, "checkpoint", "", "")
	f.StringVar(&d.mode, "mode", "full", "")
	f.StringVar(&d.state, "state", "", "")
	f.IntVar(&d.samples, "samples", 1000, "")
	f.StringVar(&d.sqlite, "sqlite", "", "")
	f.StringVar(&d.postgres, "postgres", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	switch {
	case d.key == "" || f.NArg() != 0:
		return fmt.Errorf("%w: -log-key is needed, and nothing behind the flags", errUsage)
	case (d.sqlite == "") == (d.postgres == ""):
		return fmt.Errorf("%w: either -sqlite or -postgres", errUsage)
	case d.mode != "full" && d.mode != "incremental" && d.mode != "sampled":
		return fmt.Errorf("%w: -mode is full, incremental or sampled", errUsage)
	case (d.mode == "incremental") != (d.state != ""):
		return fmt.Errorf("%w: -state goes with -mode incremental", errUsage)
	case d.samples < 1:
		return fmt.Errorf("%w: -samples is positive", errUsage)
	}
	return checkKey("-log-key", d.key)
}

func verifyDatabase(ctx context.Context, args []string, out, errs io.Writer) error {
	var d database
	if err := d.parse(args); err != nil {
		return err
	}
	old, err := d.old(ctx)
	if err != nil {
		return err
	}
	events, trees, end, err := d.open()
	if err != nil {
		return err
	}
	defer end()
	b := newBar(errs, "events")
	o := &tlog.VerifyOptions{Progress: func(p tlog.Progress) { b.draw(p.Done, p.Many) }}
	if d.mode == "incremental" {
		if o.Since, err = d.read(); err != nil {
			return err
		}
		o.Save = d.save
	}
	var report tlog.Report
	if d.mode == "sampled" {
		report, err = tlog.Sample(ctx, events, trees, d.key, old, d.samples, o)
	} else {
		report, err = tlog.Verify(ctx, events, trees, d.key, old, o)
	}
	b.end()
	d.tell(out, &report, err, old != nil || o.Since != nil)
	return err
}

// tell prints what was found.
func (d *database) tell(out io.Writer, r *tlog.Report, err error, compared bool) {
	for _, f := range r.Findings {
		fmt.Fprintf(out, "tenant %q, events %d to %d: %v\n", f.Tenant, f.From, f.To-1, f.Err)
	}
	if err != nil {
		return
	}
	found := "whole"
	if d.mode != "full" { // what was not read is not said to be whole
		found = "nothing wrong in what was read"
	}
	fmt.Fprintf(out, "%s: %d events, tenants: %d, entries of the root log: %d", found, r.Events, r.Tenants, r.Checkpoint.Size)
	if r.Purged > 0 {
		fmt.Fprintf(out, "; %d events were purged, as the log says and its heads allow", r.Purged)
	}
	if r.Uncovered > 0 {
		fmt.Fprintf(out, "; %d events are not covered yet", r.Uncovered)
	}
	fmt.Fprintln(out)
	if !compared {
		fmt.Fprintln(out, "without an old checkpoint nobody can tell whether this is the history that there was")
	}
}

// old returns the old checkpoint, nil if none was given.
func (d *database) old(ctx context.Context) ([]byte, error) {
	if d.checkpoint == "" {
		return nil, nil
	}
	data, err := os.ReadFile(d.checkpoint)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if _, err := tlog.OpenCheckpoint(data, d.key); err == nil {
		return data, nil
	}
	last, err := tlog.NewFileSink(d.checkpoint).Last(ctx)
	if err != nil || last == nil {
		return nil, fmt.Errorf("%w: in -checkpoint", tlog.ErrCheckpoint)
	}
	return last, nil
}

// open opens the database for reading.
func (d *database) open() (*auditsql.Store, *tlogsql.Store, func() error, error) {
	driver, address := "pgx", d.postgres
	if d.sqlite != "" {
		if _, err := os.Stat(d.sqlite); err != nil {
			return nil, nil, nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		u := url.URL{Scheme: "file", Opaque: filepath.ToSlash(d.sqlite), RawQuery: "mode=ro&_pragma=busy_timeout(1000)&_pragma=query_only(1)"}
		driver, address = "sqlite", u.String()
	}
	pool, err := sql.Open(driver, address)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: the database's address cannot be read", errUsage)
	}
	var (
		events *auditsql.Store
		trees  *tlogsql.Store
		one    error
		two    error
	)
	if d.sqlite != "" {
		events, one = auditsql.SQLite(pool)
		trees, two = tlogsql.SQLite(pool)
	} else {
		events, one = auditsql.Postgres(pool, make([]byte, 32)) // the key is for writers
		trees, two = tlogsql.Postgres(pool)
	}
	if err := errors.Join(one, two); err != nil {
		return nil, nil, nil, errors.Join(err, pool.Close())
	}
	return events, trees, pool.Close, nil
}

// read returns how far the last time went, nil at the first.
func (d *database) read() (*tlog.Verified, error) {
	data, err := os.ReadFile(d.state)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	var v tlog.Verified
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("%w: -state is not a state of this command", errUsage)
	}
	return &v, nil
}

// save writes how far this has come, all of it or nothing.
func (d *database) save(v tlog.Verified) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	next := d.state + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(next, d.state)
}
