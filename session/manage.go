package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// Policy returns the policy in force in t: the one saved last, or else Options.Policy, whose
// Version is 0.
func (m *Manager) Policy(ctx context.Context, t audit.Tenant) (Policy, error) {
	p, err := m.policy(ctx, t)
	if err != nil {
		return Policy{}, err
	}
	return p.Clone(), nil
}

// SavePolicy makes p the policy of t. It judges every request that begins afterwards, on
// every server; limits that are shorter now end sessions that are over by them. p.Version is
// the version that the editor saw; where that is not the one in force any more the error
// wraps ErrConflict: read Policy again. A policy that Validate refuses is ErrPolicy.
//
// ctx must carry an actor of t, otherwise the error is ErrDenied; whether the actor may do so
// is for rbac to decide before. What changes is recorded before it does, each difference as
// "before → after"; what cannot be recorded is not saved.
func (m *Manager) SavePolicy(ctx context.Context, t audit.Tenant, p Policy) error {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Kind == audit.KindAnonymous || a.Tenant != t {
		return m.deny(ctx, a, t, "session.policy")
	}
	if err := p.Validate(); err != nil {
		return err
	}
	before, err := m.policy(ctx, t)
	if err != nil {
		return err
	}
	if before.Version != p.Version {
		return ErrConflict
	}
	e := audit.Event{
		Tenant: t, Action: "session.policy", Verb: audit.Update, Actor: a,
		Objects: []audit.Object{{Type: "session_policy", ID: string(t), Version: strconv.FormatInt(p.Version+1, 10)}},
	}
	if err := m.recordDifferences(ctx, e, differences(before, &p)); err != nil {
		return err
	}
	p = p.Clone()
	p.Version++
	if err := m.save(ctx, t, p); err != nil {
		e.Outcome, e.Code = audit.MajorFailure, "unavailable"
		if errors.Is(err, ErrConflict) {
			e.Outcome, e.Code = audit.MinorFailure, "conflict"
		}
		return errors.Join(err, m.record(ctx, e))
	}
	return nil
}

// perEvent is how many differences one event holds.
const perEvent = 32

// recordDifferences records as many events as it takes, at least one.
func (m *Manager) recordDifferences(ctx context.Context, e audit.Event, all map[string]string) error {
	keys := slices.Sorted(maps.Keys(all))
	for first := true; first || len(keys) > 0; first = false {
		n := min(perEvent, len(keys))
		e.ID, e.Detail = "", make(map[string]string, n)
		for _, k := range keys[:n] {
			e.Detail[k] = all[k]
		}
		if err := m.record(ctx, e); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// differences are the settings that differ, as "before → after".
func differences(before, after *Policy) map[string]string {
	all := map[string]string{}
	b, a := before.settings(), after.settings()
	for k, was := range b {
		if is := a[k]; is != was {
			all[k] = was + " → " + orNone(is)
		}
	}
	for k, is := range a {
		if _, had := b[k]; !had {
			all[k] = "none → " + is
		}
	}
	return all
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// settings names each setting of p with its value.
func (p *Policy) settings() map[string]string {
	all := map[string]string{"sign_out": "everywhere", "limits": p.Limits.String()}
	if p.SignOut == ThisDevice {
		all["sign_out"] = "this_device"
	}
	for k, l := range p.Kinds {
		all["limits."+string(k)] = l.String()
	}
	for a, d := range p.HighRisk {
		all["high_risk."+string(a)] = d.String()
	}
	return all
}

// String returns the limits as "idle 15m0s, absolute 12h0m0s, sessions 3, insecure_long".
func (l Limits) String() string {
	s := fmt.Sprintf("idle %v, absolute %v", l.Idle, l.Absolute)
	if l.Sessions > 0 {
		s += fmt.Sprintf(", sessions %d", l.Sessions)
	}
	if l.InsecureLong {
		s += ", insecure_long"
	}
	return s
}

// String returns "confirm", or the area with how long it is open, as "settings 5m0s".
func (d Duty) String() string {
	if d.Area == "" {
		return "confirm"
	}
	return fmt.Sprintf("%s %v", d.Area, d.Within)
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
