package auditpgx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditpgx"
	"github.com/wardkit/wardkit/audit/auditsql"
)

// A note is written and the writing is recorded, or neither.
func ExampleRecordTx() {
	var (
		pool  *pgxpool.Pool   // the host's
		store *auditsql.Store // auditsql.Postgres(stdlib.OpenDBFromPool(pool), key)
		log   *audit.Log      // audit.New(store, sealer, nil)
	)
	write := func(ctx context.Context, id, text string) error {
		written, err := store.Prepare(ctx, log, audit.Event{ // the actor comes from ctx
			Action: "note.write", Verb: audit.Create,
			Objects: []audit.Object{{Type: "note", ID: id}},
		})
		if err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO note (id, text) VALUES ($1, $2)`, id, text); err != nil {
				return err
			}
			return auditpgx.RecordTx(ctx, tx, written)
		})
	}
	if err := write(context.Background(), "n-1", "fever since Monday"); err != nil {
		fmt.Println("neither written nor recorded")
	}
}
