// Package incident turns reports of people, and findings of an audit, into cases: with a number, an
// owner, evidence, an assessment whether it is a breach, deadlines, and a record of who was told
// (45 CFR 164.308(a)(6), 164.400 to 164.414; 42 CFR 2.16 has the same rule for records of substance
// use disorder treatment).
//
//	desk, err := incident.New(incident.Parts{
//		Store: store, Sealer: phi.NewSealer(vault), Recorder: log, Events: events, Limits: windows,
//		Holds: holds, Notices: mailer, Law: func(context.Context, audit.Tenant) (incident.Law, error) { … },
//	}, nil)
//	receipt, err := desk.Report(ctx, incident.Report{Kind: "wrong_recipient", Text: "I mailed …"})
//
// # What it protects against
//
//   - The case that quietly disappears. A case counts as a breach until somebody has assessed it and
//     somebody else has signed ([Case.Presumed], 164.402(2)); dismissing takes two people, too. There
//     is no way to delete one, and none is closed while somebody has to be told.
//   - The conclusion without reasons. "Low probability" needs all four factors with their reasons
//     ([Assessment.Allows]).
//   - The subject who handles the own case. To the people in [Case].About there is no such case: they
//     cannot see it, own it, work on it or sign it.
//   - The missed day. Deadlines are data computed from the law ([Law.Deadlines]) in calendar days of the
//     tenant's zone, they count from the day of discovery, which moves earlier only, and as long as
//     nobody has said how many people are affected they are those of a large breach.
//   - The altered record. Every change is in the audit log before it is made, with a digest of the case
//     as it is then; the timeline is a chain, the list of the people affected a keyed sum.
//   - The leak through the case. All of a case but its number, version and whether it is active is
//     sealed; people affected are found by a keyed hash of the case's own.
//   - Floods: reports are limited for each person.
//
// # What the host must still do
//
//   - decide with rbac who may see and handle cases, before the call, and record who read one;
//   - call [Desk.Tick] at least once a day for each tenant, and deliver its reminders to the owner or,
//     without one, to whoever is responsible, never to the subjects;
//   - say with Law.Extra what states and contracts ask; many are shorter than 60 days;
//   - give a legal hold (Holds) its meaning: what is kept while a case is open;
//   - tell people: this package writes down that it was done, and with what;
//   - let the wording of notices (164.404(c)) and every conclusion be looked at by who knows the law;
//   - keep the files that links point to.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Stored rows, migrations,
// names of actions, states, deadlines and codes never break.
package incident
