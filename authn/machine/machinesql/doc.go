// Package machinesql keeps principals, keys and access tokens in SQLite or PostgreSQL, through
// database/sql and whichever driver the host imports:
//
//	store, err := machinesql.Postgres(db)
//	err = store.Migrate(ctx)
//	machines, err := machine.New(machine.Parts{Store: store, …}, nil)
//
// Its tables, machine_principal, machine_key and machine_token, hold identifiers, scopes, names and
// times in clear, and of keys and tokens the SHA-256 of 256 random bits. They refer to no other
// table. Their format is final: later releases only add migrations.
package machinesql
