package mfatest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

func passkeyRules() []rule {
	return []rule{
		{Name: "passkey-round-trip", Clause: "Passkeys and FindPasskey return what Apply wrote, every field, with Version 1 more than was read.", Run: passkeyRoundTrip},
		{Name: "passkey-detached", Clause: "The store shares no memory of passkeys with its callers.", Run: passkeyDetached},
		{Name: "passkey-order", Clause: "Passkeys returns the person's, ordered by ID, and nobody else's.", Run: passkeyOrder},
		{Name: "passkey-find", Clause: "FindPasskey looks in one tenant; what is not there is ErrNotFound.", Run: passkeyFind},
		{Name: "passkey-add-once", Clause: "Adding an ID that is there is ErrConflict and changes nothing.", Run: passkeyAddOnce},
		{Name: "passkey-hash-once", Clause: "Adding a hash that is there, whosever, is ErrConflict and changes nothing.", Run: passkeyHashOnce},
		{Name: "passkey-hash-tenant", Clause: "The same hash in another tenant is another passkey.", Run: passkeyHashTenant},
		{Name: "passkey-version", Clause: "Changing or removing another version of a passkey is ErrConflict and changes nothing.", Run: passkeyVersion},
		{Name: "passkey-owner", Clause: "Changing or removing a passkey of somebody else is ErrConflict and changes nothing.", Run: passkeyOwner},
		{Name: "passkey-missing", Clause: "Changing or removing a missing passkey is ErrConflict and changes nothing.", Run: passkeyMissing},
		{Name: "passkey-hash-stays", Clause: "Changing the hash of a passkey is ErrConflict and changes nothing.", Run: passkeyHashStays},
		{Name: "passkey-remove", Clause: "A passkey's change without Put removes it and no other.", Run: passkeyRemove},
		{Name: "passkey-all-or-nothing", Clause: "A change that a passkey refuses leaves neither row nor passkey nor message.", Run: passkeyAllOrNothing},
		{Name: "passkey-stale", Clause: "A change of an older version of the row adds no passkey.", Run: passkeyStale},
		{Name: "passkey-end", Clause: "A change without Put removes every passkey of the person, named or not, and nobody else's.", Run: passkeyEnd},
		{Name: "use-sets", Clause: "UsePasskey sets Count, BackedUp and Used and counts as a write.", Run: useSets},
		{Name: "use-once", Clause: "Of several uses at once with the same count above 0 exactly one reports true.", Run: useOnce},
		{Name: "use-forward", Clause: "UsePasskey with a count that is not higher reports false and changes nothing.", Run: useForward},
		{Name: "use-zero", Clause: "A passkey whose count is 0 can be used again with 0, and no other can.", Run: useZero},
		{Name: "use-disabled", Clause: "UsePasskey of a disabled passkey reports false and changes nothing.", Run: useDisabled},
		{Name: "use-owner", Clause: "UsePasskey of somebody else's passkey, or of none, reports false and changes nothing.", Run: useOwner},
		{Name: "use-cancelled", Clause: "A call about passkeys whose context has ended fails and changes nothing.", Run: useCancelled},
	}
}

// passkeySample is a passkey with something in every field but Disabled.
func passkeySample(t audit.Tenant, person audit.ActorID, id string) mfa.PasskeyRow {
	return mfa.PasskeyRow{
		Tenant: t, Person: person, ID: id, Version: 1, Hash: []byte("hash " + id), Handle: []byte("handle " + string(person)),
		Sealed: []byte{0, 1, 255}, Count: 7, BackedUp: true, Created: at(0), Used: at(1),
	}
}

// addition is the change that gives a person passkeys, on the row c or, with Version 0, a new one.
func addition(c mfa.Credential, rows ...mfa.PasskeyRow) mfa.Change {
	change := mfa.Change{Was: mfa.Ref{Tenant: c.Tenant, Person: c.Person}, Put: &c, Due: at(10)}
	if c.Version > 0 {
		change.Was, change.Version = c.Ref(), c.Version
	}
	for _, row := range rows {
		change.Passkeys = append(change.Passkeys, mfa.PasskeyChange{ID: row.ID, Put: &row})
	}
	return change
}

