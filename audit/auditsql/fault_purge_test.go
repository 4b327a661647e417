package auditsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// brittle is a driver that fails at one statement or commit, before or after the engine has
// carried it out.
type brittle struct {
	driver driver.Driver
	name   string
	left   atomic.Int64 // statements until it fails; negative: never
	after  atomic.Bool
}

var errBrittle = errors.New("secret: the line is dead")

func (b *brittle) pool(t testing.TB) *sql.DB {
	pool := sql.OpenDB(b)
	t.Cleanup(func() { pool.Close() })
	return pool
}

func (b *brittle) Connect(context.Context) (driver.Conn, error) {
	c, err := b.driver.Open(b.name)
	return &brittleConn{c, b}, err
}

func (b *brittle) Driver() driver.Driver { return b.driver }

func breaking[T any](b *brittle, f func() (T, error)) (T, error) {
	broken := b.left.Add(-1) == 0
	if broken && !b.after.Load() {
		var none T
		return none, errBrittle
	}
	out, err := f()
	if err == nil && broken {
		if rows, ok := any(out).(driver.Rows); ok {
			rows.Close()
		}
		var none T
		return none, errBrittle
	}
	return out, err
}

type brittleConn struct {
	driver.Conn
	b *brittle
}

func (c *brittleConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return breaking(c.b, func() (driver.Result, error) { return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args) })
}

func (c *brittleConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return breaking(c.b, func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) })
}

func (c *brittleConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	return &brittleTx{tx, c.b}, err
}

func (c *brittleConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return &brittleStmt{s, c.b}, err
}

type brittleTx struct {
	driver.Tx
	b *brittle
}

func (x *brittleTx) Commit() error {
	failed := true
	_, err := breaking(x.b, func() (int, error) { failed = false; return 0, x.Tx.Commit() })
	if failed {
		_ = x.Rollback() // as a driver's Commit does that could not
	}
	return err
}

type brittleStmt struct {
	driver.Stmt
	b *brittle
}

func (s *brittleStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return breaking(s.b, func() (driver.Result, error) { return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args) })
}

func (s *brittleStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return breaking(s.b, func() (driver.Rows, error) { return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args) })
}

// brittle opens the database through a driver that fails when it is told to.
func (db *shared) brittle() *brittle {
	b := &brittle{driver: db.pool.Driver(), name: db.address}
	if db.dialect == sqlkit.SQLite {
		b.name = "file:" + db.address + "?" + sound
	}
	b.left.Store(-1)
	return b
}

// left is the model of what is not purged, as the store says.
func left(t testing.TB, s *auditsql.Store, all model) model {
	t.Helper()
	out := model{}
	for tenant, list := range all {
		out[tenant] = append([]audit.Entry(nil), list...)
		gone, err := s.Purged(t.Context(), tenant, 0, int64(len(list)))
		require.NoError(t, err)
		for _, p := range gone {
			for i := p.From; i < p.To; i++ {
				out[tenant][i] = audit.Entry{}
			}
		}
	}
	return out
}

// whole compares every way to events with what is left: none is there in part.
func whole(t testing.TB, s *auditsql.Store, all model, r *rand.Rand) model {
	t.Helper()
	m := left(t, s, all)
	for range 6 {
		m.compare(t, s, r)
	}
	for tenant, list := range m {
		for range min(10, len(list)) {
			i := r.IntN(len(list))
			got, err := s.Get(t.Context(), tenant, all[tenant][i].ID)
			if list[i].ID == "" {
				require.ErrorIs(t, err, audit.ErrPurged)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, list[i].Body, got.Body)
			require.Equal(t, list[i].Openings, got.Openings)
		}
	}
	return m
}

// fill appends random entries of several tenants, with private values, and places them.
func fill(t testing.TB, s *auditsql.Store, all model, r *rand.Rand, rounds, each int) {
	t.Helper()
	for range rounds {
		batch := make([]audit.Entry, each)
		for i := range batch {
			batch[i] = random(t, r, r.IntN(3000))
			batch[i].Openings = []byte("sealed " + batch[i].ID)
			all[batch[i].Tenant] = append(all[batch[i].Tenant], batch[i])
		}
		require.NoError(t, s.Append(t.Context(), batch))
		drain(t, s)
	}
}

