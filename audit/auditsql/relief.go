package auditsql

import (
	"context"
	"sync/atomic"
)

// relief counts what this process did since it last helped or cleaned, in entries.
type relief struct {
	appended, placed atomic.Int64

	lookEvery   int64 // appended between two looks at the backlog
	tooMany     int64 // waiting, from which on Append helps
	vacuumEvery int64 // placed between two cleanings
}

// due adds n and reports, once, that every was reached.
func due(counter *atomic.Int64, n, every int64) bool {
	if counter.Add(n) < every {
		return false
	}
	return counter.Swap(0) >= every
}

// help lets those who append pay, if they do so faster than anybody sequences, or if nobody
// runs Log.Run: now and then one of them gives as many entries their places as were appended
// since the last one did. So the backlog of a server stays bounded. What was appended is
// durable whatever comes of it. Nobody who appends waits for somebody else's lock here, which
// any login of the database could hold.
func (s *Store) help(ctx context.Context, n int) {
	if !due(&s.relief.appended, int64(n), s.relief.lookEvery) {
		return
	}
	if b, err := s.Backlog(ctx); err == nil && int64(b.Waiting) >= s.relief.tooMany {
		_, _ = s.sequence(ctx, int(s.relief.lookEvery), tryLock)
	}
}

// vacuum frees the rows that left audit_pending, so that the table stays as small as what
// waits, also on a server that does not do so itself or not often enough. It waits for no
// lock. Only the owner of the tables may; for others it does nothing.
func (s *Store) vacuum(ctx context.Context, n int) {
	if s.postgres() && due(&s.relief.placed, int64(n), s.relief.vacuumEvery) {
		_, _ = s.db.Exec(ctx, `VACUUM (SKIP_LOCKED, TRUNCATE FALSE) audit_pending, audit_block, audit_run, audit_tenant`)
	}
}
