package mfasql

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

func enqueue(ctx context.Context, tx *sqlkit.Tx, m audit.Message, due time.Time) error {
	const insert = `INSERT INTO mfa_outbox (tenant, id, kind, person, topic, body, created, attempts, due)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := tx.Exec(ctx, insert, string(m.Tenant), m.ID, string(m.Kind), string(m.Person), m.Topic, blob(m.Body),
		sqlkit.Micros(m.Created), m.Attempts, sqlkit.Micros(due))
	return err
}

// Claim implements mfa.Outbox. PostgreSQL passes over rows that another server is claiming.
func (s *Store) Claim(ctx context.Context, now, until time.Time, limit int) ([]audit.Message, error) {
	const (
		due    = `WITH claimed AS MATERIALIZED (SELECT tenant, id FROM mfa_outbox WHERE due <= ? ORDER BY due, id LIMIT ?`
		update = `) UPDATE mfa_outbox SET due = ?, attempts = attempts + 1
			WHERE (tenant, id) IN (SELECT tenant, id FROM claimed)
			RETURNING tenant, id, kind, person, topic, body, created, attempts`
	)
	query := due + update
	if s.db.Dialect() == sqlkit.Postgres {
		query = due + ` FOR UPDATE SKIP LOCKED` + update
	}
	var out []audit.Message
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		rows, err := tx.Query(ctx, query, sqlkit.Micros(now), limit, sqlkit.Micros(until))
		if err != nil {
			return err
		}
		defer rows.Close()
		out = nil
		for rows.Next() {
			var m audit.Message
			var created int64
			if err := rows.Scan(&m.Tenant, &m.ID, &m.Kind, &m.Person, &m.Topic, &m.Body, &created, &m.Attempts); err != nil {
				return err
			}
			m.Created = sqlkit.Time(created)
			if len(m.Body) == 0 {
				m.Body = nil
			}
			out = append(out, m)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("mfasql: claiming messages: %w", err)
	}
	return out, nil
}

// Done implements mfa.Outbox.
func (s *Store) Done(ctx context.Context, t audit.Tenant, id string) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM mfa_outbox WHERE tenant = ? AND id = ?`, string(t), id); err != nil {
		return fmt.Errorf("mfasql: removing a message: %w", err)
	}
	return nil
}
