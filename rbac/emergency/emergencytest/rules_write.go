package emergencytest

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/rbac/emergency"
)

func writeRules() []rule {
	return []rule{
		{Name: "get_round_trip", Clause: "Get returns a grant as it was created, its times in UTC to the microsecond.", Run: getRoundTrip},
		{Name: "get_missing", Clause: "Get: not there: ErrNotFound.", Run: func(ctx context.Context, s Subject) error {
			_, err := s.Store.Get(ctx, clinic, "nothing")
			return want("reading what is not there", err, emergency.ErrNotFound)
		}},
		{Name: "get_foreign", Clause: "Get: another tenant's: ErrNotFound.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			if err := add(ctx, s, g); err != nil {
				return err
			}
			_, err := s.Store.Get(ctx, other, g.ID)
			return want("reading another tenant's", err, emergency.ErrNotFound)
		}},
		{Name: "create_version", Clause: "Create gives Version 1, whatever the grant says.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			g.Version = 7
			err := add(ctx, s, g)
			g.Version = 1
			return first(err, expect(ctx, s, g))
		}},
		{Name: "create_number", Clause: "Create: Number must be one more than the person has: otherwise ErrConflict, nothing changes.", Run: createNumber},
		{Name: "create_number_of_person", Clause: "Create: numbers are counted for each person of each tenant.", Run: func(ctx context.Context, s Subject) error {
			return add(ctx, s, grant(clinic, ana, 1), grant(clinic, ana, 2), grant(clinic, ben, 1), grant(other, ana, 1))
		}},
		{Name: "create_id_taken", Clause: "Create: an ID that any tenant has: ErrConflict, and nothing changes.", Run: func(ctx context.Context, s Subject) error {
			have, twin := grant(clinic, ana, 1), grant(other, ben, 1)
			twin.ID = have.ID
			return first(add(ctx, s, have), want("a taken ID", s.Store.Create(ctx, twin), emergency.ErrConflict), expect(ctx, s, have))
		}},
		{Name: "create_one_wins", Clause: "Create: of several at once with the same Number one succeeds.", Run: func(ctx context.Context, s Subject) error {
			won, err := together(func(i int) error {
				g := grant(clinic, ana, 1)
				g.ID = fmt.Sprintf("race/%03d", i)
				return s.Store.Create(ctx, g)
			})
			if err == nil && won != 1 {
				err = fmt.Errorf("%d of several openings at once succeeded", won)
			}
			return err
		}},
		{Name: "update_round_trip", Clause: "Update replaces all that can change.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			if err := add(ctx, s, g); err != nil {
				return err
			}
			g = filled(g)
			g.Reason = "yet_another"
			return first(s.Store.Update(ctx, g), expect(ctx, s, g))
		}},
		{Name: "update_keeps", Clause: "Update leaves Person, Number, Patient and Opened as they are.", Run: updateKeeps},
		{Name: "update_stale", Clause: "Update: another version: ErrConflict, and nothing changes.", Run: updateStale},
		{Name: "update_missing", Clause: "Update: not there: ErrConflict, and nothing appears.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			err := want("changing what is not there", s.Store.Update(ctx, g), emergency.ErrConflict)
			_, gerr := s.Store.Get(ctx, clinic, g.ID)
			return first(err, want("reading it", gerr, emergency.ErrNotFound))
		}},
		{Name: "update_foreign", Clause: "Update: another tenant's: ErrConflict, and nothing changes.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			foreign := filled(g)
			foreign.Tenant = other
			return first(add(ctx, s, g), want("changing another tenant's", s.Store.Update(ctx, foreign), emergency.ErrConflict), expect(ctx, s, g))
		}},
		{Name: "update_one_wins", Clause: "Update: of several at once that expect the same version one succeeds.", Run: func(ctx context.Context, s Subject) error {
			g := grant(clinic, ana, 1)
			if err := add(ctx, s, g); err != nil {
				return err
			}
			g = filled(g)
			won, err := together(func(int) error { return s.Store.Update(ctx, g) })
			if err == nil && won != 1 {
				err = fmt.Errorf("%d of several changes at once succeeded", won)
			}
			return err
		}},
		{Name: "cancelled", Clause: "A method whose context ended returns an error, and nothing changes.", Run: cancelled},
	}
}

func getRoundTrip(ctx context.Context, s Subject) error {
	g := grant(clinic, ana, 1)
	g.Again, g.Patient, g.Reason = `"quoted'`, "p/ä", "c_1"
	kept := g
	zone := time.FixedZone("", 3600)
	g.Opened, g.Until = g.Opened.In(zone).Add(7*time.Nanosecond), g.Until.In(zone)
	return first(add(ctx, s, g), expect(ctx, s, kept))
}

func createNumber(ctx context.Context, s Subject) error {
	one := grant(clinic, ana, 1)
	if err := add(ctx, s, one); err != nil {
		return err
	}
	for _, n := range []int64{0, 1, 3, -1} {
		g := grant(clinic, ana, n)
		g.ID = fmt.Sprintf("wrong/%d", n)
		if err := want("a wrong number", s.Store.Create(ctx, g), emergency.ErrConflict); err != nil {
			return fmt.Errorf("%d: %w", n, err)
		}
		_, err := s.Store.Get(ctx, clinic, g.ID)
		if err := want("reading it", err, emergency.ErrNotFound); err != nil {
			return err
		}
	}
	return nil
}

func updateKeeps(ctx context.Context, s Subject) error {
	g := grant(clinic, ana, 1)
	if err := add(ctx, s, g); err != nil {
		return err
	}
	g = filled(g)
	moved := g
	moved.Person, moved.Number, moved.Patient, moved.Opened = ben, 9, "p-2", g.Opened.Add(time.Second)
	return first(s.Store.Update(ctx, moved), expect(ctx, s, g))
}

func updateStale(ctx context.Context, s Subject) error {
	g := grant(clinic, ana, 1)
	if err := add(ctx, s, g); err != nil {
		return err
	}
	for _, v := range []int64{0, 1, 3} {
		stale := filled(g)
		stale.Version = v
		if err := want("another version", s.Store.Update(ctx, stale), emergency.ErrConflict); err != nil {
			return fmt.Errorf("%d: %w", v, err)
		}
	}
	return expect(ctx, s, g)
}

func cancelled(ctx context.Context, s Subject) error {
	g := grant(clinic, ana, 1)
	if err := add(ctx, s, g); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	failed := func(what string, err error) error {
		if err == nil {
			return fmt.Errorf("%s answered although its context had ended", what)
		}
		return nil
	}
	_, err := s.Store.Get(gone, clinic, g.ID)
	_, gerr := s.Relation.Grant(gone, clinic, ana, "p-1", g.Opened)
	_, oerr := s.Relation.Open(gone, clinic, ana, g.Opened)
	errs := []error{
		failed("Get", err), failed("Create", s.Store.Create(gone, grant(clinic, ana, 2))), failed("Update", s.Store.Update(gone, filled(g))),
		failed("Grant", gerr), failed("Open", oerr),
	}
	for _, err = range s.Store.Of(gone, clinic, ana, 0) {
		break
	}
	errs = append(errs, failed("Of", err))
	for _, err = range s.Store.List(gone, clinic, false, "") {
		break
	}
	return first(append(errs, failed("List", err), lists("all", s.Store.List(ctx, clinic, false, ""), g))...)
}
