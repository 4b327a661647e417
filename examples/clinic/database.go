package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver
	_ "modernc.org/sqlite"             // the SQLite driver

	"github.com/wardkit/wardkit/rbac"
)

// database is the host's own connection pool and its dialect. The clinic's statements write
// ? for every parameter.
type database struct {
	pool     *sql.DB
	postgres bool
}

// connect opens the database that the flags name and makes sure that it answers.
func connect(ctx context.Context, c config) (*database, error) {
	d := &database{postgres: c.db != ""}
	var err error
	if d.postgres {
		d.pool, err = sql.Open("pgx", c.db)
	} else {
		file := filepath.Join(c.data, "clinic.db")
		if err := ownFile(file); err != nil {
			return nil, fmt.Errorf("-data: %w", err)
		}
		d.pool, err = sql.Open("sqlite", "file:"+filepath.ToSlash(file)+
			"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	}
	if err != nil {
		return nil, errors.New("-db: the address cannot be used")
	}
	d.pool.SetMaxOpenConns(16)
	d.pool.SetMaxIdleConns(16)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := d.pool.PingContext(ctx); err != nil {
		d.pool.Close()
		if !d.postgres {
			return nil, errors.New("-data: clinic.db is no database that can be opened")
		}
		return nil, errors.New("-db: the database does not answer; check the address, the network and the password")
	}
	return d, nil
}

// ownFile creates an empty file that only its owner can read, unless it is there.
func ownFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// dialect is what rbac writes its conditions in: this file turns ? into $n itself.
func (d *database) dialect() rbac.Dialect {
	if d.postgres {
		return rbac.PostgresQ
	}
	return rbac.SQLite
}

// q turns ? into $1, $2 … on PostgreSQL. The clinic's statements hold no other question mark.
func (d *database) q(statement string) string {
	if !d.postgres {
		return statement
	}
	parts := strings.Split(statement, "?")
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(p)
	}
	return b.String()
}

// inTx runs f in a transaction of the host's own; wardkit's stores join it. SQLite lets one
// writer in at a time, so a transaction that finds the door closed is tried again.
func (d *database) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	var err error
	for try := range 20 {
		if err = d.once(ctx, f); err == nil || d.postgres || !strings.Contains(err.Error(), "SQLITE_BUSY") {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try+1) * 5 * time.Millisecond):
		}
	}
	return err
}

func (d *database) once(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
