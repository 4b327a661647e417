package machinetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
)

func principalRules() []rule {
	return []rule{
		{Name: "get-missing", Clause: "Get of what is not there is ErrNotFound.", Run: getMissing},
		{Name: "round-trip", Clause: "Get returns what Apply wrote, every field, with the version Expect+1.", Run: roundTrip},
		{Name: "detached", Clause: "The store shares no memory with its callers.", Run: detached},
		{Name: "tenants-apart", Clause: "The same ID in another tenant is another principal.", Run: tenantsApart},
		{Name: "create-once", Clause: "Of several creations at once one wins, the others are ErrConflict.", Run: createOnce},
		{Name: "update-once", Clause: "Of several updates of the same version one wins, the others are ErrConflict.", Run: updateOnce},
		{Name: "update-version", Clause: "An update of another version is ErrConflict and changes nothing.", Run: updateVersion},
		{Name: "update-missing", Clause: "An update of a missing row is ErrConflict and creates nothing.", Run: updateMissing},
		{Name: "used-unwritten", Clause: "Apply writes no Used, neither a principal's nor a key's.", Run: usedUnwritten},
		{Name: "list-order", Clause: "List yields every principal of the tenant with its keys, in order of ID by bytes.", Run: listOrder},
		{Name: "list-after", Clause: "List yields only IDs greater than after.", Run: listAfter},
		{Name: "list-tenant", Clause: "List yields no principal of another tenant.", Run: listTenant},
		{Name: "list-hashless", Clause: "Get and List return no hash.", Run: listHashless},
		{Name: "cancelled", Clause: "A call whose context has ended fails and changes nothing.", Run: cancelled},
	}
}

func getMissing(ctx context.Context, s machine.Store) error {
	_, err := put(ctx, s, sample(clinic, bot))
	return first(err, gone(ctx, s, clinic, "m-nobody"))
}

func roundTrip(ctx context.Context, s machine.Store) error {
	dead := key("k-2")
	dead.Created, dead.Revoked = at(2), at(3)
	p, err := put(ctx, s, sample(clinic, bot, key("k-1"), dead))
	if err := first(err, expect(ctx, s, p)); err != nil {
		return err
	}
	p, err = update(ctx, s, p, func(p *machine.Principal) {
		*p = machine.Principal{
			Tenant: clinic, ID: bot, Version: 77, Kind: audit.KindService, Name: "n", Owner: "p-ada",
			Scopes: []audit.Action{"claim.read"}, State: machine.Suspended, Expires: at(40), Created: at(0), CreatedBy: "p-ada", Keys: p.Keys,
		}
	})
	return first(err, expect(ctx, s, p))
}

func detached(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	if err != nil {
		return err
	}
	wanted := copied(p)
	p.Scopes[0], p.Keys[0].Expires, p.Keys[0].Hash[0] = "other.action", at(1), 'X'
	for range 2 {
		if err := expect(ctx, s, wanted); err != nil {
			return err
		}
		have, err := s.Get(ctx, clinic, bot)
		if err != nil {
			return err
		}
		have.Scopes[0], have.Keys[0].Expires = "other.action", at(1)
		f, err := s.FindKey(ctx, "k-1")
		if err != nil || string(f.Key.Hash) != "hash of k-1" {
			return fmt.Errorf("a hash changed with its caller's copy: %q (%v)", f.Key.Hash, err)
		}
		f.Key.Hash[0], f.Principal.Scopes[0] = 'X', "other.action"
	}
	return nil
}

func tenantsApart(ctx context.Context, s machine.Store) error {
	mine, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	if err := first(err, gone(ctx, s, other, bot)); err != nil {
		return err
	}
	theirs, err := put(ctx, s, sample(other, bot, key("k-2")))
	if err != nil {
		return err
	}
	theirs, err = update(ctx, s, theirs, func(p *machine.Principal) { p.State, p.Keys[0].Revoked = machine.Removed, at(5) })
	return first(err, expect(ctx, s, mine), expect(ctx, s, theirs))
}

func createOnce(ctx context.Context, s machine.Store) error {
	won, err := together(crowd(), machine.ErrConflict, func(i int) error {
		return s.Apply(ctx, machine.Change{Put: sample(clinic, bot, key(fmt.Sprint("k-", i)))})
	})
	if err := one("creations", won, err); err != nil {
		return err
	}
	p, err := s.Get(ctx, clinic, bot)
	if err == nil && len(p.Keys) != 1 {
		err = fmt.Errorf("%d keys, want that of who won", len(p.Keys))
	}
	return err
}

func updateOnce(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot))
	if err != nil {
		return err
	}
	won, err := together(crowd(), machine.ErrConflict, func(i int) error {
		_, err := update(ctx, s, p, func(p *machine.Principal) { p.Name = fmt.Sprint("bot ", i) })
		return err
	})
	return one("updates", won, err)
}

func updateVersion(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	if err != nil {
		return err
	}
	for _, expected := range []int64{0, 2} {
		next := sample(clinic, bot, key("k-9"))
		next.Name = "somebody else's"
		err := s.Apply(ctx, machine.Change{Put: next, Expect: expected})
		if err := first(want("a stale change", err, machine.ErrConflict), expect(ctx, s, p), noKey(ctx, s, "k-9")); err != nil {
			return err
		}
	}
	return nil
}

