package supporttest

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/rbac/support"
)

func rowRules() []rule {
	return []rule{
		{Name: "get-missing", Clause: "Get of what is not there is ErrNotFound.", Run: getMissing},
		{Name: "round-trip", Clause: "Get returns what Apply wrote, every field, with the version expect+1.", Run: roundTrip},
		{Name: "detached", Clause: "The store shares no memory with its callers.", Run: detached},
		{Name: "tenants-apart", Clause: "The same ID in another tenant is another access.", Run: tenantsApart},
		{Name: "create-once", Clause: "Of several creations at once one wins, the others are ErrConflict.", Run: createOnce},
		{Name: "update-once", Clause: "Of several updates of the same version one wins, the others are ErrConflict.", Run: updateOnce},
		{Name: "update-version", Clause: "An update of another version is ErrConflict and changes nothing.", Run: updateVersion},
		{Name: "update-missing", Clause: "An update of a missing access is ErrConflict and creates nothing.", Run: updateMissing},
		{Name: "operator-kept", Clause: "A row keeps its Operator, whatever it says later.", Run: operatorKept},
		{Name: "one-open", Clause: "A new one that is Open while another of the same tenant and operator is: ErrOpen.", Run: oneOpen},
		{Name: "one-open-each", Clause: "Operators, platforms and tenants do not stand in each other's way.", Run: oneOpenEach},
		{Name: "open-again", Clause: "Once the open one is closed, there is room for the next.", Run: openAgain},
		{Name: "open-once", Clause: "Of several new open rows at once one succeeds, the others are ErrOpen.", Run: openOnce},
		{Name: "closed-stays", Clause: "A row that is not Open is never opened again: ErrConflict.", Run: closedStays},
		{Name: "open-found", Clause: "Open returns the operator's open row in the tenant.", Run: openFound},
		{Name: "open-none", Clause: "Open without an open row is ErrNotFound.", Run: openNone},
		{Name: "cancelled", Clause: "A call whose context has ended fails and changes nothing.", Run: cancelled},
	}
}

func getMissing(ctx context.Context, s support.Store) error {
	return first(put(ctx, s, row(clinic, 1, noor())), gone(ctx, s, clinic, id(9)))
}

func roundTrip(ctx context.Context, s support.Store) error {
	r := row(clinic, 1, noor())
	r.Version, r.Active = 77, true
	if err := first(put(ctx, s, r), expect(ctx, s, stored(r, 1))); err != nil {
		return err
	}
	r.Active, r.Body = false, []byte("other")
	return first(s.Apply(ctx, r, 1), expect(ctx, s, stored(r, 2)))
}

func detached(ctx context.Context, s support.Store) error {
	r := row(clinic, 2, noor())
	body := string(r.Body)
	if err := put(ctx, s, r); err != nil {
		return err
	}
	r.Body[0] = 'X'
	for range 2 {
		have, err := s.Get(ctx, clinic, r.ID)
		if err != nil {
			return err
		}
		if string(have.Body) != body {
			return fmt.Errorf("the body changed with a caller's copy")
		}
		have.Body[0] = 'Y'
	}
	return nil
}

func tenantsApart(ctx context.Context, s support.Store) error {
	mine, theirs := row(clinic, 1, noor()), row(other, 1, omar())
	if err := first(put(ctx, s, mine), gone(ctx, s, other, id(1)), put(ctx, s, theirs)); err != nil {
		return err
	}
	theirs.Body = []byte("theirs")
	return first(s.Apply(ctx, theirs, 1), expect(ctx, s, stored(mine, 1)), expect(ctx, s, stored(theirs, 2)))
}

func createOnce(ctx context.Context, s support.Store) error {
	return one("creations", support.ErrConflict, func(int) error { return s.Apply(ctx, row(clinic, 7, noor()), 0) })
}

func updateOnce(ctx context.Context, s support.Store) error {
	r := row(clinic, 3, noor())
	if err := put(ctx, s, r); err != nil {
		return err
	}
	return one("updates", support.ErrConflict, func(i int) error {
		next := r
		next.Body = []byte(fmt.Sprint("by ", i))
		return s.Apply(ctx, next, 1)
	})
}

func updateVersion(ctx context.Context, s support.Store) error {
	r := row(clinic, 1, noor())
	if err := put(ctx, s, r); err != nil {
		return err
	}
	for _, version := range []int64{2, 5} {
		next := r
		next.Body = []byte("too late")
		err := s.Apply(ctx, next, version)
		if err := first(want("another version", err, support.ErrConflict), expect(ctx, s, stored(r, 1))); err != nil {
			return err
		}
	}
	return nil
}

