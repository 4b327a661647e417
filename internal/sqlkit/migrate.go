package sqlkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors of Migrate.
var (
	// ErrMigrationEdited: a migration that was applied has other bytes now.
	ErrMigrationEdited = errors.New("sqlkit: an applied migration was edited")
	// ErrMigrationGap: the migration files are not numbered 1, 2, 3 …
	ErrMigrationGap = errors.New("sqlkit: migrations are not numbered without a gap")
)

const migrationTable = `CREATE TABLE IF NOT EXISTS wardkit_migration (
	line TEXT NOT NULL,
	number BIGINT NOT NULL,
	name TEXT NOT NULL,
	checksum TEXT NOT NULL,
	applied BIGINT NOT NULL,
	PRIMARY KEY (line, number)
)`

type migration struct {
	number   int
	name     string
	text     string
	checksum string
}

// Migrate brings one named line of migrations up to date: the files
// <folder>/<dialect>/0001_name.sql … of fsys, in order, each once, all in one transaction.
// A database that has more migrations than fsys was written by a newer release and is left
// alone; one whose applied migrations differ from fsys is refused with ErrMigrationEdited,
// and one that Check refuses is not touched.
// Two processes may migrate at once. Where nothing is to be done it only reads, so that a
// program that may not create tables starts on a database that another one prepared.
//
// An error names the file, and never quotes it.
func (d *DB) Migrate(ctx context.Context, line string, fsys fs.FS, folder string) error {
	err := d.Check(ctx)
	if err == nil {
		err = d.migrate(ctx, line, fsys, path.Join(folder, d.dialect.String()))
	}
	if err != nil {
		return fmt.Errorf("sqlkit: migrating %s: %w", line, err)
	}
	return nil
}

func (d *DB) migrate(ctx context.Context, line string, fsys fs.FS, folder string) error {
	all, err := readMigrations(fsys, folder)
	if err != nil {
		return err
	}
	if !d.Joined() { // a failed query would spoil the host's transaction
		if applied, err := appliedMigrations(ctx, d, line); err == nil {
			if todo, err := missing(all, applied); err != nil || len(todo) == 0 {
				return err
			}
		}
	}
	return d.Write(ctx, func(tx *Tx) error {
		if d.dialect == Postgres { // CREATE TABLE IF NOT EXISTS races with itself there
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7706325)"); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, migrationTable); err != nil {
			return err
		}
		return migrateLine(ctx, tx, line, all)
	})
}

func migrateLine(ctx context.Context, tx *Tx, line string, all []migration) error {
	applied, err := appliedMigrations(ctx, tx, line)
	if err != nil {
		return err
	}
	todo, err := missing(all, applied)
	if err != nil {
		return err
	}
	for _, m := range todo {
		// The whole file at once, without parameters: both engines take several statements
		// that way, and nobody has to guess where one ends.
		if _, err := tx.q.ExecContext(ctx, m.text); err != nil {
			return fmt.Errorf("%s: %w", m.name, tx.fail(err))
		}
		const insert = `INSERT INTO wardkit_migration (line, number, name, checksum, applied) VALUES (?, ?, ?, ?, ?)`
		if _, err := tx.Exec(ctx, insert, line, m.number, m.name, m.checksum, Micros(time.Now())); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// missing returns the migrations that were not applied. One that was applied must be the same
// now, and none may have been left out below it.
func missing(all []migration, applied map[int]string) (todo []migration, err error) {
	for _, m := range all {
		sum, ok := applied[m.number]
		switch {
		case !ok:
			todo = append(todo, m)
		case sum != m.checksum:
			return nil, fmt.Errorf("%w: %s", ErrMigrationEdited, m.name)
		case len(todo) > 0:
			return nil, fmt.Errorf("%w: %s is applied, %s is not", ErrMigrationGap, m.name, todo[0].name)
		}
	}
	return todo, nil
}

// reader is a DB or a Tx.
type reader interface {
	Query(ctx context.Context, query string, args ...any) (*Rows, error)
}

func appliedMigrations(ctx context.Context, from reader, line string) (map[int]string, error) {
	rows, err := from.Query(ctx, `SELECT number, checksum FROM wardkit_migration WHERE line = ?`, line)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[int]string{}
	for rows.Next() {
		var n int
		var sum string
		if err := rows.Scan(&n, &sum); err != nil {
			return nil, err
		}
		applied[n] = sum
	}
	return applied, rows.Err()
}

// readMigrations reads NNNN_name.sql files in order.
func readMigrations(fsys fs.FS, folder string) ([]migration, error) {
	entries, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, e := range entries {
		digits, _, ok := strings.Cut(e.Name(), "_")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || path.Ext(e.Name()) != ".sql" {
			return nil, fmt.Errorf("%w: %s", ErrMigrationGap, e.Name())
		}
		text, err := fs.ReadFile(fsys, path.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		text = []byte(strings.ReplaceAll(string(text), "\r\n", "\n"))
		sum := sha256.Sum256(text)
		all = append(all, migration{n, e.Name(), string(text), hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(all, func(a, b migration) int { return a.number - b.number })
	for i, m := range all {
		if m.number != i+1 {
			return nil, fmt.Errorf("%w: %s", ErrMigrationGap, m.name)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no files in %s", ErrMigrationGap, folder)
	}
	return all, nil
}
