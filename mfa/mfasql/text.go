package mfasql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/mfa"
)

const numberColumns = `tenant, person, id, version, phone, next_phone, code, code_id, enrols, sent, expires, tries,
	failures, created, confirmed, used, locked`

// Number implements mfa.Numbers.
func (s *Store) Number(ctx context.Context, t audit.Tenant, person audit.ActorID) (mfa.Number, error) {
	const query = `SELECT ` + numberColumns + ` FROM mfa_number WHERE tenant = ? AND person = ?`
	var n mfa.Number
	var enrols, sent, expires, created, confirmed, used, locked int64
	err := s.db.Get(ctx, []any{
		&n.Tenant, &n.Person, &n.ID, &n.Version, &n.Phone, &n.Next, &n.Code, &n.CodeID, &enrols, &sent, &expires, &n.Tries,
		&n.Failures, &created, &confirmed, &used, &locked,
	}, query, string(t), string(person))
	if errors.Is(err, sql.ErrNoRows) {
		return mfa.Number{}, mfa.ErrNotFound
	}
	if err != nil {
		return mfa.Number{}, fmt.Errorf("mfasql: reading a number: %w", err)
	}
	n.Enrols = enrols != 0
	n.Sent, n.Expires = sqlkit.Time(sent), sqlkit.Time(expires)
	n.Created, n.Confirmed = sqlkit.Time(created), sqlkit.Time(confirmed)
	n.Used, n.Locked = sqlkit.Time(used), sqlkit.Time(locked)
	return n, nil
}

// ApplyNumber implements mfa.Numbers.
func (s *Store) ApplyNumber(ctx context.Context, c mfa.NumberChange) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err := putNumber(ctx, tx, c)
		if err != nil {
			return err
		}
		if n != 1 {
			return mfa.ErrConflict
		}
		for _, m := range c.Messages {
			if err := enqueue(ctx, tx, m, c.Due); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, mfa.ErrConflict) {
		return fmt.Errorf("mfasql: changing a number: %w", err)
	}
	return err
}

// putNumberOf writes what becomes of the number in a change; false where it is not as expected.
func putNumberOf(ctx context.Context, tx *sqlkit.Tx, c mfa.Change) (bool, error) {
	if c.Number != nil {
		if n, err := putNumber(ctx, tx, *c.Number); err != nil || n != 1 {
			return false, err
		}
	}
	if c.Put == nil {
		const remove = `DELETE FROM mfa_number WHERE tenant = ? AND person = ?`
		if _, err := tx.Exec(ctx, remove, string(c.Was.Tenant), string(c.Was.Person)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// putNumber writes the row and returns how many rows that touched, 0 where it is not as expected.
func putNumber(ctx context.Context, tx *sqlkit.Tx, c mfa.NumberChange) (int64, error) {
	const (
		insert = `INSERT INTO mfa_number (` + numberColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, person) DO NOTHING`
		update = `UPDATE mfa_number SET id = ?, version = ?, phone = ?, next_phone = ?, code = ?, code_id = ?, enrols = ?,
			sent = ?, expires = ?, tries = ?, failures = ?, created = ?, confirmed = ?, used = ?, locked = ?
			WHERE tenant = ? AND person = ? AND id = ? AND version = ?`
		remove = `DELETE FROM mfa_number WHERE tenant = ? AND person = ? AND id = ? AND version = ?`
	)
	where := []any{string(c.Was.Tenant), string(c.Was.Person), c.Was.ID, c.Version}
	if c.Put == nil {
		return tx.Exec(ctx, remove, where...)
	}
	p := c.Put
	values := []any{
		p.ID, c.Version + 1, blob(p.Phone), blob(p.Next), blob(p.Code), p.CodeID, flag(p.Enrols),
		sqlkit.Micros(p.Sent), sqlkit.Micros(p.Expires), p.Tries, p.Failures,
		sqlkit.Micros(p.Created), sqlkit.Micros(p.Confirmed), sqlkit.Micros(p.Used), sqlkit.Micros(p.Locked),
	}
	if c.Was.ID == "" && c.Version == 0 {
		return tx.Exec(ctx, insert, append(where[:2:2], values...)...)
	}
	return tx.Exec(ctx, update, append(values, where...)...)
}

// TryText implements mfa.Numbers.
func (s *Store) TryText(ctx context.Context, r mfa.Ref, code string, tries, failures int, now time.Time) (count int, err error) {
	const update = `UPDATE mfa_number SET tries = tries + 1, failures = failures + 1, version = version + 1
		WHERE tenant = ? AND person = ? AND id = ? AND code_id = ? AND locked = 0 AND expires > ? AND tries < ? AND failures < ?
		RETURNING failures`
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		count = 0
		err := tx.Row(ctx, update, string(r.Tenant), string(r.Person), r.ID, code, sqlkit.Micros(now), tries, failures).Scan(&count)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mfasql: counting a try: %w", err)
	}
	return count, nil
}

// BurnText implements mfa.Numbers.
func (s *Store) BurnText(ctx context.Context, r mfa.Ref, code string, now time.Time) (bool, error) {
	const update = `UPDATE mfa_number SET code = ?, code_id = '', expires = 0, failures = 0, used = ?, version = version + 1
		WHERE tenant = ? AND person = ? AND id = ? AND code_id = ? AND locked = 0`
	n, err := s.db.Exec(ctx, update, []byte{}, sqlkit.Micros(now), string(r.Tenant), string(r.Person), r.ID, code)
	if err != nil {
		return false, fmt.Errorf("mfasql: using up a code: %w", err)
	}
	return n == 1, nil
}
