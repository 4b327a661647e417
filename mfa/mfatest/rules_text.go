package mfatest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

func textRules() []rule {
	return []rule{
		{Name: "number-missing", Clause: "Number of what is not there is ErrNotFound.", Run: numberMissing},
		{Name: "number-round-trip", Clause: "Number returns what ApplyNumber wrote, every field, with Version c.Version+1.", Run: numberRoundTrip},
		{Name: "number-detached", Clause: "The store shares no memory with whoever reads or writes a number.", Run: numberDetached},
		{Name: "number-create-once", Clause: "Of several numbers created at once for a person one wins, the others are ErrConflict.", Run: numberCreateOnce},
		{Name: "number-update-once", Clause: "Of several updates of the same version of a number one wins, the others are ErrConflict.", Run: numberUpdateOnce},
		{Name: "number-update-other", Clause: "An update of a number with another ID is ErrConflict and changes nothing.", Run: numberUpdateOther},
		{Name: "number-update-missing", Clause: "An update of a missing number is ErrConflict and creates nothing.", Run: numberUpdateMissing},
		{Name: "number-delete", Clause: "A change of a number without Put deletes it.", Run: numberDelete},
		{Name: "number-delete-version", Clause: "A deletion of another version of a number is ErrConflict and deletes nothing.", Run: numberDeleteVersion},
		{Name: "number-delete-missing", Clause: "A deletion of a missing number is ErrConflict.", Run: numberDeleteMissing},
		{Name: "number-messages", Clause: "ApplyNumber puts its messages into the outbox, due at Due.", Run: numberMessages},
		{Name: "number-all-or-nothing", Clause: "A refused change of a number leaves no message.", Run: numberAllOrNothing},
		{Name: "number-tenants-apart", Clause: "The number of the same person in another tenant is another row.", Run: numberTenantsApart},
		{Name: "number-with-change", Clause: "Apply carries out the change of the number that it has.", Run: numberWithChange},
		{Name: "number-with-conflict", Clause: "Apply with a number that is not as expected is ErrConflict and changes nothing.", Run: numberWithConflict},
		{Name: "number-with-end", Clause: "Apply without Put deletes the person's number, named or not, and nobody else's.", Run: numberWithEnd},
		{Name: "try-counts", Clause: "TryText adds one to Tries and Failures, changes nothing else and returns Failures.", Run: tryCounts},
		{Name: "try-crowd", Clause: "Of several tries at once no more are counted than a code takes, each one once.", Run: tryCrowd},
		{Name: "try-failures", Clause: "TryText returns 0 once Failures has reached failures.", Run: tryFailures},
		{Name: "try-other", Clause: "TryText of another code or enrolment, or of none, returns 0 and changes nothing.", Run: tryOther},
		{Name: "try-expired", Clause: "TryText from Expires on returns 0 and changes nothing.", Run: tryExpired},
		{Name: "try-locked", Clause: "TryText of a locked number returns 0 and changes nothing.", Run: tryLocked},
		{Name: "try-counted", Clause: "TryText counts as a write: the version read before it is stale.", Run: tryCounted},
		{Name: "burn-sets", Clause: "BurnText empties Code, CodeID and Expires, clears Failures and sets Used.", Run: burnSets},
		{Name: "burn-once", Clause: "Of several burns of a code at once exactly one reports true.", Run: burnOnce},
		{Name: "burn-other", Clause: "BurnText of another code or enrolment, or of none, reports false and changes nothing.", Run: burnOther},
		{Name: "burn-locked", Clause: "BurnText of a locked number reports false and changes nothing.", Run: burnLocked},
		{Name: "burn-counted", Clause: "BurnText counts as a write: the version read before it is stale.", Run: burnCounted},
		{Name: "number-cancelled", Clause: "A call about a number whose context has ended fails and changes nothing.", Run: numberCancelled},
	}
}

// sampleNumber is a number with something in every field but Locked.
func sampleNumber(t audit.Tenant, person audit.ActorID, id string) mfa.Number {
	return mfa.Number{
		Tenant: t, Person: person, ID: id, Phone: []byte("phone " + id), Next: []byte("next " + id),
		Code: []byte("code " + id), CodeID: "c-1", Enrols: true, Sent: at(4), Expires: at(9), Tries: 1,
		Failures: 2, Created: at(0), Confirmed: at(1), Used: at(2),
	}
}

// putNumber creates n and returns it with the version it got.
func putNumber(ctx context.Context, s mfa.Store, n mfa.Number, messages ...audit.Message) (mfa.Number, error) {
	c := mfa.NumberChange{Was: mfa.Ref{Tenant: n.Tenant, Person: n.Person}, Put: &n, Messages: messages, Due: at(10)}
	if err := s.ApplyNumber(ctx, c); err != nil {
		return n, fmt.Errorf("creating a number: %w", err)
	}
	n.Version = 1
	return n, nil
}

