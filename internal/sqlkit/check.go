package sqlkit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrUnsafeEngine: the database is configured so that an acknowledged write can be lost, or
// is a version with a known corruption bug. The message says what to change.
var ErrUnsafeEngine = errors.New("sqlkit: the database cannot promise durability")

// minSQLite is the first version without the WAL-reset corruption bug.
const minSQLite = "3.51.3"

// Check refuses a database that cannot keep what it acknowledges. On SQLite it asks for
// version 3.51.3 or later, WAL, synchronous FULL or EXTRA, and a busy_timeout of at most one
// second, because the driver does not see a context's deadline while it waits; on
// PostgreSQL for fsync on. It looks at one connection; the host sets the others the same way.
func (d *DB) Check(ctx context.Context) error {
	if d.dialect == Postgres {
		return d.expect(ctx, "SHOW fsync", "fsync must be on", func(v string) bool { return v == "on" })
	}
	return errors.Join(
		d.expect(ctx, "SELECT sqlite_version()", "SQLite must be "+minSQLite+" or later", atLeast(minSQLite)),
		d.expect(ctx, "PRAGMA journal_mode", "journal_mode must be WAL", func(v string) bool { return v == "wal" || v == "memory" }),
		d.expect(ctx, "PRAGMA synchronous", "synchronous must be FULL", func(v string) bool { return v == "2" || v == "3" }),
		d.expect(ctx, "PRAGMA busy_timeout", "busy_timeout must be 1 to 1000 ms", func(v string) bool {
			n, err := strconv.Atoi(v)
			return err == nil && n >= 1 && n <= 1000
		}),
	)
}

func (d *DB) expect(ctx context.Context, query, rule string, ok func(string) bool) error {
	var v string
	if err := d.Get(ctx, []any{&v}, query); err != nil {
		return fmt.Errorf("sqlkit: checking that %s: %w", rule, err)
	}
	if !ok(v) {
		return fmt.Errorf("%w: %s", ErrUnsafeEngine, rule)
	}
	return nil
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
