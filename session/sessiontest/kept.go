package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

func keptRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "consume_uses_up",
			Clause: "Consume uses the proof up; of several at once exactly one is told so; not there: false",
			Run:    consumeOnce,
		},
		{
			Name:   "consume_keeps_to_until",
			Clause: "Consume reports whether there was a proof whose Until is after now",
			Run:    consumeUntil,
		},
		{
			Name:   "consume_stays_in_its_tenant",
			Clause: "A proof is its tenant's",
			Run:    consumeTenant,
		},
		{
			Name:   "put_again_is_one_proof",
			Clause: "A proof with the same tenant and key hash is replaced: it can still be used only once",
			Run:    putAgain,
		},
		{
			Name:   "policy_comes_back_whole",
			Clause: "GetPolicy returns the policy that was saved last, with its Version; not there: ErrNotFound",
			Run:    policyWhole,
		},
		{
			Name:   "get_returns_the_policy",
			Clause: "Get returns the tenant's policy, nil if it never saved one; once SavePolicy has returned, every Get that begins afterwards returns the new one",
			Run:    policyWithSession,
		},
		{
			Name:   "policy_needs_the_version_before",
			Clause: "SavePolicy replaces a policy only if its version is one less; otherwise ErrConflict; of several at once exactly one succeeds",
			Run:    policyVersion,
		},
		{
			Name:   "policy_stays_in_its_tenant",
			Clause: "A policy is its tenant's",
			Run:    policyTenant,
		},
		{
			Name:   "policy_is_a_copy",
			Clause: "What a method was given it copies where it keeps it",
			Run:    policyCopy,
		},
		{
			Name:   "purge_deletes_what_is_over",
			Clause: "Purge deletes rows whose Ends, and proofs whose Until, is before the time given, and nothing else",
			Run:    purgeOver,
		},
		{
			Name:   "purge_keeps_to_the_limit",
			Clause: "Purge deletes up to limit; below 1 it deletes nothing",
			Run:    purgeLimit,
		},
		{
			Name:   "route_is_random",
			Clause: "Route returns a routing tag that is random, never derived from who it is",
			Run:    routeRandom,
		},
	}
}

// used consumes a proof and compares the answer.
func used(ctx context.Context, s session.Store, t audit.Tenant, k session.Key, now time.Time, want bool) error {
	ok, err := s.Consume(ctx, t, k, now)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	if ok != want {
		return fmt.Errorf("consume reports %v, want %v", ok, want)
	}
	return nil
}

func consumeOnce(ctx context.Context, s session.Store) error {
	p := session.Proof{Tenant: clinic, Key: key(ctx, s, clinic, ann), Until: base().Add(time.Minute)}
	q := session.Proof{Tenant: clinic, Key: key(ctx, s, clinic, ann), Until: base().Add(time.Minute)}
	if err := errors.Join(s.Put(ctx, p), s.Put(ctx, q)); err != nil {
		return err
	}
	if err := errors.Join(
		used(ctx, s, clinic, p.Key, base(), true), used(ctx, s, clinic, p.Key, base(), false),
		used(ctx, s, clinic, key(ctx, s, clinic, ann), base(), false),
	); err != nil {
		return err
	}
	var won atomic.Int32
	err := together(racers, func(int) error {
		ok, err := s.Consume(ctx, clinic, q.Key, base())
		if ok {
			won.Add(1)
		}
		return err
	})
	if err == nil && won.Load() != 1 {
		err = fmt.Errorf("%d of %d at once used the same proof, want 1", won.Load(), racers)
	}
	return err
}

func consumeUntil(ctx context.Context, s session.Store) error {
	over, open := key(ctx, s, clinic, ann), key(ctx, s, clinic, ann)
	until := base().Add(time.Minute + time.Microsecond)
	return errors.Join(
		s.Put(ctx, session.Proof{Tenant: clinic, Key: over, Until: until}),
		s.Put(ctx, session.Proof{Tenant: clinic, Key: open, Until: until}),
		used(ctx, s, clinic, over, until, false),
		used(ctx, s, clinic, open, until.Add(-time.Microsecond), true),
	)
}