// owning creates a person with passkeys and returns their row.
func owning(ctx context.Context, s mfa.Store, t audit.Tenant, person audit.ActorID, rows ...mfa.PasskeyRow) (mfa.Credential, error) {
	c := sample(t, person, "e-1")
	if err := s.Apply(ctx, addition(c, rows...)); err != nil {
		return c, fmt.Errorf("adding passkeys: %w", err)
	}
	c.Version = 1
	return c, nil
}

// holds expects exactly these passkeys, in order, and each under its hash.
func holds(ctx context.Context, s mfa.Store, t audit.Tenant, person audit.ActorID, want ...mfa.PasskeyRow) error {
	have, err := s.Passkeys(ctx, t, person)
	if err != nil {
		return fmt.Errorf("reading passkeys: %w", err)
	}
	if len(have) != len(want) || len(want) > 0 && !reflect.DeepEqual(have, want) {
		return fmt.Errorf("the passkeys are %+v, want %+v", have, want)
	}
	for _, row := range want {
		found, err := s.FindPasskey(ctx, t, row.Hash)
		if err != nil || !reflect.DeepEqual(found, row) {
			return fmt.Errorf("the hash leads to %+v, want %+v (%v)", found, row, err)
		}
	}
	return nil
}

// lost expects that no passkey has the hash of row.
func lost(ctx context.Context, s mfa.Store, row mfa.PasskeyRow) error {
	_, err := s.FindPasskey(ctx, row.Tenant, row.Hash)
	return want("finding a passkey that is not there", err, mfa.ErrNotFound)
}

func passkeyRoundTrip(ctx context.Context, s mfa.Store) error {
	row := passkeySample(clinic, lin, "k-1")
	row.Count = math.MaxUint32
	plain := mfa.PasskeyRow{Tenant: clinic, Person: lin, ID: "k-2", Version: 1, Hash: []byte("h"), Handle: []byte("n"), Sealed: []byte("s"), Created: at(0)}
	c, err := owning(ctx, s, clinic, lin, row, plain)
	if err := first(err, holds(ctx, s, clinic, lin, row, plain)); err != nil {
		return err
	}
	next := row
	next.Handle, next.Sealed, next.Count, next.BackedUp = []byte("new handle"), []byte("new"), 0, false
	next.Created, next.Used, next.Disabled, next.Version = at(2), time.Time{}, at(3), 77
	change := update(c, func(*mfa.Credential) {})
	change.Passkeys = []mfa.PasskeyChange{{ID: "k-1", Version: 1, Put: &next}}
	if err := s.Apply(ctx, change); err != nil {
		return fmt.Errorf("changing a passkey: %w", err)
	}
	c.Version, next.Version = 2, 2
	return first(holds(ctx, s, clinic, lin, next, plain), expect(ctx, s, c))
}

func passkeyDetached(ctx context.Context, s mfa.Store) error {
	row := passkeySample(clinic, lin, "k-1")
	given := passkeySample(clinic, lin, "k-1")
	if _, err := owning(ctx, s, clinic, lin, given); err != nil {
		return err
	}
	for range 2 {
		given.Hash[0], given.Handle[0], given.Sealed[0] = 'x', 'x', 'x'
		if err := holds(ctx, s, clinic, lin, row); err != nil {
			return err
		}
		have, err := s.Passkeys(ctx, clinic, lin)
		if err != nil || len(have) != 1 {
			return fmt.Errorf("%d passkeys (%w)", len(have), err)
		}
		given = have[0]
	}
	given, err := s.FindPasskey(ctx, clinic, row.Hash)
	if err != nil {
		return err
	}
	given.Hash[0], given.Handle[0], given.Sealed[0] = 'x', 'x', 'x'
	return holds(ctx, s, clinic, lin, row)
}

