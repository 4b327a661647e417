package auditsql

import (
	"bytes"
	"context"
	"strings"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// sortedOut is how many of the oldest rows are looked at together, at least.
const sortedOut = 8192

const (
	// oldestRows are waiting rows with where they are and the leaf of the entry that has the
	// same ID and its place already.
	oldestRows = `SELECT ` + waitingColumns + `, p.ctid::text,
			(SELECT e.leaf FROM audit_entry e WHERE e.id = p.id AND (e.place >> 40)::INTEGER =
				(SELECT t.no FROM audit_tenant t WHERE t.tenant = p.tenant))
		FROM audit_pending p WHERE NOT refused ORDER BY serial LIMIT ?`

	refuseRows = `UPDATE audit_pending SET refused = TRUE WHERE ctid = ANY (?::tid[]) AND NOT refused`
	dropRows   = `DELETE FROM audit_pending WHERE ctid = ANY (?::tid[]) AND NOT refused`
)

// sortOut looks at the oldest waiting rows. It refuses those that this log did not write and
// those that contradict an entry, which stay for people to look at, and drops those whose entry
// has its place already. It returns how many there were.
//
// A row that is changed meanwhile is another version at another spot, and is left alone.
func (s *Store) sortOut(ctx context.Context, limit int, lock locking) (n int64, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n = 0
		if err := s.alone(ctx, tx, lock); err != nil {
			return err
		}
		var refused, known []string
		err := scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
			var spot string
			var leaf []byte
			w, err := s.scanWaiting(rows, &spot, &leaf)
			switch {
			case err != nil:
				return err
			case !w.good || leaf != nil && !bytes.Equal(leaf, w.leaf):
				refused = append(refused, spot)
			case leaf != nil:
				known = append(known, spot)
			}
			return nil
		}, oldestRows, limit)
		if err != nil {
			return err
		}
		for query, spots := range map[string][]string{refuseRows: refused, dropRows: known} {
			if len(spots) == 0 {
				continue
			}
			done, err := tx.Exec(ctx, query, `{"`+strings.Join(spots, `","`)+`"}`)
			if err != nil {
				return err
			}
			n += done
		}
		return nil
	})
	return n, err
}

// judgeAgain lets what was refused wait again, for a key that now is the right one. What is
// refused rightly will be so again.
func (s *Store) judgeAgain(ctx context.Context, tx *sqlkit.Tx) error {
	_, err := tx.Exec(ctx, `UPDATE audit_pending SET refused = FALSE WHERE refused`)
	return err
}
