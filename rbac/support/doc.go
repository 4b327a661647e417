// Package support lets an operator of the platform into a customer's tenant: asked for with a reason,
// approved by the tenant, for hours, with one small role, and seen by the tenant while it lasts and
// after. Operators have no standing access (45 CFR 164.308(a)(4), 164.312(a)(1), 164.502(b)).
//
//	desk, err := support.New(support.Parts{
//		Store: store, Grants: grants, Authorizer: z, Recorder: log, Sealer: phi.NewSealer(vault),
//		StepUps: sessions, Operators: staff, Notices: mailer, Platform: "platform", Roles: []rbac.RoleName{"support"},
//	}, nil)
//	access, err := desk.Request(ctx, support.Ask{Tenant: "clinic", Role: "support", Code: "ticket", Text: "…", Ticket: "T-4711"})
//	access, err = desk.Approve(ctx, access.ID, access.Version, support.Answer{})  // ctx: somebody of the tenant
//	_, access, err = desk.Enter(ctx, "clinic")                                    // ctx: the operator, in the session that may come in
//	h, err := desk.Handler(tenantOf, routes, nil)                                 // calls desk.Guard with each of the operator's requests
//
// # What it protects against
//
//   - Standing access. Every access has an end, at most [Options].Longest away, and its rights are one
//     rbac.Grant with that end; a request that nobody answers lapses.
//   - The operator who lets themselves in. Only staff of the tenant approve, with a fresh proof of who
//     they are and rights to grant the role; nobody of the platform does, nor by another
//     account that the host knows of: neither the operator nor a colleague (Operators.Ours). An approval shortens and narrows and never widens.
//   - The role that does too much. Roles are declared, and those that administer, delete, export, manage people,
//     reveal identifiers, ask relations or change health information are refused, by [New] and again with each use.
//   - The door left open. [Desk.Guard] reads everything again: the row, the grant, whether the platform still
//     lets the operator. What is over or ended is closed with the next request, on every server; a clock
//     that was set back opens nothing that somebody has seen closed.
//   - The forged row. All of it but what the store has to know is sealed for its tenant and version. Who can write
//     all of a row and its grant can put both back as they were, and opens the access until its end: that is not noticed here.
//   - The unseen visit. The tenant's log and the platform's have each step before it is made; the tenant's
//     people are told at the request, at the approval, when the operator comes in, and at the end. The platform's
//     log has codes and no words.
//   - The mistaken identity. The operator acts in the tenant under an id that no person of the tenant can have
//     ([Person]) and with audit.Actor.Organization. Such a visitor takes no seat, administers nothing, and cannot grant,
//     revoke or switch anything: package rbac sees to that, whatever the row says.
//
// # What the host must still do
//
//   - decide with rbac who of the tenant may see, answer and end accesses, and record who looked;
//   - sign operators in to the platform's own tenant, with two factors, and put [Desk.Handler] between the session's
//     handler and the routes; or call [Desk.Guard] before each request of theirs in a tenant, and every 30 seconds of a
//     stream, put the actor that it returns into the context, and record whom it turns away;
//   - keep visitors from what no action of rbac guards (HTTPOptions.Reach);
//   - never start a session of the tenant for the operator;
//   - refuse ids that begin with rbac.VisitorPrefix when it creates people; wardkit's own never do;
//   - give support roles no action that opens emergency access, decides in recertification, or approves what takes
//     two people: [Options].Never lists them, and New refuses roles that have one;
//   - run [Desk.Run] on at least one server, and show the tenant [Desk.Standing] while somebody is inside;
//   - deliver notices. Their words are the host's.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Stored rows, migrations,
// names of actions, states and codes never break.
package support
