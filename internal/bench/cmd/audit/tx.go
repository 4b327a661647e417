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

// plainTables are what a host has without wardkit: a table of its own and an audit table
// written by hand, with an index for each question that is asked most.
var plainTables = [...]string{
	`CREATE TABLE bench_note (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, body TEXT NOT NULL)`,
	`CREATE TABLE bench_event (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, recorded BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
		patient TEXT NOT NULL, object TEXT NOT NULL, outcome INTEGER NOT NULL, body TEXT NOT NULL)`,
	`CREATE INDEX bench_event_time ON bench_event (tenant, recorded)`,
	`CREATE INDEX bench_event_actor ON bench_event (tenant, actor, recorded)`,
	`CREATE INDEX bench_event_patient ON bench_event (tenant, patient, recorded)`,
}

const plainEvent = `INSERT INTO bench_event (id, tenant, recorded, actor, action, patient, object, outcome, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// txKind is what a transaction of measureTx writes.
type txKind struct{ row, plain, record bool }

// txKinds in the order of the table's columns.
func txKinds() []txKind {
	return []txKind{{row: true}, {row: true, plain: true}, {row: true, record: true}, {plain: true}, {record: true}}
}

// txCost is the processor time of a transaction, in microseconds.
func txCost(s *sample) float64 { return float64(s.cpu.Microseconds()) / float64(max(1, s.done)) }

// measureTx compares transactions that write a host's row, alone, with the event in a plain
// table, with RecordTx; and the plain event with RecordTx without the row.
func measureTx(ctx context.Context, c *config, dir string) error {
	fmt.Fprintf(c.out, "\n### RecordTx\n\nLoad average %s. Transactions a second; three columns are how much longer they take, as medians of the rounds' own ratios; the last three are their processor time, of this process and of PostgreSQL's on this machine.\n\n", load())
	fmt.Fprint(c.out, "| engine | writers | row | row, plain event | row, RecordTx | plain event | RecordTx | row: RecordTx | row: RecordTx for plain | RecordTx for plain | plain event, CPU µs | RecordTx, CPU µs | for plain |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	d := time.Duration(c.seconds * float64(time.Second))
	for _, o := range engines(c) {
		if !strings.Contains(o.name, c.cells) {
			continue
		}
		for _, writers := range []int{1, 16, 256} {
			rates, costs := make([][]float64, len(txKinds())), make([][]float64, len(txKinds()))
			var overRow, overBoth, overPlain []float64
			for range c.rounds {
				var now []float64
				for i, kind := range txKinds() {
					s, err := hostSample(ctx, o, dir, writers, d, kind)
					if err != nil {
						return err
					}
					now = append(now, s.rate())
					rates[i], costs[i] = append(rates[i], s.rate()), append(costs[i], txCost(s))
				}
				overRow, overBoth, overPlain = append(overRow, now[0]/now[2]-1), append(overBoth, now[1]/now[2]-1), append(overPlain, now[3]/now[4]-1)
			}
			fmt.Fprintf(c.out, "| %s | %d |", o.name, writers)
			for _, r := range rates {
				fmt.Fprintf(c.out, " %.0f |", median(r))
			}
			plain, record := median(costs[3]), median(costs[4])
			fmt.Fprintf(c.out, " %+.0f %% | %+.0f %% | %+.0f %% | %.0f | %.0f | %+.0f %% |\n",
				100*median(overRow), 100*median(overBoth), 100*median(overPlain), plain, record, 100*(record/plain-1))
		}
	}
	return nil
}

// host is a host's database with tables of its own.
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
	for _, statement := range plainTables {
		_, bad := e.db.ExecContext(ctx, statement)
		err = errors.Join(err, bad)
	}
	log, bad := newLog(ctx, e.store, false)
	if err := errors.Join(err, bad); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return &host{e, log}, nil
}

// insert is the host's transaction. A row is about as long as an event, which is prepared
// before.
func (h *host) insert(ctx context.Context, event audit.Event, kind txKind) error {
	var events []audit.Event
	if kind.record {
		events = append(events, event)
	}
	prepared, err := h.store.Prepare(ctx, h.log, events...)
	if err != nil {
		return err
	}
	return inTx(ctx, h.db, func(tx *sql.Tx) error {
		if kind.row {
			_, err := tx.ExecContext(ctx, hostRow, audit.NewID(time.Now()), string(event.Tenant), strings.Repeat("x", rawSize))
			if err != nil {
				return err
			}
		}
		if kind.plain {
			if err := insertPlain(ctx, tx, &event); err != nil {
				return err
			}
		}
		return prepared.RecordTx(ctx, tx)
	})
}

// insertPlain writes what the event says as columns, and a text as long as its bytes.
func insertPlain(ctx context.Context, tx *sql.Tx, e *audit.Event) error {
	now := time.Now()
	_, err := tx.ExecContext(ctx, plainEvent, audit.NewID(now), string(e.Tenant), now.UnixMicro(), string(e.Actor.ID), string(e.Action),
		string(e.Patients[0]), e.Objects[0].Type+"/"+e.Objects[0].ID, int(e.Outcome), strings.Repeat("x", rawSize))
	return err
}

func hostSample(ctx context.Context, o opener, dir string, writers int, d time.Duration, kind txKind) (s *sample, err error) {
	h, err := newHost(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	from := sources(writers, event)
	write := func(ctx context.Context, w int) error { return h.insert(ctx, from[w](), kind) }
	// Connections, statements and plans are there when the time begins.
	if _, err := closedLoop(ctx, writers, d/4, write, nil); err != nil {
		return nil, err
	}
	before, err := h.serverTime(ctx)
	if err != nil {
		return nil, err
	}
	if s, err = closedLoop(ctx, writers, d, write, nil); err != nil {
		return nil, err
	}
	after, err := h.serverTime(ctx)
	s.cpu += after - before
	return s, err
}

// serverTime is what PostgreSQL's processes behind the host's connections have used.
func (h *host) serverTime(ctx context.Context) (sum time.Duration, err error) {
	if h.name != "PostgreSQL" {
		return 0, nil
	}
	rows, err := h.db.QueryContext(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name = current_setting('application_name')")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var pid int
		if err := rows.Scan(&pid); err != nil {
			return 0, err
		}
		sum += processTime(pid)
	}
	return sum, rows.Err()
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