func passkeyOrder(ctx context.Context, s mfa.Store) error {
	a, b, c := passkeySample(clinic, lin, "a"), passkeySample(clinic, lin, "B"), passkeySample(clinic, lin, "é")
	theirs, elsewhere := passkeySample(clinic, diaz, "aa"), passkeySample(other, lin, "ab")
	_, e1 := owning(ctx, s, clinic, lin, c, a, b)
	_, e2 := owning(ctx, s, clinic, diaz, theirs)
	_, e3 := owning(ctx, s, other, lin, elsewhere)
	return first(e1, e2, e3, holds(ctx, s, clinic, lin, b, a, c), holds(ctx, s, clinic, diaz, theirs), holds(ctx, s, clinic, "p-nobody"))
}

func passkeyFind(ctx context.Context, s mfa.Store) error {
	row := passkeySample(clinic, lin, "k-1")
	if _, err := owning(ctx, s, clinic, lin, row); err != nil {
		return err
	}
	foreign, missing := row, row
	foreign.Tenant, missing.Hash = other, []byte("hash k-")
	return first(lost(ctx, s, foreign), lost(ctx, s, missing))
}

func passkeyAddOnce(ctx context.Context, s mfa.Store) error {
	row := passkeySample(clinic, lin, "k-1")
	c, err := owning(ctx, s, clinic, lin, row)
	if err != nil {
		return err
	}
	again := row
	again.Hash, again.Sealed = []byte("another"), []byte("another")
	err = s.Apply(ctx, addition(c, again))
	return first(want("adding an ID twice", err, mfa.ErrConflict), holds(ctx, s, clinic, lin, row), expect(ctx, s, c))
}

func passkeyHashOnce(ctx context.Context, s mfa.Store) error {
	row := passkeySample(clinic, lin, "k-1")
	if _, err := owning(ctx, s, clinic, lin, row); err != nil {
		return err
	}
	taken := passkeySample(clinic, diaz, "k-2")
	taken.Hash = row.Hash
	_, err := owning(ctx, s, clinic, diaz, taken)
	return first(want("adding a hash twice", err, mfa.ErrConflict), holds(ctx, s, clinic, diaz), holds(ctx, s, clinic, lin, row), gone(ctx, s, clinic, diaz))
}

func passkeyHashTenant(ctx context.Context, s mfa.Store) error {
	mine, theirs := passkeySample(clinic, lin, "k-1"), passkeySample(other, lin, "k-1")
	_, e1 := owning(ctx, s, clinic, lin, mine)
	_, e2 := owning(ctx, s, other, lin, theirs)
	return first(e1, e2, holds(ctx, s, clinic, lin, mine), holds(ctx, s, other, lin, theirs))
}

// refusesPasskey expects that neither changing nor removing it as named is possible for c.
func refusesPasskey(ctx context.Context, s mfa.Store, c mfa.Credential, id string, version int64, put mfa.PasskeyRow) error {
	for _, to := range []*mfa.PasskeyRow{&put, nil} {
		change := update(c, func(c *mfa.Credential) { c.Failures = 9 })
		change.Passkeys = []mfa.PasskeyChange{{ID: id, Version: version, Put: to}}
		if err := first(want("the change", s.Apply(ctx, change), mfa.ErrConflict), expect(ctx, s, c)); err != nil {
			return err
		}
	}
	return nil
}

func passkeyVersion(ctx context.Context, s mfa.Store) error {
	row := passkeySample(clinic, lin, "k-1")
	c, err := owning(ctx, s, clinic, lin, row)
	next := row
	next.Count++
	return first(err, refusesPasskey(ctx, s, c, "k-1", 2, next), holds(ctx, s, clinic, lin, row))
}

func passkeyOwner(ctx context.Context, s mfa.Store) error {
	row := passkeySample(clinic, lin, "k-1")
	_, e1 := owning(ctx, s, clinic, lin, row)
	c, e2 := owning(ctx, s, clinic, diaz)
	next := row
	next.Count++
	return first(e1, e2, refusesPasskey(ctx, s, c, "k-1", 1, next), holds(ctx, s, clinic, lin, row), holds(ctx, s, clinic, diaz))
}

func passkeyMissing(ctx context.Context, s mfa.Store) error {
	c, err := owning(ctx, s, clinic, lin)
	row := passkeySample(clinic, lin, "k-1")
	return first(err, refusesPasskey(ctx, s, c, "k-1", 1, row), holds(ctx, s, clinic, lin))
}

