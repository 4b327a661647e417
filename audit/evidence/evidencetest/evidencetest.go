// Package evidencetest proves stores for package evidence. A store of a host's own is proven in one
// line:
//
//	func TestStore(t *testing.T) { evidencetest.TestStore(t, open) }
//
// where open returns an empty store. Check does the same outside of a test.
package evidencetest

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
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/internal/conform"
)

// TestStore runs every rule of the contract of evidence.Store as a subtest, each against a store
// of its own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) evidence.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract and returns those that the store breaks, joined.
func Check(ctx context.Context, open func() (evidence.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

func rules() []conform.Rule[evidence.Store] {
	return []conform.Rule[evidence.Store]{
		{Name: "get-missing", Clause: "Get of what is not there is ErrNotFound.", Run: getMissing},
		{Name: "round-trip", Clause: "Get returns what Apply wrote, every field, with the version expect+1.", Run: roundTrip},
		{Name: "detached", Clause: "The store shares no memory with its callers.", Run: detached},
		{Name: "tenants-apart", Clause: "The same ID in another tenant is another attestation.", Run: tenantsApart},
		{Name: "create-once", Clause: "Of several creations at once one wins, the others are ErrConflict.", Run: createOnce},
		{Name: "update-once", Clause: "Of several changes of the same version one wins, the others are ErrConflict.", Run: updateOnce},
		{Name: "update-version", Clause: "A change of another version is ErrConflict and changes nothing.", Run: updateVersion},
		{Name: "update-missing", Clause: "A change of what is not there is ErrConflict and creates nothing.", Run: updateMissing},
		{Name: "list-order", Clause: "List yields every attestation of the tenant, in order of ID by bytes.", Run: listOrder},
		{Name: "list-tenant", Clause: "List yields no attestation of another tenant.", Run: listTenant},
		{Name: "list-withdrawn", Clause: "List yields withdrawn attestations, too.", Run: listWithdrawn},
		{Name: "cancelled", Clause: "A call whose context has ended fails and changes nothing.", Run: cancelled},
	}
}

const (
	clinic   = audit.Tenant("clinic")
	other    = audit.Tenant("other-clinic")
	training = "host.training"
)

// at returns a fixed day plus so many minutes.
func at(minutes int) time.Time { return time.Date(2026, 3, 2, 9, minutes, 0, 123456000, time.UTC) }

// sample is an attestation with something in every field but Withdrawn.
func sample(t audit.Tenant, id string) evidence.Kept {
	return evidence.Kept{Tenant: t, Person: "p-dana", Attestation: evidence.Attestation{
		ID: id, What: "Staff are “trained”.", Detail: "Lists are\nkept.", By: "Dana Reyes", At: at(1), Expires: at(50), Citations: []string{"45 CFR 164.308(a)(5)", "45 CFR 164.530(b)"},
	}}
}

// put creates k and returns it with the version it got.
func put(ctx context.Context, s evidence.Store, k evidence.Kept) (evidence.Kept, error) {
	if err := s.Apply(ctx, k, 0); err != nil {
		return k, fmt.Errorf("creating an attestation: %w", err)
	}
	k.Version = 1
	return k, nil
}

// expect compares what is stored with k.
func expect(ctx context.Context, s evidence.Store, k evidence.Kept) error {
	have, err := s.Get(ctx, k.Tenant, k.ID)
	if err != nil {
		return fmt.Errorf("reading an attestation: %w", err)
	}
	return alike(have, k)
}

func alike(have, want evidence.Kept) error {
	if len(have.Citations)+len(want.Citations) == 0 {
		have.Citations, want.Citations = nil, nil
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("the attestation is %+v, want %+v", have, want)
	}
	return nil
}

func is(what string, err, target error) error {
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

func getMissing(ctx context.Context, s evidence.Store) error {
	_, err := put(ctx, s, sample(clinic, training))
	_, missing := s.Get(ctx, clinic, "host.nothing")
	return first(err, is("reading what is missing", missing, evidence.ErrNotFound))
}

func roundTrip(ctx context.Context, s evidence.Store) error {
	k, err := put(ctx, s, sample(clinic, training))
	if err := first(err, expect(ctx, s, k)); err != nil {
		return err
	}
	next := evidence.Kept{Tenant: clinic, Version: 77, Person: "p-omar", Withdrawn: at(9), Attestation: evidence.Attestation{
		ID: training, What: "w", By: "Omar", At: at(3), Expires: at(4),
	}}
	err = s.Apply(ctx, next, 1)
	next.Version = 2
	return first(err, expect(ctx, s, next))
}

func detached(ctx context.Context, s evidence.Store) error {
	k := sample(clinic, training)
	if err := s.Apply(ctx, k, 0); err != nil {
		return err
	}
	wanted := sample(clinic, training)
	wanted.Version = 1
	k.Citations[0] = "changed"
	for range 2 {
		have, err := s.Get(ctx, clinic, training)
		if err := first(err, alike(have, wanted)); err != nil {
			return err
		}
		have.Citations[0] = "changed"
		rows, err := list(ctx, s, clinic)
		if err := first(err, alike(rows[0], wanted)); err != nil {
			return err
		}
		rows[0].Citations[0] = "changed"
	}
	return nil
}

func tenantsApart(ctx context.Context, s evidence.Store) error {
	mine, err := put(ctx, s, sample(clinic, training))
	_, missing := s.Get(ctx, other, training)
	if err := first(err, is("reading another tenant's", missing, evidence.ErrNotFound)); err != nil {
		return err
	}
	theirs, err := put(ctx, s, sample(other, training))
	if err != nil {
		return err
	}
	theirs.Withdrawn, theirs.Version = at(5), 2
	return first(s.Apply(ctx, theirs, 1), expect(ctx, s, mine), expect(ctx, s, theirs))
}

// together runs f at once and returns how often it answered nil; ErrConflict is the only error.
func together(what string, f func(i int) error) error {
	n := 64
	if testing.Testing() && testing.Short() {
		n = 16
	}
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
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, evidence.ErrConflict):
			return err
		}
	}
	if won != 1 {
		return fmt.Errorf("%d %s won, want 1", won, what)
	}
	return nil
}

