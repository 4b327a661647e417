package machinetest

import (
	"context"
	"fmt"
	"reflect"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
)

func credentialRules() []rule {
	return []rule{
		{Name: "token-found", Clause: "FindToken returns a token with its hash, expired or not, its key and its principal as they are now.", Run: tokenFound},
		{Name: "token-missing", Clause: "FindToken of what is not there is ErrNotFound.", Run: tokenMissing},
		{Name: "token-keyless", Clause: "A token whose key is deleted is ErrNotFound.", Run: tokenKeyless},
		{Name: "token-of-another", Clause: "A token that names a key of another principal leads to nobody.", Run: tokenOfAnother},
		{Name: "token-once", Clause: "A token whose ID exists is ErrExists and changes nothing.", Run: tokenOnce},
		{Name: "token-detached", Clause: "A token shares no memory with its callers.", Run: tokenDetached},
		{Name: "touch-sets", Clause: "Touch sets Used of the key and of its principal, of no other key, and counts as no version.", Run: touchSets},
		{Name: "touch-forward", Clause: "Touch never sets Used to an earlier time.", Run: touchForward},
		{Name: "touch-revoked", Clause: "Touch of a revoked key changes nothing.", Run: touchRevoked},
		{Name: "touch-missing", Clause: "Touch of what is not there, or is another principal's or tenant's, changes nothing and is no error.", Run: touchMissing},
		{Name: "sweep-expired", Clause: "Sweep deletes tokens that are expired at now.", Run: sweepExpired},
		{Name: "sweep-live", Clause: "Sweep deletes nothing else.", Run: sweepLive},
	}
}

// bears expects that a token leads to k and p.
func bears(ctx context.Context, s machine.Store, tk machine.Token, p machine.Principal, k machine.Key) error {
	f, err := s.FindToken(ctx, tk.ID)
	if err != nil {
		return fmt.Errorf("finding a token: %w", err)
	}
	if f.Token == nil || !reflect.DeepEqual(*f.Token, tk) {
		return fmt.Errorf("the token is %+v, want %+v", f.Token, tk)
	}
	return found(f, p, k)
}

func noToken(ctx context.Context, s machine.Store, id string) error {
	_, err := s.FindToken(ctx, id)
	return want("finding a missing token", err, machine.ErrNotFound)
}

// holder creates a principal with a key and a token of it.
func holder(ctx context.Context, s machine.Store) (machine.Principal, machine.Token, error) {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	tk := token("t-1", "k-1", clinic, bot)
	if err == nil {
		err = s.PutToken(ctx, tk)
	}
	return p, tk, err
}

func tokenFound(ctx context.Context, s machine.Store) error {
	p, tk, err := holder(ctx, s)
	if err := first(err, bears(ctx, s, tk, p, key("k-1"))); err != nil {
		return err
	}
	p, err = update(ctx, s, p, func(p *machine.Principal) { p.State, p.Keys[0].Revoked = machine.Suspended, at(5) })
	k := key("k-1")
	k.Revoked = at(5)
	return first(err, bears(ctx, s, tk, p, k))
}

func tokenMissing(ctx context.Context, s machine.Store) error {
	_, _, err := holder(ctx, s)
	return first(err, noToken(ctx, s, "t-nobody"), noToken(ctx, s, "k-1"))
}

func tokenKeyless(ctx context.Context, s machine.Store) error {
	p, tk, err := holder(ctx, s)
	if err != nil {
		return err
	}
	_, err = update(ctx, s, p, func(p *machine.Principal) { p.Keys = nil })
	return first(err, noToken(ctx, s, tk.ID))
}

func tokenOfAnother(ctx context.Context, s machine.Store) error {
	if _, _, err := holder(ctx, s); err != nil {
		return err
	}
	if _, err := put(ctx, s, sample(clinic, "m-other")); err != nil {
		return err
	}
	return first(s.PutToken(ctx, token("t-2", "k-1", clinic, "m-other")), noToken(ctx, s, "t-2"))
}