func passkeyHashStays(ctx context.Context, s mfa.Store) error {
	c, row, err := owned(ctx, s, asIs)
	if err != nil {
		return err
	}
	next := row
	next.Hash = []byte("another hash")
	change := update(c, func(c *mfa.Credential) { c.Failures = 9 })
	change.Passkeys = []mfa.PasskeyChange{{ID: row.ID, Version: 1, Put: &next}}
	err = want("the change", s.Apply(ctx, change), mfa.ErrConflict)
	return first(err, expect(ctx, s, c), holds(ctx, s, clinic, lin, row), lost(ctx, s, next))
}

func passkeyRemove(ctx context.Context, s mfa.Store) error {
	a, b := passkeySample(clinic, lin, "k-1"), passkeySample(clinic, lin, "k-2")
	c, err := owning(ctx, s, clinic, lin, a, b)
	if err != nil {
		return err
	}
	change := update(c, func(*mfa.Credential) {})
	change.Passkeys = []mfa.PasskeyChange{{ID: "k-1", Version: 1}}
	if err := s.Apply(ctx, change); err != nil {
		return fmt.Errorf("removing a passkey: %w", err)
	}
	return first(holds(ctx, s, clinic, lin, b), lost(ctx, s, a))
}

func passkeyAllOrNothing(ctx context.Context, s mfa.Store) error {
	taken := passkeySample(clinic, lin, "k-9")
	_, e1 := owning(ctx, s, clinic, lin, taken)
	c, e2 := owning(ctx, s, clinic, diaz)
	if err := first(e1, e2); err != nil {
		return err
	}
	change := addition(c, passkeySample(clinic, diaz, "k-1"), taken, passkeySample(clinic, diaz, "k-2"))
	change.Messages = []audit.Message{message(clinic, "m-1")}
	if err := want("a change with one bad passkey", s.Apply(ctx, change), mfa.ErrConflict); err != nil {
		return err
	}
	left, err := claimed(ctx, s, 20, 10)
	return first(err, equal("messages", ids(left), nil), expect(ctx, s, c), holds(ctx, s, clinic, diaz), holds(ctx, s, clinic, lin, taken))
}

func passkeyStale(ctx context.Context, s mfa.Store) error {
	c, err := owning(ctx, s, clinic, lin)
	if err != nil {
		return err
	}
	c.Version++
	err = s.Apply(ctx, addition(c, passkeySample(clinic, lin, "k-1")))
	return first(want("a stale addition", err, mfa.ErrConflict), holds(ctx, s, clinic, lin))
}

func passkeyEnd(ctx context.Context, s mfa.Store) error {
	a, b := passkeySample(clinic, lin, "k-1"), passkeySample(clinic, lin, "k-2")
	theirs, elsewhere := passkeySample(clinic, diaz, "k-3"), passkeySample(other, lin, "k-4")
	c, e1 := owning(ctx, s, clinic, lin, a, b)
	_, e2 := owning(ctx, s, clinic, diaz, theirs)
	_, e3 := owning(ctx, s, other, lin, elsewhere)
	if err := first(e1, e2, e3); err != nil {
		return err
	}
	change := mfa.Change{Was: c.Ref(), Version: c.Version, Passkeys: []mfa.PasskeyChange{{ID: "k-2", Version: 1}}}
	if err := s.Apply(ctx, change); err != nil {
		return fmt.Errorf("deleting a row with passkeys: %w", err)
	}
	return first(
		holds(ctx, s, clinic, lin), lost(ctx, s, a), lost(ctx, s, b),
		holds(ctx, s, clinic, diaz, theirs), holds(ctx, s, other, lin, elsewhere),
	)
}

// usage is one UsePasskey with what it must report and leave behind.
func usage(ctx context.Context, s mfa.Store, row mfa.PasskeyRow, r mfa.Ref, count uint32, ok bool) error {
	have, err := s.UsePasskey(ctx, r, count, false, at(4))
	if err != nil {
		return err
	}
	if have != ok {
		return fmt.Errorf("using a passkey reports %v, want %v", have, ok)
	}
	if ok {
		row.Count, row.BackedUp, row.Used = count, false, at(4)
		row.Version++
	}
	return holds(ctx, s, row.Tenant, row.Person, row)
}

