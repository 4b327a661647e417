package rbactest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// TestToggles runs every rule of the contract of rbac.ToggleStore as a subtest. open returns an
// empty store, a fresh one for each call.
func TestToggles(t *testing.T, open func(t testing.TB) rbac.ToggleStore) {
	t.Helper()
	conform.Test(t, toggleRules(), open)
}

// CheckToggles runs every rule of the contract of rbac.ToggleStore and returns what the store
// breaks, nil if nothing.
func CheckToggles(ctx context.Context, open func() (rbac.ToggleStore, error)) error {
	return conform.Check(ctx, toggleRules(), open)
}

type toggleRule = conform.Rule[rbac.ToggleStore]

// toggleRules is the contract of rbac.ToggleStore.
func toggleRules() []toggleRule {
	return []toggleRule{
		{Name: "toggles_of_nobody", Clause: "Toggles of a tenant that never chose are the zero Toggles, and no error.", Run: togglesOfNobody},
		{Name: "toggles_round_trip", Clause: "Toggles returns what was saved, in its order, and its version.", Run: togglesRoundTrip},
		{Name: "toggles_of_tenant", Clause: "Toggles are those of one tenant, ids compared byte by byte.", Run: togglesOfTenant},
		{Name: "toggles_version_counts", Clause: "Each SaveToggles counts the tenant's version up by one.", Run: togglesVersionCounts},
		{Name: "toggles_stale_version", Clause: "SaveToggles with an older or a newer version: ErrConflict, nothing written.", Run: togglesStaleVersion},
		{Name: "toggles_first_version", Clause: "SaveToggles with version 0 where the tenant has chosen: ErrConflict, nothing written.", Run: togglesFirstVersion},
		{Name: "toggles_one_wins", Clause: "Of two saves at once with the same version one wins.", Run: togglesOneWins},
		{Name: "toggles_replaced", Clause: "After SaveToggles has returned, every Toggles sees its effect; what was chosen before is gone.", Run: togglesReplaced},
		{Name: "toggles_copies", Clause: "Nothing that a caller holds is shared with the store.", Run: togglesCopies},
		{Name: "toggles_masks", Clause: "Masks are kept with the choices: all of them, empty rows included, and gone when they are chosen no more.", Run: togglesMasks},
		{Name: "toggles_masks_copied", Clause: "Masks that a caller holds are not shared with the store.", Run: togglesMasksCopied},
		{Name: "toggles_cancelled", Clause: "A cancelled context is an error, never an empty answer.", Run: togglesCancelled},
	}
}

// chosen is what a tenant chose at a version.
func chosen(version int64, roles ...rbac.RoleName) rbac.Toggles {
	t := rbac.Toggles{Version: version}
	for i, r := range roles {
		t.Choices = append(t.Choices, rbac.Choice{Role: r, Action: "form.delete", On: i%2 == 0})
	}
	return t
}

// holds reports a difference between a tenant's toggles and what was saved with a version.
func holds(ctx context.Context, s rbac.ToggleStore, t audit.Tenant, want rbac.Toggles) error {
	got, err := s.Toggles(ctx, t)
	if len(got.Choices) == 0 {
		got.Choices = nil
	}
	if len(got.Masks) == 0 {
		got.Masks = nil
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %+v, want %+v, error %v", got, want, err)
	}
	return nil
}

func togglesOfNobody(ctx context.Context, s rbac.ToggleStore) error {
	return holds(ctx, s, clinic, rbac.Toggles{})
}

func togglesRoundTrip(ctx context.Context, s rbac.ToggleStore) error {
	if err := s.SaveToggles(ctx, clinic, chosen(0, "therapist", "manager", "biller")); err != nil {
		return err
	}
	return holds(ctx, s, clinic, chosen(1, "therapist", "manager", "biller"))
}

func togglesOfTenant(ctx context.Context, s rbac.ToggleStore) error {
	tenants := []audit.Tenant{clinic, "Clinic", "clinic ", `cli"nic`, "clinic/x"}
	for i, t := range tenants {
		if err := s.SaveToggles(ctx, t, chosen(0, rbac.RoleName(fmt.Sprintf("role_%d", i)))); err != nil {
			return err
		}
	}
	for i, t := range tenants {
		if err := holds(ctx, s, t, chosen(1, rbac.RoleName(fmt.Sprintf("role_%d", i)))); err != nil {
			return err
		}
	}
	return nil
}

func togglesVersionCounts(ctx context.Context, s rbac.ToggleStore) error {
	for v := range int64(3) {
		if err := s.SaveToggles(ctx, clinic, chosen(v, "therapist")); err != nil {
			return err
		}
		got, err := s.Toggles(ctx, clinic)
		if err != nil || got.Version != v+1 {
			return fmt.Errorf("version %d after %d saves, error %v", got.Version, v+1, err)
		}
	}
	return nil
}

