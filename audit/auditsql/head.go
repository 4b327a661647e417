package auditsql

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// A place is the number of a tenant and an index in its order: no<<40 | index.
const (
	indexBits = 40
	maxIndex  = 1<<indexBits - 1
	maxTenant = 1<<22 - 1
)

var errFull = errors.New("auditsql: more tenants or entries than a database holds")

func placeOf(no, index int64) int64 { return no<<indexBits | index }

func indexOf(place int64) int64 { return place & maxIndex }

// markEvery is how many entries of a tenant share a mark.
const markEvery = 256

// head is a row of audit_tenant.
type head struct {
	no          int64
	tenant      string
	given, size int64
	latest      int64 // the highest recorded
	late        int64 // how far recorded ever was below the highest before it
	low, high   int64 // since the last mark
	fresh       bool  // not in the table yet
}

func newHead(no int64, tenant string) *head {
	return &head{no: no, tenant: tenant, latest: math.MinInt64, low: math.MaxInt64, high: math.MinInt64, fresh: true}
}

// mark is a row of audit_mark.
type mark struct{ place, latest, low, high int64 }

// found counts the next entry as one that can be found. The last of a run returns its mark.
func (h *head) found(recorded int64) (mark, bool) {
	h.size++
	if h.latest > recorded && h.size > 1 {
		h.late = max(h.late, h.latest-recorded)
	}
	h.latest, h.low, h.high = max(h.latest, recorded), min(h.low, recorded), max(h.high, recorded)
	if h.size%markEvery != 0 {
		return mark{}, false
	}
	m := mark{placeOf(h.no, h.size-markEvery), h.latest, h.low, h.high}
	h.low, h.high = math.MaxInt64, math.MinInt64
	return m, true
}

// heads are those of the tenants of one transaction, which no other can move meanwhile.
type heads map[string]*head

const selectHead = `SELECT no, tenant, given, size, latest, late, low, high FROM audit_tenant WHERE `

// headsOf reads the heads of the tenants and numbers those that have none.
func headsOf(ctx context.Context, tx runner, tenants []string) (heads, error) {
	out := heads{}
	err := chunks(len(tenants), func(start, end int) error {
		args := make([]any, 0, end-start)
		for _, t := range tenants[start:end] {
			args = append(args, t)
		}
		return out.read(ctx, tx, `tenant IN `+sqlkit.List(len(args)), args)
	})
	if err != nil || len(out) == len(tenants) {
		return out, err
	}
	var last int64
	if err := scanOne(ctx, tx, []any{&last}, `SELECT COALESCE(MAX(no), 0) FROM audit_tenant`); err != nil {
		return nil, err
	}
	for _, t := range tenants {
		if out[t] == nil {
			last++
			out[t] = newHead(last, t)
		}
	}
	if last > maxTenant {
		return nil, errFull
	}
	return out, nil
}

func (hs heads) read(ctx context.Context, tx runner, where string, args []any) error {
	return scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
		h := &head{}
		err := rows.Scan(&h.no, &h.tenant, &h.given, &h.size, &h.latest, &h.late, &h.low, &h.high)
		if err == nil && (h.no < 1 || h.no > maxTenant || h.size < 0 || h.given < h.size || h.given >= maxIndex) {
			return audit.ErrDamaged
		}
		hs[h.tenant] = h
		return err
	}, selectHead+where, args...)
}

const upsertHead = `INSERT INTO audit_tenant (no, tenant, given, size, latest, late, low, high) VALUES `

const replaceHead = ` ON CONFLICT (tenant) DO UPDATE SET given = excluded.given, size = excluded.size,
	latest = excluded.latest, late = excluded.late, low = excluded.low, high = excluded.high`

// saveHeads writes the heads back.
func (s *Store) saveHeads(ctx context.Context, tx runner, hs heads) error {
	var values []any
	for _, h := range hs {
		if h.given > maxIndex {
			return errFull
		}
		values = append(values, h.no, h.tenant, h.given, h.size, h.latest, h.late, h.low, h.high)
	}
	_, err := s.insertRows(ctx, tx, upsertHead, values, 8, replaceHead)
	return err
}

// maxRows is how many rows one statement takes at most.
const maxRows = 64

// chunks calls f for the parts of a list of n.
func chunks(n int, f func(start, end int) error) error {
	for start := 0; start < n; start += maxRows {
		if err := f(start, min(start+maxRows, n)); err != nil {
			return err
		}
	}
	return nil
}

// insertRows inserts rows of width values and returns how many the database counted.
//
// On PostgreSQL it uses three sizes of statement, because each is a round trip. On SQLite it
// inserts them one by one with a statement that stays prepared: for several rows at a time the
// engine keeps a journal of the pages that the statement changes, which costs more.
func (s *Store) insertRows(ctx context.Context, tx runner, insert string, values []any, width int, conflict string) (int64, error) {
	sizes := [...]int{maxRows, 8, 1}
	if !s.postgres() {
		sizes = [...]int{1, 1, 1}
	}
	var inserted int64
	tuple := sqlkit.List(width)
	for _, size := range sizes {
		if len(values) < size*width {
			continue
		}
		query := insert + strings.Repeat(tuple+", ", size-1) + tuple + conflict
		for ; len(values) >= size*width; values = values[size*width:] {
			n, err := tx.Exec(ctx, query, values[:size*width]...)
			if err != nil {
				return inserted, err
			}
			inserted += n
		}
	}
	return inserted, nil
}

// runner runs statements: a *sqlkit.Tx, or a *sqlkit.DB that joined a host's transaction.
type runner interface {
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	Query(ctx context.Context, query string, args ...any) (*sqlkit.Rows, error)
}

// scanAll calls scan for each row of a query.
func scanAll(ctx context.Context, from runner, scan func(*sqlkit.Rows) error, query string, args ...any) error {
	rows, err := from.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanOne scans the only row of a query; dest stays as it is if there is none.
func scanOne(ctx context.Context, from runner, dest []any, query string, args ...any) error {
	return scanAll(ctx, from, func(rows *sqlkit.Rows) error { return rows.Scan(dest...) }, query, args...)
}
