// Package ocsf writes audit events for a SIEM in the Open Cybersecurity Schema Framework, version
// 1.2.0, one on a line (NDJSON). It is an export.Encoder, and what package tail sends.
//
//	feed, err := tail.New(events, cursors, &tail.Lines{W: conn, Encoder: ocsf.Events{}}, "siem", log, nil)
//
// A sign-in or sign-out is Authentication (class 3002), everything else API Activity (class 6003) with
// the event's action as the operation. A denial or failure has status 2 and its code. What the
// schema has no attribute for is in "unmapped", with the event's index and leaf hash, which tie the
// line to the log. metadata.uid is the event's ID: the receiver drops one that it has.
//
// It protects what is private as an export does: addresses, searches, typed reasons and recipients
// are not in a line, only that there are commitments. Patients are resources of type "patient" by
// their opaque identifiers; who must not send even those gives the tail an encoder of its own that
// leaves events out.
//
// What the host still does: it names its product in Events, and tells the SIEM that the client's
// address is not sent. Compatibility: before version 1 the Go API may change with an entry in the
// changelog; attributes may be added.
package ocsf
