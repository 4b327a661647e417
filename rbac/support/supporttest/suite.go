package supporttest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"sync"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac/support"
)

// TestStore runs every rule of the contract of support.Store as a subtest, each against a store
// of its own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) support.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract and returns those that the store breaks, joined.
func Check(ctx context.Context, open func() (support.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

type rule = conform.Rule[support.Store]

func rules() []rule { return append(rowRules(), listRules()...) }

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other-clinic")
)

// noor and omar are operators of one platform; the third has the id of one of them and another platform.
func noor() support.Account    { return support.Account{Tenant: "platform", ID: "noor"} }
func omar() support.Account    { return support.Account{Tenant: "platform", ID: "omar"} }
func another() support.Account { return support.Account{Tenant: "platform-2", ID: "noor"} }

// id is the n-th ID of an access.
func id(n int) string { return fmt.Sprintf("0190b7a8-0000-7000-8000-%012d", n) }

// row is an access that is over, with something in every field.
func row(t audit.Tenant, n int, by support.Account) support.Row {
	return support.Row{Tenant: t, ID: id(n), Operator: by, Body: []byte{0, 255, byte(n)}}
}

// opened is one that is open.
func opened(t audit.Tenant, n int, by support.Account) support.Row {
	r := row(t, n, by)
	r.Open, r.Active = true, true
	return r
}

// put creates rows and expects them as they are stored.
func put(ctx context.Context, s support.Store, rows ...support.Row) error {
	for _, r := range rows {
		if err := s.Apply(ctx, r, 0); err != nil {
			return fmt.Errorf("creating an access: %w", err)
		}
	}
	return nil
}

// stored is r as it is read back.
func stored(r support.Row, version int64) support.Row {
	r.Version = version
	return r
}

// expect compares the stored row with want.
func expect(ctx context.Context, s support.Store, want support.Row) error {
	have, err := s.Get(ctx, want.Tenant, want.ID)
	if err != nil {
		return fmt.Errorf("reading an access: %w", err)
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("the access is %+v, want %+v", have, want)
	}
	return nil
}

// gone expects that there is no row.
func gone(ctx context.Context, s support.Store, t audit.Tenant, id string) error {
	_, err := s.Get(ctx, t, id)
	return want("reading a missing access", err, support.ErrNotFound)
}

// lists expects what a list yields.
func lists(what string, seq iter.Seq2[support.Row, error], want ...support.Row) error {
	var have []support.Row
	for r, err := range seq {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		have = append(have, r)
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

// crowd is how many goroutines race.
const crowd = 16

// one runs f many times at once and expects that one answered nil and the others the refusal.
func one(what string, refusal error, f func(i int) error) error {
	errs := make([]error, crowd)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range crowd {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, refusal):
			return err
		}
	}
	if won != 1 {
		return fmt.Errorf("%d %s won, want 1", won, what)
	}
	return nil
}
