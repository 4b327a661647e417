package auditsql

import (
	"context"
	"database/sql"
	"errors"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// selectFirst is for first pages of one key, without an end of their period, on PostgreSQL. What
// takes its time there is how often and how much is sent, so it does in one statement what
// inPeriod and candidates do in two, and returns each block only as far as it has places of the key:
// behind the key are a varint that counts them, and as many varints of at most ten bytes.
//
// It goes through the runs from the newest to the oldest, one row of walk each, until the blocks
// have as many places as are asked for. Where a block begins with the key, the one before may have
// more of it and is looked at next. The key's bytes may also be inside of something else; whoever
// reads the block from its beginning finds that out.
const selectFirst = `WITH RECURSIVE h AS MATERIALIZED (
		SELECT no, no * ` + placesOfTenant + ` AS start, size FROM audit_tenant WHERE tenant = $1
	), walk AS (
		SELECT (SELECT array_agg(no ORDER BY level, no DESC) FROM audit_run WHERE state = 1) AS runs,
			CASE WHEN $2 = -9223372036854775808 THEN h.start ELSE COALESCE((SELECT m.place FROM audit_mark m
				WHERE m.place >= COALESCE((SELECT l.place + 256 FROM audit_mark l
					WHERE (l.place >> 40)::INTEGER = h.no + 0 AND l.latest < $2 ORDER BY l.latest DESC, l.place DESC LIMIT 1), h.start)
				AND m.place < h.start + h.size AND m.high >= $2 ORDER BY m.place LIMIT 1), h.start + h.size - h.size % 256) END AS first,
			h.start + h.size AS head,
			0 AS step, 1 AS at, h.start + h.size AS below, 0 AS run, 0 AS found, 0 AS cut, NULL::bytea AS data
		FROM h
		UNION ALL
		SELECT w.runs, w.first, w.head,
			w.step + 1, CASE WHEN b.here = 1 THEN w.at ELSE w.at + 1 END, CASE WHEN b.here = 1 THEN b.place ELSE w.head END, w.at, w.found + CASE WHEN b.here > 0 THEN b.n ELSE 0 END,
			b.here, substring(b.data FOR b.here + 9 + 10 * b.n)
		FROM walk w LEFT JOIN LATERAL (
			SELECT place, data, here, get_byte(count, 0) % 128 + get_byte(count, 0) / 128 * 128 * get_byte(count, 1) AS n FROM (
				SELECT place, data, here, substring(data FROM here + 8 FOR 2) || '\x0000' AS count FROM (
					SELECT place, data, position(int8send($3) IN data) AS here FROM audit_block
					WHERE run = w.runs[w.at] AND (key, place) < ($3, w.below) ORDER BY key DESC, place DESC LIMIT 1) AS last
				WHERE here > 0) AS one) AS b ON TRUE
		WHERE w.at <= cardinality(w.runs) AND w.found < $4
	)
	SELECT first, head, run, found, cut, data FROM walk WHERE step = 0 OR data IS NOT NULL ORDER BY step`

// firstPage returns where to search for a first page of a key, and its first candidates as candidates
// does. These are not known if the statement ended too early, or took other bytes for the key.
func (s *Store) firstPage(ctx context.Context, f *audit.Filter, key int64, n int) (r reach, places []int64, done, known bool, err error) {
	var (
		run, found, cut int64
		data            sql.RawBytes
	)
	g := &gathering{limit: n, found: posting{key: key, keep: n + 1}}
	dest := []any{&r.from, &r.below, &run, &found, &cut, &data}
	err = scanAll(ctx, s.db, func(rows *sqlkit.Rows) error {
		if err := rows.Scan(dest...); err != nil || run == 0 {
			return err
		}
		g.reach = r
		return g.addFirst(run, cut, data)
	}, selectFirst, string(f.Tenant), since(f), key, n+1)
	switch {
	case errors.Is(err, errNotKey):
		return r, nil, false, false, nil
	case err != nil && !errors.Is(err, errEnough):
		return r, nil, false, false, err
	}
	if found <= int64(n) {
		g.seen()
	}
	if !g.enough {
		g.close()
	}
	places, done = g.result()
	return r, places, done, g.enough || found <= int64(n), nil
}

// errNotKey: what was returned of a block is not what it has of the key.
var errNotKey = errors.New("auditsql: other bytes were taken for a key")

// addFirst adds what selectFirst returns of a block. The blocks of one run come from the last on.
// There may be more where one begins with the key, unless the statement went on to the next run.
func (g *gathering) addFirst(run, cut int64, data []byte) error {
	if run != g.run {
		g.seen()
	}
	switch {
	case !g.turn(run):
		return errEnough
	case !g.found.readSection(data, g.reach, int(cut)-1):
		return errNotKey
	}
	if g.cut, g.floor = g.found.more, g.from; g.cut {
		g.floor = g.found.places[0]
	}
	g.take()
	return nil
}

// seen says that the statement has looked at all that the run has of the key.
func (g *gathering) seen() { g.cut, g.floor = false, g.from }
