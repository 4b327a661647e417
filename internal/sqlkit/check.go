package sqlkit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrUnsafeEngine: the database is configured so that an acknowledged write can be lost, or
// is a version with a known corruption bug. The message says what to change.
var ErrUnsafeEngine = errors.New("sqlkit: the database cannot promise durability")

// minSQLite is the first version without the WAL-reset corruption bug.
const minSQLite = "3.51.3"

// second bounds how long Check waits for a second connection of the pool.
const second = 250 * time.Millisecond

// Check refuses a database that cannot keep what it acknowledges. On SQLite it asks for
// version 3.51.3 or later, WAL (which a database in memory has not), synchronous FULL or
// EXTRA, and a busy_timeout of at most one second, because the driver does not see a
// context's deadline while it waits; on PostgreSQL for fsync and full_page_writes.
//
// On SQLite most of this is a setting of each connection. Check looks at two where the pool
// has them: settings made with a statement instead of in the address reach only one.
func (d *DB) Check(ctx context.Context) error {
	if d.tx != nil {
		return d.checkOne(ctx, d.tx)
	}
	// SQLite waits for nobody while it turns a new file to WAL, as the first connections of several
	// processes do.
	return d.retry(ctx, func() error { return d.checkPool(ctx) })
}

func (d *DB) checkPool(ctx context.Context) error {
	first, err := d.pool.Conn(ctx)
	if err != nil {
		return hide(err)
	}
	defer first.Close()
	if err := d.checkOne(ctx, first); err != nil || d.dialect == Postgres || d.pool.Stats().MaxOpenConnections == 1 {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, second)
	defer cancel()
	other, err := d.pool.Conn(soon)
	switch {
	case err != nil && ctx.Err() == nil && soon.Err() != nil:
		return nil // the others are in use
	case err != nil:
		return hide(err)
	}
	defer other.Close()
	return d.checkOne(ctx, other)
}

func (d *DB) checkOne(ctx context.Context, q Querier) error {
	is := func(want ...string) func(string) bool {
		return func(v string) bool { return slices.Contains(want, v) }
	}
	expect := func(query, rule string, ok func(string) bool) error {
		var v string
		if err := (&Tx{db: d, q: q}).Row(ctx, query).Scan(&v); err != nil {
			return fmt.Errorf("sqlkit: checking that %s: %w", rule, err)
		}
		if !ok(v) {
			return fmt.Errorf("%w: %s", ErrUnsafeEngine, rule)
		}
		return nil
	}
	if d.dialect == Postgres {
		return errors.Join(
			expect("SHOW fsync", "fsync must be on", is("on")),
			expect("SHOW full_page_writes", "full_page_writes must be on", is("on")),
		)
	}
	return errors.Join(
		expect("SELECT sqlite_version()", "SQLite must be "+minSQLite+" or later", atLeast(minSQLite)),
		expect("PRAGMA journal_mode", "journal_mode must be WAL", is("wal")),
		expect("PRAGMA synchronous", "synchronous must be FULL on every connection", is("2", "3")),
		expect("PRAGMA busy_timeout", "busy_timeout must be 1 to 1000 ms on every connection", func(v string) bool {
			n, err := strconv.Atoi(v)
			return err == nil && n >= 1 && n <= 1000
		}),
	)
}

// atLeast compares dotted version numbers.
func atLeast(want string) func(string) bool {
	return func(have string) bool {
		h, w := strings.Split(have, "."), strings.Split(want, ".")
		for i := range w {
			if i >= len(h) {
				return false
			}
			a, errA := strconv.Atoi(h[i])
			b, errB := strconv.Atoi(w[i])
			if errA != nil || errB != nil || a < b {
				return false
			}
			if a > b {
				return true
			}
		}
		return true
	}
}
