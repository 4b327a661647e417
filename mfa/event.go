package mfa

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// What is recorded. The object of each event is the person (type "person"), its actor whoever
// is in the context, so during sign-in somebody anonymous. Lifecycle messages have the same
// names as their topics.
const (
	ActionBegun    audit.Action = "mfa.begun"    // a key was made and shown
	ActionEnrolled audit.Action = "mfa.enrolled" // the first code was right
	ActionVerified audit.Action = "mfa.verified" // a code was right
	ActionFailed   audit.Action = "mfa.failed"   // Code: wrong_code, locked, unreadable
	ActionReplayed audit.Action = "mfa.replayed" // a right code, a second time
	ActionLocked   audit.Action = "mfa.locked"   // disabled after too many wrong codes
	ActionDisabled audit.Action = "mfa.disabled" // ended by the person
	ActionReset    audit.Action = "mfa.reset"    // ended by somebody else
	ActionReplaced audit.Action = "mfa.replaced" // another app took the place of the first

	ActionCodesIssued audit.Action = "mfa.codes_issued" // a new list of recovery codes
	ActionRecovered   audit.Action = "mfa.recovered"    // a recovery code was used
)

// event describes what happened to the person's factor.
func event(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time, a audit.Action) audit.Event {
	actor, ok := audit.ActorFrom(ctx)
	if !ok {
		actor = audit.Anonymous(t, netip.Addr{})
	}
	return audit.Event{
		ID:      audit.NewID(now),
		Tenant:  t,
		Action:  a,
		Verb:    verbOf(a),
		Actor:   actor,
		Objects: []audit.Object{{Type: "person", ID: string(person)}},
		Detail:  map[string]string{"method": methodOf(a)},
	}
}

func methodOf(a audit.Action) string {
	if a == ActionRecovered || a == ActionCodesIssued {
		return MethodRecovery
	}
	return Method
}

func verbOf(a audit.Action) audit.Verb {
	switch a {
	case ActionBegun:
		return audit.Create
	case ActionEnrolled, ActionLocked, ActionReplaced, ActionCodesIssued:
		return audit.Update
	case ActionDisabled, ActionReset:
		return audit.Delete
	}
	return audit.Execute
}

// note makes an event part of the request's trail or, where there is none, records it.
func (f *Factors) note(ctx context.Context, t audit.Tenant, person audit.ActorID, a audit.Action, o audit.Outcome, code string) error {
	e := event(ctx, t, person, f.now(), a)
	e.Outcome, e.Code = o, code
	err := audit.Decide(ctx, e)
	if errors.Is(err, audit.ErrNoTrail) {
		err = f.rec.Record(ctx, e)
	}
	if err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// now is the clock in the precision of stores.
func (f *Factors) now() time.Time { return f.o.Now().UTC().Truncate(time.Microsecond) }
