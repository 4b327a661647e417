package authntest

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func credentialRules() []rule {
	return []rule{
		{Name: "password_replaced", Clause: "A change's Password replaces the row, failures included.", Run: passwordReplaced},
		{Name: "password_left", Clause: "A change without a Password leaves the row as it is.", Run: passwordLeft},
		{Name: "second_reset", Clause: "A change's Second resets the second factor's failures, and only those.", Run: secondReset},
		{Name: "password_known", Clause: "A change's Password has the password's failures of known browsers start from zero.", Run: passwordKnown},
		{Name: "second_known", Clause: "A change's Second has the second factor's failures of known browsers start from zero.", Run: secondKnown},
		{Name: "charge_delays", Clause: "Charge counts each try and sets the delay of Limits.Delay, to the longest.", Run: chargeDelays},
		{Name: "charge_waits", Clause: "A try before NotBefore is refused.", Run: chargeWaits},
		{Name: "charge_refused", Clause: "A refused try changes nothing.", Run: chargeRefused},
		{Name: "charge_disabled", Clause: "Once Failures reaches Disable every try is refused, however late.", Run: chargeDisabled},
		{Name: "charge_race", Clause: "Of many tries at once only those without a delay are allowed.", Run: chargeRace},
		{Name: "charge_family", Clause: "Families are counted apart.", Run: chargeFamily},
		{Name: "charge_tenant", Clause: "Tenants are counted apart.", Run: chargeTenant},
		{Name: "charge_nobody", Clause: "A subject that is no person is counted like one, and does not become one.", Run: chargeNobody},
		{Name: "clear", Clause: "Clear resets failures and delay and notes the time; the hash stays.", Run: clearResets},
		{Name: "rehash", Clause: "Rehash replaces the hash only where it is still the old one, and nothing else.", Run: rehashes},
	}
}

func passwordReplaced(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	if _, _, err := s.Charge(ctx, clinic, ann, authn.FamilyPassword, limits(), noon); err != nil {
		return err
	}
	c := next(p)
	c.Password = &authn.Credential{Hash: "a hash", Due: true, Changed: noon, Used: noon, Failures: 0}
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	row, err := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	a, err2 := s.Account(ctx, clinic, ann)
	return all(err, err2, want("the row", row, *c.Password), want("the account's row", a.Password, *c.Password))
}

func passwordLeft(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := next(p)
	c.Password = &authn.Credential{Hash: "a hash"}
	if err := all(s.Apply(ctx, c), s.Apply(ctx, next(c.Person))); err != nil {
		return err
	}
	row, err := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	return all(err, want("the hash", row.Hash, "a hash"))
}

func secondReset(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	for _, f := range []authn.Family{authn.FamilySecond, authn.FamilyPassword} {
		if _, _, err := s.Charge(ctx, clinic, ann, f, limits(), noon); err != nil {
			return err
		}
	}
	before, err := s.Account(ctx, clinic, ann)
	c := next(p)
	c.Second = true
	err2 := s.Apply(ctx, c)
	after, err3 := s.Account(ctx, clinic, ann)
	return all(err, err2, err3, want("failures before", before.Second.Failures, 1),
		want("failures after", after.Second.Failures, 0), want("the password's failures", after.Password.Failures, 1))
}

// knownReset makes a change after a known browser's failure of each family, and returns what is left
// of them.
func knownReset(ctx context.Context, s authn.Store, edit func(*authn.Change)) (password, second int, err error) {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return 0, 0, err
	}
	families := []authn.Family{authn.FamilyPassword.Known(), authn.FamilySecond.Known()}
	for _, f := range families {
		if _, _, err := s.Charge(ctx, clinic, ann, f, limits(), noon); err != nil {
			return 0, 0, err
		}
	}
	c := next(p)
	edit(&c)
	if err := s.Apply(ctx, c); err != nil {
		return 0, 0, err
	}
	var left [2]int
	for i, f := range families {
		row, err := s.Credential(ctx, clinic, ann, f)
		if err != nil {
			return 0, 0, err
		}
		left[i] = row.Failures
	}
	return left[0], left[1], nil
}

func passwordKnown(ctx context.Context, s authn.Store) error {
	password, second, err := knownReset(ctx, s, func(c *authn.Change) { c.Password = &authn.Credential{Hash: "a hash"} })
	return all(err, want("the password's failures", password, 0), want("the second factor's", second, 1))
}

func secondKnown(ctx context.Context, s authn.Store) error {
	password, second, err := knownReset(ctx, s, func(c *authn.Change) { c.Second = true })
	return all(err, want("the password's failures", password, 1), want("the second factor's", second, 0))
}

