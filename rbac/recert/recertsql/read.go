package recertsql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/recert"
)

const (
	campaignColumns = `SELECT id, tenant, version, active, body FROM recert_campaign`
	selectCampaign  = campaignColumns + ` WHERE tenant = ? AND id = ?`
	selectLatest    = campaignColumns + ` WHERE tenant = ? ORDER BY id DESC LIMIT ?`
	selectBelow     = campaignColumns + ` WHERE tenant = ? AND id < ? ORDER BY id DESC LIMIT ?`
	selectActive    = campaignColumns + ` WHERE active = 1 AND id > ? ORDER BY id LIMIT ?`

	selectItems   = `SELECT tenant, campaign, seq, state, reviewer, body FROM recert_item WHERE tenant = ? AND campaign = ? AND seq > ?`
	andReviewer   = ` AND reviewer = ?`
	andStates     = ` AND state IN `
	inOrder       = ` ORDER BY seq LIMIT ?`
	campaignsPage = 100 // how many campaigns one query reads
	itemsPage     = 500 // and how many items
)

// Get implements recert.Store.
func (s *Store) Get(ctx context.Context, t audit.Tenant, id string) (recert.Campaign, error) {
	var r campaignRow
	err := s.db.Get(ctx, r.dest(), selectCampaign, string(t), id)
	if errors.Is(err, sql.ErrNoRows) {
		return recert.Campaign{}, recert.ErrNotFound
	}
	if err != nil {
		return recert.Campaign{}, fmt.Errorf("recertsql: reading a campaign: %w", err)
	}
	return r.campaign()
}

// List implements recert.Store. Like the others it reads page by page and holds no connection while it
// yields.
func (s *Store) List(ctx context.Context, t audit.Tenant, below string) iter.Seq2[recert.Campaign, error] {
	return pages(func() ([]recert.Campaign, bool, error) {
		query, args := selectBelow, []any{string(t), below, campaignsPage}
		if below == "" {
			query, args = selectLatest, []any{string(t), campaignsPage}
		}
		found, err := read(ctx, s, (*campaignRow).scan, query, args...)
		if len(found) > 0 {
			below = found[len(found)-1].ID
		}
		return found, len(found) == campaignsPage, err
	})
}

// Active implements recert.Store.
func (s *Store) Active(ctx context.Context) iter.Seq2[recert.Campaign, error] {
	after := ""
	return pages(func() ([]recert.Campaign, bool, error) {
		found, err := read(ctx, s, (*campaignRow).scan, selectActive, after, campaignsPage)
		if len(found) > 0 {
			after = found[len(found)-1].ID
		}
		return found, len(found) == campaignsPage, err
	})
}

// Items implements recert.Store.
func (s *Store) Items(ctx context.Context, t audit.Tenant, campaign string, f recert.ItemFilter) iter.Seq2[recert.Item, error] {
	query, tail := selectItems, []any(nil)
	if f.Reviewer != "" {
		query += andReviewer
		tail = append(tail, string(f.Reviewer))
	}
	if len(f.States) > 0 {
		query += andStates + sqlkit.List(len(f.States))
		for _, state := range f.States {
			tail = append(tail, string(state))
		}
	}
	after, left := f.After, f.Limit
	return pages(func() ([]recert.Item, bool, error) {
		n := itemsPage
		if f.Limit > 0 {
			n = min(n, left)
		}
		args := append([]any{string(t), campaign, after}, tail...)
		found, err := read(ctx, s, (*itemRow).scan, query+inOrder, append(args, n)...)
		if len(found) > 0 {
			after = found[len(found)-1].Seq
		}
		left -= len(found)
		return found, len(found) == n && (f.Limit == 0 || left > 0), err
	})
}

// pages yields what next returns until it says that there is no more.
func pages[T any](next func() (page []T, more bool, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			page, more, err := next()
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, one := range page {
				if !yield(one, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// read reads all rows of a query.
func read[R, T any](ctx context.Context, s *Store, scan func(*R, *sqlkit.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("recertsql: listing: %w", err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var r R
		one, err := scan(&r, rows)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("recertsql: listing: %w", err)
	}
	return out, nil
}

// campaignRow is a row of recert_campaign.
type campaignRow struct {
	id, tenant      string
	version, active int64
	body            []byte
}

func (r *campaignRow) dest() []any { return []any{&r.id, &r.tenant, &r.version, &r.active, &r.body} }

func (r *campaignRow) scan(rows *sqlkit.Rows) (recert.Campaign, error) {
	if err := rows.Scan(r.dest()...); err != nil {
		return recert.Campaign{}, fmt.Errorf("recertsql: listing: %w", err)
	}
	return r.campaign()
}

// campaign is what the row says, if its columns and its body say the same.
func (r *campaignRow) campaign() (c recert.Campaign, err error) {
	if json.Unmarshal(r.body, &c) != nil || c.ID != r.id || string(c.Tenant) != r.tenant || c.Version != r.version || flag(c.Active) != r.active {
		return recert.Campaign{}, recert.ErrDamaged
	}
	return c, nil
}

// itemRow is a row of recert_item.
type itemRow struct {
	tenant, campaign, state, reviewer string
	seq                               int64
	body                              []byte
}

func (r *itemRow) scan(rows *sqlkit.Rows) (i recert.Item, err error) {
	if err := rows.Scan(&r.tenant, &r.campaign, &r.seq, &r.state, &r.reviewer, &r.body); err != nil {
		return i, fmt.Errorf("recertsql: listing: %w", err)
	}
	same := json.Unmarshal(r.body, &i) == nil && string(i.Tenant) == r.tenant && i.Campaign == r.campaign && i.Seq == r.seq
	if !same || string(i.State) != r.state || string(i.Reviewer) != r.reviewer {
		return recert.Item{}, recert.ErrDamaged
	}
	return i, nil
}
