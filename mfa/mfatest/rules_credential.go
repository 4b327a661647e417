package mfatest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/mfa"
)

type rule = conform.Rule[mfa.Store]

func credentialRules() []rule {
	return []rule{
		{Name: "get-missing", Clause: "Get of what is not there is ErrNotFound.", Run: getMissing},
		{Name: "round-trip", Clause: "Get returns what Apply wrote, every field, with Version c.Version+1.", Run: roundTrip},
		{Name: "detached", Clause: "The store shares no memory with its callers.", Run: detached},
		{Name: "create-once", Clause: "Of several creations at once one wins, the others are ErrConflict.", Run: createOnce},
		{Name: "update-once", Clause: "Of several updates of the same version one wins, the others are ErrConflict.", Run: updateOnce},
		{Name: "update-enrolment", Clause: "An update of another enrolment's row is ErrConflict and changes nothing.", Run: updateEnrolment},
		{Name: "update-missing", Clause: "An update of a missing row is ErrConflict and creates nothing.", Run: updateMissing},
		{Name: "delete", Clause: "A change without Put deletes the row.", Run: deletes},
		{Name: "delete-version", Clause: "A deletion of another version is ErrConflict and deletes nothing.", Run: deleteVersion},
		{Name: "delete-missing", Clause: "A deletion of a missing row is ErrConflict.", Run: deleteMissing},
		{Name: "all-or-nothing", Clause: "A refused change leaves no message.", Run: allOrNothing},
		{Name: "counted-advance", Clause: "Advance counts as a write: the version read before it is stale.", Run: countedAdvance},
		{Name: "counted-fail", Clause: "Fail counts as a write: the version read before it is stale.", Run: countedFail},
		{Name: "tenants-apart", Clause: "The same person in another tenant is another row.", Run: tenantsApart},
		{Name: "advance-sets", Clause: "Advance sets Step and Used and clears Failures.", Run: advanceSets},
		{Name: "advance-once", Clause: "Of several advances to the same step exactly one reports true.", Run: advanceOnce},
		{Name: "advance-forward", Clause: "Advance to a lower step reports false and changes nothing.", Run: advanceForward},
		{Name: "advance-enrolment", Clause: "Advance of another enrolment, or of none, reports false.", Run: advanceEnrolment},
		{Name: "advance-pending", Clause: "Advance of an unconfirmed row reports false.", Run: advancePending},
		{Name: "advance-locked", Clause: "Advance of a locked row reports false.", Run: advanceLocked},
		{Name: "fail-counts", Clause: "Fail counts every call, also those at once.", Run: failCounts},
		{Name: "fail-locks", Clause: "Fail sets Locked to now where the count reaches limit.", Run: failLocks},
		{Name: "fail-stops", Clause: "Fail of a locked row returns 0 and changes nothing.", Run: failStops},
		{Name: "fail-enrolment", Clause: "Fail of another enrolment, or of none, returns 0.", Run: failEnrolment},
		{Name: "list-order", Clause: "List yields every row of the tenant, ordered by Person by bytes.", Run: listOrder},
		{Name: "list-after", Clause: "List yields only persons greater than after.", Run: listAfter},
		{Name: "list-tenant", Clause: "List yields no row of another tenant.", Run: listTenant},
		{Name: "list-secret", Clause: "List yields rows without Secret, Recovery, Next and Handle.", Run: listSecret},
		{Name: "claim-due", Clause: "Claim returns what is due, every field, and nothing else.", Run: claimDue},
		{Name: "claim-lease", Clause: "A claimed message is due again at until, and counts its attempts.", Run: claimLease},
		{Name: "claim-limit", Clause: "Claim returns at most limit messages, those due longest.", Run: claimLimit},
		{Name: "claim-once", Clause: "Of several claims at once each message goes to one.", Run: claimOnce},
		{Name: "done", Clause: "Done removes a message; a missing one is no error.", Run: done},
		{Name: "done-tenant", Clause: "Done leaves a message of another tenant with the same ID.", Run: doneTenant},
		{Name: "cancelled", Clause: "A call whose context has ended fails and changes nothing.", Run: cancelled},
	}
}

func getMissing(ctx context.Context, s mfa.Store) error {
	_, err := put(ctx, s, sample(clinic, lin, "e-1"))
	return first(err, gone(ctx, s, clinic, "p-nobody"))
}

