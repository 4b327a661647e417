package auditsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// RecordTx records events in the host's own transaction: they are durable exactly if it
// commits, and are found by the next query after that. log is the one that is over this store.
//
// On PostgreSQL it takes no lock but on its own rows: a transaction that stays open holds
// nobody up. On SQLite the transaction is, or becomes, the one that writes; its connection must
// be at synchronous=FULL. Begin it with BEGIN IMMEDIATE (_txlock=immediate).
//
// On any error the host's transaction is rolled back, so that what could not be recorded does
// not happen: further statements and the commit fail with sql.ErrTxDone. A denial or a failure
// is recorded with Log.Record, outside the transaction, so that it survives the rollback.
//
// Errors: those of Log.Prepare; audit.ErrConflict if there is an event with the ID already,
// also one of a transaction that was open at the same time, and also the same one, because its
// time was another; ErrUnsafeEngine; audit.ErrUnconfirmed for all else, with its cause.
func (s *Store) RecordTx(ctx context.Context, tx *sql.Tx, log *audit.Log, events ...audit.Event) error {
	err := s.recordTx(ctx, tx, log, events)
	if err != nil {
		_ = tx.Rollback() // fails only where nothing can be committed any more
	}
	return err
}

func (s *Store) recordTx(ctx context.Context, tx *sql.Tx, log *audit.Log, events []audit.Event) error {
	list, fresh, err := prepare(ctx, log, events)
	if err != nil || len(list) == 0 {
		return err
	}
	return recordError(s.land(ctx, s.db.Join(tx), list, fresh))
}

// prepare returns the events as items, and whether the log chose all of their IDs.
func prepare(ctx context.Context, log *audit.Log, events []audit.Event) (list []item, fresh bool, err error) {
	entries, err := log.Prepare(ctx, events...)
	if err != nil {
		return nil, false, err
	}
	fresh = !slices.ContainsFunc(events, func(e audit.Event) bool { return e.ID != "" })
	list, err = items(entries)
	return list, fresh, err
}

// Statements prepares events for a PostgreSQL transaction that is not database/sql's, for
// packages such as auditpgx. Whoever runs them rolls the transaction back if one fails or
// reports another number of rows than it must, which is audit.ErrConflict.
//
// Errors: those of Log.Prepare; audit.ErrConflict; an error if the store is over SQLite.
func (s *Store) Statements(ctx context.Context, log *audit.Log, events ...audit.Event) ([]Statement, error) {
	if !s.postgres() {
		return nil, errNotPostgres
	}
	list, fresh, err := prepare(ctx, log, events)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return []Statement{s.landing(list, fresh, false)}, nil
}

var errNotPostgres = errors.New("auditsql: statements are for PostgreSQL, the store is not over it")

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
