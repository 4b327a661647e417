package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const hostRow = `INSERT INTO bench_note (id, tenant, body) VALUES ($1, $2, $3)`

// measureTx compares a host's transaction that inserts one row with the same transaction and
// RecordTx.
func measureTx(ctx context.Context, c *config, dir string) error {
	fmt.Fprintf(c.out, "\n### RecordTx beside one insert\n\nLoad average %s.\n\n| engine | writers | bare tx/s | with RecordTx tx/s | time more |\n|---|---|---|---|---|\n", load())
	d := time.Duration(c.seconds * float64(time.Second))
	for _, o := range engines(c) {
		for _, writers := range []int{1, 16} {
			var bare, with, more []float64
			for range c.rounds {
				b, err := hostSample(ctx, o, dir, writers, d, false)
				if err != nil {
					return err
				}
				w, err := hostSample(ctx, o, dir, writers, d, true)
				if err != nil {
					return err
				}
				bare, with, more = append(bare, b.rate()), append(with, w.rate()), append(more, b.rate()/w.rate()-1)
			}
			fmt.Fprintf(c.out, "| %s | %d | %.0f | %.0f | %+.0f %% |\n", o.name, writers, median(bare), median(with), 100*median(more))
		}
	}
	return nil
}

// host is a host's database with a table of its own.
type host struct {
	*engine
	log *audit.Log
}

func newHost(ctx context.Context, o opener, dir string) (*host, error) {
	e, err := o.open(ctx, dir)
	if err != nil {
		return nil, err
	}
	if o.name == "SQLite" {
		e.db.SetMaxOpenConns(1) // one writer, or transactions would only wait for locks
	}
	_, err = e.db.ExecContext(ctx, `CREATE TABLE bench_note (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, body TEXT NOT NULL)`)
	log, bad := newLog(ctx, e.store, false)
	if err := errors.Join(err, bad); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return &host{e, log}, nil
}

// insert is the host's transaction: one row about as long as an event and, if asked, the event,
// which is prepared before.
func (h *host) insert(ctx context.Context, event audit.Event, record bool) error {
	var events []audit.Event
	if record {
		events = append(events, event)
	}
	prepared, err := h.store.Prepare(ctx, h.log, events...)
	if err != nil {
		return err
	}
	return inTx(ctx, h.db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, hostRow, audit.NewID(time.Now()), string(event.Tenant), strings.Repeat("x", rawSize))
		if err != nil {
			return err
		}
		return prepared.RecordTx(ctx, tx)
	})
}

func hostSample(ctx context.Context, o opener, dir string, writers int, d time.Duration, record bool) (s *sample, err error) {
	h, err := newHost(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	from := sources(writers, event)
	return closedLoop(ctx, writers, d, func(ctx context.Context, w int) error {
		return h.insert(ctx, from[w](), record)
	}, nil)
}

func inTx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