// updateNumber is the change of n as it was read.
func updateNumber(n mfa.Number, edit func(*mfa.Number)) mfa.NumberChange {
	next := n
	edit(&next)
	return mfa.NumberChange{Was: n.Ref(), Version: n.Version, Put: &next, Due: at(10)}
}

// expectNumber compares the stored row with want; nil equals empty.
func expectNumber(ctx context.Context, s mfa.Store, want mfa.Number) error {
	have, err := s.Number(ctx, want.Tenant, want.Person)
	if err != nil {
		return fmt.Errorf("reading a number: %w", err)
	}
	for _, n := range []*mfa.Number{&have, &want} {
		for _, b := range []*[]byte{&n.Phone, &n.Next, &n.Code} {
			if len(*b) == 0 {
				*b = nil
			}
		}
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("the row is %+v, want %+v", have, want)
	}
	return nil
}

func noNumber(ctx context.Context, s mfa.Store, t audit.Tenant, person audit.ActorID) error {
	if _, err := s.Number(ctx, t, person); !errors.Is(err, mfa.ErrNotFound) {
		return fmt.Errorf("reading a missing number: %v, want ErrNotFound", err)
	}
	return nil
}

func numberMissing(ctx context.Context, s mfa.Store) error {
	_, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	return first(err, noNumber(ctx, s, clinic, "p-nobody"))
}

func numberRoundTrip(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	if err := expectNumber(ctx, s, n); err != nil {
		return err
	}
	c := updateNumber(n, func(n *mfa.Number) {
		*n = mfa.Number{Tenant: clinic, Person: lin, ID: "n-2", Version: 77, Locked: at(5)}
	})
	if err := s.ApplyNumber(ctx, c); err != nil {
		return fmt.Errorf("replacing a number: %w", err)
	}
	next := *c.Put
	next.Version = 2
	return expectNumber(ctx, s, next)
}

func numberDetached(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	want := string(n.Phone) + string(n.Next) + string(n.Code)
	for range 3 { // what was written, and what was read, twice
		n.Phone[0], n.Next[0], n.Code[0] = n.Phone[0]^1, n.Next[0]^1, n.Code[0]^1
		have, err := s.Number(ctx, clinic, lin)
		if err != nil || string(have.Phone)+string(have.Next)+string(have.Code) != want {
			return fmt.Errorf("a value changed with its caller's copy (%v)", err)
		}
		n = have
	}
	return nil
}

// oneNumber expects that of many changes at once one succeeds and the others are conflicts.
func oneNumber(ctx context.Context, s mfa.Store, what string, change func(i int) mfa.NumberChange) error {
	var won atomic.Int64
	err := together(crowd(), func(i int) error {
		err := s.ApplyNumber(ctx, change(i))
		if err == nil {
			won.Add(1)
			return nil
		}
		return want(what, err, mfa.ErrConflict)
	})
	return first(err, one(what, won.Load()))
}

func numberCreateOnce(ctx context.Context, s mfa.Store) error {
	return oneNumber(ctx, s, "creating a number", func(i int) mfa.NumberChange {
		n := sampleNumber(clinic, lin, fmt.Sprintf("n-%d", i))
		return mfa.NumberChange{Was: mfa.Ref{Tenant: clinic, Person: lin}, Put: &n}
	})
}

func numberUpdateOnce(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	return oneNumber(ctx, s, "updating a number", func(i int) mfa.NumberChange {
		return updateNumber(n, func(n *mfa.Number) { n.CodeID = fmt.Sprintf("c-%d", 10+i) })
	})
}

// refusesNumber expects that a change is a conflict and leaves the row of before.
func refusesNumber(ctx context.Context, s mfa.Store, c mfa.NumberChange, before mfa.Number) error {
	return first(want("a change of another number", s.ApplyNumber(ctx, c), mfa.ErrConflict), expectNumber(ctx, s, before))
}

func numberUpdateOther(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	c := updateNumber(n, func(n *mfa.Number) { n.Failures = 9 })
	c.Was.ID = "n-0"
	return refusesNumber(ctx, s, c, n)
}

func numberUpdateMissing(ctx context.Context, s mfa.Store) error {
	n := sampleNumber(clinic, lin, "n-1")
	n.Version = 1
	c := updateNumber(n, func(n *mfa.Number) { n.Failures = 9 })
	return first(want("updating a missing number", s.ApplyNumber(ctx, c), mfa.ErrConflict), noNumber(ctx, s, clinic, lin))
}

