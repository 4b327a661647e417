package machinetest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
)

func keyRules() []rule {
	return []rule{
		{Name: "key-found", Clause: "FindKey returns a key with its hash, live or not, and its principal.", Run: keyFound},
		{Name: "key-missing", Clause: "FindKey of what is not there is ErrNotFound.", Run: keyMissing},
		{Name: "key-added", Clause: "A key that is not there is added, and lists are in order of Created and ID.", Run: keyAdded},
		{Name: "key-kept", Clause: "A key that is there gets Expires and Revoked and keeps the rest.", Run: keyKept},
		{Name: "key-deleted", Clause: "A key that is not listed is deleted, and no other.", Run: keyDeleted},
		{Name: "key-elsewhere", Clause: "A new key whose ID exists is ErrExists, whose ever it is.", Run: keyElsewhere},
		{Name: "all-or-nothing", Clause: "A refused change leaves no row and no key.", Run: allOrNothing},
		{Name: "revoked-at-once", Clause: "Every read that begins after Apply has returned sees it.", Run: revokedAtOnce},
	}
}

// leads expects that a key leads to p.
func leads(ctx context.Context, s machine.Store, p machine.Principal, k machine.Key) error {
	f, err := s.FindKey(ctx, k.ID)
	if err != nil {
		return fmt.Errorf("finding a key: %w", err)
	}
	return found(f, p, k)
}

func found(f machine.Found, p machine.Principal, k machine.Key) error {
	p.Keys = nil
	if err := alike(f.Principal, p); err != nil {
		return err
	}
	if string(f.Key.Hash) != string(k.Hash) {
		return fmt.Errorf("the hash is %q, want %q", f.Key.Hash, k.Hash)
	}
	a, b := machine.Principal{Keys: []machine.Key{f.Key}}, machine.Principal{Keys: []machine.Key{k}}
	return alike(a, b)
}

func keyFound(ctx context.Context, s machine.Store) error {
	dead := key("k-2")
	dead.Revoked, dead.Expires = at(5), at(4)
	p, err := put(ctx, s, sample(clinic, bot, key("k-1"), dead))
	if err != nil {
		return err
	}
	return first(leads(ctx, s, p, key("k-1")), leads(ctx, s, p, dead))
}

func keyMissing(ctx context.Context, s machine.Store) error {
	_, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	return first(err, noKey(ctx, s, "k-nobody"), noKey(ctx, s, ""))
}

func keyAdded(ctx context.Context, s machine.Store) error {
	early, late, same := key("k-9"), key("k-1"), key("k-5")
	late.Created, same.Created = at(3), at(3)
	p, err := put(ctx, s, sample(clinic, bot, early))
	if err != nil {
		return err
	}
	p, err = update(ctx, s, p, func(p *machine.Principal) { p.Keys = []machine.Key{same, early, late} })
	if err != nil {
		return err
	}
	p.Keys = []machine.Key{early, late, same}
	return first(expect(ctx, s, p), leads(ctx, s, p, late))
}

func keyKept(ctx context.Context, s machine.Store) error {
	k := key("k-1")
	p, err := put(ctx, s, sample(clinic, bot, k))
	if err != nil {
		return err
	}
	p, err = update(ctx, s, p, func(p *machine.Principal) {
		p.Keys[0] = machine.Key{ID: "k-1", Hash: []byte("forged"), Created: at(9), CreatedBy: "p-eve", Expires: at(20), Revoked: at(8)}
	})
	if err != nil {
		return err
	}
	k.Expires, k.Revoked = at(20), at(8)
	p.Keys[0] = k
	return first(expect(ctx, s, p), leads(ctx, s, p, k))
}

func keyDeleted(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1"), key("k-2")))
	if err != nil {
		return err
	}
	rest, err := put(ctx, s, sample(clinic, "m-other", key("k-3")))
	if err != nil {
		return err
	}
	p, err = update(ctx, s, p, func(p *machine.Principal) { p.Keys = p.Keys[1:] })
	if err := first(err, expect(ctx, s, p), noKey(ctx, s, "k-1"), leads(ctx, s, p, key("k-2"))); err != nil {
		return err
	}
	p, err = update(ctx, s, p, func(p *machine.Principal) { p.Keys = nil })
	return first(err, expect(ctx, s, p), noKey(ctx, s, "k-2"), expect(ctx, s, rest), leads(ctx, s, rest, key("k-3")))
}

func keyElsewhere(ctx context.Context, s machine.Store) error {
	for i, t := range []audit.Tenant{clinic, other} {
		id := fmt.Sprint("k-", i)
		p, err := put(ctx, s, sample(clinic, audit.ActorID("m-"+id), key(id)))
		if err != nil {
			return err
		}
		thief := key(id)
		thief.Hash = []byte("the thief's")
		err = s.Apply(ctx, machine.Change{Put: sample(t, "m-thief", thief)})
		if err := first(want("a key whose ID exists", err, machine.ErrExists), leads(ctx, s, p, key(id))); err != nil {
			return err
		}
	}
	return nil
}

func allOrNothing(ctx context.Context, s machine.Store) error {
	if _, err := put(ctx, s, sample(clinic, "m-first", key("k-1"))); err != nil {
		return err
	}
	p, err := put(ctx, s, sample(clinic, bot, key("k-2")))
	if err != nil {
		return err
	}
	next := sample(clinic, bot, key("k-3"), key("k-1"))
	next.Name = "half done"
	refused := want("a refused change", s.Apply(ctx, machine.Change{Put: next, Expect: 1}), machine.ErrExists)
	return first(refused, expect(ctx, s, p), leads(ctx, s, p, key("k-2")), noKey(ctx, s, "k-3"))
}

// revokedAtOnce has many readers ask while a key is revoked.
func revokedAtOnce(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	if err != nil {
		return err
	}
	if err := leads(ctx, s, p, key("k-1")); err != nil { // whoever remembers reads remembers this one
		return err
	}
	var over atomic.Bool
	_, err = together(8, nil, func(i int) error {
		if i == 0 {
			_, err := update(ctx, s, p, func(p *machine.Principal) { p.Keys[0].Revoked = at(5) })
			over.Store(true)
			return err
		}
		for {
			known := over.Load()
			f, err := s.FindKey(ctx, "k-1")
			switch {
			case err != nil:
				return err
			case !f.Key.Revoked.IsZero():
				return nil
			case known:
				return fmt.Errorf("a key was found live after it had been revoked")
			}
		}
	})
	return err
}
