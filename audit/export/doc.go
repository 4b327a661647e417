// Package export lets an audit log leave the system as a file that proves itself: streaming, in
// JSON Lines, CSV or FHIR (package fhir), with a signed manifest beside it that says what was selected, by which index,
// how many events, and under which signed tree (package tlog).
//
//	x, err := export.New(events, trees, log, "clinic.example.com/export", key, nil)
//	manifest, err := x.Export(ctx, file, export.Request{Tenant: "clinic-17"})     // all of it
//	verified, err := export.Verify(file, manifest, export.Keys{Export: …, Log: …}, nil)
//
// It protects against exports that are altered, cut short or put together later: whoever has
// the two verifier keys checks a file without the database, and one without a filter is proven to
// hold every event up to the end of a signed tree, none left out. Two exports that follow each other
// (From is the To of the one before) are proven to be neighbours.
//
// Events that were purged leave as their hashes: a line of JSON Lines has those of up to 1,024 places in a
// row, and the file still proves that nothing else is missing. Verify takes that only where the export
// holds the purge that names the places. Whoever has the exporter's key can therefore not blot
// out an event; that the events were old enough is proven by the log, not by an export (tlog.Verify).
// CSV says nothing of what was purged, its manifest how many.
//
// What the host must still do:
//   - let rbac decide who may export, after a step-up, and for which tenant;
//   - keep the export's key apart from the database and from the key for checkpoints;
//   - store manifest and file together; without a manifest a file is nothing;
//   - encrypt what it keeps or sends: an export names patients by their opaque identifiers.
//
// Private values (addresses, typed reasons, recipients) leave as commitments only.
//
// Compatibility: before version 1 the Go API may change with an entry in the changelog. Lines,
// columns and manifests do not break: what was signed once can be verified for ever.
package export