func chargeDelays(ctx context.Context, s authn.Store) error {
	l, now := limits(), noon
	for n, delay := range []time.Duration{0, 0, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		row, ok, err := s.Charge(ctx, clinic, ann, authn.FamilyPassword, l, now)
		if err := all(err, want("allowed", ok, true), want("failures", row.Failures, n+1),
			want(fmt.Sprintf("the delay after %d", n+1), row.NotBefore.Sub(now), delay)); err != nil {
			return err
		}
		now = row.NotBefore
	}
	return nil
}

// charged makes n tries, each as soon as it is allowed, and returns when the next one is.
func charged(ctx context.Context, s authn.Store, n int) (time.Time, error) {
	now := noon
	for range n {
		row, _, err := s.Charge(ctx, clinic, ann, authn.FamilyPassword, limits(), now)
		if err != nil {
			return now, err
		}
		now = row.NotBefore
	}
	return now, nil
}

func chargeWaits(ctx context.Context, s authn.Store) error {
	after, err := charged(ctx, s, 3)
	if err != nil {
		return err
	}
	_, early, err := s.Charge(ctx, clinic, ann, authn.FamilyPassword, limits(), after.Add(-time.Microsecond))
	_, late, err2 := s.Charge(ctx, clinic, ann, authn.FamilyPassword, limits(), after)
	return all(err, err2, want("allowed too early", early, false), want("allowed in time", late, true))
}

func chargeRefused(ctx context.Context, s authn.Store) error {
	if _, err := charged(ctx, s, 3); err != nil {
		return err
	}
	before, err := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	if err != nil {
		return err
	}
	row, _, err := s.Charge(ctx, clinic, ann, authn.FamilyPassword, limits(), noon)
	after, err2 := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	return all(err, err2, want("the answer", row, before), want("the row", after, before))
}

func chargeDisabled(ctx context.Context, s authn.Store) error {
	if _, err := charged(ctx, s, 7); err != nil {
		return err
	}
	row, ok, err := s.Charge(ctx, clinic, ann, authn.FamilyPassword, limits(), noon.Add(1000*time.Hour))
	return all(err, want("allowed", ok, false), want("failures", row.Failures, 7))
}

func chargeRace(ctx context.Context, s authn.Store) error {
	allowed := 0
	for _, r := range together(crowd, func(int) any {
		_, ok, err := s.Charge(ctx, clinic, ann, authn.FamilyPassword, limits(), noon)
		if err != nil {
			return err
		}
		return ok
	}) {
		switch r := r.(type) {
		case error:
			return r
		case bool:
			if r {
				allowed++
			}
		}
	}
	row, err := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	return all(err, want("the number of allowed tries", allowed, 3), want("failures", row.Failures, 3))
}

func chargeFamily(ctx context.Context, s authn.Store) error {
	if _, err := charged(ctx, s, 3); err != nil {
		return err
	}
	row, ok, err := s.Charge(ctx, clinic, ann, authn.FamilySecond, limits(), noon)
	return all(err, want("allowed", ok, true), want("failures", row.Failures, 1))
}

func chargeTenant(ctx context.Context, s authn.Store) error {
	if _, err := charged(ctx, s, 3); err != nil {
		return err
	}
	row, ok, err := s.Charge(ctx, other, ann, authn.FamilyPassword, limits(), noon)
	return all(err, want("allowed", ok, true), want("failures", row.Failures, 1))
}

func chargeNobody(ctx context.Context, s authn.Store) error {
	const nobody audit.ActorID = "unknown:00"
	row, ok, err := s.Charge(ctx, clinic, nobody, authn.FamilyPassword, limits(), noon)
	_, gone := s.Account(ctx, clinic, nobody)
	return all(err, want("allowed", ok, true), want("failures", row.Failures, 1), wantErr("the account", gone, authn.ErrNotFound))
}

func clearResets(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := next(p)
	c.Password = &authn.Credential{Hash: "a hash"}
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	if _, err := charged(ctx, s, 3); err != nil {
		return err
	}
	late := noon.Add(time.Hour)
	err = all(s.Clear(ctx, clinic, ann, authn.FamilyPassword, late), s.Clear(ctx, clinic, bob, authn.FamilyPassword, late))
	row, err2 := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	return all(err, err2, want("the row", row, authn.Credential{Hash: "a hash", Used: late}))
}

func rehashes(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := next(p)
	c.Password = &authn.Credential{Hash: "old", Due: true, Changed: noon}
	err = all(s.Apply(ctx, c), s.Rehash(ctx, clinic, ann, "another", "lost"))
	kept, err2 := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	err3 := all(s.Rehash(ctx, clinic, ann, "old", "new"), s.Rehash(ctx, clinic, bob, "old", "new"))
	row, err4 := s.Credential(ctx, clinic, ann, authn.FamilyPassword)
	return all(err, err2, err3, err4, want("the row", kept, *c.Password),
		want("the row after", row, authn.Credential{Hash: "new", Due: true, Changed: noon}))
}
