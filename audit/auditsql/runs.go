package auditsql

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
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

// shape is how runs look, and how many events one transaction purges. Tests make them small.
type shape struct {
	block int   // bytes of a block
	fan   int   // runs of a level that become one
	piece int   // blocks of each run that are merged at a time
	chunk int64 // events that are purged at a time
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
// newest run first. SQLite searches a run when the one before has been read; PostgreSQL all at
// once, and a block without the key stays there. For one key it has a statement without an
// array: it plans one with an array anew each time, which takes longer than the search.
const (
	searchSQLite = `SELECT r.no, k.key, (SELECT b.data FROM audit_block b WHERE b.run = r.no AND (b.key, b.place) < (k.key, ?)
			ORDER BY b.key DESC, b.place DESC LIMIT 1) AS data
		FROM audit_run r CROSS JOIN `
	searchSQLiteEnd = ` WHERE r.state = 1 ORDER BY r.level, r.no DESC`
	searchPostgres  = `SELECT r.no, $2::bigint, b.data
		FROM audit_run r CROSS JOIN LATERAL (
			SELECT data FROM audit_block WHERE run = r.no AND (key, place) < ($2, $1) ORDER BY key DESC, place DESC LIMIT 1) AS b
		WHERE r.state = 1 AND position(int8send($2) IN b.data) > 0 ORDER BY r.level, r.no DESC`
	searchPostgresMany = `SELECT r.no, k.key, b.data
		FROM audit_run r CROSS JOIN unnest($2::bigint[]) AS k (key) CROSS JOIN LATERAL (
			SELECT data FROM audit_block WHERE run = r.no AND (key, place) < (k.key, $1) ORDER BY key DESC, place DESC LIMIT 1) AS b
		WHERE r.state = 1 AND position(int8send(k.key) IN b.data) > 0 ORDER BY r.level, r.no DESC`
)

// candidates returns the next places in the reach that have one of the keys, in descending
// order, at most n. done tells that there are no more.
func (s *Store) candidates(ctx context.Context, keys []int64, r reach, n int) (places []int64, done bool, err error) {
	query, args := s.searchQuery(keys, r.below)
	g, err := s.gather(ctx, r, n, query, args...)
	if err != nil {
		return nil, false, err
	}
	places, done = g.result()
	return places, done, nil
}

func (s *Store) gather(ctx context.Context, r reach, limit int, query string, args ...any) (*gathering, error) {
	g := &gathering{reach: r, limit: limit, found: posting{keep: limit + 1}, floor: r.from}
	_, err := s.blocks(ctx, g.add, query, args...)
	if !g.enough {
		g.close()
	}
	return g, err
}

// gathering is a search that goes through runs from the newest to the oldest and ends when it
// has enough.
type gathering struct {
	reach
	limit  int
	found  posting
	places []int64 // descending, as far as run
	run    int64   // the one that is being read, and where its places begin
	start  int
	floor  int64 // the run may have more places below it, if cut
	cut    bool
	older  bool // it has some before the reach, as all older runs
	enough bool
}

// add adds what a block has. It returns errEnough if nobody needs it.
func (g *gathering) add(run, key int64, data []byte) error {
	if !g.turn(run) {
		return errEnough
	}
	g.found.key = key
	if !g.found.read(data, g.reach) {
		return audit.ErrDamaged
	}
	if g.found.more {
		g.cut, g.floor = true, max(g.floor, g.found.places[0])
	}
	g.take()
	return nil
}

// turn goes on with a run; it reports false if the ones before had enough.
func (g *gathering) turn(run int64) bool {
	if run == g.run {
		return true
	}
	g.close()
	g.run, g.start = run, len(g.places)
	return !g.enough
}

func (g *gathering) take() {
	g.places, g.older = append(g.places, g.found.places...), g.older || g.found.older
}

// close brings the places of the run in order.
func (g *gathering) close() {
	last := g.places[g.start:]
	slices.SortFunc(last, func(a, b int64) int { return cmp.Compare(b, a) })
	last = slices.DeleteFunc(slices.Compact(last), func(p int64) bool { return p < g.floor })
	g.places = g.places[:g.start+len(last)]
	g.enough = g.cut || g.older || len(g.places) > g.limit
}

// result returns what was found; done tells that it is all there is.
func (g *gathering) result() (places []int64, done bool) {
	switch {
	case len(g.places) > g.limit:
		return g.places[:g.limit], false
	case g.cut || g.older:
		return g.places, !g.cut
	}
	return g.places, len(g.places) < g.limit
}

// errEnough ends a search.
var errEnough = errors.New("auditsql: enough was found")

// searchQuery is the statement of candidates.
func (s *Store) searchQuery(keys []int64, below int64) (string, []any) {
	switch {
	case s.postgres() && len(keys) == 1:
		return searchPostgres, []any{below, keys[0]}
	case s.postgres():
		return searchPostgresMany, []any{below, keyList(keys)}
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

// blocks reads blocks that may have a key, and passes those that have to visit, which may end it
// with errEnough. It counts all that it read.
func (s *Store) blocks(ctx context.Context, visit func(run, key int64, data []byte) error, query string, args ...any) (n int, err error) {
	var (
		run, key int64
		data     sql.RawBytes
		mark     [8]byte
	)
	dest := []any{&run, &key, &data}
	err = scanAll(ctx, s.db, func(rows *sqlkit.Rows) error {
		n++
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		binary.BigEndian.PutUint64(mark[:], uint64(key))
		if !bytes.Contains(data, mark[:]) {
			return nil
		}
		return visit(run, key, data)
	}, query, args...)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return n, err
}
