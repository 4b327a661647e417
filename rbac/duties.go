package rbac

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// StepUps says whether a person has to prove again who they are before an action.
// session.Manager is one.
type StepUps interface {
	// StepUp reports whether the actor in ctx owes a fresh proof for doing action to object.
	// within is the action's own duty, zero for none: the tenant may demand one all the same.
	// A confirmation that was given for this one use is used up. An error means that it could
	// not be found out: the caller denies.
	StepUp(ctx context.Context, action audit.Action, object audit.Object, within time.Duration) (owed bool, err error)
}

// Approvals says who has agreed to what somebody is about to do.
type Approvals interface {
	// Approved returns the person who approved that the actor in ctx does action to object,
	// "" if nobody did, and uses the approval up. An approval is for one tenant, one actor, one
	// action and one object, and has an end. An error means that it could not be found out:
	// the caller denies.
	Approved(ctx context.Context, action audit.Action, object audit.Object) (by audit.ActorID, err error)
}

// Challenge is what a person has to prove before an action: the data of an
// insufficient_user_authentication challenge, RFC 9470, section 3.
type Challenge struct {
	Assurance audit.Assurance // at least this level; AAL0: the present one will do
	MaxAge    time.Duration   // proven not longer ago than this; zero: now
}

// String returns the challenge as the value of a WWW-Authenticate header.
func (c Challenge) String() string {
	text := `Bearer error="insufficient_user_authentication"`
	if c.Assurance != audit.AAL0 {
		return text + fmt.Sprintf(`, acr_values="aal%d"`, c.Assurance)
	}
	return text + fmt.Sprintf(`, max_age=%d`, int64(c.MaxAge/time.Second))
}

// Challenge returns what the person has to prove, and false if that is not why it was denied.
func (d Decision) Challenge() (Challenge, bool) {
	switch d.Code {
	case CodeAssurance:
		return Challenge{Assurance: d.assurance}, true
	case CodeStepUp:
		c := Challenge{}
		if d.def != nil {
			c.MaxAge = d.def.stepUp
		}
		return c, true
	}
	return Challenge{}, false
}

// duties denies what dec allows while a duty is owed. What is used up by asking is asked last,
// and what costs another person the most at the very end.
func (z *Authorizer) duties(ctx context.Context, dec Decision, a *Attrs) (Decision, error) {
	if !dec.Allowed {
		return dec, nil
	}
	if dec.def.reason && reasonFrom(ctx) == "" {
		return dec.denied(CodeReason), nil
	}
	object := dec.object(a)
	owed, err := z.stepUp(ctx, dec.def, object)
	switch {
	case err != nil:
		return dec.denied(CodeUndecided), fmt.Errorf("%w: asking for a step-up: %w", ErrUndecided, err)
	case owed:
		return dec.denied(CodeStepUp), nil
	case !dec.def.twoPerson:
		return dec, nil
	case z.o.Approvals == nil:
		return dec.denied(CodeSecondPerson), nil
	}
	by, err := z.o.Approvals.Approved(ctx, dec.def.name, object)
	switch {
	case err != nil:
		return dec.denied(CodeUndecided), fmt.Errorf("%w: asking for an approval: %w", ErrUndecided, err)
	case by == "" || by == actor(ctx).ID:
		return dec.denied(CodeSecondPerson), nil
	}
	dec.Approver = by
	return dec, nil
}

func (z *Authorizer) stepUp(ctx context.Context, d *definition, object audit.Object) (owed bool, err error) {
	if d.stepUp > 0 && program(actor(ctx).Kind) {
		return true, nil // a program has no second factor, whoever answers for it
	}
	if z.o.StepUps == nil {
		return d.stepUp > 0, nil
	}
	return z.o.StepUps.StepUp(ctx, d.name, object, d.stepUp)
}

// fits reports what a policy needs and z was not given.
func (z *Authorizer) fits(p *Policy) error {
	var steps, persons bool
	for _, d := range p.actions {
		steps = steps || d.stepUp > 0
		persons = persons || d.twoPerson
	}
	switch {
	case steps && z.o.StepUps == nil:
		return errors.New("rbac: the policy has an action that needs a step-up: Options.StepUps is required")
	case persons && z.o.Approvals == nil:
		return errors.New("rbac: the policy has an action that needs two people: Options.Approvals is required")
	case z.o.Licences == nil && p.licensed():
		return errors.New("rbac: the policy has an action that needs a licence: Options.Licences is required")
	}
	return nil
}
