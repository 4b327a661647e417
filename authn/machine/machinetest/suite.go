package machinetest

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
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/internal/conform"
)

// TestStore runs every rule of the contract of machine.Store as a subtest, each against a store
// of its own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) machine.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract and returns those that the store breaks, joined.
func Check(ctx context.Context, open func() (machine.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

type rule = conform.Rule[machine.Store]

func rules() []rule { return slices.Concat(principalRules(), keyRules(), credentialRules()) }

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other-clinic")
	bot    = audit.ActorID("m-bot")
)

// at returns a fixed day plus so many minutes.
func at(minutes int) time.Time {
	return time.Date(2026, 3, 2, 9, minutes, 0, 123456000, time.UTC)
}

// key is a live key with something in every field but Used.
func key(id string) machine.Key {
	return machine.Key{ID: id, Hash: []byte("hash of " + id), Created: at(1), CreatedBy: "p-lin", Expires: at(50)}
}

// sample is a principal with something in every field but Used.
func sample(t audit.Tenant, id audit.ActorID, keys ...machine.Key) machine.Principal {
	return machine.Principal{
		Tenant: t, ID: id, Kind: audit.KindAgent, Name: "Note “helper”", Owner: "p-lin", OnBehalfOf: "p-diaz",
		Scopes: []audit.Action{"note.read", "patient.read"}, State: machine.Active,
		Expires: at(59), Created: at(0), CreatedBy: "p-ada", Keys: keys,
	}
}

// token is a token of a key with something in every field.
func token(id, key string, t audit.Tenant, p audit.ActorID) machine.Token {
	return machine.Token{
		ID: id, Hash: []byte("hash of " + id), Tenant: t, Principal: p, Key: key,
		Scopes: []audit.Action{"note.read"}, Created: at(2), Expires: at(12),
	}
}

// put creates p and returns it with the version it got.
func put(ctx context.Context, s machine.Store, p machine.Principal) (machine.Principal, error) {
	if err := s.Apply(ctx, machine.Change{Put: p}); err != nil {
		return p, fmt.Errorf("creating a principal: %w", err)
	}
	p.Version = 1
	return p, nil
}

// update writes what edit makes of p and returns it with its version.
func update(ctx context.Context, s machine.Store, p machine.Principal, edit func(*machine.Principal)) (machine.Principal, error) {
	next := copied(p)
	edit(&next)
	if err := s.Apply(ctx, machine.Change{Put: next, Expect: p.Version}); err != nil {
		return p, fmt.Errorf("changing a principal: %w", err)
	}
	next.Version = p.Version + 1
	return next, nil
}

func copied(p machine.Principal) machine.Principal {
	p.Scopes, p.Keys = slices.Clone(p.Scopes), slices.Clone(p.Keys)
	return p
}

// expect compares the stored row with want, hashes apart.
func expect(ctx context.Context, s machine.Store, want machine.Principal) error {
	have, err := s.Get(ctx, want.Tenant, want.ID)
	if err != nil {
		return fmt.Errorf("reading a principal: %w", err)
	}
	return alike(have, want)
}

func alike(have, want machine.Principal) error {
	have, want = copied(have), copied(want)
	for _, keys := range [][]machine.Key{have.Keys, want.Keys} {
		for i := range keys {
			keys[i].Hash = nil
		}
	}
	if len(have.Keys) == 0 && len(want.Keys) == 0 {
		have.Keys, want.Keys = nil, nil
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("the principal is %+v, want %+v", have, want)
	}
	return nil
}

// gone expects that there is no row.
func gone(ctx context.Context, s machine.Store, t audit.Tenant, id audit.ActorID) error {
	_, err := s.Get(ctx, t, id)
	return want("reading a missing principal", err, machine.ErrNotFound)
}

// noKey expects that a key leads to nobody.
func noKey(ctx context.Context, s machine.Store, id string) error {
	_, err := s.FindKey(ctx, id)
	return want("finding a missing key", err, machine.ErrNotFound)
}

// want compares an error.
func want(what string, err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("%s: %v, want %v", what, err, target)
	}
	return nil
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

// together runs f n times at once and returns how often it answered nil; refusal is the only
// error it may answer.
func together(n int, refusal error, f func(i int) error) (won int, err error) {
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
	for _, e := range errs {
		switch {
		case e == nil:
			won++
		case !errors.Is(e, refusal):
			err = e
		}
	}
	return won, err
}

// one expects a single winner.
func one(what string, won int, err error) error {
	if err == nil && won != 1 {
		err = fmt.Errorf("%d %s won, want 1", won, what)
	}
	return err
}

// crowd is how many goroutines race.
func crowd() int {
	if testing.Testing() && testing.Short() {
		return 16
	}
	return 64
}