func consumeTenant(ctx context.Context, s session.Store) error {
	p := session.Proof{Tenant: clinic, Key: key(ctx, s, clinic, ann), Until: base().Add(time.Minute)}
	return errors.Join(
		s.Put(ctx, p),
		used(ctx, s, other, p.Key, base(), false),
		used(ctx, s, clinic, p.Key, base(), true),
	)
}

func putAgain(ctx context.Context, s session.Store) error {
	p := session.Proof{Tenant: clinic, Key: key(ctx, s, clinic, ann), Until: base().Add(time.Minute)}
	later := p
	later.Until = base().Add(time.Hour)
	return errors.Join(
		s.Put(ctx, p), s.Put(ctx, later),
		used(ctx, s, clinic, p.Key, base().Add(30*time.Minute), true),
		used(ctx, s, clinic, p.Key, base(), false),
	)
}

// policy is one that uses every field.
func policy(version int64) session.Policy {
	return session.Policy{
		Version: version,
		Limits:  session.Limits{Idle: 10 * time.Minute, Absolute: 8 * time.Hour, Sessions: int(version)},
		Kinds: map[audit.Kind]session.Limits{
			audit.KindPatient: {Idle: 5 * time.Minute, Absolute: 720 * time.Hour, InsecureLong: true},
		},
		SignOut: session.ThisDevice,
		HighRisk: map[audit.Action]session.Duty{
			"patient.export": {}, "settings.edit": {Area: "settings", Within: 90 * time.Second},
		},
	}
}

// saved saves policies one after the other.
func saved(ctx context.Context, s session.Store, t audit.Tenant, all ...session.Policy) error {
	for _, p := range all {
		if err := s.SavePolicy(ctx, t, p); err != nil {
			return fmt.Errorf("saving a policy: %w", err)
		}
	}
	return nil
}

// hasPolicy compares what the tenant has saved last.
func hasPolicy(ctx context.Context, s session.Store, t audit.Tenant, want session.Policy) error {
	got, err := s.GetPolicy(ctx, t)
	if err != nil {
		return fmt.Errorf("reading a policy: %w", err)
	}
	if !reflect.DeepEqual(*got, want) {
		return errors.New("the policy is not the one that was saved")
	}
	return nil
}

func policyWhole(ctx context.Context, s session.Store) error {
	if _, err := s.GetPolicy(ctx, clinic); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("a policy that nobody saved: got %v, want ErrNotFound", err)
	}
	bare := session.DefaultPolicy()
	bare.Version = 2
	return errors.Join(
		saved(ctx, s, clinic, policy(1)), hasPolicy(ctx, s, clinic, policy(1)),
		saved(ctx, s, clinic, bare), hasPolicy(ctx, s, clinic, bare),
	)
}

func policyWithSession(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	got, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	if got.Policy != nil {
		return errors.New("get returns a policy that nobody saved")
	}
	for version := range int64(3) {
		if err := saved(ctx, s, clinic, policy(version+1)); err != nil {
			return err
		}
		got, err := s.Get(ctx, r.Key)
		if err != nil {
			return err
		}
		if got.Policy == nil || !reflect.DeepEqual(*got.Policy, policy(version+1)) {
			return errors.New("get does not return the policy that was saved last")
		}
		if err := same(got.Session, r.Session); err != nil {
			return err
		}
	}
	return nil
}

func policyVersion(ctx context.Context, s session.Store) error {
	refused := func(version int64) error {
		if err := s.SavePolicy(ctx, clinic, policy(version)); !errors.Is(err, session.ErrConflict) {
			return fmt.Errorf("saving version %d: got %v, want ErrConflict", version, err)
		}
		return nil
	}
	if err := errors.Join(refused(2), refused(5), saved(ctx, s, clinic, policy(1)), refused(1), refused(3),
		saved(ctx, s, clinic, policy(2)), refused(1), refused(2)); err != nil {
		return err
	}
	var won atomic.Int32
	err := together(racers, func(int) error {
		err := s.SavePolicy(ctx, clinic, policy(3))
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, session.ErrConflict) {
			return fmt.Errorf("saving at once: got %v, want ErrConflict", err)
		}
		return nil
	})
	if err == nil && won.Load() != 1 {
		err = fmt.Errorf("%d of %d at once saved the same version, want 1", won.Load(), racers)
	}
	return errors.Join(err, hasPolicy(ctx, s, clinic, policy(3)))
}

