package purgetest

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

func holdRules() []rule {
	return []rule{
		{Name: "holds-none", Clause: "Holds of a tenant without any yields nothing.", Run: holdsNone},
		{Name: "hold-round-trip", Clause: "Holds yields what PutHold stored, with the next version, released ones too.", Run: holdRoundTrip},
		{Name: "hold-order", Clause: "Holds yields in order of Placed and ID, the latest first, and the caller may break off.", Run: holdOrder},
		{Name: "hold-versions", Clause: "PutHold with another version than the stored one changes nothing: ErrConflict.", Run: holdVersions},
		{Name: "hold-once", Clause: "Of several PutHold with the same version one succeeds.", Run: holdOnce},
		{Name: "hold-tenant", Clause: "One tenant's holds are no other's, under the same ID neither.", Run: holdTenant},
		{Name: "hold-cancelled", Clause: "With a context that has ended Holds fails, and PutHold fails and changes nothing.", Run: holdCancelled},
	}
}

// placed stores a hold that is not there.
func placed(ctx context.Context, s purge.Store, t audit.Tenant, id string, minute int) (purge.Hold, error) {
	h := hold(t, id, minute)
	if err := s.PutHold(ctx, h); err != nil {
		return h, fmt.Errorf("storing a hold: %w", err)
	}
	h.Version = 1
	return h, nil
}

func holdsNone(ctx context.Context, s purge.Store) error {
	return lists("holds of nobody", s.Holds(ctx, clinic))
}

func holdRoundTrip(ctx context.Context, s purge.Store) error {
	h, err := placed(ctx, s, clinic, "h-1", 0)
	if err := first(err, lists("a hold", s.Holds(ctx, clinic), h)); err != nil {
		return err
	}
	bare := purge.Hold{Tenant: clinic, ID: "h-1", Version: 1, Matter: "m", Placed: at(7), By: "p"}
	if err := s.PutHold(ctx, bare); err != nil {
		return fmt.Errorf("changing a hold: %w", err)
	}
	bare.Version = 2
	return lists("a changed hold", s.Holds(ctx, clinic), bare)
}

func holdOrder(ctx context.Context, s purge.Store) error {
	a, err1 := placed(ctx, s, clinic, "h-a", 5)
	b, err2 := placed(ctx, s, clinic, "h-b", 6)
	c, err3 := placed(ctx, s, clinic, "h-c", 5)
	if err := first(err1, err2, err3, lists("holds", s.Holds(ctx, clinic), b, c, a)); err != nil {
		return err
	}
	for h, err := range s.Holds(ctx, clinic) {
		if err != nil || h.ID != "h-b" {
			return fmt.Errorf("the first of the holds is %q: %v", h.ID, err)
		}
		break
	}
	return nil
}

func holdVersions(ctx context.Context, s purge.Store) error {
	early := hold(clinic, "h-1", 0)
	early.Version = 1
	if err := want("a change of what is not there", s.PutHold(ctx, early), purge.ErrConflict); err != nil {
		return err
	}
	h, err := placed(ctx, s, clinic, "h-1", 0)
	if err != nil {
		return err
	}
	for _, version := range []int64{0, 2} {
		stale := h
		stale.Version, stale.Matter = version, "stale"
		if err := want("another version", s.PutHold(ctx, stale), purge.ErrConflict); err != nil {
			return err
		}
	}
	return lists("a hold", s.Holds(ctx, clinic), h)
}

func holdOnce(ctx context.Context, s purge.Store) error {
	for version := range int64(2) {
		err := oneOf("changes", purge.ErrConflict, func(i int) error {
			h := hold("race", "h-1", i)
			h.Version = version
			return s.PutHold(ctx, h)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func holdTenant(ctx context.Context, s purge.Store) error {
	a, err1 := placed(ctx, s, clinic, "h-1", 1)
	b, err2 := placed(ctx, s, other, "h-1", 2)
	return first(err1, err2, lists("one tenant's holds", s.Holds(ctx, clinic), a), lists("another one's", s.Holds(ctx, other), b))
}

func holdCancelled(ctx context.Context, s purge.Store) error {
	h, err := placed(ctx, s, clinic, "h-1", 1)
	if err != nil {
		return err
	}
	next := h
	next.Matter = "cancelled"
	_, err = collect(s.Holds(over(ctx), clinic))
	return first(fails("Holds", err), fails("PutHold", s.PutHold(over(ctx), next)), lists("a hold", s.Holds(ctx, clinic), h))
}
