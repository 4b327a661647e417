// Package recertsql keeps recertification campaigns in SQLite or PostgreSQL, through database/sql and
// whichever driver the host imports:
//
//	store, err := recertsql.Postgres(db)
//	err = store.Migrate(ctx)
//	reviews, err := recert.New(recert.Parts{Store: store, …}, nil)
//
// It protects against two servers that decide at once: a change carries the version of the campaign
// that it was made of, and is made whole or not at all. A row that was put elsewhere, into another
// tenant or under another reviewer, is recert.ErrDamaged. It does not protect against whoever may
// write to the database and knows what a row says: sign-off puts a digest of everything into the log.
//
// What the host must still do: use the primary and no replica that lags behind, keep the database for
// six years, and keep its commits durable (SQLite: synchronous FULL or EXTRA).
//
// Its tables, recert_campaign and recert_item, hold identifiers of people and of their access, codes
// and times, and nothing that anybody typed but the names of campaigns. They refer to no other table.
// Their format is final: later releases only add migrations.
package recertsql
