package auditsql

import (
	"context"
	"math"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// run is a row of audit_run.
type run struct {
	no, level, state int64
	into             int64 // the run it is being merged into, 0 if none
	done             pair  // of one that is being built: its last pair; before all others at first
}

// tidy merges runs, for as much work as newly written pairs cause sooner or later: each is
// merged once per level. So what is left to do does not pile up, and no round does much more
// than it caused. Each piece is a transaction of its own; who is killed in between leaves
// nothing half done, and the next round goes on.
func (s *Store) tidy(ctx context.Context, pairs int, lock locking) error {
	for work := 0; ; {
		n, levels, err := s.tidySome(ctx, lock)
		work += n
		if err != nil || n == 0 || work >= pairs*(levels+1) {
			return err
		}
	}
}

// tidySome does one piece and returns how many pairs it merged and how many levels there are.
func (s *Store) tidySome(ctx context.Context, lock locking) (n, levels int, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n = 0
		if err := s.alone(ctx, tx, lock); err != nil {
			return err
		}
		runs, err := readRuns(ctx, tx)
		if err != nil {
			return err
		}
		if len(runs) > 0 {
			levels = int(runs[0].level) + 1
		}
		deleted, err := s.deleteDead(ctx, tx, runs)
		if err != nil {
			return err
		}
		n, err = s.mergeSome(ctx, tx, runs)
		n = max(n, deleted)
		return err
	})
	return n, levels, err
}

// readRuns returns all runs, the oldest first.
func readRuns(ctx context.Context, tx runner) (runs []run, err error) {
	err = scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
		var r run
		err := rows.Scan(&r.no, &r.level, &r.state, &r.into, &r.done.key, &r.done.place)
		runs = append(runs, r)
		return err
	}, `SELECT no, level, state, merges, key, place FROM audit_run ORDER BY level DESC, no`)
	return runs, err
}

// deleteDead deletes blocks of runs that were merged, more of them than a piece of merging
// adds, and returns how many there were.
func (s *Store) deleteDead(ctx context.Context, tx runner, runs []run) (int, error) {
	done, limit := 0, 4*s.shape.fan*s.shape.piece
	for _, r := range runs {
		if r.state != runDead || done >= limit {
			continue
		}
		n, err := deleteSome(ctx, tx, r.no, limit-done)
		if err != nil {
			return done, err
		}
		done += n + 1
	}
	return done, nil
}

// deleteSome deletes the first blocks of a run, and with the last one the run.
func deleteSome(ctx context.Context, tx runner, no int64, limit int) (n int, err error) {
	const (
		some   = `SELECT key, place FROM audit_block WHERE run = ? ORDER BY key, place LIMIT ?`
		remove = `DELETE FROM audit_block WHERE run = ? AND (key, place) <= (?, ?)`
	)
	var last pair
	err = scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
		n++
		return rows.Scan(&last.key, &last.place)
	}, some, no, limit)
	if err == nil && n > 0 {
		_, err = tx.Exec(ctx, remove, no, last.key, last.place)
	}
	if err == nil && n < limit {
		_, err = tx.Exec(ctx, `DELETE FROM audit_run WHERE no = ?`, no)
	}
	return n, err
}

// mergeSome merges a piece on the lowest level where there is something to merge.
func (s *Store) mergeSome(ctx context.Context, tx runner, runs []run) (int, error) {
	for level := int64(0); level <= topLevel(runs); level++ {
		target, sources := jobOf(runs, level, s.shape.fan)
		if sources == nil {
			continue
		}
		if target.no == 0 {
			if err := s.beginMerge(ctx, tx, &target, sources); err != nil {
				return 0, err
			}
		}
		return s.mergePiece(ctx, tx, target, sources)
	}
	return 0, nil
}

func topLevel(runs []run) int64 {
	if len(runs) == 0 {
		return -1
	}
	return runs[0].level
}