// saved saves twice, so that there are an older and a newer version.
func saved(ctx context.Context, s rbac.ToggleStore) error {
	return errors.Join(s.SaveToggles(ctx, clinic, chosen(0, "therapist")), s.SaveToggles(ctx, clinic, chosen(1, "manager")))
}

func togglesStaleVersion(ctx context.Context, s rbac.ToggleStore) error {
	if err := saved(ctx, s); err != nil {
		return err
	}
	for _, v := range []int64{1, 3, -1} {
		if err := s.SaveToggles(ctx, clinic, chosen(v, "biller")); !errors.Is(err, rbac.ErrConflict) {
			return fmt.Errorf("version %d: error %v", v, err)
		}
	}
	return holds(ctx, s, clinic, chosen(2, "manager"))
}

func togglesFirstVersion(ctx context.Context, s rbac.ToggleStore) error {
	if err := saved(ctx, s); err != nil {
		return err
	}
	if err := s.SaveToggles(ctx, clinic, chosen(0, "biller")); !errors.Is(err, rbac.ErrConflict) {
		return fmt.Errorf("error %v", err)
	}
	return holds(ctx, s, clinic, chosen(2, "manager"))
}

func togglesOneWins(ctx context.Context, s rbac.ToggleStore) error {
	const n = 8
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = s.SaveToggles(ctx, clinic, chosen(0, rbac.RoleName(fmt.Sprintf("role_%d", i))))
		})
	}
	done.Wait()
	winner, won := rbac.RoleName(""), 0
	for i, err := range errs {
		if err == nil {
			winner, won = rbac.RoleName(fmt.Sprintf("role_%d", i)), won+1
		} else if !errors.Is(err, rbac.ErrConflict) {
			return fmt.Errorf("a loser's error: %w", err)
		}
	}
	if won != 1 {
		return fmt.Errorf("%d of %d saves with the same version took effect", won, n)
	}
	return holds(ctx, s, clinic, chosen(1, winner))
}

func togglesReplaced(ctx context.Context, s rbac.ToggleStore) error {
	if err := saved(ctx, s); err != nil {
		return err
	}
	if err := holds(ctx, s, clinic, chosen(2, "manager")); err != nil {
		return err
	}
	if err := s.SaveToggles(ctx, clinic, chosen(2)); err != nil {
		return err
	}
	return holds(ctx, s, clinic, chosen(3))
}

func togglesCopies(ctx context.Context, s rbac.ToggleStore) error {
	mine := chosen(0, "therapist")
	if err := s.SaveToggles(ctx, clinic, mine); err != nil {
		return err
	}
	mine.Choices[0].On = false
	for range 2 {
		if err := holds(ctx, s, clinic, chosen(1, "therapist")); err != nil {
			return err
		}
		got, err := s.Toggles(ctx, clinic)
		if err != nil {
			return err
		}
		got.Choices[0].Role = "changed"
	}
	return nil
}

// dimmed is what a tenant lowered at a version.
func dimmed(version int64) rbac.Toggles {
	t := chosen(version, "therapist")
	t.Masks = rbac.Masks{"desk": {phi.ClassName: phi.Full, phi.ClassPhone: phi.Partial, phi.ClassSSN: phi.Mask}}
	return t
}

func togglesMasks(ctx context.Context, s rbac.ToggleStore) error {
	next := dimmed(0)
	next.Masks["auditor"] = nil // hides everything
	for range 2 {
		if err := s.SaveToggles(ctx, clinic, next); err != nil {
			return err
		}
		got, err := s.Toggles(ctx, clinic)
		if err != nil || len(got.Masks) != len(next.Masks) {
			return fmt.Errorf("got masks %v, want %v, error %w", got.Masks, next.Masks, err)
		}
		for role, row := range next.Masks {
			if _, there := got.Masks[role]; !there || !maps.Equal(got.Masks[role], row) {
				return fmt.Errorf("got masks %v, want %v", got.Masks, next.Masks)
			}
		}
		next = chosen(got.Version, "therapist") // and none
	}
	return nil
}

func togglesMasksCopied(ctx context.Context, s rbac.ToggleStore) error {
	mine := dimmed(0)
	if err := s.SaveToggles(ctx, clinic, mine); err != nil {
		return err
	}
	mine.Masks["desk"][phi.ClassPhone] = phi.Full
	mine.Masks["biller"] = nil
	for range 2 {
		if err := holds(ctx, s, clinic, dimmed(1)); err != nil {
			return err
		}
		got, err := s.Toggles(ctx, clinic)
		if err != nil {
			return err
		}
		got.Masks["desk"][phi.ClassPhone] = phi.Full
	}
	return nil
}

func togglesCancelled(ctx context.Context, s rbac.ToggleStore) error {
	if err := s.SaveToggles(ctx, clinic, chosen(0, "therapist")); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Toggles(gone, clinic); err == nil {
		return errors.New("the store answers")
	}
	if err := s.SaveToggles(gone, clinic, chosen(1, "manager")); err == nil {
		return errors.New("the store saves")
	}
	return nil
}
