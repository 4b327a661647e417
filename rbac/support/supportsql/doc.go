// Package supportsql keeps support accesses in SQLite or PostgreSQL, through database/sql and whichever
// driver the host imports:
//
//	store, err := supportsql.Postgres(db)
//	err = store.Migrate(ctx)
//	desk, err := support.New(support.Parts{Store: store, …}, nil)
//
// Its table, support_access, holds identifiers of tenants, accesses and operators, versions, and whether an
// access is open or active in clear; all else is sealed. It refers to no other table. Its format is final:
// later releases only add migrations.
package supportsql
