package authnsql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

const (
	insertTicket = `INSERT INTO authn_ticket (hash, tenant, person, state, expires) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	selectTicket = `SELECT tenant, person, state, expires FROM authn_ticket WHERE hash = ? AND expires > ?`
	takeTicket   = `DELETE FROM authn_ticket WHERE hash = ? AND expires > ? RETURNING tenant, person, state, expires`

	hit = `INSERT INTO authn_window (tenant, bucket, hits, ends) VALUES (?, ?, 1, ?)
		ON CONFLICT (tenant, bucket) DO UPDATE SET
			hits = CASE WHEN authn_window.ends <= CAST(? AS BIGINT) THEN 1 ELSE authn_window.hits + 1 END,
			ends = CASE WHEN authn_window.ends <= CAST(? AS BIGINT) THEN excluded.ends ELSE authn_window.ends END
		RETURNING hits, ends`
	// hitLazily is hit whose commit does not wait for PostgreSQL's disk and replicas: a crash of the
	// server may forget the hits of its last half second. The setting ends with the statement.
	hitLazily = hit + `, set_config('synchronous_commit', 'off', true)`

	// claim asks for due twice: on PostgreSQL the inner one may have been answered before
	// another server's claim was committed, the outer one is asked again after waiting for it.
	claim = `UPDATE authn_outbox SET due = ? WHERE due <= ? AND (tenant, id) IN
			(SELECT o.tenant, o.id FROM authn_outbox o WHERE o.due <= ? ORDER BY o.created, o.id LIMIT ?)
		RETURNING tenant, id, kind, person, topic, body, created, attempts`
	delivered = `DELETE FROM authn_outbox WHERE tenant = ? AND id = ?`
	failed    = `UPDATE authn_outbox SET attempts = attempts + 1, due = ? WHERE tenant = ? AND id = ?`
	oldest    = `SELECT COALESCE(MIN(created), 0) FROM authn_outbox`

	sweepTickets = `DELETE FROM authn_ticket WHERE expires <= ?`
	sweepWindows = `DELETE FROM authn_window WHERE ends <= ?`
	sweepLinks   = `DELETE FROM authn_link WHERE expires <= ?`
	sweepDevices = `DELETE FROM authn_device WHERE seen <= ?`
	sweepNobody  = `DELETE FROM authn_credential WHERE charged <= ? AND charged > 0 AND NOT EXISTS
		(SELECT 1 FROM authn_person p WHERE p.tenant = authn_credential.tenant AND p.id = authn_credential.person)`
)

// PutTicket implements authn.Tickets.
func (s *Store) PutTicket(ctx context.Context, tk authn.Ticket) error {
	n, err := s.db.Exec(ctx, insertTicket, tk.Hash, string(tk.Tenant), string(tk.Person), []byte(tk.State), micros(tk.Expires))
	if err == nil && n == 0 {
		return authn.ErrExists
	}
	return err
}

// Ticket implements authn.Tickets.
func (s *Store) Ticket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	return s.ticket(ctx, selectTicket, hash, now)
}

// TakeTicket implements authn.Tickets.
func (s *Store) TakeTicket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	return s.ticket(ctx, takeTicket, hash, now)
}

func (s *Store) ticket(ctx context.Context, query string, hash []byte, now time.Time) (authn.Ticket, error) {
	tk := authn.Ticket{Hash: hash}
	var state []byte
	var expires int64
	err := s.db.Get(ctx, []any{&tk.Tenant, &tk.Person, &state, &expires}, query, hash, micros(now))
	if errors.Is(err, sql.ErrNoRows) {
		return authn.Ticket{}, authn.ErrTicket
	}
	if err != nil {
		return authn.Ticket{}, err
	}
	tk.State, tk.Expires = phi.Sealed(state), timeOf(expires)
	return tk, nil
}

// Hit implements authn.Windows.
func (s *Store) Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (int, time.Time, error) {
	var count int
	var ends int64
	us := micros(now)
	query, dest := hit, []any{&count, &ends}
	if s.db.Dialect() == sqlkit.Postgres && !s.db.Joined() { // the host's own transaction is to wait
		query, dest = hitLazily, append(dest, new(string))
	}
	err := s.db.Get(ctx, dest, query, string(t), key, micros(now.Add(length)), us, us)
	return count, timeOf(ends), err
}

// Claim implements authn.Outbox.
func (s *Store) Claim(ctx context.Context, now, until time.Time, n int) ([]audit.Message, error) {
	var all []audit.Message
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) (err error) {
		all, err = claimed(ctx, tx, micros(until), micros(now), n)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b audit.Message) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func claimed(ctx context.Context, tx *sqlkit.Tx, until, now int64, n int) ([]audit.Message, error) {
	rows, err := tx.Query(ctx, claim, until, now, now, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []audit.Message
	for rows.Next() {
		var m audit.Message
		var created int64
		if err := rows.Scan(&m.Tenant, &m.ID, &m.Kind, &m.Person, &m.Topic, &m.Body, &created, &m.Attempts); err != nil {
			return nil, err
		}
		m.Created = timeOf(created)
		all = append(all, m)
	}
	return all, rows.Err()
}

// Delivered implements authn.Outbox.
func (s *Store) Delivered(ctx context.Context, t audit.Tenant, id string) error {
	_, err := s.db.Exec(ctx, delivered, string(t), id)
	return err
}

// Failed implements authn.Outbox.
func (s *Store) Failed(ctx context.Context, t audit.Tenant, id string, next time.Time) error {
	_, err := s.db.Exec(ctx, failed, micros(next), string(t), id)
	return err
}

// Oldest implements authn.Outbox.
func (s *Store) Oldest(ctx context.Context) (time.Time, error) {
	var created int64
	err := s.db.Get(ctx, []any{&created}, oldest)
	return timeOf(created), err
}

// Sweep implements authn.Tickets. It is maintenance: it names no tenant.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	old := micros(now.Add(-authn.Remember))
	for _, step := range []struct {
		query  string
		before int64
	}{{sweepTickets, micros(now)}, {sweepWindows, micros(now)}, {sweepLinks, old}, {sweepNobody, old}, {sweepDevices, micros(now.Add(-authn.KnownFor))}} {
		if _, err := s.db.Exec(ctx, step.query, step.before); err != nil {
			return err
		}
	}
	return nil
}
