package auditpgx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// patience bounds how long a rollback may take; it does not depend on the caller's context.
const patience = 5 * time.Second

// RecordTx records events in the host's own transaction: they are durable exactly if it
// commits, and are found by the next query after that. store is over PostgreSQL, in the
// database of tx; log is the one over store. tx may be a pool's or a connection's.
//
// It takes no lock but on its own rows: a transaction that stays open holds nobody up. The
// commit waits for the disk, whatever synchronous_commit the host's session has.
//
// On any error tx is rolled back, so that what could not be recorded does not happen: further
// statements and the commit fail with pgx.ErrTxClosed. Where tx is a nested one, that is the
// savepoint, and the outer transaction is the host's to judge.
//
// Errors: those of audit.Log.Prepare; audit.ErrConflict if there is an event with the ID
// already, also one of a transaction that was open at the same time, and also the same one,
// because its time was another; audit.ErrUnconfirmed for all else, with its cause.
func RecordTx(ctx context.Context, tx pgx.Tx, store *auditsql.Store, log *audit.Log, events ...audit.Event) error {
	if tx == nil || store == nil || log == nil {
		return errors.New("auditpgx: recording needs a transaction, a store and a log")
	}
	err := record(ctx, tx, store, log, events)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		_ = tx.Rollback(ctx) // fails only where nothing can be committed any more
	}
	return err
}

func record(ctx context.Context, tx pgx.Tx, store *auditsql.Store, log *audit.Log, events []audit.Event) error {
	steps, err := store.Statements(ctx, log, events...)
	if err != nil || len(steps) == 0 {
		return err
	}
	counted, err := run(ctx, tx, steps)
	switch {
	case errors.Is(err, pgx.ErrTxClosed):
		return fmt.Errorf("%w: %w", audit.ErrUnconfirmed, pgx.ErrTxClosed)
	case err != nil:
		return fmt.Errorf("%w: %w", audit.ErrUnconfirmed, sqlkit.Hide(err))
	}
	for i, step := range steps {
		if counted[i] != step.Rows {
			return audit.ErrConflict
		}
	}
	return nil
}

// run sends all statements at once and returns how many rows each reported.
func run(ctx context.Context, tx pgx.Tx, steps []auditsql.Statement) ([]int64, error) {
	batch := &pgx.Batch{}
	for _, step := range steps {
		batch.Queue(step.Text, step.Args...)
	}
	results := tx.SendBatch(ctx, batch)
	counted := make([]int64, len(steps))
	for i := range steps {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close()
			return nil, err
		}
		counted[i] = tag.RowsAffected()
	}
	return counted, results.Close()
}
