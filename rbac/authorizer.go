package rbac

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Options are the settings of an Authorizer; nil means all defaults.
type Options struct {
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// PHIAssurance is the least assurance level (NIST SP 800-63B-4, section 2) of an actor for
	// actions marked PHI. The zero value means AAL2 for staff and AAL1 for everybody else.
	PHIAssurance audit.Assurance
	// StepUps tells whether somebody has to prove again who they are; session.Manager is one. It
	// is asked before every action that is authorised, so that a tenant can demand more than the
	// policy. Required where the policy lists an action with StepUp.
	StepUps StepUps
	// Approvals tells who approved what. Required where the policy lists an action with
	// TwoPerson.
	Approvals Approvals
	// Toggles reads what tenants chose among the permissions that the policy leaves to them.
	// Default: nothing, the policy's defaults hold.
	Toggles TenantToggles
	// Licences tells who holds which professional licence. Required where the policy lists an
	// action that needs one.
	Licences Licences
	// Grants are the rules that changes of grants are held against.
	Grants GrantRules
}

// Authorizer decides, from a policy and the grants in a store. It keeps nothing between
// requests and is safe for concurrent use.
type Authorizer struct {
	live  atomic.Pointer[Policy] // what the next request decides by
	store Store
	rec   audit.Recorder
	o     Options
	pulse pulse
}

// New returns an Authorizer. Policy, store and recorder are required; audit.Discard has to be
// named.
func New(p *Policy, store Store, rec audit.Recorder, o *Options) (*Authorizer, error) {
	if p == nil || store == nil || rec == nil {
		return nil, errors.New("rbac: policy, store and recorder are required")
	}
	z := &Authorizer{store: store, rec: rec}
	z.live.Store(p)
	if o != nil {
		z.o = *o
	}
	if z.o.PHIAssurance > audit.AAL3 {
		return nil, errors.New("rbac: unknown assurance level")
	}
	if err := z.fits(p); err != nil {
		return nil, err
	}
	if err := z.o.Grants.check(p); err != nil {
		return nil, err
	}
	return z, nil
}

// Policy returns the policy that z decides by now, nil for a nil Authorizer.
func (z *Authorizer) Policy() *Policy {
	if z == nil {
		return nil
	}
	return z.live.Load()
}

func (z *Authorizer) now() time.Time {
	switch {
	case z == nil:
		return time.Time{}
	case z.o.Now == nil:
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	return z.o.Now().UTC().Truncate(time.Microsecond)
}

func (z *Authorizer) phiAssurance(k audit.Kind) audit.Assurance {
	switch {
	case z.o.PHIAssurance != audit.AAL0:
		return z.o.PHIAssurance
	case k == audit.KindStaff:
		return audit.AAL2
	}
	return audit.AAL1
}

// Roles returns the names of the roles that the actor in ctx holds now, highest rank first.
func (z *Authorizer) Roles(ctx context.Context) ([]RoleName, error) {
	now := z.now()
	s, err := z.subject(ctx, now)
	if err != nil {
		return nil, err
	}
	return s.policy.names(s.inForce(now)), nil
}

// Label returns the label of the highest-ranking role that the actor in ctx holds now, ""
// for none.
func (z *Authorizer) Label(ctx context.Context) (string, error) {
	names, err := z.Roles(ctx)
	return z.Policy().Label(names...), err
}

// Team yields the grants in force of the actor's tenant in order of ID. It is for the page on
// which a team is managed: guard it.
func (z *Authorizer) Team(ctx context.Context) iter.Seq2[Grant, error] {
	return func(yield func(Grant, error) bool) {
		a, ok := audit.ActorFrom(ctx)
		if !ok || a.Tenant == "" {
			yield(Grant{}, ErrUndecided)
			return
		}
		now := z.now()
		for g, err := range z.store.List(ctx, a.Tenant, "") {
			if err != nil {
				yield(Grant{}, err)
				return
			}
			if g.InForce(now) && !yield(g, nil) {
				return
			}
		}
	}
}