func updateMissing(ctx context.Context, s machine.Store) error {
	err := s.Apply(ctx, machine.Change{Put: sample(clinic, bot, key("k-1")), Expect: 1})
	return first(want("updating a missing row", err, machine.ErrConflict), gone(ctx, s, clinic, bot), noKey(ctx, s, "k-1"))
}

func usedUnwritten(ctx context.Context, s machine.Store) error {
	p := sample(clinic, bot, key("k-1"))
	p.Used, p.Keys[0].Used = at(3), at(3)
	if err := s.Apply(ctx, machine.Change{Put: p}); err != nil {
		return err
	}
	fresh := sample(clinic, bot, key("k-1"))
	fresh.Version = 1
	if err := expect(ctx, s, fresh); err != nil {
		return err
	}
	if err := s.Touch(ctx, clinic, bot, "k-1", at(4)); err != nil {
		return err
	}
	fresh.Keys[0].Revoked = at(6)
	if err := s.Apply(ctx, machine.Change{Put: fresh, Expect: 1}); err != nil {
		return err
	}
	fresh.Version, fresh.Used, fresh.Keys[0].Used = 2, at(4), at(4)
	return expect(ctx, s, fresh)
}

// ids are in no order, and some order differently by letters than by bytes.
func ids() []audit.ActorID {
	out := []audit.ActorID{"b", "B", "a", "ä", "a-", "_", "aa"}
	for i := range 210 { // more than a page
		out = append(out, audit.ActorID(fmt.Sprintf("m-%03d", (i*37)%210)))
	}
	return out
}

func fill(ctx context.Context, s machine.Store, t audit.Tenant, all []audit.ActorID) error {
	for i, id := range all {
		if _, err := put(ctx, s, sample(t, id, key(fmt.Sprint(t, "-k-", i)))); err != nil {
			return err
		}
	}
	return nil
}

func list(ctx context.Context, s machine.Store, t audit.Tenant, after audit.ActorID) (out []machine.Principal, err error) {
	for p, err := range s.List(ctx, t, after) {
		if err != nil {
			return out, fmt.Errorf("listing: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

func listed(ctx context.Context, s machine.Store, after audit.ActorID, all []audit.ActorID) error {
	have, err := list(ctx, s, clinic, after)
	if err != nil {
		return err
	}
	var names []audit.ActorID
	for _, p := range have {
		names = append(names, p.ID)
		if len(p.Keys) != 1 || p.Version != 1 || p.Name == "" {
			return fmt.Errorf("listed %+v, want it whole", p)
		}
	}
	wanted := slices.DeleteFunc(slices.Clone(all), func(id audit.ActorID) bool { return id <= after })
	slices.SortFunc(wanted, func(a, b audit.ActorID) int { return strings.Compare(string(a), string(b)) })
	if !slices.Equal(names, wanted) {
		return fmt.Errorf("listed %v, want %v", names, wanted)
	}
	return nil
}

func listOrder(ctx context.Context, s machine.Store) error {
	if err := fill(ctx, s, clinic, ids()); err != nil {
		return err
	}
	if err := listed(ctx, s, "", ids()); err != nil {
		return err
	}
	for range s.List(ctx, clinic, "") {
		break // allowed
	}
	return nil
}

func listAfter(ctx context.Context, s machine.Store) error {
	all := []audit.ActorID{"c", "a", "b"}
	return first(fill(ctx, s, clinic, all), listed(ctx, s, "b", all), listed(ctx, s, "bb", all), listed(ctx, s, "c", all))
}

func listTenant(ctx context.Context, s machine.Store) error {
	all := []audit.ActorID{"a", "b"}
	return first(fill(ctx, s, clinic, all), fill(ctx, s, other, []audit.ActorID{"a", "d"}), listed(ctx, s, "", all))
}

func listHashless(ctx context.Context, s machine.Store) error {
	if _, err := put(ctx, s, sample(clinic, bot, key("k-1"))); err != nil {
		return err
	}
	got, err := s.Get(ctx, clinic, bot)
	if err != nil {
		return err
	}
	rows, err := list(ctx, s, clinic, "")
	if err != nil {
		return err
	}
	for _, p := range append(rows, got) {
		if len(p.Keys) != 1 || len(p.Keys[0].Hash) != 0 {
			return fmt.Errorf("the keys are %+v, want one without a hash", p.Keys)
		}
	}
	return nil
}

func cancelled(ctx context.Context, s machine.Store) error {
	p, err := put(ctx, s, sample(clinic, bot, key("k-1")))
	if err != nil {
		return err
	}
	if err := s.PutToken(ctx, token("t-1", "k-1", clinic, bot)); err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, getErr := s.Get(over, clinic, bot)
	_, listErr := list(over, s, clinic, "")
	_, keyErr := s.FindKey(over, "k-1")
	_, tokenErr := s.FindToken(over, "t-1")
	_, updateErr := update(over, s, p, func(p *machine.Principal) { p.Name = "cancelled" })
	for i, err := range []error{
		getErr, listErr, keyErr, tokenErr, updateErr, s.PutToken(over, token("t-2", "k-1", clinic, bot)),
		s.Touch(over, clinic, bot, "k-1", at(9)), s.Sweep(over, at(59)),
	} {
		if err == nil || errors.Is(err, machine.ErrNotFound) {
			return fmt.Errorf("call %d with an ended context: %v, want a failure", i, err)
		}
	}
	_, err = s.FindToken(ctx, "t-1")
	_, missing := s.FindToken(ctx, "t-2")
	return first(err, want("a cancelled token", missing, machine.ErrNotFound), expect(ctx, s, p))
}
