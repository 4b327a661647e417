package emergencytest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// Subject is a store and the relation over it.
type Subject struct {
	Store    emergency.Store
	Relation rbac.EmergencyRelation
}

// TestStore runs every rule of the contract of emergency.Store as a subtest, each against a store of its
// own that open returns empty.
func TestStore(t *testing.T, open func(t testing.TB) Subject) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule of the contract and returns those that the store breaks, joined.
func Check(ctx context.Context, open func() (Subject, error)) error {
	return conform.Check(ctx, rules(), open)
}

type rule = conform.Rule[Subject]

func rules() []rule { return slices.Concat(writeRules(), listRules(), relationRules()) }

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("clinic/other")
	ana    = audit.ActorID("ana")
	ben    = audit.ActorID("ben")
)

// start is when the grants of the rules begin.
func start() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC) }

// grant is the n-th of a person.
func grant(t audit.Tenant, person audit.ActorID, n int64) emergency.Grant {
	at := start().Add(time.Duration(n) * 24 * time.Hour)
	return emergency.Grant{
		ID: fmt.Sprintf("%s/%s/%03d", t, person, n), Tenant: t, Person: person, Number: n, Patient: "p-1", Reason: "covering",
		Opened: at, Until: at.Add(time.Hour), Due: at.Add(72 * time.Hour), Version: 1,
	}
}

// filled is a grant with something in every field that can change.
func filled(g emergency.Grant) emergency.Grant {
	at := g.Opened.Add(time.Minute)
	g.Reason, g.Again, g.Until, g.Due = "other", "earlier", at.Add(time.Minute), at.Add(time.Hour)
	g.Ended, g.By, g.Verdict, g.Reviewer, g.Reviewed = at.Add(1*time.Second), "eve", emergency.Justified, ben, at.Add(2*time.Second)
	g.Told, g.Limited, g.LimitedTold = at.Add(3*time.Second), at.Add(4*time.Second), at.Add(5*time.Second)
	g.Reminders, g.Reminded, g.Version = 3, at.Add(6*time.Second), g.Version+1
	return g
}

// add creates grants.
func add(ctx context.Context, s Subject, grants ...emergency.Grant) error {
	for _, g := range grants {
		if err := s.Store.Create(ctx, g); err != nil {
			return fmt.Errorf("creating a grant: %w", err)
		}
	}
	return nil
}

// expect compares what is stored with a grant.
func expect(ctx context.Context, s Subject, want emergency.Grant) error {
	have, err := s.Store.Get(ctx, want.Tenant, want.ID)
	if err != nil {
		return fmt.Errorf("reading a grant: %w", err)
	}
	if have != want {
		return fmt.Errorf("the grant is %+v, want %+v", have, want)
	}
	return nil
}

// lists compares what a list yields with grants.
func lists(what string, seq iter.Seq2[emergency.Grant, error], want ...emergency.Grant) error {
	var have []emergency.Grant
	for g, err := range seq {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		have = append(have, g)
	}
	if !slices.Equal(have, want) {
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

// together runs f at once many times and returns how often it answered nil; any other answer than
// ErrConflict is an error.
func together(f func(i int) error) (won int, err error) {
	errs := make([]error, 12)
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range errs {
		wg.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}
	close(gate)
	wg.Wait()
	for _, e := range errs {
		switch {
		case e == nil:
			won++
		case !errors.Is(e, emergency.ErrConflict):
			err = e
		}
	}
	return won, err
}
