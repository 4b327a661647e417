package mfasql

import (
	"context"
	"fmt"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// page is how many rows one query of List reads.
const page = 100

// List implements mfa.Credentials. It reads page by page and holds no connection while it
// yields.
func (s *Store) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[mfa.Credential, error] {
	return func(yield func(mfa.Credential, error) bool) {
		for {
			rows, err := s.page(ctx, t, after)
			if err != nil {
				yield(mfa.Credential{}, fmt.Errorf("mfasql: listing credentials: %w", err))
				return
			}
			for _, c := range rows {
				if !yield(c, nil) {
					return
				}
				after = c.Person
			}
			if len(rows) < page {
				return
			}
		}
	}
}

func (s *Store) page(ctx context.Context, t audit.Tenant, after audit.ActorID) ([]mfa.Credential, error) {
	const query = `SELECT ` + columns + ` FROM mfa_credential WHERE tenant = ? AND person > ? ORDER BY person LIMIT ?`
	rows, err := s.db.Query(ctx, query, string(t), string(after), page)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []mfa.Credential
	for rows.Next() {
		var r row
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		r.c.Secret, r.c.Recovery, r.c.Next, r.c.Handle = nil, nil, nil, nil
		out = append(out, r.credential())
	}
	return out, rows.Err()
}
