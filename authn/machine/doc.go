// Package machine lets programs in: services and AI agents, each a principal of its own, with a
// person who answers for it, the least it needs, and an end.
//
// It protects against keys that outlive their purpose (every key and every principal expires),
// leaked keys (found by scanners, kept as hashes, revoked with the next request on every server),
// programs that can do more than who made them, or than the person they act for, programs that
// pass as a person with a second factor, guessing, and floods.
//
//	machines, err := machine.New(machine.Parts{
//		Store: store, Rights: authorizer, People: people, Windows: windows, Recorder: log,
//	}, nil)
//	bot, key, err := machines.Create(ctx, machine.Spec{
//		Kind: audit.KindAgent, Name: "Note helper", OnBehalfOf: therapist,
//		Scopes: []audit.Action{"patient.read"}, Expires: inAMonth,
//	})
//	api := machines.Handler(session.RemoteAddr, mux, nil)
//
// # What a program may do
//
// The least of three things, looked at with each request: its scopes, the roles that rbac grants
// to its ID, and, where it acts for a person, what that person may do at that moment. The scopes
// travel on the audit.Actor (audit.Actor.Within), where package rbac enforces them; nothing has to
// be wired for it. Scopes never go beyond the rights of who grants them, and who holds a key in
// their hands has all of its scopes: so creating, widening, issuing and rotating all ask [Rights].
// The Actor has no more than AAL1, whatever a program presents, and no session: an action that
// asks for a step-up, for AAL2 or for a second person is never a program's.
//
// # Credentials
//
// A key is <prefix>_<id>_<secret>_<checksum>, all in lower-case hexadecimal digits but the prefix,
// and shown once. Secret scanners find it by [Pattern]; a mistyped one is refused by its checksum,
// without a look-up. Stores keep the SHA-256 of its 256 random bits. A program sends the key itself
// as a bearer token, or gets an access token for it (client credentials, RFC 6749 section 4.4, from
// [Manager.TokenHandler]) that lives for minutes, ends with its key and may have fewer scopes.
//
// Nothing is cached: a revocation that has returned binds the next request on every server.
//
// # What the host must still do
//
//   - decide who may make, change and end programs, with package rbac, before the call;
//   - grant each principal its roles, with rbac; without any it may do nothing;
//   - put [Manager.Handler] inside audithttp.Hold and around the routes for programs, and nothing
//     of package session: what it lets in has no session, and it refuses cookies;
//   - name the Manager in authn.Options.Also, so that programs stop with who answers for them; it
//     is made after authn's, so a value of the host's own stands in for it (docs/host.md);
//   - tell whoever is shown a key to keep it in a secret store, and scanners its pattern;
//   - call [Manager.Run] on at least one server.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Keys, stored rows,
// migrations, action names and codes never break.
package machine