func policyTenant(ctx context.Context, s session.Store) error {
	r := record(ctx, s, other, ann, base())
	if err := errors.Join(create(ctx, s, r), saved(ctx, s, clinic, policy(1))); err != nil {
		return err
	}
	got, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	if got.Policy != nil {
		return errors.New("get returns the policy of another tenant")
	}
	if _, err := s.GetPolicy(ctx, other); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("the policy of another tenant: got %v, want ErrNotFound", err)
	}
	return nil
}

func policyCopy(ctx context.Context, s session.Store) error {
	p := policy(1)
	if err := saved(ctx, s, clinic, p); err != nil {
		return err
	}
	p.Kinds[audit.KindPatient] = session.DefaultLimits()
	delete(p.HighRisk, "patient.export")
	return hasPolicy(ctx, s, clinic, policy(1))
}

// purgeOver allows stores that leave deleting to their own expiry.
func purgeOver(ctx context.Context, s session.Store) error {
	over, gone, edge := record(ctx, s, clinic, ann, base()), record(ctx, s, other, bob, base()), record(ctx, s, clinic, ann, base())
	now := base().Add(48 * time.Hour)
	edge.Session.Ends, edge.Session.IdleEnds = now, now
	proof := session.Proof{Tenant: clinic, Key: key(ctx, s, clinic, ann), Until: now}
	past := session.Proof{Tenant: clinic, Key: key(ctx, s, clinic, ann), Until: now.Add(-time.Microsecond)}
	if err := errors.Join(
		create(ctx, s, over, gone, edge), s.Put(ctx, proof), s.Put(ctx, past),
		revoked(ctx, s, session.Selection{Tenant: other, Person: bob}, base(), "x", 1),
	); err != nil {
		return err
	}
	n, err := s.Purge(ctx, now, 100)
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	if n != 0 && n != 3 {
		return fmt.Errorf("purge deleted %d, want 3", n)
	}
	if n == 3 {
		for _, k := range []session.Key{over.Key, gone.Key} {
			if _, err := s.Get(ctx, k); !errors.Is(err, session.ErrNotFound) {
				return fmt.Errorf("get of what was purged: got %v, want ErrNotFound", err)
			}
		}
	}
	return errors.Join(
		holds(ctx, s, edge.Key, edge.Session),
		used(ctx, s, clinic, proof.Key, now.Add(-time.Microsecond), true),
	)
}

func purgeLimit(ctx context.Context, s session.Store) error {
	var all []session.Record
	for range 5 {
		all = append(all, record(ctx, s, clinic, ann, base()))
	}
	if err := create(ctx, s, all...); err != nil {
		return err
	}
	total := 0
	for _, limit := range []int{0, -1, 2, 2, 2, 2} {
		n, err := s.Purge(ctx, base().Add(48*time.Hour), limit)
		if err != nil {
			return fmt.Errorf("purge: %w", err)
		}
		if n > max(0, limit) {
			return fmt.Errorf("purge deleted %d, the limit was %d", n, limit)
		}
		total += n
	}
	if total != 0 && total != len(all) {
		return fmt.Errorf("purging in steps deleted %d, want %d", total, len(all))
	}
	return nil
}

func routeRandom(ctx context.Context, s session.Store) error {
	seen := map[[16]byte]bool{{}: true}
	for _, who := range []struct {
		tenant audit.Tenant
		person audit.ActorID
	}{{clinic, ann}, {clinic, bob}, {other, ann}} {
		route, err := s.Route(ctx, who.tenant, who.person)
		if err != nil {
			return fmt.Errorf("route: %w", err)
		}
		if seen[route] {
			return errors.New("the routing tag is zero, or two people share one")
		}
		seen[route] = true
	}
	return nil
}
