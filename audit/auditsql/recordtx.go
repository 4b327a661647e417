package auditsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/wardkit/wardkit/audit"
)

// Prepared holds events that are ready to be recorded in a transaction of the host's own. If
// the transaction is rolled back they may be recorded in another one, the same events again.
// Once a transaction with them has committed, every further one is refused with
// audit.ErrConflict: also a retry after a Commit whose end was unclear, if that took effect. It
// may be used from several goroutines.
type Prepared struct {
	store *Store
	list  []item
	fresh atomic.Bool // the log chose all IDs, and none was used yet
}

// Prepare does everything of recording but the writing: it completes, validates and seals the
// events. Call it before the host's transaction begins. Sealing may need a connection and may
// write a key: within a transaction it would wait for that very transaction on SQLite, and on a
// pool whose connections all hold transactions for one of them to end.
//
// The events' Recorded is the time of Prepare, not that of the commit. Prepare shortly before
// the transaction, and anew for another change. log must be the one that is over this store:
// this is not checked.
//
// Errors: those of Log.Prepare; audit.ErrConflict if two of the events have one ID.
func (s *Store) Prepare(ctx context.Context, log *audit.Log, events ...audit.Event) (*Prepared, error) {
	if log == nil {
		return nil, errNoLog
	}
	entries, err := log.Prepare(ctx, events...)
	if err != nil {
		return nil, err
	}
	list, err := items(entries)
	if err != nil {
		return nil, err
	}
	p := &Prepared{store: s, list: list}
	p.fresh.Store(!slices.ContainsFunc(events, func(e audit.Event) bool { return e.ID != "" }))
	return p, nil
}

// RecordTx records the events in the host's own transaction, which is in the database of the
// store: they are durable exactly if it commits, and are found by the next query after that.
//
// On PostgreSQL it takes no lock but on its own rows: a transaction that stays open holds
// nobody up. On SQLite the transaction is, or becomes, the one that writes; its connection must
// be at synchronous=FULL. Begin it with BEGIN IMMEDIATE (_txlock=immediate).
//
// On any error the host's transaction is rolled back, so that what could not be recorded does
// not happen: further statements and the commit fail with sql.ErrTxDone. A denial or a failure
// is recorded with Log.Record, outside the transaction, so that it survives the rollback.
//
// Errors: audit.ErrConflict if there is an event with the ID already, also one of a transaction
// that was open at the same time, and also the same one; ErrUnsafeEngine; audit.ErrUnconfirmed
// for all else, with its cause.
func (p *Prepared) RecordTx(ctx context.Context, tx *sql.Tx) error {
	err := p.recordTx(ctx, tx)
	if err != nil {
		_ = tx.Rollback() // fails only where nothing can be committed any more
	}
	return err
}

func (p *Prepared) recordTx(ctx context.Context, tx *sql.Tx) error {
	switch {
	case p == nil || p.store == nil:
		return errNotPrepared
	case len(p.list) == 0:
		return nil
	}
	return recordError(p.store.land(ctx, p.store.db.Join(tx), p.list, p.fresh.Swap(false)))
}

// Statements returns what RecordTx runs on PostgreSQL, for a transaction that is not
// database/sql's, for packages such as auditpgx. Whoever runs them rolls the transaction back
// if one fails or reports another number of rows than it must, which is audit.ErrConflict.
// Each transaction needs statements of its own. It fails if the store is over SQLite.
func (p *Prepared) Statements() ([]Statement, error) {
	switch {
	case p == nil || p.store == nil:
		return nil, errNotPrepared
	case !p.store.postgres():
		return nil, errNotPostgres
	case len(p.list) == 0:
		return nil, nil
	}
	return []Statement{p.store.landing(p.list, p.fresh.Swap(false), false)}, nil
}

var (
	errNoLog       = errors.New("auditsql: preparing events needs a log")
	errNotPrepared = errors.New("auditsql: recording needs events that Store.Prepare has prepared")
	errNotPostgres = errors.New("auditsql: statements are for PostgreSQL, the store is not over it")
)

func recordError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errExists), errors.Is(err, audit.ErrConflict):
		return audit.ErrConflict
	case errors.Is(err, ErrUnsafeEngine):
		return err
	}
	return fmt.Errorf("%w: %w", audit.ErrUnconfirmed, err)
}
