// Package purgesql keeps periods, legal holds and purges in SQLite or PostgreSQL, through
// database/sql and whichever driver the host imports:
//
//	store, err := purgesql.Postgres(db)
//	err = store.Migrate(ctx)
//	keeper, err := purge.New(purge.Parts{Store: store, …}, nil)
//
// Its tables, purge_settings, purge_hold and purge_plan, hold identifiers, counts and times in clear,
// and no reason that anybody typed. They refer to no other table. Their format is final: later
// releases only add migrations.
package purgesql
