package sessionredis

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// Policies are durable in SQL. Redis holds a stamp for each tenant, random text that changes
// with every change of the policy and is away while somebody saves. A server remembers a
// policy together with the stamp that it saw before it read the policy; a request that finds
// the same stamp may use it, any other reads SQL. So:
//
//	save:  begin (no stamp) → SQL → finish (new stamp)
//	read:  stamp → SQL → remember both, if there was a stamp
//
// What was read before the SQL of a save was remembered under a stamp that is gone when the
// save returns. A server that dies between the steps leaves its mark: no stamp, every request
// reads SQL, until a version shows that what it tried has happened or never will. A stamp
// that Redis lost is replaced by one that nobody remembers anything under.

// finishing bounds how long a save that has happened tries to say so.
const finishing = 2 * time.Second

// policies is what a server remembers.
type policies struct {
	mu    sync.RWMutex
	known map[tenantTag]*known
}

// known is a policy, nil where the tenant has saved none, and the stamp it is good for.
type known struct {
	stamp  string
	tenant audit.Tenant
	policy *session.Policy
}

func (p *policies) get(tag tenantTag, t audit.Tenant, stamp string) (*session.Policy, bool) {
	p.mu.RLock()
	k := p.known[tag]
	p.mu.RUnlock()
	if k == nil || stamp == "" || k.stamp != stamp || k.tenant != t {
		return nil, false
	}
	return k.policy, true
}

func (p *policies) put(tag tenantTag, k *known) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[tag] = k
}

func (p *policies) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.known)
}

// current returns the policy of t, by the stamp that the request found.
func (s *Store) current(ctx context.Context, tag tenantTag, t audit.Tenant, stamp string) (*session.Policy, error) {
	if p, ok := s.policies.get(tag, t, stamp); ok {
		return p, nil
	}
	stamp, err := s.stamp(ctx, opStamp, tag, rand.Text())
	if err != nil {
		return nil, err
	}
	p, err := s.durable.GetPolicy(ctx, t)
	if errors.Is(err, session.ErrNotFound) {
		p, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if stamp != "" {
		s.policies.put(tag, &known{stamp, t, p})
	} else if p != nil { // somebody saves, or died over it
		_, _ = s.stamp(ctx, opHeal, tag, p.Version, rand.Text())
	}
	return p, nil
}

func (s *Store) stamp(ctx context.Context, o op, tag tenantTag, args ...any) (string, error) {
	v, err := s.run(ctx, o, []string{s.policyKey(tag)}, args...)
	text, _ := v.(string)
	return text, err
}

// GetPolicy implements session.Store.
func (s *Store) GetPolicy(ctx context.Context, t audit.Tenant) (*session.Policy, error) {
	return s.durable.GetPolicy(ctx, t)
}

// SavePolicy implements session.Store. An error other than session.ErrConflict and
// session.ErrPolicy leaves open whether it was saved; either way all servers agree.
func (s *Store) SavePolicy(ctx context.Context, t audit.Tenant, p session.Policy) error {
	const what = "saving a policy"
	if err := p.Validate(); err != nil {
		return refused(what, err)
	}
	seed, err := s.seed(ctx)
	if err != nil {
		return err
	}
	tag, name := tenantTagOf(seed, t), rand.Text()
	if _, err := s.stamp(ctx, opBegin, tag, name, strconv.FormatInt(p.Version, 10)); err != nil {
		return refused(what, err)
	}
	err = s.durable.SavePolicy(ctx, t, p)
	if err != nil && !errors.Is(err, session.ErrConflict) {
		return refused(what, err) // perhaps it is saved: the mark stays
	}
	return refused(what, errors.Join(err, s.finish(ctx, tag, name)))
}

// finish says that a save is over, whether or not the request that asked for it still waits.
func (s *Store) finish(ctx context.Context, tag tenantTag, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	_, err := s.stamp(ctx, opFinish, tag, name, rand.Text())
	return err
}
