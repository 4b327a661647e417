package sqlkit_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// script is a database that knows whether its connections are inside a transaction and does
// what a test tells it, to reach moments that a real engine passes too quickly.
type script struct {
	mu     sync.Mutex
	before func(statement string) error // fails the statement
	after  func(statement string)       // it took effect
	count  map[string]int
	open   int // connections
	inside int // connections inside a transaction
	reused bool
}

// pool returns a DB over the script, with one connection that is kept.
func (s *script) pool(t testing.TB) (*sql.DB, *sqlkit.DB) {
	t.Helper()
	s.count = map[string]int{}
	pool := sql.OpenDB(s)
	t.Cleanup(func() { pool.Close() })
	db, err := sqlkit.Open(pool, sqlkit.SQLite)
	require.NoError(t, err)
	return pool, db
}

func (s *script) Connect(context.Context) (driver.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return &scriptConn{s: s}, nil
}

func (s *script) Driver() driver.Driver { return nil }

func (s *script) counted(statement string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[statement]
}

type scriptConn struct {
	s      *script
	inside bool
}

// ExecContext does as modernc's driver does: a context that ended meanwhile is the answer,
// although the statement took effect.
func (c *scriptConn) ExecContext(ctx context.Context, statement string, _ []driver.NamedValue) (driver.Result, error) {
	if err := c.exec(statement); err != nil {
		return nil, err
	}
	if c.s.after != nil {
		c.s.after(statement)
	}
	return driver.RowsAffected(1), ctx.Err()
}

func (c *scriptConn) exec(statement string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.count[statement]++
	if c.s.before != nil {
		if err := c.s.before(statement); err != nil {
			return err
		}
	}
	switch statement {
	case "BEGIN IMMEDIATE", "BEGIN":
		if c.s.inside > 0 {
			return busy{}
		}
		c.inside = true
		c.s.inside++
	case "COMMIT", "ROLLBACK":
		if !c.inside {
			return errors.New("no transaction is active")
		}
		c.inside = false
		c.s.inside--
	}
	return nil
}

func (c *scriptConn) Begin() (driver.Tx, error) { return c, c.exec("BEGIN") }
func (c *scriptConn) Commit() error             { return c.exec("COMMIT") }
func (c *scriptConn) Rollback() error           { return c.exec("ROLLBACK") }

func (c *scriptConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared") }

func (c *scriptConn) Close() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.open--
	if c.inside {
		c.s.inside--
	}
	return nil
}

// IsValid is asked when a connection goes back to the pool.
func (c *scriptConn) IsValid() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.reused = c.s.reused || c.inside
	return true
}

// The context ends just as BEGIN or COMMIT takes effect: no connection goes back to the pool
// inside a transaction, and a commit that took effect is a success.
func TestContextEndsWithBeginOrCommit(t *testing.T) {
	t.Parallel()
	for statement, commits := range map[string]int{"BEGIN IMMEDIATE": 0, "COMMIT": 1} {
		ctx, cancel := context.WithCancel(t.Context())
		s := &script{after: func(done string) {
			if done == statement {
				cancel()
			}
		}}
		_, db := s.pool(t)
		err := db.Write(ctx, func(*sqlkit.Tx) error { return nil })
		require.Equal(t, commits == 1, err == nil, "%s: %v", statement, err)
		require.Equal(t, commits, s.counted("COMMIT"), statement)
		require.False(t, s.reused, statement)
		require.Zero(t, s.inside, statement)
	}
}

// A connection that cannot roll back is thrown away with its transaction.
func TestConnectionThatCannotRollBack(t *testing.T) {
	t.Parallel()
	s := &script{before: func(statement string) error {
		if statement == "ROLLBACK" {
			return errStop
		}
		return nil
	}}
	_, db := s.pool(t)
	require.ErrorIs(t, db.Write(t.Context(), func(*sqlkit.Tx) error { return errStop }), errStop)
	require.Zero(t, s.open)
	require.False(t, s.reused)
}

// A statement in the host's transaction is not repeated, even if it could succeed: whether
// the transaction is still what it was is the host's to know.
func TestJoinedStatementIsNotRetried(t *testing.T) {
	t.Parallel()
	s := &script{before: func(statement string) error {
		if statement == "UPDATE" {
			return busy{}
		}
		return nil
	}}
	pool, db := s.pool(t)
	tx, err := pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = db.Join(tx).Exec(t.Context(), "UPDATE")
	require.True(t, sqlkit.IsBusy(err), "%v", err)
	require.Equal(t, 1, s.counted("UPDATE"))
}

// Writers of one process wait for each other without a connection and without asking the
// engine again and again.
func TestWritersStandInLine(t *testing.T) {
	t.Parallel()
	const writers = 32
	s := &script{}
	_, db := s.pool(t)
	var coming, all sync.WaitGroup
	coming.Add(writers)
	for range writers {
		all.Go(func() {
			coming.Done()
			err := db.Write(t.Context(), func(*sqlkit.Tx) error {
				coming.Wait()
				for range writers {
					runtime.Gosched()
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Equal(t, writers, s.counted("BEGIN IMMEDIATE"))
	require.Equal(t, writers, s.counted("COMMIT"))
}
