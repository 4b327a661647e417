package sessionsql

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
)

// Revoke implements session.Store.
func (s *Store) Revoke(ctx context.Context, which session.Selection, at time.Time, reason string) (n int, err error) {
	if sqlkit.Micros(at) == 0 { // means not ended
		return 0, errors.New("sessionsql: revoking at the zero time")
	}
	if strings.ContainsAny(reason, unreadable) {
		return 0, errUnreadable
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err = end(ctx, tx, which, at, reason)
		return err
	})
	if err != nil {
		return 0, wrap("ending sessions", err)
	}
	return n, nil
}

const revoke = `UPDATE session_row SET ended = ?, reason = ? WHERE tenant = ? AND person = ? AND ended = 0`

// end ends the selected sessions, both rows of one whose token has just changed.
func end(ctx context.Context, tx *sqlkit.Tx, which session.Selection, at time.Time, reason string) (int, error) {
	return change(ctx, tx, which, revoke, sqlkit.Micros(at), reason)
}

// Lock implements session.Store.
func (s *Store) Lock(ctx context.Context, which session.Selection, at time.Time) (n int, err error) {
	if sqlkit.Micros(at) == 0 { // means not locked
		return 0, errors.New("sessionsql: locking at the zero time")
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err = change(ctx, tx, which, lock, sqlkit.Micros(at))
		return err
	})
	if err != nil {
		return 0, wrap("locking sessions", err)
	}
	return n, nil
}

const lock = `UPDATE session_row SET locked = ?, version = version + 1
	WHERE tenant = ? AND person = ? AND ended = 0 AND locked = 0`

// change runs an update of the selected rows, whose condition it makes false, until it finds
// none, and counts the sessions among them. Once is not enough on PostgreSQL: a statement
// that had to wait for Rotate does not see the row that Rotate added meanwhile, but the next
// one does, and after the first no further Rotate can begin.
func change(ctx context.Context, tx *sqlkit.Tx, which session.Selection, query string, args ...any) (n int, err error) {
	args = append(args, string(which.Tenant), string(which.Person))
	if which.ID != "" {
		query, args = query+` AND id = ?`, append(args, which.ID)
	}
	if which.Except != "" {
		query, args = query+` AND id <> ?`, append(args, which.Except)
	}
	for {
		rows, sessions, err := changed(ctx, tx, query+` RETURNING superseded`, args)
		if n += sessions; err != nil || rows == 0 {
			return n, err
		}
	}
}

func changed(ctx context.Context, tx *sqlkit.Tx, query string, args []any) (all, sessions int, err error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var superseded int64
		if err := rows.Scan(&superseded); err != nil {
			return 0, 0, err
		}
		if all++; superseded == 0 {
			sessions++
		}
	}
	return all, sessions, rows.Err()
}

// supersede leaves the version of the row in superseded, which makes room for the id of the
// row to come in the unique index.
const supersede = `UPDATE session_row SET superseded = version,
	ends = CASE WHEN ends > ? THEN ? ELSE ends END,
	idle_ends = CASE WHEN idle_ends > ? THEN ? ELSE idle_ends END
	WHERE hash = ? AND tenant = ? AND person = ? AND id = ? AND version = ?
	AND superseded = 0 AND ended = 0 AND idle_ends > ? AND ends > ?`

// Rotate implements session.Store.
func (s *Store) Rotate(ctx context.Context, old session.Key, next session.Record, until time.Time) error {
	v := &next.Session
	if err := check(v); err != nil {
		return err
	}
	at, end := sqlkit.Micros(v.LastSeen), sqlkit.Micros(until)
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err := tx.Exec(ctx, supersede, end, end, end, end,
			old.Hash[:], string(v.Tenant), string(v.Person), v.ID, v.Version-1, at, at)
		if err != nil {
			return err
		}
		if n == 0 {
			return session.ErrConflict
		}
		return add(ctx, tx, next)
	})
	return wrap("changing a token", err)
}
