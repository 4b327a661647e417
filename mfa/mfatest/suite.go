package mfatest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/mfa"
)

// TestStore runs every rule of the contract of mfa.Store as a subtest, each against a store
// of its own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) mfa.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract and returns those that the store breaks, joined.
func Check(ctx context.Context, open func() (mfa.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

func rules() []rule { return slices.Concat(credentialRules(), passkeyRules(), textRules()) }

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other-clinic")
	lin    = audit.ActorID("p-lin")
	diaz   = audit.ActorID("p-diaz")
)

// at returns a fixed day plus so many minutes.
func at(minutes int) time.Time {
	return time.Date(2026, 3, 2, 9, minutes, 0, 123456000, time.UTC)
}

// sample is a credential with something in every field but Locked.
func sample(t audit.Tenant, person audit.ActorID, id string) mfa.Credential {
	return mfa.Credential{
		Tenant: t, Person: person, ID: id, Secret: []byte("sealed " + id), Step: 58000000, Failures: 2,
		Created: at(0), Confirmed: at(1), Used: at(2),
		Recovery: []byte("codes " + id), Next: []byte("next " + id), NextMade: at(3),
		Passkeys: 3, Handle: []byte("handle " + id), Texted: at(4),
	}
}

// put creates c and returns it with the version it got.
func put(ctx context.Context, s mfa.Store, c mfa.Credential, messages ...audit.Message) (mfa.Credential, error) {
	change := mfa.Change{Was: mfa.Ref{Tenant: c.Tenant, Person: c.Person}, Put: &c, Messages: messages, Due: at(10)}
	if err := s.Apply(ctx, change); err != nil {
		return c, fmt.Errorf("creating a credential: %w", err)
	}
	c.Version = 1
	return c, nil
}

// update is the change of c as it was read.
func update(c mfa.Credential, edit func(*mfa.Credential)) mfa.Change {
	next := c
	edit(&next)
	return mfa.Change{Was: c.Ref(), Version: c.Version, Put: &next, Due: at(10)}
}

// expect compares the stored row with want.
func expect(ctx context.Context, s mfa.Store, want mfa.Credential) error {
	have, err := s.Get(ctx, want.Tenant, want.Person)
	if err != nil {
		return fmt.Errorf("reading a credential: %w", err)
	}
	if !same(have, want) {
		return fmt.Errorf("the row is %+v, want %+v", have, want)
	}
	return nil
}

// same compares rows; times as instants with their zone, and nil equals empty.
func same(a, b mfa.Credential) bool {
	for _, pair := range [][2]*[]byte{{&a.Secret, &b.Secret}, {&a.Recovery, &b.Recovery}, {&a.Next, &b.Next}, {&a.Handle, &b.Handle}} {
		if len(*pair[0]) == 0 && len(*pair[1]) == 0 {
			*pair[0], *pair[1] = nil, nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// gone expects that there is no row.
func gone(ctx context.Context, s mfa.Store, t audit.Tenant, person audit.ActorID) error {
	if _, err := s.Get(ctx, t, person); !errors.Is(err, mfa.ErrNotFound) {
		return fmt.Errorf("reading a missing credential: %v, want ErrNotFound", err)
	}
	return nil
}

// want compares an error.
func want(what string, err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("%s: %v, want %v", what, err, target)
	}
	return nil
}

// message is a notice with something in every field.
func message(t audit.Tenant, id string) audit.Message {
	return audit.Message{ID: id, Kind: audit.MessageNotice, Tenant: t, Person: lin, Topic: "mfa.reset", Body: []byte{0, 1, 255}, Created: at(3)}
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// together runs f n times at once and returns the first error.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return first(errs...)
}

// crowd is how many goroutines race.
func crowd() int {
	if testing.Testing() && testing.Short() {
		return 16
	}
	return 64
}
