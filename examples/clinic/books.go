package main

import (
	"context"
	"database/sql"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
)

// What the clinic does to records, beside the decisions that rbac records. Each is written in
// the transaction that does it: what is rolled back leaves no event, and nothing is changed
// without one. That somebody was allowed, or refused, is an event before and apart from it.
const (
	actionRegistered audit.Action = "patient.registered"
	actionNoteSaved  audit.Action = "note.saved"
)

// books changes the clinic's tables and records it, both or neither.
type books struct {
	db     *database
	log    *audit.Log
	events *auditsql.Store
}

// change runs write in a transaction and records the event in the same one. The event is
// prepared before: that may need the database, as everything that uses the log does. On SQLite
// it would wait for this very transaction, so nothing in write may use the log either.
func (b *books) change(ctx context.Context, e audit.Event, write func(*sql.Tx) error) error {
	prepared, err := b.events.Prepare(ctx, b.log, e)
	if err != nil {
		return err
	}
	return b.db.inTx(ctx, func(tx *sql.Tx) error {
		if err := write(tx); err != nil {
			return err
		}
		return prepared.RecordTx(ctx, tx)
	})
}

// touched tells whether a conditional update found its row: none is errChanged.
func touched(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return errChanged
	}
	return err
}
