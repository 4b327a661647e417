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

	ActionPasskeyAdded   audit.Action = "mfa.passkey_added"
	ActionPasskeyRenamed audit.Action = "mfa.passkey_renamed"
	ActionPasskeyRemoved audit.Action = "mfa.passkey_removed" // by the person
	ActionPasskeyCloned  audit.Action = "mfa.passkey_cloned"  // disabled, because there is a second copy
)

// The codes of ActionFailed for passkeys, beside "unreadable".
const (
	codeRefused  = "not_accepted" // the response proves nothing
	codeCeremony = "ceremony"     // not the ceremony that was begun, or it took too long
	codeUnknown  = "unknown_passkey"
	codeTaken    = "taken"    // there already
	codeDisabled = "disabled" // a right response of a disabled passkey
	codeCloned   = "cloned"   // this response disabled it
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
	if aboutTexts(a) {
		return MethodText
	}
	switch a {
	case ActionRecovered, ActionCodesIssued:
		return MethodRecovery
	case ActionPasskeyAdded, ActionPasskeyRenamed, ActionPasskeyRemoved, ActionPasskeyCloned:
		return MethodPasskey
	case ActionReset:
		return "all"
	}
	return Method
}

func verbOf(a audit.Action) audit.Verb {
	if aboutTexts(a) {
		return textVerb(a)
	}
	switch a {
	case ActionBegun, ActionPasskeyAdded:
		return audit.Create
	case ActionEnrolled, ActionLocked, ActionReplaced, ActionCodesIssued, ActionPasskeyRenamed, ActionPasskeyCloned:
		return audit.Update
	case ActionDisabled, ActionReset, ActionPasskeyRemoved:
		return audit.Delete
	}
	return audit.Execute
}

// note makes an event part of the request's trail or, where there is none, records it.
func (f *Factors) note(ctx context.Context, t audit.Tenant, person audit.ActorID, a audit.Action, o audit.Outcome, code string) error {
	e := event(ctx, t, person, f.now(), a)
	e.Outcome, e.Code = o, code
	return f.record(ctx, e)
}

// notePasskey is note about a passkey of the person. Neither has to be known.
func (f *Factors) notePasskey(ctx context.Context, r Ref, a audit.Action, o audit.Outcome, code string) error {
	e := event(ctx, r.Tenant, r.Person, f.now(), a)
	e.Outcome, e.Code = o, code
	e.Detail["method"] = MethodPasskey
	e.Objects = append(e.Objects, passkeyObjects(r.ID)...)
	if r.Person == "" {
		e.Objects = nil
	}
	return f.record(ctx, e)
}

func passkeyObjects(id string) []audit.Object {
	if id == "" {
		return nil
	}
	return []audit.Object{{Type: "passkey", ID: id}}
}

func (f *Factors) record(ctx context.Context, e audit.Event) error {
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
