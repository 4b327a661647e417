// Package emergency is emergency access, "breaking the glass": a member of staff opens one patient who is
// not theirs, for hours, with a reason, in everybody's sight (45 CFR 164.312(a)(2)(ii); 170.315(d)(6)).
//
//	store, err := emergencysql.Postgres(db)
//	policy, err := rbac.Compile(rbac.Rules{…, Relations: rbac.Relations{Own: own, Emergency: relation}}) // of the store
//	desk, err := emergency.New(emergency.Parts[Patient]{Store: store, Recorder: log, Authorizer: z, Notices: outbox,
//		Action: patientOpen, Reads: []rbac.Action[Patient]{noteRead}}, nil)
//	go desk.Run(ctx)
//	grant, err := desk.Open(ctx, granted, emergency.Request{Reason: "emergency_treatment", Words: "…"})
//
// # What it protects against
//
//   - The patient who is harmed because the right role is asleep: whoever may open opens at once, and
//     nothing waits for a mail server or an officer.
//   - The open door. A grant is one person's, of one patient, for [MaxLongest] at most, and only for what
//     the policy has in scope rbac.Emergency: the compiler of policies lets that be reading alone, by
//     staff. It widens the same Check and the same lists; what a Forbid holds back stays closed, unless
//     the Forbid names scope Emergency as its exception. It cannot be extended, handed on or used by a
//     program, and ends by itself: the relation compares times, and what was ended counts at the next
//     request on every server.
//   - The unseen look. The opening is in the audit log before it is in force: without a durable record
//     there is no emergency access. What is read under it carries the grant (audit.Actor.Emergency; DICOM
//     110127, ETREAT), so that [Grant.Query] finds it.
//   - The habit. Whoever may read the patient anyhow is refused ([ErrNotNeeded]), so that each opening
//     means something; there is a limit for a day, and an alarm for who meets it.
//   - The review that never comes. Somebody is told at once, again until it is delivered, and again while a
//     review is overdue; nobody reviews their own, whatever they act as.
//
// # Failures
//
// Without the audit log, the store, the policy's answer, its relation's or the step-up nothing is
// opened. Without the notice it is: care does not wait, Run tries again, less and less often up to an
// hour, and Health says so. A clock that is set back opens again what time ended and nobody has written
// down yet, and never what was written down.
//
// # What the host must still do
//
//   - guard the page with Parts.Action, so that the proof is fresh, and give that action to those roles
//     that treat, mostly in scope Tenant;
//   - say with Relations.Emergency, which is the relation of Parts.Store, and scope Emergency what may be
//     read, and with Forbid what never is. A relation of another store lets nobody in: Open says so
//     ([ErrRelation]) and ends the grant;
//   - decide with actions of its own who stops, sees and reviews: this package looks at no role but
//     refuses one's own review; have two people who review, since one of them may open;
//   - run Run on one server at least, and treat [Desk.Health] as an alarm;
//   - deliver notices, show the open grant on each page of the patient with a way to end it, and tell
//     people before they open that it will be reviewed;
//   - record who read the list of grants and what was read under them.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Stored rows, migrations, names of
// actions, reasons, verdicts, kinds of notices and codes never break.
package emergency
