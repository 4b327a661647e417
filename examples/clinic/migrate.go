package main

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed migrations
var migrations embed.FS

// migrate creates or updates the clinic's own tables: the numbered files that were not
// applied yet, all in one transaction. A host uses whatever tool it migrates with.
func (d *database) migrate(ctx context.Context) error {
	folder := "migrations/sqlite"
	if d.postgres {
		folder = "migrations/postgres"
	}
	names, err := fs.Glob(migrations, folder+"/*.sql")
	if err != nil {
		return err
	}
	return d.inTx(ctx, func(tx *sql.Tx) error {
		applied, err := d.version(ctx, tx)
		if err != nil {
			return err
		}
		for i, name := range names {
			if i < applied {
				continue
			}
			if err := d.apply(ctx, tx, i+1, name); err != nil {
				return fmt.Errorf("%s: %w", path.Base(name), err)
			}
		}
		return nil
	})
}

// version returns how many files were applied, and keeps other processes out meanwhile.
func (d *database) version(ctx context.Context, tx *sql.Tx) (n int, err error) {
	if d.postgres {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(7706326)`); err != nil {
			return 0, err
		}
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS clinic_schema (version INTEGER PRIMARY KEY)`); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM clinic_schema`).Scan(&n)
	return n, err
}

func (d *database) apply(ctx context.Context, tx *sql.Tx, number int, name string) error {
	text, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	for _, statement := range strings.Split(string(text), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, d.q(`INSERT INTO clinic_schema (version) VALUES (?)`), number)
	return err
}
