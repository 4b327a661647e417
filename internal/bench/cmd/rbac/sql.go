package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver that wardkit's tests use

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
)

var never time.Time

func actorID(v any) audit.ActorID   { return audit.ActorID(v.(string)) }
func patientID(v any) audit.Patient { return audit.Patient(v.(string)) }
func careTable() rbac.TableRelation {
	return rbac.TableRelation{Table: "care", Tenant: "tenant", Subject: "person", Object: "patient", From: "since", Until: "until"}
}

// engine is a database with the workload in it.
type engine struct {
	name    string
	db      *sql.DB
	dialect rbac.Dialect
	close   func()
}

func sqlite(dir string) (*engine, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "rbac.db"))+"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)")
	return &engine{"SQLite", db, rbac.SQLite, func() { db.Close() }}, err
}

func postgres(ctx context.Context, url string) (*engine, error) {
	name := make([]byte, 8)
	rand.Read(name)
	schema := "bench_rbac_" + hex.EncodeToString(name)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["search_path"] = schema
	db := stdlib.OpenDB(*config)
	e := &engine{"PostgreSQL", db, rbac.Postgres, func() {
		_, _ = db.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE")
		db.Close()
	}}
	_, err = db.ExecContext(ctx, "CREATE SCHEMA "+schema)
	return e, err
}

// mark is the placeholder of argument n.
func (e *engine) mark(n int) string {
	if e.dialect == rbac.Postgres {
		return fmt.Sprintf("$%d", n)
	}
	return "?"
}

// fill writes the workload: patients in 8 practices of one tenant each, so that a practice of
// 100,000 patients has 12,500.
func (e *engine) fill(ctx context.Context, c *clinic) error {
	for _, statement := range []string{
		"CREATE TABLE patient (tenant TEXT NOT NULL, practice TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (tenant, id))",
		"CREATE TABLE care (tenant TEXT NOT NULL, person TEXT NOT NULL, patient TEXT NOT NULL, since BIGINT, until BIGINT)",
	} {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	var patients, care [][]any
	for i, p := range c.patient {
		patients = append(patients, []any{listTenant, practiceName(i % 8), p.id, fmt.Sprintf("name-%06d", (i*7919)%len(c.patient))})
	}
	for pair := range c.care {
		u := c.users[pair[0]]
		care = append(care, []any{tenantName(u.tenant), u.id, c.patient[pair[1]].id, 1, 0})
	}
	for i := range ownPatients {
		care = append(care, []any{listTenant, "therapist", c.patient[i*8*17%len(c.patient)].id, 1, 0})
	}
	if err := e.insert(ctx, "patient (tenant, practice, id, name)", patients); err != nil {
		return err
	}
	if err := e.insert(ctx, "care (tenant, person, patient, since, until)", care); err != nil {
		return err
	}
	for _, statement := range []string{
		"CREATE INDEX care_pair ON care (tenant, person, patient)",
		"CREATE INDEX patient_list ON patient (tenant, practice, name)",
		"ANALYZE",
	} {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

const listTenant = "company-list"

func (e *engine) insert(ctx context.Context, into string, rows [][]any) error {
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	const each = 500
	for at := 0; at < len(rows); at += each {
		var text strings.Builder
		var args []any
		for _, r := range rows[at:min(at+each, len(rows))] {
			marks := make([]string, len(r))
			for i := range r {
				marks[i] = e.mark(len(args) + i + 1)
			}
			text.WriteString(",(" + strings.Join(marks, ",") + ")")
			args = append(args, r...)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO "+into+" VALUES "+text.String()[1:], args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// databases measures what a request reads: its grants, the relation of one record, and the
// first page of a list.
func databases(ctx context.Context, w io.Writer, s sizes) error {
	dir, err := os.MkdirTemp("", "rbac")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := sqlite(dir)
	if err != nil {
		return err
	}
	engines := []*engine{e}
	if url := os.Getenv("WARDKIT_POSTGRES"); url != "" {
		if e, err = postgres(ctx, url); err != nil {
			return err
		}
		engines = append(engines, e)
	}
	for _, e := range engines {
		err := e.measure(ctx, w, s)
		e.close()
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

func (e *engine) measure(ctx context.Context, w io.Writer, s sizes) error {
	c := newClinic(s.users, inRow)
	if err := e.fill(ctx, c); err != nil {
		return err
	}
	store, err := e.store(ctx)
	if err != nil {
		return err
	}
	if err := c.fill(ctx, store); err != nil {
		return err
	}
	care, err := rbacsql.TableRelation(e.db, e.dialect, careTable())
	if err != nil {
		return err
	}
	o, err := c.open(care, store)
	if err != nil {
		return err
	}
	cases, err := e.cases(ctx, o)
	if err != nil {
		return err
	}
	if err := measure(cases, s.time, 256, questions); err != nil {
		return err
	}
	fmt.Fprintf(w, "| %s | best µs | median µs | B/op | allocs/op |\n|---|---|---|---|---|\n", e.name)
	for _, t := range cases {
		fmt.Fprintf(w, "| %s | %.1f | %.1f | %.0f | %.1f |\n", t.Name, t.Best()/1e3, t.Median()/1e3, t.Bytes, t.Allocs)
	}
	for i := 2; i < len(cases); i += 2 {
		fmt.Fprintf(w, "\n%s: %.2f × by hand (best), %.2f × (median)\n", cases[i].Name, cases[i].Best()/cases[i+1].Best(), cases[i].Median()/cases[i+1].Median())
	}
	fmt.Fprintln(w)
	return nil
}
