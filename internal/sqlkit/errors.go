package sqlkit

import (
	"context"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"reflect"
	"time"
)

var errBadConn = driver.ErrBadConn

// maxRetry bounds how long one call waits for a busy engine.
const maxRetry = 5 * time.Second

// IsUnique reports whether err says that a row with this key exists already.
func IsUnique(err error) bool {
	if state := sqlState(err); state != "" {
		return state == "23505"
	}
	switch sqliteCode(err) {
	case 1555, 2067, 2579: // PRIMARYKEY, UNIQUE, ROWID
		return true
	}
	return false
}

// IsBusy reports whether running the transaction again may succeed: a lock held by somebody
// else, a serialization failure, a deadlock.
func IsBusy(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01", "55P03":
		return true
	}
	switch sqliteCode(err) & 0xff {
	case 5, 6: // BUSY, LOCKED
		return true
	}
	return false
}

// retry runs f until it succeeds, fails for good, or time is up. It never retries inside a
// host's transaction.
func (d *DB) retry(ctx context.Context, f func() error) error {
	wait := time.Millisecond
	end := time.Now().Add(maxRetry)
	for {
		err := f()
		if err == nil || d.tx != nil || !IsBusy(err) {
			return err
		}
		sleep := wait/2 + rand.N(wait)
		if deadline, ok := ctx.Deadline(); time.Now().Add(sleep).After(end) || ok && time.Now().Add(sleep).After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(sleep):
		}
		wait = min(2*wait, 100*time.Millisecond)
	}
}

// sqlState returns the SQLSTATE of a PostgreSQL error; pgx and lib/pq both tell it this way.
func sqlState(err error) string {
	var s interface{ SQLState() string }
	if errors.As(err, &s) {
		return s.SQLState()
	}
	return ""
}

// sqliteCode returns the extended result code of an SQLite error: modernc has a method for
// it, mattn a field.
func sqliteCode(err error) int {
	var c interface{ Code() int }
	if errors.As(err, &c) {
		return c.Code()
	}
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.ValueOf(err)
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			continue
		}
		if f := v.FieldByName("ExtendedCode"); f.IsValid() && f.CanInt() {
			return int(f.Int())
		}
	}
	return 0
}
