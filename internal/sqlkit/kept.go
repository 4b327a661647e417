package sqlkit

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"
	"time"
)

// maxKept bounds how many statements are kept prepared. A store has a fixed number of them;
// those beyond, made by an endless variety of filters, are prepared each time.
const maxKept = 128

// kept are prepared statements of an SQLite pool. database/sql prepares each once per
// connection and closes it with the connection.
type kept struct {
	lock string

	mu     sync.RWMutex
	stmts  map[string]*sql.Stmt
	wanted map[string]bool
}

// KeepStatements makes d keep its statements prepared, which saves SQLite half the time of a
// short one; drivers of PostgreSQL do so by themselves, and it changes nothing there. It is
// for Open's result, before any use.
//
// lock is a statement that writes and changes nothing. It begins every transaction of Write
// and thereby takes the lock that BEGIN IMMEDIATE would: database/sql lets only its own
// transactions use its statements, and these begin with BEGIN.
func (d *DB) KeepStatements(lock string) {
	if d.dialect == SQLite {
		d.kept = &kept{lock: lock, stmts: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
	}
}

// Keep prepares statements before their first use, where d keeps them, so that a host's
// transaction, which cannot prepare any for others, finds them there. It does what it can: a
// statement that cannot be prepared now is prepared each time, or later.
func (d *DB) Keep(ctx context.Context, queries ...string) {
	if d.kept == nil {
		return
	}
	for _, query := range queries {
		d.kept.get(query)
	}
	d.prepareWanted(ctx)
}

// get returns the statement if it is prepared; if not, it will be soon.
func (k *kept) get(query string) *sql.Stmt {
	k.mu.RLock()
	s, full := k.stmts[query], len(k.stmts)+len(k.wanted) >= maxKept
	k.mu.RUnlock()
	if s != nil || full {
		return s
	}
	k.mu.Lock()
	k.wanted[query] = true
	k.mu.Unlock()
	return nil
}

// prepareWanted prepares what was wanted, if a connection is free: whoever needs one for the
// purpose itself goes first. The caller holds no connection.
func (d *DB) prepareWanted(ctx context.Context) {
	k := d.kept
	if k == nil || d.tx != nil {
		return
	}
	list := k.take()
	if len(list) == 0 {
		return
	}
	if s := d.pool.Stats(); s.Idle == 0 && s.MaxOpenConnections > 0 && s.OpenConnections >= s.MaxOpenConnections {
		return // they are wanted again the next time
	}
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	for _, query := range list {
		s, err := d.pool.PrepareContext(ctx, query)
		if err != nil {
			return
		}
		k.put(query, s)
	}
}

// take returns what is wanted, for the caller to prepare: no lock is held meanwhile.
func (k *kept) take() []string {
	k.mu.RLock()
	none := len(k.wanted) == 0
	k.mu.RUnlock()
	if none {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	list := slices.Collect(maps.Keys(k.wanted))
	clear(k.wanted)
	return list
}

// put keeps the statement, unless another is kept for the same query.
func (k *kept) put(query string, s *sql.Stmt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stmts[query] != nil {
		_ = s.Close()
		return
	}
	k.stmts[query] = s
}

// writeKept is writeConn with prepared statements. The driver's Commit rolls back what it
// could not commit.
func (d *DB) writeKept(ctx context.Context, f func(*Tx) error) error {
	tx, err := d.pool.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return hide(err)
	}
	defer tx.Rollback() // also when f panics; nothing after a commit
	t := &Tx{db: d, q: &keptTx{tx: tx, k: d.kept, foreign: new(bool)}}
	if _, err := t.Exec(context.WithoutCancel(ctx), d.kept.lock); err != nil {
		return err
	}
	if err := run(t, f); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return hide(tx.Commit())
}

// keptTx is a transaction that uses prepared statements.
type keptTx struct {
	tx      *sql.Tx
	k       *kept
	foreign *bool                // whether the transaction is another pool's; nil until that is known
	mine    map[string]*sql.Stmt // of this transaction, which closes them
}

// stmt returns the prepared statement for the transaction, nil if there is none.
func (t *keptTx) stmt(ctx context.Context, query string) *sql.Stmt {
	if s := t.mine[query]; s != nil {
		return s
	}
	s := t.k.get(query)
	if s == nil || t.isForeign(ctx, s) {
		return nil
	}
	if t.mine == nil {
		t.mine = map[string]*sql.Stmt{}
	}
	t.mine[query] = t.tx.StmtContext(ctx, s)
	return t.mine[query]
}

// isForeign asks once for a transaction: a host's may be one of another pool for the same file,
// which cannot use statements of this one. database/sql says so of a statement that was not run yet.
func (t *keptTx) isForeign(ctx context.Context, s *sql.Stmt) bool {
	if t.foreign == nil {
		t.foreign = new(bool)
		*t.foreign = t.tx.StmtContext(ctx, s).Close() != nil
	}
	return *t.foreign
}

func (t *keptTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := t.stmt(ctx, query); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return t.tx.ExecContext(ctx, query, args...)
}

func (t *keptTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.stmt(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return t.tx.QueryContext(ctx, query, args...)
}

func (t *keptTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.stmt(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return t.tx.QueryRowContext(ctx, query, args...)
}

// keptPool is a pool that uses prepared statements.
type keptPool struct {
	pool *sql.DB
	k    *kept
}

func (p keptPool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := p.k.get(query); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return p.pool.ExecContext(ctx, query, args...)
}

func (p keptPool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := p.k.get(query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return p.pool.QueryContext(ctx, query, args...)
}

func (p keptPool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := p.k.get(query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return p.pool.QueryRowContext(ctx, query, args...)
}
