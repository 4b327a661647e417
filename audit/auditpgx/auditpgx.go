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

// RecordTx records the events, prepared with auditsql.Store.Prepare before the transaction
// began, in the host's own transaction: they are durable exactly if it commits, and are found
// by the next query after that. tx is in the database of the store, which is PostgreSQL; it may
// be a pool's or a connection's.
//
// It takes no lock but on its own rows: a transaction that stays open holds nobody up. The
// commit waits for the disk, whatever synchronous_commit the host's session has.
//
// On any error tx is rolled back, so that what could not be recorded does not happen: further
// statements and the commit fail with pgx.ErrTxClosed. Where tx is a nested one, that is the
// savepoint, and the outer transaction is the host's to judge.
//
// Errors: audit.ErrConflict if there is an event with the ID already, also one of a transaction
// that was open at the same time, and also the same one; an error if events is nil or the store
// is over SQLite; audit.ErrUnconfirmed for all else, with its cause.
func RecordTx(ctx context.Context, tx pgx.Tx, events *auditsql.Prepared) error {
	if tx == nil {
		return errors.New("auditpgx: recording needs a transaction")
	}
	err := record(ctx, tx, events)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		_ = tx.Rollback(ctx) // fails only where nothing can be committed any more
	}
	return err
}

func record(ctx context.Context, tx pgx.Tx, events *auditsql.Prepared) error {
	steps, err := events.Statements()
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
