package purgetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/internal/conform"
)

// TestStore runs every rule of the contract of purge.Store as a subtest, each against a store of
// its own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) purge.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract and returns those that the store breaks, joined.
func Check(ctx context.Context, open func() (purge.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

type rule = conform.Rule[purge.Store]

func rules() []rule { return slices.Concat(settingsRules(), holdRules(), planRules()) }

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other-clinic")
)

// at returns a fixed day plus so many minutes.
func at(minutes int) time.Time {
	return time.Date(2026, 3, 2, 9, minutes, 0, 123456000, time.UTC)
}

// period is a setting with something in every field.
func period(t audit.Tenant) purge.Settings {
	return purge.Settings{Tenant: t, Months: 120, Before: 144, From: at(30), Changed: at(1), By: "p-ada"}
}

// hold is a hold with something in every field.
func hold(t audit.Tenant, id string, placed int) purge.Hold {
	return purge.Hold{
		Tenant: t, ID: id, All: true, Patient: "m-1", Actor: "p-lin", ObjectType: "claim", ObjectID: "c-9", Matter: "2026-014 “Äpfel”",
		Placed: at(placed), By: "p-ada", Released: at(40), ReleasedBy: "p-diaz", Ends: at(50),
	}
}

// plan is a plan with something in every field.
func plan(t audit.Tenant, id string, s purge.State, proposed int) purge.Plan {
	return purge.Plan{
		Tenant: t, ID: id, State: s, Spans: []audit.Span{{From: 0, To: 5}, {From: 7, To: 1 << 39}}, Count: 12, Oldest: at(2), Newest: at(3),
		Months: 84, Export: [32]byte{0, 1, 255}, Proposed: at(proposed), ProposedBy: "p-ada", Expires: at(59), Event: "e-" + id,
		Approved: at(4), ApprovedBy: "p-diaz", Ended: at(5), EndedBy: "p-lin", Kept: 3,
	}
}

// collect returns what a list yields.
func collect[T any](seq iter.Seq2[T, error]) (out []T, err error) {
	for x, e := range seq {
		if e != nil {
			return out, fmt.Errorf("listing: %w", e)
		}
		out = append(out, x)
	}
	return out, nil
}

// lists expects a list.
func lists[T any](what string, seq iter.Seq2[T, error], expected ...T) error {
	have, err := collect(seq)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(have) == 0 && len(expected) == 0 {
		return nil
	}
	if !reflect.DeepEqual(have, expected) {
		return fmt.Errorf("%s: have %+v, want %+v", what, have, expected)
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

// first returns the first error.
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

// oneOf has many do the same at once; one succeeds, the others get the refusal.
func oneOf(what string, refusal error, f func(i int) error) error {
	errs := make([]error, crowd)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range errs {
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
			return fmt.Errorf("%s at once: %w", what, err)
		}
	}
	if won != 1 {
		return fmt.Errorf("%s at once: %d succeeded, want 1", what, won)
	}
	return nil
}

// over returns a context that has ended.
func over(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// fails expects an error.
func fails(what string, err error) error {
	if err == nil {
		return fmt.Errorf("%s with a context that has ended: no error", what)
	}
	return nil
}
