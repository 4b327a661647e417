package auditsql

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// What entries are found by is kept in runs: sorted pairs of key and place, cut into blocks.
// Each round of Sequence writes one run of level 0, a few pages one after the other, where an
// index would change a page of its own for almost every pair. Eight runs of a level become
// one of the next, a piece at a time, see tidy. So there are few runs however many entries.
//
// Runs are disjoint in time: all places that a tenant has in one are above those it has in any
// older one. A search goes through them from the newest to the oldest and finds places in
// descending order without sorting.

// The states of a run.
const (
	runBuilding = 0 // being merged from others
	runLive     = 1
	runDead     = 2 // merged into another one; its blocks are being deleted
)

// shape is how runs look. Tests make them small.
type shape struct {
	block int // bytes of a block
	fan   int // runs of a level that become one
	piece int // blocks of each run that are merged at a time
}

const (
	insertRun   = `INSERT INTO audit_run (no, level, state) SELECT COALESCE(MAX(no), 0) + 1, ?, ? FROM audit_run RETURNING no`
	insertBlock = `INSERT INTO audit_block (run, key, place, data) VALUES `
)

// writeRun writes pairs as a new run of level 0. It sorts them.
func (s *Store) writeRun(ctx context.Context, tx runner, pairs []pair) error {
	slices.SortFunc(pairs, comparePairs)
	var no int64
	if err := scanOne(ctx, tx, []any{&no}, insertRun, 0, runLive); err != nil {
		return err
	}
	return s.writeBlocks(ctx, tx, no, blocksOf(pairs, s.shape.block))
}

func (s *Store) writeBlocks(ctx context.Context, tx runner, run int64, blocks []block) error {
	values := make([]any, 0, 4*len(blocks))
	for _, b := range blocks {
		values = append(values, run, b.first.key, b.first.place, b.data)
	}
	_, err := s.insertRows(ctx, tx, insertBlock, values, 4, "")
	return err
}

// The search for the last block of each run that may have pairs of a key below a place, the
// newest run first. On PostgreSQL a block without the key stays at the server.
const (
	searchSQLite = `SELECT r.no, k.key, (SELECT b.data FROM audit_block b WHERE b.run = r.no AND (b.key, b.place) < (k.key, ?)
			ORDER BY b.key DESC, b.place DESC LIMIT 1) AS data
		FROM audit_run r CROSS JOIN `
	searchSQLiteEnd = ` WHERE r.state = 1 ORDER BY r.level, r.no DESC`
	searchPostgres  = `SELECT r.no, k.key, b.data
		FROM audit_run r CROSS JOIN unnest($2::bigint[]) AS k (key) CROSS JOIN LATERAL (
			SELECT data FROM audit_block WHERE run = r.no AND (key, place) < (k.key, $1) ORDER BY key DESC, place DESC LIMIT 1) AS b
		WHERE r.state = 1 AND position(int8send(k.key) IN b.data) > 0 ORDER BY r.level, r.no DESC`
)

// candidates returns the next places in the reach that have one of the keys, in descending
// order, at most n. done tells that there are no more.
func (s *Store) candidates(ctx context.Context, keys []int64, r reach, n int) (places []int64, done bool, err error) {
	if len(keys) == 0 {
		for p := r.below - 1; p >= r.from && len(places) < n; p-- {
			places = append(places, p)
		}
		return places, len(places) < n, nil
	}
	query, args := s.searchQuery(keys, r.below)
	found, _, err := s.postings(ctx, r, query, args)
	if err != nil {
		return nil, false, err
	}
	for start := 0; start < len(found) && len(places) < n; {
		end := start + 1
		for end < len(found) && found[end].run == found[start].run {
			end++
		}
		some, cut, older := oneRun(found[start:end], r)
		places = append(places, some...)
		if len(places) > n {
			return places[:n], false, nil
		}
		if cut || older {
			return places, !cut, nil
		}
		start = end
	}
	return places, len(places) < n, nil
}

// oneRun returns the places of one run in descending order. cut tells that the run has more
// of them, below these; older that it has some before the reach, as all older runs.
func oneRun(found []posting, r reach) (places []int64, cut, older bool) {
	floor := r.from
	for _, f := range found {
		if f.first {
			cut, floor = true, max(floor, f.places[0])
		}
		places, older = append(places, f.places...), older || f.older
	}
	slices.SortFunc(places, func(a, b int64) int { return cmp.Compare(b, a) })
	places = slices.Compact(places)
	return slices.DeleteFunc(places, func(p int64) bool { return p < floor }), cut, older
}

// searchQuery is the statement of candidates.
func (s *Store) searchQuery(keys []int64, below int64) (string, []any) {
	if s.postgres() {
		return searchPostgres, []any{below, keyList(keys)}
	}
	list, args := keyRows(keys)
	return searchSQLite + list + searchSQLiteEnd, append([]any{below}, args...)
}

// keyList is an array of PostgreSQL.
func keyList(keys []int64) string {
	var list numbers
	for _, k := range keys {
		list.add(k)
	}
	return list.done()
}

// keyRows is the same as rows of SQLite.
func keyRows(keys []int64) (string, []any) {
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	return `(SELECT ? AS key` + strings.Repeat(` UNION ALL SELECT ?`, len(keys)-1) + `) k`, args
}

// postings reads blocks, and from each what it has of a key, and counts the rows.
func (s *Store) postings(ctx context.Context, r reach, query string, args []any) (found []posting, n int, err error) {
	err = scanAll(ctx, s.db, func(rows *sqlkit.Rows) error {
		n++
		var f posting
		var data sql.RawBytes
		if err := rows.Scan(&f.run, &f.key, &data); err != nil {
			return err
		}
		if !bytes.Contains(data, keyBytes([]int64{f.key})) {
			return nil
		}
		if !f.read(data, r) {
			return audit.ErrDamaged
		}
		found = append(found, f)
		return nil
	}, query, args...)
	return found, n, err
}
