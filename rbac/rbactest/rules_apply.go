package rbactest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/rbac"
)

func versionCounts(ctx context.Context, s rbac.Store) error {
	for want := range int64(3) {
		got, err := s.Version(ctx, clinic)
		if err != nil || got != want {
			return fmt.Errorf("version %d after %d changes, error %v", got, want, err)
		}
		if err := add(ctx, s, grant(fmt.Sprintf("g%d", want), clinic, ana)); err != nil {
			return err
		}
	}
	got, err := s.Version(ctx, other)
	if err != nil || got != 0 {
		return fmt.Errorf("version %d of a tenant without a change, error %v", got, err)
	}
	return nil
}

func staleVersion(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	v, err := s.Version(ctx, clinic)
	if err != nil {
		return err
	}
	for _, wrong := range []int64{0, v + 1, -1} {
		err := s.Apply(ctx, clinic, wrong, rbac.Change{Add: []rbac.Grant{grant("g2", clinic, ana)}})
		if !errors.Is(err, rbac.ErrConflict) {
			return fmt.Errorf("applying at version %d instead of %d: error %v", wrong, v, err)
		}
	}
	got, err := list(ctx, s, clinic, "")
	return errors.Join(err, same("after a stale change", got, "g1"))
}

func oneWins(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g0", clinic, ana)); err != nil {
		return err
	}
	v, err := s.Version(ctx, clinic)
	if err != nil {
		return err
	}
	const n = 8
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			g := grant(fmt.Sprintf("g%d", i+1), clinic, ana)
			ready.Done()
			ready.Wait()
			errs[i] = s.Apply(ctx, clinic, v, rbac.Change{Add: []rbac.Grant{g}})
		})
	}
	done.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, rbac.ErrConflict) {
			return fmt.Errorf("a loser's error: %v", err)
		}
	}
	if won != 1 {
		return fmt.Errorf("%d of %d changes with the same version took effect", won, n)
	}
	return nil
}

func allOrNothing(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	before, err := s.Version(ctx, clinic)
	if err != nil {
		return err
	}
	err = apply(ctx, s, clinic, rbac.Change{
		Add: []rbac.Grant{grant("g2", clinic, ana)},
		End: []rbac.Ending{{ID: "g1", At: start(), By: "admin"}, {ID: "missing", At: start(), By: "admin"}},
	})
	if err == nil {
		return nil // another rule's business
	}
	after, err := s.Version(ctx, clinic)
	if err != nil || after != before {
		return fmt.Errorf("the version went from %d to %d, error %v", before, after, err)
	}
	got, err := s.Grants(ctx, clinic, ana)
	return errors.Join(err, same("after a refused change", got, "g1"))
}

func idTaken(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	err := apply(ctx, s, clinic, rbac.Change{Add: []rbac.Grant{grant("g1", clinic, ben)}})
	if !errors.Is(err, rbac.ErrGrantExists) {
		return fmt.Errorf("error %v", err)
	}
	got, err := s.Grants(ctx, clinic, ana)
	return errors.Join(err, same("the old grant", got, "g1"))
}

func idTakenElsewhere(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	err := apply(ctx, s, other, rbac.Change{Add: []rbac.Grant{grant("g1", other, ben)}})
	if !errors.Is(err, rbac.ErrGrantExists) {
		return fmt.Errorf("error %v", err)
	}
	return nil
}

func endMissing(ctx context.Context, s rbac.Store) error {
	if err := end(ctx, s, clinic, "missing"); !errors.Is(err, rbac.ErrNoGrant) {
		return fmt.Errorf("error %v", err)
	}
	return nil
}

func endForeign(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	if err := end(ctx, s, other, "g1"); !errors.Is(err, rbac.ErrNoGrant) {
		return fmt.Errorf("error %v", err)
	}
	got, err := s.Grants(ctx, clinic, ana)
	return errors.Join(err, same("the foreign grant", got, "g1"))
}

func endTwice(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	if err := end(ctx, s, clinic, "g1"); err != nil {
		return err
	}
	if err := end(ctx, s, clinic, "g1"); !errors.Is(err, rbac.ErrNoGrant) {
		return fmt.Errorf("error %v", err)
	}
	return nil
}

func copies(ctx context.Context, s rbac.Store) error {
	g := grant("g1", clinic, ana)
	if err := add(ctx, s, g); err != nil {
		return err
	}
	g.Practices[0], g.Locations[0], g.Queues[0] = "changed", "changed", "changed"
	for range 2 {
		got, err := s.Grants(ctx, clinic, ana)
		if err != nil || len(got) != 1 || !sameReach(got[0], grant("g1", clinic, ana)) {
			return fmt.Errorf("what a caller changed is in the store: %v, error %v", got, err)
		}
		got[0].Practices[0], got[0].Locations[0], got[0].Queues[0] = "changed", "changed", "changed"
	}
	return nil
}

func sameReach(a, b rbac.Grant) bool {
	return slices.Equal(a.Practices, b.Practices) && slices.Equal(a.Locations, b.Locations) && slices.Equal(a.Queues, b.Queues)
}

func cancelled(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, errGrants := s.Grants(gone, clinic, ana)
	_, errHolders := s.Holders(gone, clinic, []rbac.RoleName{"therapist"})
	_, errList := list(gone, s, clinic, "")
	_, errVersion := s.Version(gone, clinic)
	errApply := s.Apply(gone, clinic, 1, rbac.Change{Add: []rbac.Grant{grant("g2", clinic, ana)}})
	for i, err := range []error{errGrants, errHolders, errList, errVersion, errApply} {
		if err == nil {
			return fmt.Errorf("%s answers", []string{"Grants", "Holders", "List", "Version", "Apply"}[i])
		}
	}
	return nil
}
