package recertsql

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/recert"
)

//go:embed migrations
var files embed.FS

// ErrUnsafeEngine: the database is set up so that an acknowledged commit could be lost. The error's
// text says what to change.
var ErrUnsafeEngine = sqlkit.ErrUnsafeEngine

// Store is a recert.Store in a SQL database. It is safe for concurrent use, on any number of servers.
type Store struct{ db *sqlkit.DB }

var _ recert.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database. It does not connect.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database. It does not connect.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("recertsql: %w", err)
	}
	return &Store{kit}, nil
}

// Migrations returns the migrations, in the folders sqlite and postgres, for hosts that run them with
// a tool of their own.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return files // not reached: the folder is embedded
	}
	return sub
}

// Migrate creates the tables or brings them up to date. Several servers may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "recert", files, "migrations")
}

const (
	insertCampaign = `INSERT INTO recert_campaign (id, tenant, version, active, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	updateCampaign = `UPDATE recert_campaign SET version = ?, active = ?, body = ? WHERE tenant = ? AND id = ? AND version = ?`

	putItems  = `INSERT INTO recert_item (tenant, campaign, seq, state, reviewer, body) VALUES `
	itemMarks = `(?, ?, ?, ?, ?, ?)`
	replacing = ` ON CONFLICT (tenant, campaign, seq) DO UPDATE SET state = excluded.state, reviewer = excluded.reviewer, body = excluded.body`
)

// batch is how many items one statement stores. What is left over is stored one by one, so that there
// are two texts and not a hundred.
const batch = 50

// Apply implements recert.Store.
func (s *Store) Apply(ctx context.Context, w recert.Write) error {
	err := s.apply(ctx, w)
	switch {
	case errors.Is(err, recert.ErrConflict):
		return recert.ErrConflict
	case err != nil:
		return fmt.Errorf("recertsql: changing a campaign: %w", err)
	}
	return nil
}

func (s *Store) apply(ctx context.Context, w recert.Write) error {
	campaign := w.Campaign
	campaign.Version = w.Expect + 1
	body, err := json.Marshal(campaign)
	if err != nil {
		return err
	}
	rows, err := rowsOf(w)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.durable(ctx, tx); err != nil {
			return err
		}
		if err := put(ctx, tx, campaign, body); err != nil {
			return err
		}
		return putRows(ctx, tx, rows)
	})
}

// put writes the campaign under its condition. Its row is locked first, so that two changes of one
// campaign do not wait for each other elsewhere.
func put(ctx context.Context, tx *sqlkit.Tx, c recert.Campaign, body []byte) (err error) {
	var n int64
	if c.Version == 1 {
		n, err = tx.Exec(ctx, insertCampaign, c.ID, string(c.Tenant), c.Version, flag(c.Active), body)
	} else {
		n, err = tx.Exec(ctx, updateCampaign, c.Version, flag(c.Active), body, string(c.Tenant), c.ID, c.Version-1)
	}
	if err == nil && n != 1 {
		return recert.ErrConflict
	}
	return err
}

// rowsOf are the values of the items' rows, in order.
func rowsOf(w recert.Write) (rows [][]any, err error) {
	seen := make(map[int64]int, len(w.Items))
	for _, i := range w.Items {
		i.Tenant, i.Campaign = w.Campaign.Tenant, w.Campaign.ID
		body, err := json.Marshal(i)
		if err != nil {
			return nil, err
		}
		row := []any{string(i.Tenant), i.Campaign, i.Seq, string(i.State), string(i.Reviewer), body}
		if at, twice := seen[i.Seq]; twice { // the later one counts; a statement touches a row once
			rows[at] = row
			continue
		}
		seen[i.Seq] = len(rows)
		rows = append(rows, row)
	}
	return rows, nil
}

func putRows(ctx context.Context, tx *sqlkit.Tx, rows [][]any) error {
	many := putItems + itemMarks + strings.Repeat(", "+itemMarks, batch-1) + replacing
	for len(rows) > 0 {
		query, n := many, batch
		if len(rows) < batch {
			query, n = putItems+itemMarks+replacing, 1
		}
		var args []any
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		if _, err := tx.Exec(ctx, query, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// durable has the transaction be on disk when it has succeeded.
func (s *Store) durable(ctx context.Context, tx *sqlkit.Tx) error {
	if s.db.Dialect() == sqlkit.Postgres {
		_, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`)
		return err
	}
	var level int // 2 is FULL, 3 is EXTRA
	if err := tx.Row(ctx, `PRAGMA synchronous`).Scan(&level); err != nil {
		return err
	}
	if level < 2 {
		return fmt.Errorf("%w: synchronous must be FULL on every connection", ErrUnsafeEngine)
	}
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
