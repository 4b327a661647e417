package auditsql

import (
	"context"
	"math"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// reach is a range of places of one tenant: from ≤ place < below.
type reach struct{ from, below int64 }

// reachOf returns where to look for what f selects below an index; an empty range for a tenant
// without entries.
func (s *Store) reachOf(ctx context.Context, f *audit.Filter, below int64) (reach, error) {
	if f.From.IsZero() && f.To.IsZero() {
		var no, size int64
		err := scanOne(ctx, s.db, []any{&no, &size}, selectReach, string(f.Tenant))
		return reach{placeOf(no, 0), placeOf(no, min(max(below, 0), size))}, err
	}
	from, to := since(f), int64(never)
	if !f.To.IsZero() {
		to = min(sqlkit.Micros(f.To), never)
	}
	return s.inPeriod(ctx, string(f.Tenant), max(below, 0), from, to)
}

// since is where the filter's period begins, in microseconds.
func since(f *audit.Filter) int64 {
	if f.From.IsZero() {
		return math.MinInt64
	}
	return sqlkit.Micros(f.From)
}

const selectReach = `SELECT no, size FROM audit_tenant WHERE tenant = ?`

// never is after every Recorded and far from the end of the integers.
const never = 1 << 60

// periodQuery narrows the range of a tenant's places below an index by marks, and looks from
// both of its ends for marks with something in the period.
func (s *Store) periodQuery() string {
	no, least := s.numberOf("m"), "MIN"
	if s.postgres() {
		least = "LEAST"
	}
	return `WITH h AS MATERIALIZED (
			SELECT no, size, late, low, no * ` + placesOfTenant + ` AS start FROM audit_tenant WHERE tenant = ?
		), w AS MATERIALIZED (
			SELECT h.no, h.size, h.low,
				COALESCE((SELECT m.place + 256 FROM audit_mark m WHERE ` + no + ` = h.no + 0 AND m.latest < ? ORDER BY m.latest DESC, m.place DESC LIMIT 1), h.start) AS first,
				` + least + `(h.start + h.size, h.start + ?, COALESCE((SELECT m.place + 256 FROM audit_mark m
					WHERE ` + no + ` = h.no + 0 AND m.latest >= ? + h.late ORDER BY m.latest, m.place LIMIT 1), h.start + h.size)) AS below
			FROM h
		)
		SELECT w.no, w.size, w.low, w.first, w.below,
			COALESCE((SELECT m.place FROM audit_mark m WHERE m.place >= w.first AND m.place < w.below AND m.high >= ? ORDER BY m.place LIMIT 1), -1),
			COALESCE((SELECT m.place FROM audit_mark m WHERE m.place >= w.first AND m.place < w.below AND m.low < ? ORDER BY m.place DESC LIMIT 1), -1)
		FROM w`
}

// placesOfTenant is 2^40, see placeOf.
const placesOfTenant = `1099511627776`

// inPeriod is the range of a period.
//
// Entries are in the order of their commits, and Recorded nearly is, too, so a period is
// nearly a range of places; marks say of which. A mark is about 256 entries of a tenant: the
// lowest and the highest Recorded among them, and the highest of all until then, which only
// grows and can be searched for.
//   - Nothing up to the end of the last mark whose highest of all is before from is in the
//     period.
//   - No entry is more than late below the highest before it. So nothing after the first mark
//     whose highest of all is to+late or more is in the period.
//
// A clock that was wrong once makes these bounds wide. From there, marks are looked at one by
// one until one has something in the period. The entries after the last mark are in the head.
func (s *Store) inPeriod(ctx context.Context, tenant string, index, from, to int64) (reach, error) {
	var no, size, low, first, last int64
	var r reach
	err := scanOne(ctx, s.db, []any{&no, &size, &low, &r.from, &r.below, &first, &last}, s.periodQuery(),
		tenant, from, min(index, maxIndex), to, from, to)
	if err != nil {
		return r, err
	}
	tail := placeOf(no, size-size%markEvery)
	if first < 0 {
		first = tail
	}
	r.from = max(r.from, first)
	switch {
	case r.below > tail && low < to: // the last entries may be in the period
	case last >= 0:
		r.below = min(r.below, last+markEvery)
	default:
		r.below = r.from
	}
	return r, nil
}
