package incidenttest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/internal/conform"
)

// TestStore runs every rule of the contract of incident.Store as a subtest, each against a store
// of its own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) incident.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract and returns those that the store breaks, joined.
func Check(ctx context.Context, open func() (incident.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

type rule = conform.Rule[incident.Store]

func rules() []rule { return slices.Concat(caseRules(), listRules(), partRules()) }

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other-clinic")
)

// id is the n-th ID of a case.
func id(n int) string { return fmt.Sprintf("0190b7a8-0000-7000-8000-%012d", n) }

// row is a case with something in every field.
func row(t audit.Tenant, n int) incident.Row {
	return incident.Row{Tenant: t, ID: id(n), Active: true, Body: []byte{0, 255, byte(n)}}
}

// person has a key of 32 bytes that begins with first.
func person(first byte, body string) incident.Person {
	return incident.Person{Key: slices.Concat([]byte{first}, make([]byte, 31)), Body: []byte(body)}
}

// put creates a case and returns it as it is stored.
func put(ctx context.Context, s incident.Store, r incident.Row, lines ...incident.Line) (incident.Row, error) {
	n, err := s.Apply(ctx, incident.Change{Put: r, Lines: lines})
	if err != nil {
		return r, fmt.Errorf("creating a case: %w", err)
	}
	r.Number, r.Version = n, 1
	return r, nil
}

// update makes a change of a case and returns the case as it is stored.
func update(ctx context.Context, s incident.Store, r incident.Row, c incident.Change) (incident.Row, error) {
	c.Put, c.Expect = r, r.Version
	n, err := s.Apply(ctx, c)
	if err != nil {
		return r, fmt.Errorf("changing a case: %w", err)
	}
	if n != r.Number {
		return r, fmt.Errorf("the number returned is %d, the case has %d", n, r.Number)
	}
	r.Version++
	return r, nil
}

// expect compares the stored case with want.
func expect(ctx context.Context, s incident.Store, want incident.Row) error {
	have, err := s.Get(ctx, want.Tenant, want.ID)
	if err != nil {
		return fmt.Errorf("reading a case: %w", err)
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("the case is %+v, want %+v", have, want)
	}
	return nil
}

// gone expects that there is no case.
func gone(ctx context.Context, s incident.Store, t audit.Tenant, id string) error {
	_, err := s.Get(ctx, t, id)
	return want("reading a missing case", err, incident.ErrNotFound)
}

// all collects what a list yields.
func all[T any](seq iter.Seq2[T, error]) (out []T, err error) {
	for one, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, one)
	}
	return out, nil
}

// lists expects what a list yields.
func lists[T any](what string, seq iter.Seq2[T, error], want ...T) error {
	have, err := all(seq)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(have) != len(want) || len(want) > 0 && !reflect.DeepEqual(have, want) {
		return fmt.Errorf("%s: %+v, want %+v", what, have, want)
	}
	return nil
}

func want(what string, err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("%s: %v, want %v", what, err, target)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// together runs f n times at once; it returns how often it answered nil, and an error that is not
// the refusal.
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
		case refusal == nil || !errors.Is(e, refusal):
			err = e
		}
	}
	return won, err
}

// crowd is how many goroutines race.
const crowd = 16
