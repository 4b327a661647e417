package sessionsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
)

const insert = `INSERT INTO session_row (hash, ` + columns + `)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT DO NOTHING`

// Create implements session.Store. Without a limit it is one statement.
func (s *Store) Create(ctx context.Context, r session.Record, limit int) (evicted []string, err error) {
	if err := check(&r.Session); err != nil {
		return nil, err
	}
	if limit <= 0 {
		n, err := s.db.Exec(ctx, insert, values(r.Key, &r.Session)...)
		if err == nil && n == 0 {
			err = session.ErrExists
		}
		return nil, wrap("creating a session", err)
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		evicted = nil // Write may run this again
		if err := s.queue(ctx, tx, r.Session.Tenant, r.Session.Person); err != nil {
			return err
		}
		if err := add(ctx, tx, r); err != nil {
			return err
		}
		if evicted, err = oldest(ctx, tx, &r.Session, limit); err != nil {
			return err
		}
		for _, id := range evicted {
			which := session.Selection{Tenant: r.Session.Tenant, Person: r.Session.Person, ID: id}
			if _, err := end(ctx, tx, which, r.Session.Created, session.ReasonLimit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("creating a session", err)
	}
	return evicted, nil
}

func add(ctx context.Context, tx *sqlkit.Tx, r session.Record) error {
	n, err := tx.Exec(ctx, insert, values(r.Key, &r.Session)...)
	if err == nil && n == 0 {
		err = session.ErrExists
	}
	return err
}

// queue lets the sign-ins of one person happen one after the other. SQLite has one writer
// anyway.
func (s *Store) queue(ctx context.Context, tx *sqlkit.Tx, t audit.Tenant, person audit.ActorID) error {
	if s.db.Dialect() == sqlkit.SQLite {
		return nil
	}
	var done string
	return tx.Row(ctx, `SELECT pg_advisory_xact_lock(7706326, hashtext(CAST(? AS text) || chr(31) || CAST(? AS text)))::text`,
		string(t), string(person)).Scan(&done)
}

const older = `SELECT id FROM session_row
	WHERE tenant = ? AND person = ? AND id <> ? AND ended = 0 AND superseded = 0 AND idle_ends > ? AND ends > ?
	ORDER BY created DESC, id DESC`

// oldest returns the ids of those that have to go so that limit remain with fresh, oldest
// first.
func oldest(ctx context.Context, tx *sqlkit.Tx, fresh *session.Session, limit int) (ids []string, err error) {
	at := sqlkit.Micros(fresh.Created)
	rows, err := tx.Query(ctx, older, string(fresh.Tenant), string(fresh.Person), fresh.ID, at, at)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		if n >= limit {
			ids = append([]string{id}, ids...)
		}
	}
	return ids, rows.Err()
}

// byHash reads a session and its tenant's policy, "<version> <body>" or nothing, in one column, the
// policy first.
const byHash = "format('" + field + fields + `',
	(SELECT CAST(p.version AS TEXT) || ' ' || p.body FROM session_policy p WHERE p.tenant = session_row.tenant),
	` + readable + `) FROM session_row WHERE hash = ?`

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, k session.Key) (session.Found, error) {
	var found string
	err := s.db.Get(ctx, []any{&found}, s.selects+byHash, k.Hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return session.Found{}, fmt.Errorf("sessionsql: %w", session.ErrNotFound)
	}
	if err != nil {
		return session.Found{}, wrap("reading a session", err)
	}
	policy, rest, _ := strings.Cut(found, separator)
	if policy != "" {
		rest = strings.Clone(rest) // or who keeps a text of the session keeps the policy's too
	}
	v, err := parse(rest)
	if err != nil || policy == "" {
		return session.Found{Session: v}, err
	}
	digits, body, _ := strings.Cut(policy, " ")
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return session.Found{}, errDamaged
	}
	p, err := s.decoded.policy(v.Tenant, version, body)
	return session.Found{Session: v, Policy: p}, wrap("reading a policy", err)
}

// touch leaves a session alone that was seen later, but counts it: both columns move
// together or not at all.
const touch = `UPDATE session_row SET
	idle_ends = CASE WHEN last_seen < ? THEN ? ELSE idle_ends END,
	last_seen = CASE WHEN last_seen < ? THEN ? ELSE last_seen END
	WHERE hash = ? AND ended = 0 AND idle_ends > ? AND ends > ?`

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, k session.Key, seen, idleEnds time.Time) (bool, error) {
	at := sqlkit.Micros(seen)
	n, err := s.db.Exec(ctx, touch, at, sqlkit.Micros(idleEnds), at, at, k.Hash[:], at, at)
	return n == 1, wrap("touching a session", err)
}

const list = row + ` FROM session_row
	WHERE tenant = ? AND person = ? AND ended = 0 AND superseded = 0 AND idle_ends > ? AND ends > ?
	ORDER BY created DESC, id DESC`

// List implements session.Store. It has read the person's sessions before it yields the
// first, so that the caller may use the same transaction meanwhile.
func (s *Store) List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[session.Session, error] {
	return func(yield func(session.Session, error) bool) {
		all, err := s.list(ctx, t, person, now)
		if err != nil {
			yield(session.Session{}, wrap("listing sessions", err))
			return
		}
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (s *Store) list(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) ([]session.Session, error) {
	at := sqlkit.Micros(now)
	rows, err := s.db.Query(ctx, s.selects+list, string(t), string(person), at, at)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []session.Session
	for rows.Next() {
		var found string
		if err := rows.Scan(&found); err != nil {
			return nil, err
		}
		v, err := parse(found)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// wrap says what was attempted; nil stays nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sessionsql: %s: %w", what, err)
}
