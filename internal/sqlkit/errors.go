package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"reflect"
)

// errTurn: other writers of this process kept a write waiting for too long.
var errTurn = errors.New("sqlkit: busy: too many writers wait before this one")

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
	if errors.Is(err, errTurn) {
		return true
	}
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

// hidden is a driver's error with a text that quotes nothing.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }

func (h *hidden) Unwrap() error { return h.err }

// hide replaces the text of a driver's error by its class. What database/sql and context say
// themselves stays as it is.
func hide(err error) error {
	switch err {
	case nil, sql.ErrNoRows, sql.ErrTxDone, sql.ErrConnDone, driver.ErrBadConn, context.Canceled, context.DeadlineExceeded:
		return err
	}
	var done *hidden
	if errors.As(err, &done) {
		return err
	}
	return &hidden{"sqlkit: " + class(err), err}
}

// Hide returns a driver's error as sqlkit returns it, for packages that use a driver's own
// interface: its text names the class and quotes nothing.
func Hide(err error) error { return hide(err) }

func class(err error) string {
	if state := sqlState(err); state != "" {
		return fmt.Sprintf("%s (SQLSTATE %s)", stateClass(state), state)
	}
	if code := sqliteCode(err); code != 0 {
		return fmt.Sprintf("%s (SQLite %d)", sqliteClass(code), code)
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, driver.ErrBadConn} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return "the database cannot be reached: " + network.Error()
	}
	return fmt.Sprintf("the database failed (%T)", err)
}

// stateClass names the SQLSTATEs that an operator meets (PostgreSQL manual, appendix A).
func stateClass(state string) string {
	switch state {
	case "23505":
		return "unique constraint"
	case "40001", "40P01", "55P03":
		return "busy"
	case "3D000":
		return "no such database"
	case "42P01", "42703":
		return "a table or column is missing, was Migrate called?"
	}
	switch state[:min(2, len(state))] {
	case "23":
		return "constraint"
	case "28":
		return "the database refused the credentials"
	case "53":
		return "the database is short of resources"
	case "57":
		return "the database was stopped or the statement cancelled"
	}
	return "the database refused the statement"
}

// sqliteClass names the result codes that an operator meets (sqlite.org/rescode.html).
func sqliteClass(code int) string {
	switch code & 0xff {
	case 1: // also every other mistake in a statement, and ours have none
		return "the database refused the statement, was Migrate called?"
	case 5, 6:
		return "busy"
	case 8:
		return "the database is read-only"
	case 9:
		return "the statement was cancelled"
	case 10:
		return "the disk failed"
	case 11, 26:
		return "the file is damaged or no database"
	case 13:
		return "the disk is full"
	case 14:
		return "the database file cannot be opened"
	case 19:
		if code == 1555 || code == 2067 || code == 2579 {
			return "unique constraint"
		}
		return "constraint"
	}
	return "the database refused the statement"
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
