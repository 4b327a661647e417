package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// maxRetry bounds how long one call waits for a busy engine.
	maxRetry = 5 * time.Second
	// cleanup bounds how long undoing a transaction may take; it ignores the caller's deadline.
	cleanup = 5 * time.Second
)

// Write runs f in one write transaction and commits it: BEGIN IMMEDIATE on SQLite, READ
// COMMITTED on PostgreSQL. While the engine is busy or reports a serialization failure the
// whole of f is run again, within the deadline of ctx and 5 seconds at most, so f must have
// no effect outside the database. Inside a host's transaction it uses a savepoint and runs
// f once. Nothing is committed if a statement failed, whatever f returns.
//
// f must use its Tx only: a write through the DB itself would wait for its own transaction.
//
// An error of the commit itself can leave it open whether the transaction took effect;
// callers' writes are idempotent or conditional for that reason.
func (d *DB) Write(ctx context.Context, f func(*Tx) error) error {
	switch {
	case d.tx != nil:
		return d.savepoint(ctx, f)
	case d.kept != nil:
		defer d.prepareWanted(ctx)
		return d.exclusively(ctx, func() error { return d.writeKept(ctx, f) })
	case d.dialect == SQLite:
		return d.exclusively(ctx, func() error { return d.writeConn(ctx, f) })
	default:
		return d.retry(ctx, func() error { return d.writeTx(ctx, f) })
	}
}

// run calls f and does not let it ignore a statement that failed.
func run(t *Tx, f func(*Tx) error) error {
	if err := f(t); err != nil {
		return err
	}
	return t.failed
}

// writeTx leaves the commit to database/sql, because the driver knows that PostgreSQL answers
// the COMMIT of a failed transaction with a friendly ROLLBACK.
func (d *DB) writeTx(ctx context.Context, f func(*Tx) error) error {
	tx, err := d.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return hide(err)
	}
	defer tx.Rollback() // also when f panics; nothing after a commit
	if err = run(&Tx{db: d, q: tx}, f); err == nil {
		err = hide(tx.Commit())
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err() // which rolled it back
	}
	return err
}

// writeConn is SQLite's: database/sql cannot say BEGIN IMMEDIATE, and without it a
// transaction that reads before it writes fails as soon as somebody else wrote.
//
// BEGIN and COMMIT ignore ctx's end, because the driver may report it for a statement that
// took effect; each waits for the lock no longer than the connection's busy_timeout.
func (d *DB) writeConn(ctx context.Context, f func(*Tx) error) (err error) {
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return hide(err)
	}
	defer conn.Close()
	whole := context.WithoutCancel(ctx)
	if _, err = conn.ExecContext(whole, "BEGIN IMMEDIATE"); err != nil {
		return hide(err)
	}
	done := false
	defer func() { // also when f panics
		if !done {
			rollback(conn)
		}
	}()
	if err = run(&Tx{db: d, q: conn}, f); err != nil {
		return err
	}
	if err = ctx.Err(); err != nil {
		return err
	}
	if _, err = conn.ExecContext(whole, "COMMIT"); err != nil {
		return hide(err)
	}
	done = true
	return nil
}

// rollback ends the transaction on conn. A connection that cannot roll back is thrown away:
// handing it back to the pool would hand its open transaction to somebody else.
func rollback(conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// savepoint is Write inside the host's transaction. On PostgreSQL rolling back to the
// savepoint is also what makes the host's transaction usable again after an error.
func (d *DB) savepoint(ctx context.Context, f func(*Tx) error) (err error) {
	if _, err = d.tx.ExecContext(ctx, "SAVEPOINT wardkit"); err != nil {
		return hide(err)
	}
	done := false
	defer func() {
		if done {
			return
		}
		if undo := d.undo(ctx); undo != nil && err != nil {
			err = fmt.Errorf("%w (and the savepoint could not be undone)", err)
		}
	}()
	if err = run(&Tx{db: d, q: d.tx}, f); err != nil {
		return err
	}
	if _, err = d.tx.ExecContext(ctx, "RELEASE SAVEPOINT wardkit"); err != nil {
		return hide(err)
	}
	done = true
	return nil
}

func (d *DB) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	if _, err := d.tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT wardkit"); err != nil {
		return err
	}
	_, err := d.tx.ExecContext(ctx, "RELEASE SAVEPOINT wardkit")
	return err
}

// exclusively is retry for a write: on SQLite it first waits for its turn among the writers
// of this DB, because polling for the file's lock is slower than standing in line.
func (d *DB) exclusively(ctx context.Context, f func() error) error {
	if d.writer == nil {
		return d.retry(ctx, f)
	}
	if err := d.queue(ctx); err != nil {
		return err
	}
	defer func() { <-d.writer }()
	return d.retry(ctx, f)
}

func (d *DB) queue(ctx context.Context) error {
	select {
	case d.writer <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(maxRetry)
	defer timer.Stop()
	select {
	case d.writer <- struct{}{}:
		return nil
	case <-timer.C:
		return errTurn
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry runs f until it succeeds, fails for good, or time is up; it then returns what the
// engine said last. It never retries inside a host's transaction.
func (d *DB) retry(ctx context.Context, f func() error) error {
	wait := time.Millisecond
	end := time.Now().Add(maxRetry)
	for {
		err := f()
		if err == nil || d.tx != nil || !IsBusy(err) {
			return err
		}
		sleep := wait/2 + rand.N(wait)
		if time.Now().Add(sleep).After(end) {
			return err
		}
		timer := time.NewTimer(sleep)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-timer.C:
		}
		wait = min(2*wait, 100*time.Millisecond)
	}
}
