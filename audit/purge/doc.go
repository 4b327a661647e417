// Package purge keeps an audit log for as long as it has to be kept, and destroys what is older so
// that the rest stays provable.
//
//	keeper, err := purge.New(purge.Parts{
//		Source: events, Trees: trees, Exporter: exporter, Recorder: log,
//		Bundles: purge.NewFolder("/srv/bundles"), Store: store,
//	}, nil)
//	go keeper.Run(ctx)
//	plan, err := keeper.Propose(ctx, tenant, "older than seven years")     // one person
//	plan, err = keeper.Approve(ctx, tenant, plan.ID, "read the export")    // another one
//	plan, err = keeper.Resume(ctx, tenant, plan.ID)                        // or Run does; ErrPending: call it again
//
// An event is kept for the longest of: six years (45 CFR 164.316(b)(2)(i), 164.528(a)(1)), a floor
// under whatever is set or stored; the tenant's period, seven years unless it says otherwise;
// what [Records] says of its patients; every legal hold that covers it.
//
// What is older goes in five steps, and no timer begins them. Propose compares the events with the
// signed tree, exports them into a bundle, reads that back and proves that each event in it is
// the one that was signed. Somebody else agrees. The purge is an event of the log itself that names the
// places, the bundle and both people. A signed checkpoint covers that event. Then the bodies are
// destroyed; their leaf hashes stay, so that every proof of every other event still holds, and
// tlog.Verify asks of each missing body which purge named it.
//
// It protects against:
//   - a period that is lowered for a moment: a shorter one waits for 30 days, and six years stay;
//   - one person alone: who proposed cannot agree, nor can a program, somebody's delegate, or
//     somebody with an emergency grant; holds are released by somebody else than who placed them;
//   - a store that lies: the floor is applied to what it answers, and who proposed and agreed to
//     what is read from the signed log before the first body goes;
//   - a purge that hides a change: what is not as it was signed, or missing without a purge that says
//     so, stops every purge until people have found out why;
//   - a hold that comes late: it counts for every part, of at most 500 events, that has not begun;
//   - crashes: after any of them a body is gone only if the event that says so is covered.
//
// # What it cannot do
//
// A clock that is years ahead makes everything old; two people see the dates before they agree,
// and the log notes steps of the clock (audit.KernelClock). A hold that is placed after the purge's event
// is covered saves the bodies, but the log says that they may be missing. Backups of the database
// keep what was destroyed until they are gone themselves.
//
// # What the host must still do
//
//   - let rbac decide who may change periods, place and release holds, propose and agree, after a
//     step-up, and record who reads a bundle;
//   - keep the bundles for as long as anybody may ask, apart from the database, encrypted;
//   - call Run on at least one server, beside audit.Log.Run and tlog.Log.Run, and tlog.Verify
//     after a purge;
//   - say with Options.Records how long the records of minors and of the deceased are kept.
//
// # Compatibility
//
// Before version 1 the Go API may change with an entry in the changelog. Stored rows, bundles, the
// names of actions and what two people sign do not break.
package purge
