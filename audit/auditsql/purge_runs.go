package auditsql

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// sweep goes through runs and takes out the pairs of purged places. It goes from the oldest run on
// and ends with the one that has later places of the tenant: newer ones have none before. On its
// way it finishes what is being merged, for a pair may be copied before it is taken out, and
// deletes what was merged. Each piece is a transaction of its own; a process that was killed
// remembers nothing and begins again.
type sweep struct {
	store *Store
	spans []span         // ascending, of one tenant
	pairs []pair         // what to look for, ascending; nil if it is not known
	clean map[int64]bool // runs without such pairs
	last  int64          // the clean run after which nothing is left to do
	at    sweepAt
}

// sweepAt is how far the sweep of one run has come.
type sweepAt struct {
	run    int64
	after  pair
	beyond bool // it has places behind the spans
}

// sweepRuns takes the pairs of all places in spans out of the runs. Where it is known what was found
// by what, it reads the blocks with these pairs only.
func (s *Store) sweepRuns(ctx context.Context, spans []span, by *foundBy) error {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	w := &sweep{store: s, spans: spans, clean: map[int64]bool{}}
	if !by.unknown {
		slices.SortFunc(by.pairs, comparePairs)
		w.pairs = by.pairs
	}
	for {
		var next sweepAt
		var finished, done bool
		err := s.db.Write(ctx, func(tx *sqlkit.Tx) (err error) {
			if err := s.alone(ctx, tx, waitForLock); err != nil {
				return err
			}
			next, finished, done, err = w.step(ctx, tx)
			return err
		})
		if err != nil || done {
			return err
		}
		if w.at = next; finished {
			w.clean[next.run] = true
			if next.beyond {
				w.last = next.run
			}
		}
		if err := s.letOthers(ctx); err != nil {
			return err
		}
	}
}

// step does one piece. It changes nothing but the tables, for it may be repeated.
func (w *sweep) step(ctx context.Context, tx *sqlkit.Tx) (next sweepAt, finished, done bool, err error) {
	runs, err := readRuns(ctx, tx)
	if err != nil {
		return w.at, false, false, err
	}
	if n, err := w.store.deleteDead(ctx, tx, runs); n > 0 || err != nil {
		return w.at, false, false, err
	}
	for _, r := range runs {
		switch {
		case r.state == runBuilding:
			_, sources := jobOf(runs, r.level-1, w.store.shape.fan)
			_, err := w.store.mergePiece(ctx, tx, r, sources)
			return w.at, false, false, err
		case !w.clean[r.no]:
			at := w.at
			if at.run != r.no {
				at = sweepAt{run: r.no, after: pair{math.MinInt64, -1}}
			}
			if w.pairs == nil {
				next, finished, err = w.sweepSome(ctx, tx, at)
			} else {
				next, finished, err = w.sweepPairs(ctx, tx, at)
			}
			if err == nil && finished {
				err = w.finish(ctx, tx, r.no)
			}
			return next, finished, false, err
		case r.no == w.last:
			return w.at, false, true, nil
		}
	}
	return w.at, false, true, nil
}

const (
	sweptBlocks = `SELECT data FROM audit_block WHERE run = ? AND (key, place) > (?, ?) ORDER BY key, place LIMIT ?`
	dropBlocks  = `DELETE FROM audit_block WHERE run = ? AND (key, place) >= (?, ?) AND (key, place) <= (?, ?)`
	forgetPair  = `UPDATE audit_run SET key = ?, place = 0 WHERE no = ?`
	dropEmpty   = `DELETE FROM audit_run WHERE no = ? AND state = 1 AND merges = 0 AND no < (SELECT MAX(no) FROM audit_run)
		AND NOT EXISTS (SELECT 1 FROM audit_block WHERE run = ?)`
)

// sweepSome sweeps the next blocks of a live run.
func (w *sweep) sweepSome(ctx context.Context, tx *sqlkit.Tx, at sweepAt) (next sweepAt, finished bool, err error) {
	var pairs []pair
	var firsts []pair
	limit := w.store.shape.fan * w.store.shape.piece
	scan := func(rows *sqlkit.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		n, ok := len(pairs), false
		if pairs, ok = decodeBlock(pairs, data); !ok {
			return audit.ErrDamaged
		}
		firsts = append(firsts, pairs[n])
		return nil
	}
	// Another purge may have cut the blocks anew: the one that has the last pair, too.
	if err := scanAll(ctx, tx, scan, blockAt, at.run, at.after.key, at.after.place); err != nil {
		return at, false, err
	}
	again := len(firsts)
	if err := scanAll(ctx, tx, scan, sweptBlocks, at.run, at.after.key, at.after.place, limit); err != nil {
		return at, false, err
	}
	if len(pairs) > 0 {
		at.after = pairs[len(pairs)-1]
	}
	if left := w.left(pairs, &at); len(left) < len(pairs) {
		err = w.replace(ctx, tx, at.run, firsts[0], firsts[len(firsts)-1], left)
	}
	return at, len(firsts)-again < limit, err
}

// left are the pairs of other places. It notes those behind the spans.
func (w *sweep) left(pairs []pair, at *sweepAt) []pair {
	out := make([]pair, 0, len(pairs))
	for _, p := range pairs {
		at.beyond = at.beyond || w.behind(p.place)
		if !w.has(p.place) {
			out = append(out, p)
		}
	}
	return out
}

