package authntest_test

import (
	"context"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func (s *flawed) GetPolicy(ctx context.Context, t audit.Tenant) (*authn.Policy, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	p, ok := s.policies[t]
	if !ok && s.is("policy_of_tenant") {
		for _, p := range s.policies {
			return p, nil
		}
	}
	if !ok {
		return nil, authn.ErrNotFound
	}
	if last := s.before[t]; last != nil && s.is("policy_at_once") {
		s.before[t] = nil // as if another server still remembered the one before
		return last, nil
	}
	return p, nil
}

func (s *flawed) SavePolicy(ctx context.Context, t audit.Tenant, p authn.Policy) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	var version int64
	if saved := s.policies[t]; saved != nil {
		version = saved.Version
	}
	if p.Version != version+1 && !(s.is("policy_version") && p.Version > version) {
		return authn.ErrConflict
	}
	s.lets("policy_race")
	if s.is("keeps_policy") {
		p.Banner.Always = false
	}
	if !s.is("policy_copy") {
		p = p.Clone()
	}
	s.before[t], s.policies[t] = s.policies[t], &p
	return nil
}