func numberDelete(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	if err := s.ApplyNumber(ctx, mfa.NumberChange{Was: n.Ref(), Version: n.Version}); err != nil {
		return fmt.Errorf("deleting a number: %w", err)
	}
	return noNumber(ctx, s, clinic, lin)
}

func numberDeleteVersion(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	return refusesNumber(ctx, s, mfa.NumberChange{Was: n.Ref(), Version: n.Version + 1}, n)
}

func numberDeleteMissing(ctx context.Context, s mfa.Store) error {
	c := mfa.NumberChange{Was: mfa.Ref{Tenant: clinic, Person: lin}}
	return want("deleting a missing number", s.ApplyNumber(ctx, c), mfa.ErrConflict)
}

func numberMessages(ctx context.Context, s mfa.Store) error {
	m := message(clinic, "m-number")
	if _, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"), m); err != nil {
		return err
	}
	early, err := s.Claim(ctx, at(9), at(20), 10)
	if err != nil || len(early) != 0 {
		return fmt.Errorf("%d messages before they are due (%v)", len(early), err)
	}
	have, err := claimed(ctx, s, 10, 10)
	return first(err, equal("what is due", ids(have), []string{m.ID}))
}

func numberAllOrNothing(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	c := updateNumber(n, func(n *mfa.Number) { n.Failures = 9 })
	c.Version, c.Messages = 7, []audit.Message{message(clinic, "m-1")}
	if err := refusesNumber(ctx, s, c, n); err != nil {
		return err
	}
	left, err := s.Claim(ctx, at(100), at(200), 10)
	if err != nil || len(left) != 0 {
		return fmt.Errorf("a refused change left %d messages (%v)", len(left), err)
	}
	return nil
}

func numberTenantsApart(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	if err := noNumber(ctx, s, other, lin); err != nil {
		return err
	}
	_, err = putNumber(ctx, s, sampleNumber(other, lin, "n-1"))
	return first(err, expectNumber(ctx, s, n))
}

func numberWithChange(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	head := sample(clinic, lin, "e-1")
	number := updateNumber(n, func(n *mfa.Number) { n.ID, n.Tries = "n-2", 0 })
	c := mfa.Change{Was: mfa.Ref{Tenant: clinic, Person: lin}, Put: &head, Number: &number}
	if err := s.Apply(ctx, c); err != nil {
		return fmt.Errorf("changing a number with a credential: %w", err)
	}
	head.Version, number.Put.Version = 1, 2
	return first(expect(ctx, s, head), expectNumber(ctx, s, *number.Put))
}

func numberWithConflict(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	head, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	number := updateNumber(n, func(n *mfa.Number) { n.Tries = 0 })
	number.Version = 7
	c := update(head, func(c *mfa.Credential) { c.Failures = 0 })
	c.Number, c.Messages = &number, []audit.Message{message(clinic, "m-1")}
	if err := want("a stale number in a change", s.Apply(ctx, c), mfa.ErrConflict); err != nil {
		return err
	}
	left, err := s.Claim(ctx, at(100), at(200), 10)
	if err != nil || len(left) != 0 {
		return fmt.Errorf("a refused change left %d messages (%v)", len(left), err)
	}
	return first(expect(ctx, s, head), expectNumber(ctx, s, n))
}

func numberWithEnd(ctx context.Context, s mfa.Store) error {
	head, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	var others []mfa.Number
	for _, n := range []mfa.Number{sampleNumber(clinic, diaz, "n-2"), sampleNumber(other, lin, "n-1")} {
		n, err := putNumber(ctx, s, n)
		if err != nil {
			return err
		}
		others = append(others, n)
	}
	if _, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1")); err != nil {
		return err
	}
	if err := s.Apply(ctx, mfa.Change{Was: head.Ref(), Version: head.Version}); err != nil {
		return fmt.Errorf("deleting a credential: %w", err)
	}
	return first(noNumber(ctx, s, clinic, lin), expectNumber(ctx, s, others[0]), expectNumber(ctx, s, others[1]))
}

func numberCancelled(ctx context.Context, s mfa.Store) error {
	n, err := putNumber(ctx, s, sampleNumber(clinic, lin, "n-1"))
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, read := s.Number(ended, clinic, lin)
	change := s.ApplyNumber(ended, updateNumber(n, func(n *mfa.Number) { n.Failures = 9 }))
	_, try := s.TryText(ended, n.Ref(), "c-1", 5, 100, at(8))
	_, burn := s.BurnText(ended, n.Ref(), "c-1", at(8))
	for _, err := range []error{read, change, try, burn} {
		if err == nil {
			return errors.New("a call succeeded although its context had ended")
		}
	}
	return expectNumber(ctx, s, n)
}
