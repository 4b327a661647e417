package main

import (
	"context"
	"database/sql"
	"encoding/json"
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

// txKind is what a transaction of measureTx writes. text is a plain event whose bytes are not made of it.
type txKind struct{ row, plain, text, record bool }

// txKinds in the order of the table's columns.
func txKinds() []txKind {
	return []txKind{{row: true}, {row: true, plain: true}, {row: true, record: true}, {plain: true}, {text: true}, {record: true}}
}

// txCost is the processor time of a transaction, in microseconds.
func txCost(s *sample) float64 { return float64(s.cpu.Microseconds()) / float64(max(1, s.done)) }

// txCells are the rates and processor times of the kinds, one for each round.
type txCells struct{ rates, costs [][]float64 }

// over is how much longer kind a takes than kind b, as the median of the rounds' own ratios.
func (c *txCells) over(a, b int) string {
	var all []float64
	for i := range c.rates[a] {
		all = append(all, c.rates[b][i]/c.rates[a][i]-1)
	}
	return fmt.Sprintf("%+.0f %%", 100*median(all))
}

// measureTx compares transactions that write a host's row, alone, with the event in a plain
// table, with RecordTx; and the plain event, encoded or a mere text, with RecordTx without the row.
func measureTx(ctx context.Context, c *config, dir string) error {
	fmt.Fprintf(c.out, "\n### RecordTx\n\nLoad average %s. Transactions a second; four columns are how much longer they take, as medians of the rounds' own ratios; the last four are their processor time, of this process and of PostgreSQL's on this machine, and its ratio to that of the plain event.\n\n", load())
	fmt.Fprint(c.out, "| engine | writers | row | row, plain event | row, RecordTx | plain event | its text | RecordTx | row: RecordTx | row: RecordTx for plain | RecordTx for plain | for its text | plain event, CPU µs | its text | RecordTx | for plain, for its text |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, o := range engines(c) {
		if !strings.Contains(o.name, c.cells) {
			continue
		}
		for _, writers := range []int{1, 16, 256} {
			cells, err := measureKinds(ctx, c, o, dir, writers)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "| %s | %d |", o.name, writers)
			for _, r := range cells.rates {
				fmt.Fprintf(c.out, " %.0f |", median(r))
			}
			plain, text, record := median(cells.costs[3]), median(cells.costs[4]), median(cells.costs[5])
			fmt.Fprintf(c.out, " %s | %s | %s | %s | %.0f | %.0f | %.0f | %+.0f, %+.0f %% |\n", cells.over(2, 0), cells.over(2, 1), cells.over(5, 3), cells.over(5, 4),
				plain, text, record, 100*(record/plain-1), 100*(record/text-1))
		}
	}
	return nil
}

// measureKinds measures all kinds in each round.
func measureKinds(ctx context.Context, c *config, o opener, dir string, writers int) (*txCells, error) {
	d := time.Duration(c.seconds * float64(time.Second))
	cells := &txCells{make([][]float64, len(txKinds())), make([][]float64, len(txKinds()))}
	for range c.rounds {
		for i, kind := range txKinds() {
			s, err := hostSample(ctx, o, dir, writers, d, kind)
			if err != nil {
				return nil, err
			}
			cells.rates[i], cells.costs[i] = append(cells.rates[i], s.rate()), append(cells.costs[i], txCost(s))
		}
	}
	return cells, nil
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
		if kind.plain || kind.text {
			if err := insertPlain(ctx, tx, &event, kind.text); err != nil {
				return err
			}
		}
		return prepared.RecordTx(ctx, tx)
	})
}

// plainBody is what a host that writes its audit table by hand keeps of an event beside tenant and time.
type plainBody struct {
	ID       string          `json:"id"`
	Action   audit.Action    `json:"action"`
	Verb     audit.Verb      `json:"verb"`
	Outcome  audit.Outcome   `json:"outcome"`
	Actor    plainActor      `json:"actor"`
	Patients []audit.Patient `json:"patients"`
	Objects  []plainObject   `json:"objects"`
	Purpose  string          `json:"purpose,omitempty"`
	Rule     string          `json:"rule,omitempty"`
	Scope    string          `json:"scope,omitempty"`
	Request  string          `json:"request,omitempty"`
}

type plainActor struct {
	ID        audit.ActorID   `json:"id"`
	Kind      audit.Kind      `json:"kind"`
	AuthTime  time.Time       `json:"auth_time"`
	Methods   []string        `json:"methods"`
	Assurance audit.Assurance `json:"aal"`
}

type plainObject struct {
	Type     string `json:"type"`
	ID       string `json:"id"`
	Category string `json:"category,omitempty"`
}

func encodePlain(e *audit.Event, id string) ([]byte, error) {
	a := &e.Actor
	b := plainBody{
		ID: id, Action: e.Action, Verb: e.Verb, Outcome: e.Outcome,
		Actor:    plainActor{a.ID, a.Kind, a.AuthTime.UTC(), a.Methods, a.Assurance},
		Patients: e.Patients, Purpose: e.Purpose, Rule: e.Decision.Rule, Scope: e.Decision.Scope, Request: e.Correlation.Request,
	}
	for _, o := range e.Objects {
		b.Objects = append(b.Objects, plainObject{o.Type, o.ID, o.Category})
	}
	return json.Marshal(b)
}

// insertPlain writes what the event says as columns, and all of it as JSON, or a text as long as that.
func insertPlain(ctx context.Context, tx *sql.Tx, e *audit.Event, text bool) error {
	now := time.Now()
	id, body := audit.NewID(now), strings.Repeat("x", rawSize)
	if !text {
		b, err := encodePlain(e, id)
		if err != nil {
			return err
		}
		body = string(b)
	}
	_, err := tx.ExecContext(ctx, plainEvent, id, string(e.Tenant), now.UnixMicro(), string(e.Actor.ID), string(e.Action),
		string(e.Patients[0]), e.Objects[0].Type+"/"+e.Objects[0].ID, int(e.Outcome), body)
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
