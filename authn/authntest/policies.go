package authntest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func policyRules() []rule {
	return []rule{
		{Name: "keeps_policy", Clause: "GetPolicy returns the policy that was saved, every field of it; where none was, ErrNotFound.", Run: keepsPolicy},
		{Name: "policy_at_once", Clause: "Once SavePolicy has returned, every GetPolicy that begins afterwards returns the new policy.", Run: policyAtOnce},
		{Name: "policy_version", Clause: "SavePolicy replaces a policy only if its version is one less; otherwise ErrConflict, and nothing changes.", Run: policyVersion},
		{Name: "policy_race", Clause: "Of several policies of the same version saved at once exactly one is; the others answer ErrConflict.", Run: policyRace},
		{Name: "policy_of_tenant", Clause: "A policy is that of its own tenant.", Run: policyOfTenant},
		{Name: "policy_copy", Clause: "What the caller does to a policy after saving it changes nothing.", Run: policyCopy},
	}
}

// policy is one that uses every field.
func policy(version int64) authn.Policy {
	return authn.Policy{
		Version: version, Staff: authn.Required, Patients: authn.Optional,
		ApproveStaff: true, ApprovePatients: true, Reproof: authn.AllFactors, Closed: true,
		Network: authn.Network{
			Staff:    []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
			Patients: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")},
		},
		InactiveStaff: 30 * 24 * time.Hour, InactivePatients: 365 * 24 * time.Hour,
		Banner:    authn.Banner{Version: fmt.Sprint("words ", version), Always: true},
		Passwords: authn.PasswordRules{Alone: 20, WithFactor: 12, Words: []string{"harbor", "clinic & sons"}},
	}
}

// saved saves policies one after the other.
func saved(ctx context.Context, s authn.Store, t audit.Tenant, all ...authn.Policy) error {
	for _, p := range all {
		if err := s.SavePolicy(ctx, t, p); err != nil {
			return fmt.Errorf("saving a policy: %w", err)
		}
	}
	return nil
}

// hasPolicy compares what the tenant has saved last.
func hasPolicy(ctx context.Context, s authn.Store, t audit.Tenant, should authn.Policy) error {
	got, err := s.GetPolicy(ctx, t)
	if err != nil {
		return fmt.Errorf("reading a policy: %w", err)
	}
	if !reflect.DeepEqual(*got, should) {
		return errors.New("the policy is not the one that was saved")
	}
	return nil
}

func keepsPolicy(ctx context.Context, s authn.Store) error {
	_, none := s.GetPolicy(ctx, clinic)
	return all(wantErr("a policy that nobody saved", none, authn.ErrNotFound), saved(ctx, s, clinic, policy(1)), hasPolicy(ctx, s, clinic, policy(1)))
}

func policyAtOnce(ctx context.Context, s authn.Store) error {
	bare := authn.Policy{Version: 2}
	if err := saved(ctx, s, clinic, authn.Policy{Version: 1, Patients: authn.Optional}, bare); err != nil {
		return err
	}
	return hasPolicy(ctx, s, clinic, bare)
}

func policyVersion(ctx context.Context, s authn.Store) error {
	refused := func(version int64) error {
		return wantErr(fmt.Sprint("saving version ", version), s.SavePolicy(ctx, clinic, authn.Policy{Version: version, Closed: true}), authn.ErrConflict)
	}
	open := func(version int64) authn.Policy { return authn.Policy{Version: version} }
	err := all(refused(0), refused(2), saved(ctx, s, clinic, open(1)), refused(1), refused(3), refused(0), saved(ctx, s, clinic, open(2)), refused(1), refused(2), refused(4))
	if err != nil {
		return err
	}
	if _, err := s.GetPolicy(ctx, clinic); err != nil {
		return err
	}
	got, err := s.GetPolicy(ctx, clinic) // the second time: how fresh it is, is another rule's
	if err != nil {
		return err
	}
	return all(want("the version", got.Version, 2), want("whether it is closed", got.Closed, false))
}

func policyRace(ctx context.Context, s authn.Store) error {
	n, odd := count(together(crowd, func(int) error { return s.SavePolicy(ctx, clinic, authn.Policy{Version: 1}) }), authn.ErrConflict)
	return all(odd, want("the number that was saved", n, 1))
}

func policyOfTenant(ctx context.Context, s authn.Store) error {
	if err := saved(ctx, s, clinic, authn.Policy{Version: 1, Closed: true}); err != nil {
		return err
	}
	_, none := s.GetPolicy(ctx, other)
	return wantErr("the policy of the other tenant", none, authn.ErrNotFound)
}

func policyCopy(ctx context.Context, s authn.Store) error {
	p := authn.Policy{Version: 1, Network: authn.Network{Staff: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	if err := saved(ctx, s, clinic, p); err != nil {
		return err
	}
	p.Network.Staff[0] = netip.MustParsePrefix("198.51.100.0/24")
	got, err := s.GetPolicy(ctx, clinic)
	if err != nil {
		return err
	}
	return want("the network", got.Network.Staff[0].String(), "192.0.2.0/24")
}