// TestPurgeFailsAtEachStatement breaks a purge at each of its statements and commits, before and
// after the engine has carried it out. Nothing is there in part, and the next call does the rest.
func TestPurgeFailsAtEachStatement(t *testing.T) {
	inTurn(t)
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		sane := reopen(t, db.pool, db.dialect)
		sane.Shape(500, 3, 8)
		b := db.brittle()
		broken := reopen(t, b.pool(t), db.dialect)
		broken.Shape(500, 3, 8)
		r := rand.New(rand.NewPCG(1, 9))
		all := model{}
		fill(t, sane, all, r, 4, 40)
		const tenant = audit.Tenant("clinic-1")
		failures := 0
		for n, at := int64(2), int64(0); ; n, at = n+1, at+4 {
			if at+4 > int64(len(all[tenant])) {
				fill(t, sane, all, r, 1, 40)
			}
			spans := []audit.Span{{From: at, To: at + 1}, {From: at + 2, To: at + 4}}
			b.after.Store(n%2 == 0)
			b.left.Store(n / 2)
			err := broken.Purge(t.Context(), tenant, spans)
			if b.left.Swap(-1) > 0 {
				require.NoError(t, err)
				break
			}
			if err != nil {
				failures++
				closed(t, err, errBrittle)
			}
			whole(t, sane, all, r)
			require.NoError(t, sane.Purge(t.Context(), tenant, spans))
			require.Empty(t, sane.Traces(t))
		}
		require.Greater(t, failures, 40)
	})
}

// TestPurgedFails: so do the readers of what was purged.
func TestPurgedFails(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		sane := reopen(t, db.pool, db.dialect)
		all := model{}
		fill(t, sane, all, rand.New(rand.NewPCG(1, 9)), 1, 60)
		require.NoError(t, sane.Purge(t.Context(), "clinic-1", []audit.Span{{From: 2, To: 9}}))
		b := db.brittle()
		store := reopen(t, b.pool(t), db.dialect)
		for name, f := range map[string]func() error{
			"purged": func() error { _, err := store.Purged(t.Context(), "clinic-1", 0, 9); return err },
			"get": func() error {
				_, err := store.Get(t.Context(), "clinic-1", all["clinic-1"][3].ID)
				if errors.Is(err, audit.ErrPurged) {
					return nil
				}
				require.NotErrorIs(t, err, audit.ErrNotFound)
				return err
			},
			"append": func() error { return store.Append(t.Context(), all["clinic-1"][3:4]) },
			"list": func() error {
				for _, err := range store.List(t.Context(), audit.Filter{Tenant: "clinic-1"}, audit.Newest, 50) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		} {
			n := int64(1)
			for ; ; n++ {
				b.left.Store(n)
				err := f()
				if b.left.Swap(-1) > 0 {
					require.NoError(t, err, name)
					break
				}
				if err != nil {
					closed(t, err, errBrittle)
				}
			}
			require.Greater(t, n, int64(2), name)
		}
	})
}

// TestPurgeBesideEverybody purges from two processes at once, spans that overlap, while others
// record, order and read. Nobody fails, and in the end all of it is gone.
func TestPurgeBesideEverybody(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		one, two := reopen(t, db.another(t), db.dialect), reopen(t, db.another(t), db.dialect)
		one.Shape(200, 3, 2)
		two.Shape(200, 3, 2)
		r := rand.New(rand.NewPCG(7, 7))
		all := model{}
		fill(t, one, all, r, 4, less(100))
		const tenant = audit.Tenant("clinic-2")
		size := int64(len(all[tenant]))
		var done acknowledged
		ctx, cancel := context.WithCancel(t.Context())
		var others, purges sync.WaitGroup
		for i := range 4 {
			log := newLog(t, []*auditsql.Store{one, two}[i%2])
			others.Go(func() {
				for ctx.Err() == nil {
					e := event("beside")
					e.ID, e.Tenant, e.Actor.Tenant = fresh(), "clinic-9", "clinic-9"
					if err := done.record(t.Context(), log, e); err != nil && !sqlkit.IsBusy(err) {
						t.Error(err)
					}
				}
			})
		}
		for i := range 2 {
			store, r := []*auditsql.Store{one, two}[i], rand.New(rand.NewPCG(uint64(i), 3))
			others.Go(func() {
				for ctx.Err() == nil {
					if _, err := store.Sequence(t.Context(), 50); err != nil && !sqlkit.IsBusy(err) {
						t.Error(err)
					}
					f := randomFilter(r)
					f.Tenant = tenant
					below := audit.Newest
					for e, err := range store.List(t.Context(), f, audit.Newest, 30) {
						if err != nil || e.Index >= below || e.ID != all[tenant][e.Index].ID || !f.Matches(&all[tenant][e.Index]) {
							t.Error("a page is wrong while events are purged", err)
							return
						}
						below = e.Index
					}
				}
			})
			purges.Go(func() {
				for from := int64(i * 7); from+30 < size; from += 20 {
					spans := []audit.Span{{From: from, To: from + 12}, {From: from + 14, To: from + 30}}
					err := store.Purge(t.Context(), tenant, spans)
					for sqlkit.IsBusy(err) { // SQLite's writers stand in no line
						err = store.Purge(t.Context(), tenant, spans)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		purges.Wait()
		cancel()
		others.Wait()
		drain(t, one)
		whole(t, two, all, r)
		require.Empty(t, one.Traces(t))
		done.verify(t, two)
	})
}
