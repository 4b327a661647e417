package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
)

// enrolled is a row with three indexes: telephone number, unique e-mail, record number. There
// are patients of several rows, because the store of their keys, in memory, is slow with many.
type enrolled struct {
	ID    string   `phi:",row"`
	Owner string   `phi:",patient"`
	Phone phi.Text `phi:"phone,class=phone"`
	Email phi.Text `phi:"email,class=email"`
	MRN   phi.Text `phi:"mrn,class=mrn"`
}

// backfill rotates the index of n sealed rows in each store, and prints what the rotation's
// whole work, which opens every row, computes its terms and stores them, costs for a million.
func backfill(ctx context.Context, w io.Writer, n int) error {
	fmt.Fprintf(w, "| %d rows of three indexes | s for a million rows | of that, this process's CPU |\n|---|---|---|\n", n)
	memory := memoryStore{phi.NewMemoryTerms()}
	alone := func(f func(phi.TermStore) error) error { return f(memory) }
	if err := rotateIn(ctx, w, "memory", memory, alone, n); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "phi-backfill")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lite, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "terms.db"))+
		"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer lite.Close()
	store, err := phisql.SQLite(lite)
	if err != nil {
		return err
	}
	if err := rotateIn(ctx, w, "SQLite", store, together(ctx, lite, store), n); err != nil {
		return err
	}
	if address := os.Getenv("WARDKIT_POSTGRES"); address != "" {
		return postgres(ctx, w, address, n)
	}
	return nil
}

// postgres measures in a schema of its own, through one connection.
func postgres(ctx context.Context, w io.Writer, address string, n int) (err error) {
	pool, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	schema := "phi_backfill_" + strconv.Itoa(os.Getpid())
	for _, s := range []string{`CREATE SCHEMA ` + schema, `SET search_path TO ` + schema} {
		if _, err := pool.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	defer func() {
		_, e := pool.ExecContext(ctx, `DROP SCHEMA `+schema+` CASCADE`)
		err = errors.Join(err, e)
	}()
	store, err := phisql.Postgres(pool)
	if err != nil {
		return err
	}
	filled := 0
	fill := together(ctx, pool, store)
	return rotateIn(ctx, w, "PostgreSQL", store, func(f func(phi.TermStore) error) error {
		if err := fill(f); err != nil || filled > 5*phi.DefaultRotationBatch {
			return err
		}
		filled += phi.DefaultRotationBatch
		_, err := pool.ExecContext(ctx, `ANALYZE`) // which autovacuum does within a minute
		return err
	}, n)
}

// together runs f in one transaction.
func together(ctx context.Context, pool *sql.DB, store *phisql.Store) func(f func(phi.TermStore) error) error {
	return func(f func(phi.TermStore) error) error {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := f(store.WithTx(tx)); err != nil {
			return err
		}
		return tx.Commit()
	}
}

// memoryStore is phi.MemoryTerms with nothing to migrate. Its look for duplicates goes through
// all rows, so that the unique e-mail is left out there.
type memoryStore struct{ *phi.MemoryTerms }

func (memoryStore) Migrate(context.Context) error { return nil }

func rotateIn(ctx context.Context, w io.Writer, name string, store interface {
	phi.IndexStore
	Migrate(context.Context) error
}, together func(func(phi.TermStore) error) error, n int,
) error {
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	v, err := phi.Open(ctx, "bench", phi.NewMemoryKMS(), phi.NewMemoryKeys(), &phi.Options{CacheSize: 2 * n})
	if err != nil {
		return err
	}
	mail := phi.WithUnique("email", phi.Email())
	if name == "memory" {
		mail = phi.WithIndex("email", phi.Email())
	}
	codec, err := phi.For[enrolled](v, "enrolled", phi.WithIndex("phone", phi.Phone("US")), mail, phi.WithIndex("mrn", phi.MRN()))
	if err != nil {
		return err
	}
	rows := make([]phi.Row, n)
	for from := 0; from < n; from += phi.DefaultRotationBatch {
		some := rows[from:min(from+phi.DefaultRotationBatch, n)]
		if err := together(func(terms phi.TermStore) error { return fill(ctx, codec, terms, some, from) }); err != nil {
			return err
		}
	}
	r, err := phi.NewRotator(v, audit.Discard{}, "platform", &phi.RotatorOptions{
		Settle: -1, Terms: store, Rows: []phi.IndexRows{{Entity: "enrolled", Page: pages(codec, rows)}},
	})
	if err != nil {
		return err
	}
	began, cpu := time.Now(), cpuTime()
	job, err := r.Rotate(ctx, phi.RotateIndex, "clinic")
	if err != nil {
		return err
	}
	if job.Done != n {
		return fmt.Errorf("%s: %d rows of %d", name, job.Done, n)
	}
	million := 1e6 / float64(n)
	fmt.Fprintf(w, "| %s | %.0f | %.0f |\n", name, time.Since(began).Seconds()*million, (cpuTime()-cpu).Seconds()*million)
	return nil
}

// fill seals rows, the first of which has the number from, and stores their terms.
func fill(ctx context.Context, codec *phi.Codec[enrolled], store phi.TermStore, rows []phi.Row, from int) error {
	for i := range rows {
		k := from + i
		rec, err := codec.Seal(ctx, "clinic", &enrolled{
			ID: fmt.Sprintf("r-%07d", k), Owner: owner(k), Phone: phi.NewText(fmt.Sprintf("+1555%07d", k)),
			Email: phi.NewText(fmt.Sprintf("p%d@example.com", k)), MRN: phi.NewText(fmt.Sprintf("A-%07d", k)),
		})
		if err != nil {
			return err
		}
		rows[i] = phi.Row{ID: rec.Terms().Row, Patient: audit.Patient(owner(k)), Cols: map[string]phi.Sealed{"phone": rec.Col("phone"), "email": rec.Col("email"), "mrn": rec.Col("mrn")}}
		if err := store.SaveTerms(ctx, "clinic", rec.Terms()); err != nil {
			return err
		}
	}
	return nil
}

func owner(k int) string { return fmt.Sprintf("p-%03d", k%500) }

// pages reads the host's rows, which are in memory here: reading them is the host's own cost.
func pages(codec *phi.Codec[enrolled], rows []phi.Row) func(context.Context, audit.Tenant, string) ([]phi.Terms, string, error) {
	return func(ctx context.Context, t audit.Tenant, cursor string) (page []phi.Terms, next string, err error) {
		from := 0
		if cursor != "" {
			if from, err = strconv.Atoi(cursor); err != nil {
				return nil, "", err
			}
		}
		to := min(from+phi.DefaultRotationBatch, len(rows))
		if to < len(rows) {
			next = strconv.Itoa(to)
		}
		opened, err := codec.OpenAll(ctx, t, rows[from:to])
		if err != nil {
			return nil, "", err
		}
		for _, p := range opened {
			terms, err := codec.Terms(ctx, t, p)
			if err != nil {
				return nil, "", err
			}
			page = append(page, terms)
		}
		return page, next, nil
	}
}
