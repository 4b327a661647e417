// Package incidentsql keeps incidents in SQLite or PostgreSQL, through database/sql and whichever
// driver the host imports:
//
//	store, err := incidentsql.Postgres(db)
//	err = store.Migrate(ctx)
//	desk, err := incident.New(incident.Parts{Store: store, …}, nil)
//
// Its tables, incident_number, incident_case, incident_line and incident_person, hold identifiers of
// cases, numbers, versions and whether a case is active in clear; all else is sealed. They refer to no
// other table. Their format is final: later releases only add migrations.
package incidentsql
