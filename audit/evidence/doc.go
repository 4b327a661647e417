// Package evidence answers the auditor's first question: which safeguards are there, in which state
// are they right now, and how does one know? Every package of wardkit states its [Control]s from
// the live configuration of a tenant; a host adds its own and attests, with a date of expiry, what
// no program can see (a locked server room, a training). Together they are a [Packet], as JSON,
// Markdown or HTML.
//
//	packet := evidence.Collect(ctx, tenant, now, []evidence.Section{
//		{Name: "Sign-in", From: people}, {Name: "Second factors", From: factors}, {Name: "Audit", From: evidence.Log(log)},
//	}, attested)
//	page := packet.HTML()
//
// [Attestations] keep what people say, until a date, in a [Store]; they are a section of the packet
// like any other:
//
//	attested, err := evidence.NewAttestations(store, log, nil)
//	sections = append(sections, evidence.Section{Name: "Attested by people", From: attested})
//
// Who attests is who is signed in. Nobody attests for somebody else, no program attests at all, and
// each change is recorded before it takes effect.
//
// It protects against the packet that is prettier than the system: a source that cannot be asked
// is a control whose state is unknown, never one that is missing; an attestation that has expired
// says so; and no packet claims a certificate.
//
// What the host must still do: let rbac decide who may see a packet and who may attest, record that it was served
// (audit.ActionRead or an action of its own), and keep it like any document about its weaknesses.
//
// Compatibility: before version 1 the Go API may change with an entry in the changelog. IDs of
// controls and field names of the JSON do not break.
package evidence