// owned creates a person with one passkey.
func owned(ctx context.Context, s mfa.Store, edit func(*mfa.PasskeyRow)) (mfa.Credential, mfa.PasskeyRow, error) {
	row := passkeySample(clinic, lin, "k-1")
	edit(&row)
	c, err := owning(ctx, s, clinic, lin, row)
	return c, row, err
}

func asIs(*mfa.PasskeyRow) {}

func ref(row mfa.PasskeyRow) mfa.Ref {
	return mfa.Ref{Tenant: row.Tenant, Person: row.Person, ID: row.ID}
}

func useSets(ctx context.Context, s mfa.Store) error {
	c, row, err := owned(ctx, s, asIs)
	if err := first(err, usage(ctx, s, row, ref(row), row.Count+2, true)); err != nil {
		return err
	}
	change := update(c, func(*mfa.Credential) {})
	change.Passkeys = []mfa.PasskeyChange{{ID: row.ID, Version: 1, Put: &row}}
	return first(want("changing what was read before the use", s.Apply(ctx, change), mfa.ErrConflict), expect(ctx, s, c))
}

func useOnce(ctx context.Context, s mfa.Store) error {
	_, row, err := owned(ctx, s, asIs)
	if err != nil {
		return err
	}
	var won atomic.Int64
	err = together(crowd(), func(int) error {
		ok, err := s.UsePasskey(ctx, ref(row), row.Count+1, true, at(4))
		if ok {
			won.Add(1)
		}
		return err
	})
	return first(err, one("uses with the same count", won.Load()))
}

func useForward(ctx context.Context, s mfa.Store) error {
	_, row, err := owned(ctx, s, asIs)
	return first(err, usage(ctx, s, row, ref(row), row.Count-1, false))
}

func useZero(ctx context.Context, s mfa.Store) error {
	_, row, err := owned(ctx, s, func(p *mfa.PasskeyRow) { p.Count = 0 })
	if err := first(err, usage(ctx, s, row, ref(row), 0, true)); err != nil {
		return err
	}
	row.BackedUp, row.Used, row.Version = false, at(4), 2
	if err := usage(ctx, s, row, ref(row), math.MaxUint32, true); err != nil {
		return err
	}
	row.Count, row.Version = math.MaxUint32, 3
	return usage(ctx, s, row, ref(row), 0, false)
}

func useDisabled(ctx context.Context, s mfa.Store) error {
	_, row, err := owned(ctx, s, func(p *mfa.PasskeyRow) { p.Disabled = at(3) })
	return first(err, usage(ctx, s, row, ref(row), row.Count+1, false))
}

func useOwner(ctx context.Context, s mfa.Store) error {
	_, row, err := owned(ctx, s, asIs)
	if err != nil {
		return err
	}
	for _, r := range []mfa.Ref{{Tenant: clinic, Person: diaz, ID: "k-1"}, {Tenant: other, Person: lin, ID: "k-1"}, {Tenant: clinic, Person: lin, ID: "k-2"}} {
		if err := usage(ctx, s, row, r, row.Count+1, false); err != nil {
			return err
		}
	}
	return nil
}

func useCancelled(ctx context.Context, s mfa.Store) error {
	c, row, err := owned(ctx, s, asIs)
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, e1 := s.Passkeys(over, clinic, lin)
	_, e2 := s.FindPasskey(over, clinic, row.Hash)
	_, e3 := s.UsePasskey(over, ref(row), row.Count+1, true, at(4))
	e4 := s.Apply(over, addition(c, passkeySample(clinic, lin, "k-2")))
	for i, err := range []error{e1, e2, e3, e4} {
		if err == nil || errors.Is(err, mfa.ErrNotFound) {
			return fmt.Errorf("call %d of 4 succeeds although its context has ended", i+1)
		}
	}
	return first(expect(ctx, s, c), holds(ctx, s, clinic, lin, row))
}
