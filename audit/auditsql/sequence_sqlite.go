package auditsql

import (
	"context"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// sequenceSQLite makes up to limit entries findable, oldest commit first. A commit with more
// entries than are left of the limit is cut.
func (s *Store) sequenceSQLite(ctx context.Context, limit int) (n, pairs int, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, pairs = 0, 0
		if err := durableSQLite(ctx, tx); err != nil {
			return err
		}
		list, err := takeSQLite(ctx, tx, limit)
		if err != nil || len(list) == 0 {
			return err
		}
		hs := heads{}
		if err := hs.readNumbers(ctx, tx, list); err != nil {
			return err
		}
		n = len(list)
		pairs, err = s.settle(ctx, tx, hs, list)
		return err
	})
	return n, pairs, err
}

// takeSQLite removes entries from audit_pending.
func takeSQLite(ctx context.Context, tx *sqlkit.Tx, limit int) ([]placed, error) {
	var list, rest []placed
	var last int64
	err := scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
		if len(list) == limit {
			return nil
		}
		var data []byte
		if err := rows.Scan(&last, &data); err != nil {
			return err
		}
		some, ok := parseWaiting(data)
		if !ok || len(some) == 0 {
			return audit.ErrDamaged
		}
		k := min(len(some), limit-len(list))
		list, rest = append(list, some[:k]...), some[k:]
		return nil
	}, `SELECT serial, data FROM audit_pending ORDER BY serial LIMIT ?`, limit)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if len(rest) > 0 {
		const cut = `UPDATE audit_pending SET entries = ?, oldest = ?, data = ? WHERE serial = ?`
		if _, err := tx.Exec(ctx, cut, len(rest), rest[0].recorded, waitingBytes(rest), last); err != nil {
			return nil, err
		}
		last--
	}
	_, err = tx.Exec(ctx, `DELETE FROM audit_pending WHERE serial <= ?`, last)
	return list, err
}

// readNumbers reads the heads of the tenants of entries.
func (hs heads) readNumbers(ctx context.Context, tx runner, list []placed) error {
	seen := map[int64]bool{}
	var numbers []any
	for _, p := range list {
		if no := p.place >> indexBits; !seen[no] {
			seen[no] = true
			numbers = append(numbers, no)
		}
	}
	return chunks(len(numbers), func(start, end int) error {
		return hs.read(ctx, tx, `no IN `+sqlkit.List(end-start), numbers[start:end])
	})
}
