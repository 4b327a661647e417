package authn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

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

// policy is Policy without the copy: nobody may write to what it returns.
func (m *Manager) policy(ctx context.Context, t audit.Tenant) (*Policy, error) {
	p, err := m.p.Store.GetPolicy(ctx, t)
	if errors.Is(err, ErrNotFound) {
		return m.o.Policy, nil
	}
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return nil, unavailable("reading the policy", err)
	}
	return p, nil
}

// SavePolicy makes p the policy of t. It judges every step of a sign-in, every link and, through
// Allowed, every request that begins afterwards, on every server. p.Version is the version that
// the editor saw; where that is not the one in force any more the error is ErrConflict: read
// Policy again. A policy that Validate refuses is ErrPolicy.
//
// Network rules that keep the editor out, the first list of a kind, and closing the tenant need a
// confirmation: without confirmed the error is a *LockOutError and nothing is saved. There is no
// exemption that could save anybody afterwards.
//
// ctx must carry an actor of t, otherwise the error is ErrNoActor and that is recorded; whether
// the actor may do so is for rbac to decide before. What changes is recorded before it does, each
// difference as "before → after"; what cannot be recorded is not saved.
func (m *Manager) SavePolicy(ctx context.Context, t audit.Tenant, p Policy, confirmed bool) error {
	if m.joined {
		return ErrState
	}
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Kind == audit.KindAnonymous || a.Tenant != t || t == "" {
		return m.stranger(ctx, a, ok, ActionPolicy)
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
	if err := before.confirm(&p, a, confirmed); err != nil {
		return err
	}
	e := audit.Event{
		Tenant: t, Action: ActionPolicy, Verb: audit.Update, Actor: a,
		Objects: []audit.Object{{Type: "authn_policy", ID: string(t), Version: strconv.FormatInt(p.Version+1, 10)}},
	}
	if err := m.recordDifferences(ctx, e, differences(before, &p)); err != nil {
		return err
	}
	p = p.Clone()
	p.Version++
	err = m.p.Store.SavePolicy(ctx, t, p)
	if err == nil {
		return nil
	}
	e.Outcome, e.Code = audit.MajorFailure, "unavailable"
	if errors.Is(err, ErrConflict) {
		e.Outcome, e.Code = audit.MinorFailure, "conflict"
	} else {
		err = unavailable("saving the policy", err)
	}
	return errors.Join(err, m.durable(context.WithoutCancel(ctx), e))
}

// confirm asks whether who saves next in the place of p knows what it does to them.
func (p *Policy) confirm(next *Policy, a audit.Actor, confirmed bool) error {
	closes := next.Closed && !p.Closed && !confirmed
	err := p.Network.Replace(next.Network, a.Kind, a.Origin, confirmed)
	if out := (*LockOutError)(nil); errors.As(err, &out) {
		out.Yourself = out.Yourself || closes
		return out
	}
	if err == nil && closes {
		return &LockOutError{Yourself: true}
	}
	return err
}

// stranger records that somebody reached for what belongs to a tenant that is not theirs, in the
// log of their own.
func (m *Manager) stranger(ctx context.Context, a audit.Actor, ok bool, action audit.Action) error {
	if !ok || a.Tenant == "" || a.Kind == "" {
		return ErrNoActor
	}
	return errors.Join(ErrNoActor, m.durable(ctx, audit.Event{
		Tenant: a.Tenant, Action: action, Verb: audit.Update, Actor: a, Outcome: audit.Failure, Code: "other_tenant",
	}))
}

// durable records e before the caller goes on, whatever trail the request has.
func (m *Manager) durable(ctx context.Context, e audit.Event) error {
	e.ID = audit.NewID(m.now())
	if err := m.p.Recorder.Record(ctx, e); err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// recordDifferences records as many events as it takes, at least one.
func (m *Manager) recordDifferences(ctx context.Context, e audit.Event, all map[string]string) error {
	keys := slices.Sorted(maps.Keys(all))
	for first := true; first || len(keys) > 0; first = false {
		n := min(audit.MaxList, len(keys))
		e.Detail = make(map[string]string, n)
		for _, k := range keys[:n] {
			e.Detail[k] = all[k]
		}
		if err := m.durable(ctx, e); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// differences are the settings that differ, as "before → after", and what was added to a list or
// taken from it, as "none → after" and "before → none".
func differences(before, after *Policy) map[string]string {
	all := map[string]string{}
	is := after.settings()
	for k, was := range before.settings() {
		if is[k] != was {
			all[k] = was + " → " + is[k]
		}
	}
	b, a := before.lists(), after.lists()
	for k, was := range b {
		n := 0
		for _, change := range changed(was, a[k]) {
			all[k+"."+strconv.Itoa(n)] = change
			n++
		}
	}
	return all
}

// changed is what differs between two lists.
func changed(before, after []string) (all []string) {
	for _, s := range before {
		if !slices.Contains(after, s) {
			all = append(all, s+" → none")
		}
	}
	for _, s := range after {
		if !slices.Contains(before, s) {
			all = append(all, "none → "+s)
		}
	}
	return all
}

// settings names each single setting of p with its value.
func (p *Policy) settings() map[string]string {
	reproof := "one_factor"
	if p.Reproof != OneFactor {
		reproof = "all_factors"
	}
	passkeys := "alone"
	if p.Passkeys != PasskeysAlone {
		passkeys = string(passkeyFormOf(p.Passkeys))
	}
	return map[string]string{
		"passkeys": passkeys, "texts": yes(p.Texts),
		"factor.staff": string(formOf(p.Staff)), "factor.patients": string(formOf(p.Patients)),
		"approve.staff": yes(p.ApproveStaff), "approve.patients": yes(p.ApprovePatients),
		"reproof": reproof, "closed": yes(p.Closed),
		"inactive.staff": inactiveText(p.InactiveStaff), "inactive.patients": inactiveText(p.InactivePatients),
		"banner": orNone(printable(p.Banner.Version, maxBanner)), "banner.always": yes(p.Banner.Always),
		"passwords.alone": strconv.Itoa(max(minAlone, p.Passwords.Alone)), "passwords.with_factor": strconv.Itoa(max(minWithMF, p.Passwords.WithFactor)),
	}
}

// lists are the settings that have many values.
func (p *Policy) lists() map[string][]string {
	text := func(list []netip.Prefix) (all []string) {
		for _, n := range list {
			all = append(all, n.String())
		}
		return all
	}
	return map[string][]string{
		"network.staff": text(p.Network.Staff), "network.patients": text(p.Network.Patients), "passwords.words": p.Passwords.Words,
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func inactiveText(d time.Duration) string {
	if d == 0 {
		d = inactiveAfter
	}
	return fmt.Sprint(d)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
