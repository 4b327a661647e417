// Package review looks through an audit log for what somebody should look at: with rules that say
// in plain English what they counted and what is usual, never with a score.
//
//	reviewer, err := review.New(events, review.NewMemory(), log, sealer, &review.Options{Ties: ties})
//	go reviewer.Run(ctx)
//	page, err := reviewer.Findings(ctx, tenant, review.Query{States: []review.State{review.Open}})
//	fmt.Println(page.Findings[0].Explanation()) // 38 different patients in one hour; usual for this person: 6 …
//	f, err := reviewer.Change(ctx, tenant, f.ID, f.Version, review.Change{To: review.InReview})
//
// The information system activity review of 45 CFR 164.308(a)(1)(ii)(D) is what it is for: it finds
// people who look at more records than they usually do, at many in an hour, at patients whom they
// do not care for, at night, at their own record, at relatives, colleagues and public figures; who
// are refused again and again, try identifiers one after another, page through lists, export, read
// the log itself; and accounts that come back after weeks. A [Finding] names the rule, the numbers
// and the events, and has a state: open, in review, explained, escalated, closed.
//
// It follows each tenant's log in its order, behind the requests and never in one. How far it has
// come, what it remembers and what it found are stored together or not at all, so that a crash, a
// second server or an error loses nothing and finds nothing twice. What it remembers of an actor
// has a bound, and so has the number of actors that it remembers one by one. While a finding waits
// for somebody, the same rule adds to it for the same actor and makes no further one: who does
// much cannot hide in the number of findings.
//
// Nobody reviews a finding about themselves. Every step is recorded before it is made. What people
// write is private in the event, and sealed beside the finding.
//
// # What it cannot do
//
// Who does little, by day, with patients of theirs, is not found, and who prepares for months makes
// it usual. A finding is a reason to ask, no proof. Days are those on which the tenant's log grew;
// an hour is one between events as they were recorded, so servers' clocks that are set move it. Damaged events are findings; missing
// ones are package tlog's to notice.
//
// # What the host must still do
//
//   - call Run on at least one server, beside audit.Log.Run, and treat [Reviewer.Health] as an alarm;
//   - implement [Ties], which alone knows relatives, colleagues and care relations; without it half of
//     the snooping there is is not found;
//   - record whose data events are about (audit.Event.Patients): nothing else is counted;
//   - let rbac decide who reads findings and who changes settings, and record that they were read;
//   - have at least two people who review, because each can be the subject of a finding.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Names of rules and states
// and stored rows never break.
package review