// pairsAtOnce is how many pairs are looked for in a transaction.
const pairsAtOnce = 256

// sweepPairs looks for the next pairs in a live run.
func (w *sweep) sweepPairs(ctx context.Context, tx *sqlkit.Tx, at sweepAt) (next sweepAt, finished bool, err error) {
	from, found := slices.BinarySearchFunc(w.pairs, at.after, comparePairs)
	if found {
		from++
	}
	some := w.pairs[from:min(from+pairsAtOnce, len(w.pairs))]
	blocks, err := w.store.blocksWith(ctx, tx, at.run, some)
	if err != nil {
		return at, false, err
	}
	for _, pairs := range blocks {
		if left := w.left(pairs, &at); len(left) < len(pairs) {
			if err := w.replace(ctx, tx, at.run, pairs[0], pairs[0], left); err != nil {
				return at, false, err
			}
		}
	}
	if len(some) > 0 {
		at.after = some[len(some)-1]
	}
	return at, from+len(some) == len(w.pairs), nil
}

const blocksWithPostgres = `SELECT DISTINCT b.data FROM unnest(?::bigint[], ?::bigint[]) AS k (key, place) CROSS JOIN LATERAL (
		SELECT data FROM audit_block WHERE run = ? AND (key, place) <= (k.key, k.place) ORDER BY key DESC, place DESC LIMIT 1) AS b
	WHERE position(int8send(k.key) IN b.data) > 0`

// blocksWith returns the blocks of a run that ascending pairs would be in, each once.
func (s *Store) blocksWith(ctx context.Context, tx runner, run int64, some []pair) (blocks [][]pair, err error) {
	scan := func(rows *sqlkit.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		pairs, ok := decodeBlock(nil, data)
		if !ok {
			return audit.ErrDamaged
		}
		blocks = append(blocks, pairs)
		return nil
	}
	if s.postgres() {
		var keys, places numbers
		for _, p := range some {
			keys.add(p.key)
			places.add(p.place)
		}
		return blocks, scanAll(ctx, tx, scan, blocksWithPostgres, keys.done(), places.done(), run)
	}
	for _, p := range some {
		if n := len(blocks); n > 0 && comparePairs(p, blocks[n-1][len(blocks[n-1])-1]) <= 0 {
			continue
		}
		n := len(blocks)
		if err := scanAll(ctx, tx, scan, blockAt, run, p.key, p.place); err != nil {
			return nil, err
		}
		if k := len(blocks); n > 0 && k > n && blocks[k-1][0] == blocks[n-1][0] { // it ends before the pair
			blocks = blocks[:n]
		}
	}
	return blocks, nil
}

// replace writes pairs in place of the blocks from one to another.
func (w *sweep) replace(ctx context.Context, tx *sqlkit.Tx, run int64, first, last pair, pairs []pair) error {
	if _, err := tx.Exec(ctx, beginPurge, run); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, dropBlocks, run, first.key, first.place, last.key, last.place); err != nil {
		return err
	}
	if err := w.store.writeBlocks(ctx, tx, run, blocksOf(pairs, w.store.shape.block)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, endPurge, run)
	return err
}

// finish forgets the pair that building the run ended with, and a run that has no blocks any more.
// The number of the latest run is not given out again.
func (w *sweep) finish(ctx context.Context, tx *sqlkit.Tx, run int64) error {
	if _, err := tx.Exec(ctx, forgetPair, int64(-math.MaxInt64), run); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, dropEmpty, run, run)
	return err
}

// foundBy is what events were found by, as their bytes say.
type foundBy struct {
	pairs   []pair
	unknown bool // of some it is not known any more
}

// maxFoundBy is how many pairs are remembered: with more, whole runs are read as well.
const maxFoundBy = 200_000

func (b *foundBy) add(some foundBy) {
	b.pairs, b.unknown = append(b.pairs, some.pairs...), b.unknown || some.unknown
	if len(b.pairs) > maxFoundBy {
		b.unknown = true
	}
	if b.unknown {
		b.pairs = nil
	}
}

// readFoundBy reads it from the events of a span.
func readFoundBy(ctx context.Context, tx *sqlkit.Tx, tenant string, of span) (by foundBy, err error) {
	var room room
	err = scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
		var r row
		if err := rows.Scan(r.dest()...); err != nil {
			return err
		}
		text, ok := unpack(room.text, r.body, packContext{tenant, r.id, r.recorded})
		if room.text = text; !ok || !room.facts.read(text) {
			by.unknown = true
			return nil
		}
		e := room.facts.entry(audit.Tenant(tenant))
		for _, k := range keysOf(&e) {
			by.pairs = append(by.pairs, pair{k, r.place})
		}
		return nil
	}, `SELECT `+rowColumns+` FROM audit_entry e WHERE e.place >= ? AND e.place < ?`, of.from, of.until)
	return by, err
}

// has reports whether a place is in the spans.
func (w *sweep) has(place int64) bool {
	at, _ := slices.BinarySearchFunc(w.spans, place, func(p span, place int64) int {
		if p.until <= place {
			return -1
		}
		return 1
	})
	return at < len(w.spans) && w.spans[at].has(place)
}

// behind reports whether a place is one of the tenant's behind all spans.
func (w *sweep) behind(place int64) bool {
	end := w.spans[len(w.spans)-1].until
	return place >= end && place>>indexBits == w.spans[0].from>>indexBits
}
