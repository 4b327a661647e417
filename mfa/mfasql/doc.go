// Package mfasql keeps second factors in SQLite or PostgreSQL, through database/sql and
// whichever driver the host imports:
//
//	store, err := mfasql.Postgres(db)
//	err = store.Migrate(ctx)
//	factors, err := mfa.New(store, vault, log, "Example Clinic", nil)
//
// Its tables, mfa_credential, mfa_passkey, mfa_number and mfa_outbox, hold the tenant's and the
// person's identifiers, times, counters and hashes in clear; keys, numbers and message bodies are
// sealed before they get here. The tables refer to no other table. Their format is final: later releases only add migrations.
package mfasql