func createOnce(ctx context.Context, s evidence.Store) error {
	return together("creations", func(i int) error {
		k := sample(clinic, training)
		k.By = fmt.Sprint("p-", i)
		return s.Apply(ctx, k, 0)
	})
}

func updateOnce(ctx context.Context, s evidence.Store) error {
	k, err := put(ctx, s, sample(clinic, training))
	if err != nil {
		return err
	}
	return together("changes", func(i int) error {
		k := k
		k.By = fmt.Sprint("p-", i)
		return s.Apply(ctx, k, 1)
	})
}

func updateVersion(ctx context.Context, s evidence.Store) error {
	k, err := put(ctx, s, sample(clinic, training))
	if err != nil {
		return err
	}
	for _, stale := range []int64{0, 2} {
		next := sample(clinic, training)
		next.What = "somebody else's"
		if err := first(is("a stale change", s.Apply(ctx, next, stale), evidence.ErrConflict), expect(ctx, s, k)); err != nil {
			return err
		}
	}
	return nil
}

func updateMissing(ctx context.Context, s evidence.Store) error {
	err := s.Apply(ctx, sample(clinic, training), 1)
	_, missing := s.Get(ctx, clinic, training)
	return first(is("changing what is missing", err, evidence.ErrConflict), is("reading what was not made", missing, evidence.ErrNotFound))
}

func list(ctx context.Context, s evidence.Store, t audit.Tenant) (out []evidence.Kept, err error) {
	for k, err := range s.List(ctx, t) {
		if err != nil {
			return out, fmt.Errorf("listing: %w", err)
		}
		out = append(out, k)
	}
	return out, nil
}

// listed compares what a tenant has with these IDs.
func listed(ctx context.Context, s evidence.Store, ids ...string) error {
	have, err := list(ctx, s, clinic)
	if err != nil {
		return err
	}
	slices.Sort(ids)
	var names []string
	for _, k := range have {
		names = append(names, k.ID)
		if k.What == "" || k.Version == 0 || k.Tenant != clinic {
			return fmt.Errorf("listed %+v, want it whole", k)
		}
	}
	if !slices.Equal(names, ids) {
		return fmt.Errorf("listed %v, want %v", names, ids)
	}
	return nil
}

func listOrder(ctx context.Context, s evidence.Store) error {
	ids := []string{"host.b", "host.a_b", "host.a", "host.a.b", "host.aa", "host.a0"}
	for i := range 210 { // more than a page
		ids = append(ids, fmt.Sprintf("host.m%03d", (i*37)%210))
	}
	for _, id := range ids {
		if _, err := put(ctx, s, sample(clinic, id)); err != nil {
			return err
		}
	}
	for range s.List(ctx, clinic) {
		break // allowed
	}
	return listed(ctx, s, ids...)
}

func listTenant(ctx context.Context, s evidence.Store) error {
	_, err := put(ctx, s, sample(clinic, training))
	_, second := put(ctx, s, sample(other, "host.doors"))
	return first(err, second, listed(ctx, s, training))
}

func listWithdrawn(ctx context.Context, s evidence.Store) error {
	gone := sample(clinic, "host.doors")
	gone.Withdrawn = at(7)
	_, err := put(ctx, s, gone)
	_, second := put(ctx, s, sample(clinic, training))
	return first(err, second, listed(ctx, s, "host.doors", training))
}

func cancelled(ctx context.Context, s evidence.Store) error {
	k, err := put(ctx, s, sample(clinic, training))
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	next := k
	next.What = "changed"
	_, getErr := s.Get(over, clinic, training)
	_, listErr := list(over, s, clinic)
	for i, err := range []error{getErr, listErr, s.Apply(over, next, 1), s.Apply(over, sample(clinic, "host.doors"), 0)} {
		if err == nil || errors.Is(err, evidence.ErrNotFound) || errors.Is(err, evidence.ErrConflict) {
			return fmt.Errorf("call %d with an ended context: %v, want a failure", i, err)
		}
	}
	_, missing := s.Get(ctx, clinic, "host.doors")
	return first(is("a cancelled creation", missing, evidence.ErrNotFound), expect(ctx, s, k))
}