func roundTrip(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	if err := expect(ctx, s, c); err != nil {
		return err
	}
	change := update(c, func(c *mfa.Credential) {
		*c = mfa.Credential{Tenant: clinic, Person: lin, ID: "e-2", Version: 77, Locked: at(5)}
	})
	if err := s.Apply(ctx, change); err != nil {
		return fmt.Errorf("replacing a credential: %w", err)
	}
	next := *change.Put
	next.Version = 2
	return expect(ctx, s, next)
}

func detached(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	want := string(c.Secret) + string(c.Recovery) + string(c.Next)
	for range 3 { // what was written, and what was read, twice
		c.Secret[0], c.Recovery[0], c.Next[0] = c.Secret[0]^1, c.Recovery[0]^1, c.Next[0]^1
		have, err := s.Get(ctx, clinic, lin)
		if err != nil || string(have.Secret)+string(have.Recovery)+string(have.Next) != want {
			return fmt.Errorf("a value changed with its caller's copy (%v)", err)
		}
		c = have
	}
	return nil
}

func createOnce(ctx context.Context, s mfa.Store) error {
	var won atomic.Int64
	err := together(crowd(), func(i int) error {
		_, err := put(ctx, s, sample(clinic, lin, fmt.Sprint("e-", i)))
		return tally(err, &won)
	})
	return first(err, one("creations", won.Load()))
}

func updateOnce(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	var won atomic.Int64
	err = together(crowd(), func(i int) error {
		return tally(s.Apply(ctx, update(c, func(c *mfa.Credential) { c.Step = int64(i) })), &won)
	})
	return first(err, one("updates", won.Load()))
}

// tally counts a success and swallows a conflict.
func tally(err error, won *atomic.Int64) error {
	if err == nil {
		won.Add(1)
	}
	if errors.Is(err, mfa.ErrConflict) {
		return nil
	}
	return err
}

func one(what string, n int64) error {
	if n != 1 {
		return fmt.Errorf("%d %s won, want 1", n, what)
	}
	return nil
}

func updateEnrolment(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	change := update(c, func(c *mfa.Credential) { c.Step++ })
	change.Was.ID = "e-0"
	return first(want("updating another enrolment", s.Apply(ctx, change), mfa.ErrConflict), expect(ctx, s, c))
}

func updateMissing(ctx context.Context, s mfa.Store) error {
	c := sample(clinic, lin, "e-1")
	c.Version = 1
	change := update(c, func(c *mfa.Credential) { c.Step++ })
	return first(want("updating a missing row", s.Apply(ctx, change), mfa.ErrConflict), gone(ctx, s, clinic, lin))
}

func deletes(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	if err := s.Apply(ctx, mfa.Change{Was: c.Ref(), Version: c.Version}); err != nil {
		return fmt.Errorf("deleting: %w", err)
	}
	return gone(ctx, s, clinic, lin)
}

func deleteVersion(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	err = s.Apply(ctx, mfa.Change{Was: c.Ref(), Version: c.Version + 1})
	return first(want("deleting another version", err, mfa.ErrConflict), expect(ctx, s, c))
}

func deleteMissing(ctx context.Context, s mfa.Store) error {
	err := s.Apply(ctx, mfa.Change{Was: mfa.Ref{Tenant: clinic, Person: lin}})
	return want("deleting a missing row", err, mfa.ErrConflict)
}

func allOrNothing(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	change := update(c, func(*mfa.Credential) {})
	change.Version, change.Messages = c.Version+1, []audit.Message{message(clinic, "m-1")}
	if err := want("a stale change", s.Apply(ctx, change), mfa.ErrConflict); err != nil {
		return err
	}
	left, err := s.Claim(ctx, at(20), at(30), 10)
	if err != nil || len(left) != 0 {
		return fmt.Errorf("a refused change left %d messages (%v)", len(left), err)
	}
	return nil
}

func tenantsApart(ctx context.Context, s mfa.Store) error {
	mine, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	if err := gone(ctx, s, other, lin); err != nil {
		return err
	}
	theirs, err := put(ctx, s, sample(other, lin, "e-1"))
	if err != nil {
		return err
	}
	if _, err := s.Fail(ctx, theirs.Ref(), 100, at(4)); err != nil {
		return err
	}
	if _, err := s.Advance(ctx, theirs.Ref(), theirs.Step+1, at(4)); err != nil {
		return err
	}
	return expect(ctx, s, mine)
}