func updateMissing(ctx context.Context, s support.Store) error {
	err := s.Apply(ctx, row(clinic, 1, noor()), 3)
	return first(want("an update of nothing", err, support.ErrConflict), gone(ctx, s, clinic, id(1)))
}

func operatorKept(ctx context.Context, s support.Store) error {
	r := row(clinic, 1, noor())
	if err := put(ctx, s, r); err != nil {
		return err
	}
	next := r
	next.Operator = omar()
	return first(s.Apply(ctx, next, 1), expect(ctx, s, stored(r, 2)))
}

func oneOpen(ctx context.Context, s support.Store) error {
	r := opened(clinic, 1, noor())
	if err := put(ctx, s, r, row(clinic, 2, noor())); err != nil {
		return err
	}
	err := s.Apply(ctx, opened(clinic, 3, noor()), 0)
	return first(want("a second open access", err, support.ErrOpen), gone(ctx, s, clinic, id(3)), expect(ctx, s, stored(r, 1)))
}

func oneOpenEach(ctx context.Context, s support.Store) error {
	rows := []support.Row{opened(clinic, 1, noor()), opened(clinic, 2, omar()), opened(clinic, 3, another()), opened(other, 4, noor())}
	if err := put(ctx, s, rows...); err != nil {
		return err
	}
	for _, r := range rows {
		if err := expect(ctx, s, stored(r, 1)); err != nil {
			return err
		}
	}
	return nil
}

func openAgain(ctx context.Context, s support.Store) error {
	r := opened(clinic, 1, noor())
	if err := put(ctx, s, r); err != nil {
		return err
	}
	r.Open = false
	return first(s.Apply(ctx, r, 1), put(ctx, s, opened(clinic, 2, noor())))
}

func openOnce(ctx context.Context, s support.Store) error {
	return one("openings", support.ErrOpen, func(i int) error { return s.Apply(ctx, opened(clinic, 100+i, noor()), 0) })
}

func closedStays(ctx context.Context, s support.Store) error {
	r := opened(clinic, 1, noor())
	if err := put(ctx, s, r); err != nil {
		return err
	}
	shut := r
	shut.Open = false
	if err := s.Apply(ctx, shut, 1); err != nil {
		return err
	}
	return first(want("opening again", s.Apply(ctx, r, 2), support.ErrConflict), expect(ctx, s, stored(shut, 2)))
}

func openFound(ctx context.Context, s support.Store) error {
	r := opened(clinic, 2, noor())
	err := put(ctx, s, row(clinic, 1, noor()), r, opened(clinic, 3, omar()), opened(other, 4, noor()), row(clinic, 5, noor()), opened(clinic, 6, another()))
	if err != nil {
		return err
	}
	have, err := s.Open(ctx, clinic, noor())
	if err == nil && (have.ID != r.ID || have.Tenant != clinic || have.Version != 1 || string(have.Body) != string(r.Body) || have.Operator != noor() || !have.Open) {
		err = fmt.Errorf("the open access is %+v, want %+v", have, r)
	}
	return err
}

func openNone(ctx context.Context, s support.Store) error {
	if err := put(ctx, s, row(clinic, 1, noor()), opened(clinic, 2, omar()), opened(other, 3, noor()), opened(clinic, 4, another())); err != nil {
		return err
	}
	_, err := s.Open(ctx, clinic, noor())
	return want("an open access of nobody", err, support.ErrNotFound)
}

func cancelled(ctx context.Context, s support.Store) error {
	r := opened(clinic, 1, noor())
	if err := put(ctx, s, r); err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	next := r
	next.Body = []byte("never")
	_, gerr := s.Get(over, clinic, r.ID)
	_, oerr := s.Open(over, clinic, noor())
	errs := []error{s.Apply(over, next, 1), s.Apply(over, row(clinic, 2, noor()), 0), gerr, oerr}
	var lerr, aerr error
	for _, lerr = range s.List(over, support.Query{Tenant: clinic}, "") {
	}
	for _, aerr = range s.Active(over) {
	}
	for i, err := range append(errs, lerr, aerr) {
		if err == nil {
			return fmt.Errorf("call %d succeeded after its context had ended", i+1)
		}
	}
	return first(expect(ctx, s, stored(r, 1)), gone(ctx, s, clinic, id(2)))
}
