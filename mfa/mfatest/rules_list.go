package mfatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// listed returns the persons that List yields.
func listed(ctx context.Context, s mfa.Store, t audit.Tenant, after audit.ActorID) ([]audit.ActorID, error) {
	var out []audit.ActorID
	for c, err := range s.List(ctx, t, after) {
		if err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
		out = append(out, c.Person)
	}
	return out, nil
}

func equal[T any](what string, have, want T) error {
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("%s: %v, want %v", what, have, want)
	}
	return nil
}

func listOrder(ctx context.Context, s mfa.Store) error {
	persons := []audit.ActorID{"é", "z", "a", "Z", "a b", "a-b", "10", "9"}
	for i := range 102 { // more than any page
		persons = append(persons, audit.ActorID(fmt.Sprint("q-", i)))
	}
	err := together(len(persons), func(i int) error {
		_, err := put(ctx, s, sample(clinic, persons[i], "e-1"))
		return err
	})
	if err != nil {
		return err
	}
	have, err := listed(ctx, s, clinic, "")
	slices.Sort(persons)
	return first(err, equal("List", have, persons))
}

// team creates three credentials in one clinic and one in another.
func team(ctx context.Context, s mfa.Store) error {
	for _, p := range []audit.ActorID{"a", "b", "c"} {
		if _, err := put(ctx, s, sample(clinic, p, "e-1")); err != nil {
			return err
		}
	}
	_, err := put(ctx, s, sample(other, "d", "e-1"))
	return err
}

func listAfter(ctx context.Context, s mfa.Store) error {
	if err := team(ctx, s); err != nil {
		return err
	}
	have, err := listed(ctx, s, clinic, "a")
	have = slices.DeleteFunc(have, func(p audit.ActorID) bool { return p == "d" })
	return first(err, equal("List after the first", have, []audit.ActorID{"b", "c"}))
}

func listTenant(ctx context.Context, s mfa.Store) error {
	if err := team(ctx, s); err != nil {
		return err
	}
	have, err := listed(ctx, s, other, "")
	return first(err, equal("List of the other clinic", have, []audit.ActorID{"d"}))
}

func listSecret(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	c.Secret, c.Recovery, c.Next, c.Handle = nil, nil, nil, nil
	for have, err := range s.List(ctx, clinic, "") {
		if err := first(err, equal("List", have, c)); err != nil {
			return err
		}
	}
	return nil
}

// post creates a credential whose change posts these messages, due at minute 10, later for
// each further one.
func post(ctx context.Context, s mfa.Store, messages ...audit.Message) error {
	for i, m := range messages {
		c := sample(m.Tenant, audit.ActorID(fmt.Sprint("p-", i)), "e-1")
		change := mfa.Change{Was: mfa.Ref{Tenant: c.Tenant, Person: c.Person}, Put: &c, Messages: []audit.Message{m}, Due: at(10 + i)}
		if err := s.Apply(ctx, change); err != nil {
			return fmt.Errorf("posting a message: %w", err)
		}
	}
	return nil
}

// claimed claims at a minute, for ten minutes, and returns what came by ID.
func claimed(ctx context.Context, s mfa.Store, minute, limit int) (map[string]audit.Message, error) {
	list, err := s.Claim(ctx, at(minute), at(minute+10), limit)
	if err != nil {
		return nil, fmt.Errorf("claiming: %w", err)
	}
	out := map[string]audit.Message{}
	for _, m := range list {
		out[m.ID] = m
	}
	if len(out) != len(list) {
		return nil, errors.New("a claim returns a message twice")
	}
	return out, nil
}

func ids(messages map[string]audit.Message) []string { return slices.Sorted(maps.Keys(messages)) }

func claimDue(ctx context.Context, s mfa.Store) error {
	full, empty := message(clinic, "m-1"), message(other, "m-2")
	empty.Body = nil
	if err := post(ctx, s, full, empty, message(clinic, "m-3")); err != nil {
		return err
	}
	early, err := claimed(ctx, s, 9, 10)
	if err := first(err, equal("claimed before anything is due", ids(early), nil)); err != nil {
		return err
	}
	have, err := claimed(ctx, s, 11, 10)
	full.Attempts, empty.Attempts = 1, 1
	return first(err, equal("claimed", have, map[string]audit.Message{"m-1": full, "m-2": empty}))
}

func claimLease(ctx context.Context, s mfa.Store) error {
	if err := post(ctx, s, message(clinic, "m-1")); err != nil {
		return err
	}
	if _, err := claimed(ctx, s, 10, 10); err != nil {
		return err
	}
	leased, err := claimed(ctx, s, 19, 10)
	if err := first(err, equal("claimed during the lease", ids(leased), nil)); err != nil {
		return err
	}
	again, err := claimed(ctx, s, 20, 10)
	return first(err, equal("attempts after the lease", again["m-1"].Attempts, 2))
}

func claimLimit(ctx context.Context, s mfa.Store) error {
	if err := post(ctx, s, message(clinic, "m-9"), message(clinic, "m-5"), message(clinic, "m-1")); err != nil {
		return err
	}
	have, err := claimed(ctx, s, 15, 2)
	return first(err, equal("claimed two of three", ids(have), []string{"m-5", "m-9"}))
}

func claimOnce(ctx context.Context, s mfa.Store) error {
	var messages []audit.Message
	for i := range 8 {
		messages = append(messages, message(clinic, fmt.Sprint("m-", i)))
	}
	if err := post(ctx, s, messages...); err != nil {
		return err
	}
	var mu sync.Mutex
	seen := map[string]int{}
	err := together(crowd(), func(int) error {
		have, err := claimed(ctx, s, 20, 3)
		mu.Lock()
		defer mu.Unlock()
		for id := range have {
			seen[id]++
		}
		return err
	})
	for id, n := range seen {
		if n != 1 {
			return fmt.Errorf("message %s was claimed %d times at once", id, n)
		}
	}
	return err
}

func done(ctx context.Context, s mfa.Store) error {
	if err := post(ctx, s, message(clinic, "m-1"), message(clinic, "m-2")); err != nil {
		return err
	}
	for range 2 {
		if err := s.Done(ctx, clinic, "m-1"); err != nil {
			return fmt.Errorf("removing a message: %w", err)
		}
	}
	left, err := claimed(ctx, s, 20, 10)
	return first(err, equal("what is left", ids(left), []string{"m-2"}))
}

func doneTenant(ctx context.Context, s mfa.Store) error {
	if err := post(ctx, s, message(clinic, "m-1")); err != nil {
		return err
	}
	if err := s.Done(ctx, other, "m-1"); err != nil {
		return fmt.Errorf("removing a missing message: %w", err)
	}
	left, err := claimed(ctx, s, 20, 10)
	return first(err, equal("what is left", ids(left), []string{"m-1"}))
}

func cancelled(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"), message(clinic, "m-1"))
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, e1 := s.Get(over, clinic, lin)
	e2 := s.Apply(over, update(c, func(c *mfa.Credential) { c.Failures = 9 }))
	_, e3 := s.Advance(over, c.Ref(), c.Step+1, at(4))
	_, e4 := s.Fail(over, c.Ref(), 100, at(4))
	_, e5 := listed(over, s, clinic, "")
	_, e6 := s.Claim(over, at(20), at(30), 10)
	e7 := s.Done(over, clinic, "m-1")
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7} {
		if err == nil {
			return fmt.Errorf("call %d of 7 succeeds although its context has ended", i+1)
		}
	}
	left, err := claimed(ctx, s, 20, 10)
	return first(err, equal("what is left", ids(left), []string{"m-1"}), expect(ctx, s, c))
}