func tokenOnce(ctx context.Context, s machine.Store) error {
	p, tk, err := holder(ctx, s)
	if err != nil {
		return err
	}
	second := token("t-1", "k-1", clinic, bot)
	second.Hash = []byte("the thief's")
	again := want("a token whose ID exists", s.PutToken(ctx, second), machine.ErrExists)
	return first(again, bears(ctx, s, tk, p, key("k-1")))
}

func tokenDetached(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	if err != nil {
		return err
	}
	mine := token("t-1", "k-1", clinic, bot)
	if err := s.PutToken(ctx, mine); err != nil {
		return err
	}
	mine.Hash[0], mine.Scopes[0] = 'X', "other.action"
	for range 2 {
		if err := bears(ctx, s, token("t-1", "k-1", clinic, bot), p, key("k-1")); err != nil {
			return err
		}
		f, err := s.FindToken(ctx, "t-1")
		if err != nil {
			return err
		}
		f.Token.Hash[0], f.Token.Scopes[0] = 'X', "other.action"
	}
	return nil
}

func touchSets(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1"), key("k-2")))
	if err != nil {
		return err
	}
	if err := s.Touch(ctx, clinic, bot, "k-1", at(7)); err != nil {
		return err
	}
	p.Used, p.Keys[0].Used = at(7), at(7)
	return first(expect(ctx, s, p), leads(ctx, s, p, p.Keys[0]))
}

func touchForward(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1"), key("k-2")))
	if err != nil {
		return err
	}
	for _, touch := range []struct {
		key string
		min int
	}{{"k-1", 7}, {"k-1", 6}, {"k-2", 5}} {
		if err := s.Touch(ctx, clinic, bot, touch.key, at(touch.min)); err != nil {
			return err
		}
	}
	p.Used, p.Keys[0].Used, p.Keys[1].Used = at(7), at(7), at(5)
	return expect(ctx, s, p)
}

func touchRevoked(ctx context.Context, s machine.Store) error {
	dead := key("k-1")
	dead.Revoked = at(5)
	p, err := put(ctx, s, sample(clinic, bot, dead))
	if err != nil {
		return err
	}
	return first(s.Touch(ctx, clinic, bot, "k-1", at(6)), expect(ctx, s, p))
}

func touchMissing(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	if err != nil {
		return err
	}
	rest, err := put(ctx, s, sample(clinic, "m-other", key("k-2")))
	if err != nil {
		return err
	}
	foreign, err := put(ctx, s, sample(other, bot, key("k-3")))
	return first(
		err, s.Touch(ctx, clinic, bot, "k-nobody", at(7)), s.Touch(ctx, clinic, "m-nobody", "k-1", at(7)),
		s.Touch(ctx, clinic, "m-other", "k-1", at(7)), s.Touch(ctx, other, bot, "k-1", at(7)),
		expect(ctx, s, p), expect(ctx, s, rest), expect(ctx, s, foreign),
	)
}

func sweepExpired(ctx context.Context, s machine.Store) error {
	_, tk, err := holder(ctx, s)
	return first(err, s.Sweep(ctx, tk.Expires), noToken(ctx, s, tk.ID))
}

func sweepLive(ctx context.Context, s machine.Store) error {
	p, tk, err := holder(ctx, s)
	if err != nil {
		return err
	}
	dead := key("k-9")
	dead.Expires, dead.Revoked = at(2), at(2)
	gone := sample(clinic, audit.ActorID("m-gone"), dead)
	gone.State, gone.Expires = machine.Removed, at(2)
	gone, err = put(ctx, s, gone)
	return first(err, s.Sweep(ctx, tk.Expires.Add(-1)), bears(ctx, s, tk, p, key("k-1")), expect(ctx, s, gone), leads(ctx, s, gone, dead))
}
