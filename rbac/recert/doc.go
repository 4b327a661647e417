// Package recert reviews who has which access, again and again: a campaign freezes what everybody can
// do, puts each access before somebody who decides whether it stays, ends what nobody defends, and
// proves that it really ended (45 CFR 164.308(a)(4)(ii)(C), 164.308(a)(3)(ii)(C); PCI DSS 7.2.4).
//
//	grants, err := recert.NewGrants(z, grantStore, nil)
//	reviews, err := recert.New(recert.Parts{
//		Store: store, Recorder: log, Population: grants, Policy: grants.Policy,
//		Effects: grants.Effects(), Notices: mailer, OnlyOne: care,
//	}, nil)
//	campaign, err := reviews.Start(ctx, recert.Spec{Name: "Spring review", Every: 6, Owner: privacyOfficer})
//	item, err := reviews.Decide(ctx, campaign.ID, 1, recert.Verdict{Do: recert.RevokeIt, Why: "left the team in March"})
//	report, err := reviews.Tick(ctx, time.Now())   // or Run, on any number of servers
//
// # What it protects against
//
//   - The list that leaves somebody out. The population comes from where decisions are made, not from
//     whom is asked; it is frozen with its count, the query, the digest of the policy and a digest over
//     the items, and recorded in the audit log.
//   - The rubber stamp. What reaches PHI or administers is decided one by one, in words. Each item shows
//     when it was last used, who gave it and why, and which rules it breaks.
//   - The friendly reviewer. Nobody reviews themselves, nor what acts for them; nobody reviews an
//     administrator whom they appointed, nor a program to which they gave access; no two people review
//     each other. Delegation and abstention are held to the same rules. Who decides is taken from the
//     session alone.
//   - The reviewer who leaves. What waits for somebody who is not there any more goes to the next of the
//     chain, or is an exception.
//   - The review that nobody does. Undecided access is suspended on the due date, can be given back for
//     some days, and is then revoked. The last administrator, and the only clinician of somebody in open
//     care, are never ended by a date: they are escalated, every day.
//   - The decision without effect. Each revocation is asked about afterwards, the way requests are
//     decided; the time it took is kept; what fails stays open and is tried again.
//   - The back door. Access that was revoked and given again while the campaign is open is flagged.
//   - The changed record. Every decision is in the audit log before it counts, and sign-off, a step-up act
//     of its own, puts a digest of everything there. After that nothing changes.
//
// # What the host must still do
//
//   - decide with rbac who may start campaigns, see them, review and sign off, before the call, and
//     record who read one;
//   - call Run, or Tick every hour, on at least one server; Watch once a day for each tenant;
//   - deliver Notices;
//   - yield what is no grant of rbac (Population, Effects), such as keys that a partner holds;
//   - know who is the only clinician of somebody (OnlyOne).
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Stored rows, bundles,
// migrations, digests, names of actions and codes never break.
package recert
