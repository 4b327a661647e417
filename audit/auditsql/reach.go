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
	var h head
	err := scanOne(ctx, s.db, []any{&h.no, &h.size, &h.late, &h.low, &h.high},
		selectReach, string(f.Tenant))
	r := reach{placeOf(h.no, 0), placeOf(h.no, min(max(below, 0), h.size))}
	if err != nil || h.size == 0 || f.From.IsZero() && f.To.IsZero() {
		return r, err
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.From.IsZero() {
		from = sqlkit.Micros(f.From)
	}
	if !f.To.IsZero() {
		to = sqlkit.Micros(f.To)
	}
	return s.inPeriod(ctx, &h, r, from, to)
}

const selectReach = `SELECT no, size, late, low, high FROM audit_tenant WHERE tenant = ?`

// marksOfPeriod searches the last mark before a time and the first one after another.
func (s *Store) marksOfPeriod() string {
	no := s.numberOf("m")
	return `SELECT COALESCE((SELECT m.place FROM audit_mark m WHERE ` + no + ` = ? AND m.latest < ? ORDER BY m.latest DESC, m.place DESC LIMIT 1), -1),
		COALESCE((SELECT m.place FROM audit_mark m WHERE ` + no + ` = ? AND m.latest >= ? ORDER BY m.latest, m.place LIMIT 1), -1)`
}

// marksOneByOne looks from both ends of a range for marks with something in a period.
const marksOneByOne = `SELECT COALESCE((SELECT m.place FROM audit_mark m WHERE m.place >= ? AND m.place < ? AND m.high >= ? ORDER BY m.place LIMIT 1), -1),
	COALESCE((SELECT m.place FROM audit_mark m WHERE m.place >= ? AND m.place < ? AND m.low < ? ORDER BY m.place DESC LIMIT 1), -1)`

// inPeriod narrows the range to a period.
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
func (s *Store) inPeriod(ctx context.Context, h *head, r reach, from, to int64) (reach, error) {
	var first, last int64
	if err := scanOne(ctx, s.db, []any{&first, &last}, s.marksOfPeriod(), h.no, from, h.no, to+min(h.late, math.MaxInt64-max(to, 0))); err != nil {
		return r, err
	}
	if first >= 0 {
		r.from = max(r.from, first+markEvery)
	}
	if last >= 0 {
		r.below = min(r.below, last+markEvery)
	}
	if err := scanOne(ctx, s.db, []any{&first, &last}, marksOneByOne, r.from, r.below, from, r.from, r.below, to); err != nil {
		return r, err
	}
	tail := placeOf(h.no, h.size-h.size%markEvery)
	if first < 0 {
		first = tail
	}
	r.from = max(r.from, first)
	switch {
	case r.below > tail && h.low < to: // the last entries may be in the period
	case last >= 0:
		r.below = min(r.below, last+markEvery)
	default:
		r.below = r.from
	}
	return r, nil
}
