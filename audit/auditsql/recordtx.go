package auditsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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
// Errors: those of Log.Prepare; audit.ErrConflict if another event has the ID, also one of a
// transaction that was open at the same time; ErrUnsafeEngine; audit.ErrUnconfirmed for all
// else, with its cause.
func (s *Store) RecordTx(ctx context.Context, tx *sql.Tx, log *audit.Log, events ...audit.Event) error {
	err := s.recordTx(ctx, tx, log, events)
	if err != nil {
		_ = tx.Rollback() // fails only where nothing can be committed any more
	}
	return err
}

func (s *Store) recordTx(ctx context.Context, tx *sql.Tx, log *audit.Log, events []audit.Event) error {
	entries, err := log.Prepare(ctx, events...)
	if err != nil || len(entries) == 0 {
		return err
	}
	list, err := items(entries)
	if err != nil {
		return err
	}
	joined := s.db.Join(tx)
	for i := range events {
		if events[i].ID != "" { // may be there already; a fresh ID is not
			if list, err = s.missing(ctx, joined, list); err != nil {
				return recordError(err)
			}
			break
		}
	}
	if len(list) == 0 {
		return nil
	}
	return recordError(s.land(ctx, joined, list))
}

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
