// Package fhir writes audit events as FHIR R4 AuditEvent resources, one on a line (NDJSON), with the
// profiles of IHE Basic Audit Log Patterns (BALP) that each of them meets. It is an export.Encoder,
// and what a tail sends to a repository of audit records (ATNA).
//
//	manifest, err := x.Export(ctx, file, export.Request{Tenant: "clinic-17", Encoder: fhir.AuditEvents{}})
//
// What BALP asks of a read, a create, an update, a delete, a query and a disclosure is written as
// such: agents are the client, the server and the user, with the DICOM roles of the profile (on a read
// the server is the source and the client the destination, on a create, an update and a query the
// other way round, on a delete they are application and custodian); entities are the data, the
// patient, the query and the request's X-Request-Id. Profiles are for what succeeded; everything else
// is a plain AuditEvent, with the codes of DICOM PS3.16 for sign-ins, exports, the reading of the log
// and changed rights. What is done under an emergency grant has the purpose ETREAT and the subtype
// DCM 110127.
//
// # One event, several resources
//
// BALP wants one AuditEvent for each patient, so an event about several patients becomes as many
// lines, with ids "<event>.1", "<event>.2" and so on. Which object belongs to which patient the event
// does not say: each line has all objects, but those of type "patient" stand with their own patient
// only. Where that would be more than 4,096 pairs of patient and object, the event stays one line
// without a profile. A manifest's Count counts events, not lines.
//
// # What is private, and the proof
//
// Addresses, searches, typed reasons and recipients are not in a line. In their place is FHIR's
// data-absent-reason "masked" and, as an extension (CommitmentURL), the commitment that the event
// holds. Every line carries tenant, index and leaf hash of its event (LogEntryURL): with the JSON
// Lines of the same export, or a proof of package tlog, it is tied to what was recorded. A line by
// itself proves nothing; the manifest covers its bytes.
//
// What the host must still do: map its identifiers. Patients are logical references
// (Reference.identifier), because a host's identifiers need not be ids of FHIR resources; types of
// objects are texts. Validation by a terminology server will not know a host's roles and labels.
//
// Compatibility: before version 1 the Go API may change with an entry in the changelog. What a line
// says does not lose its meaning; elements may be added.
package fhir