// jobOf returns the runs of a level that are being merged and into what, or that should be:
// always the oldest ones, so that what they become is older than what is left.
func jobOf(runs []run, level int64, fan int) (target run, sources []run) {
	for _, r := range runs {
		if r.level == level+1 && r.state == runBuilding {
			target = r
		}
	}
	for _, r := range runs {
		if r.level == level && r.state == runLive && r.into == target.no {
			sources = append(sources, r)
		}
	}
	if target.no == 0 {
		if len(sources) < fan {
			return target, nil
		}
		sources = sources[:fan]
		target = run{level: level + 1, state: runBuilding}
	}
	return target, sources
}

func (s *Store) beginMerge(ctx context.Context, tx runner, target *run, sources []run) error {
	if err := scanOne(ctx, tx, []any{&target.no}, insertRun, target.level, runBuilding); err != nil {
		return err
	}
	target.done = pair{-math.MaxInt64, 0} // as the table has it
	args := []any{target.no}
	for _, r := range sources {
		args = append(args, r.no)
	}
	_, err := tx.Exec(ctx, `UPDATE audit_run SET merges = ? WHERE no IN `+sqlkit.List(len(sources)), args...)
	return err
}

// mergePiece writes the next blocks of target. Only whole blocks are written; what does not
// fill one is read again for the next piece.
func (s *Store) mergePiece(ctx context.Context, tx runner, target run, sources []run) (int, error) {
	lists := make([][]pair, len(sources))
	last := pair{math.MaxInt64, math.MaxInt64} // what is above it may be missing from lists
	for i, r := range sources {
		pairs, whole, err := s.readPairs(ctx, tx, r.no, target.done)
		if err != nil {
			return 0, err
		}
		if !whole && comparePairs(pairs[len(pairs)-1], last) < 0 {
			last = pairs[len(pairs)-1]
		}
		lists[i] = pairs
	}
	finished := last.key == math.MaxInt64 && last.place == math.MaxInt64
	pairs := merged(lists, last)
	blocks := blocksOf(pairs, s.shape.block)
	if !finished && len(blocks) > 1 {
		blocks = blocks[:len(blocks)-1]
	}
	if err := s.writeBlocks(ctx, tx, target.no, blocks); err != nil {
		return 0, err
	}
	if finished {
		return len(pairs) + 1, finishMerge(ctx, tx, target.no)
	}
	end, ok := decodeBlock(nil, blocks[len(blocks)-1].data)
	if !ok {
		return 0, audit.ErrDamaged
	}
	done := end[len(end)-1]
	_, err := tx.Exec(ctx, `UPDATE audit_run SET key = ?, place = ? WHERE no = ?`, done.key, done.place, target.no)
	return len(pairs), err
}

// finishMerge lets the merged run take the place of its sources.
func finishMerge(ctx context.Context, tx runner, target int64) error {
	_, err := tx.Exec(ctx, `UPDATE audit_run SET state = ? WHERE merges = ?`, runDead, target)
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE audit_run SET state = ? WHERE no = ?`, runLive, target)
	}
	return err
}

const (
	// blockAt is the block that the pair is in, if any.
	blockAt = `SELECT data FROM audit_block WHERE run = ? AND (key, place) <= (?, ?) ORDER BY key DESC, place DESC LIMIT 1`
	// blocksAfter are the blocks after it.
	blocksAfter = `SELECT data FROM audit_block WHERE run = ? AND (key, place) > (?, ?) ORDER BY key, place LIMIT ?`
)

// readPairs reads the next pairs of a run, after one. whole tells that these are all.
func (s *Store) readPairs(ctx context.Context, tx runner, no int64, after pair) (pairs []pair, whole bool, err error) {
	blocks := 0
	scan := func(rows *sqlkit.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		some, ok := decodeBlock(nil, data)
		if !ok || len(pairs) > 0 && comparePairs(pairs[len(pairs)-1], some[0]) >= 0 {
			return audit.ErrDamaged
		}
		blocks++
		pairs = append(pairs, some...)
		return nil
	}
	if err := scanAll(ctx, tx, scan, blockAt, no, after.key, after.place); err != nil {
		return nil, false, err
	}
	blocks = 0
	if err := scanAll(ctx, tx, scan, blocksAfter, no, after.key, after.place, s.shape.piece); err != nil {
		return nil, false, err
	}
	at, found := slices.BinarySearchFunc(pairs, after, comparePairs)
	if found {
		at++
	}
	return pairs[at:], blocks < s.shape.piece, nil
}
