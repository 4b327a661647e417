package incidenttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit/incident"
)

func caseRules() []rule {
	return []rule{
		{Name: "get-missing", Clause: "Get of what is not there is ErrNotFound.", Run: getMissing},
		{Name: "round-trip", Clause: "Get returns what Apply wrote, every field, with the version Expect+1.", Run: roundTrip},
		{Name: "detached", Clause: "The store shares no memory with its callers.", Run: detached},
		{Name: "tenants-apart", Clause: "The same ID in another tenant is another case.", Run: tenantsApart},
		{Name: "create-once", Clause: "Of several creations at once one wins, the others are ErrConflict.", Run: createOnce},
		{Name: "update-once", Clause: "Of several updates of the same version one wins, the others are ErrConflict.", Run: updateOnce},
		{Name: "update-version", Clause: "An update of another version is ErrConflict and changes nothing.", Run: updateVersion},
		{Name: "update-missing", Clause: "An update of a missing case is ErrConflict and creates nothing.", Run: updateMissing},
		{Name: "numbers-dense", Clause: "New cases get their tenant's next number, dense from 1.", Run: numbersDense},
		{Name: "numbers-together", Clause: "Creations at once get numbers of their own.", Run: numbersTogether},
		{Name: "number-unused", Clause: "A refused creation uses up no number.", Run: numberUnused},
		{Name: "number-kept", Clause: "A case keeps its number, whatever Put says.", Run: numberKept},
		{Name: "cancelled", Clause: "A call whose context has ended fails and changes nothing.", Run: cancelled},
	}
}

func getMissing(ctx context.Context, s incident.Store) error {
	_, err := put(ctx, s, row(clinic, 1))
	return first(err, gone(ctx, s, clinic, id(9)))
}

func roundTrip(ctx context.Context, s incident.Store) error {
	r := row(clinic, 1)
	r.Version = 77
	r, err := put(ctx, s, r)
	if err := first(err, expect(ctx, s, r)); err != nil {
		return err
	}
	r.Active, r.Body = false, []byte("other")
	r, err = update(ctx, s, r, incident.Change{})
	return first(err, expect(ctx, s, r))
}

func detached(ctx context.Context, s incident.Store) error {
	r := row(clinic, 2)
	body := slices.Clone(r.Body)
	r, err := put(ctx, s, r)
	if err != nil {
		return err
	}
	r.Body[0] = 'X'
	for range 2 {
		have, err := s.Get(ctx, clinic, r.ID)
		if err != nil {
			return err
		}
		if string(have.Body) != string(body) {
			return fmt.Errorf("the body changed with a caller's copy")
		}
		have.Body[0] = 'Y'
	}
	return nil
}

func tenantsApart(ctx context.Context, s incident.Store) error {
	mine, err := put(ctx, s, row(clinic, 1))
	if err := first(err, gone(ctx, s, other, id(1))); err != nil {
		return err
	}
	theirs, err := put(ctx, s, row(other, 1))
	if err != nil {
		return err
	}
	theirs.Body = []byte("theirs")
	theirs, err = update(ctx, s, theirs, incident.Change{})
	return first(err, expect(ctx, s, mine), expect(ctx, s, theirs))
}

func createOnce(ctx context.Context, s incident.Store) error {
	won, err := together(crowd, incident.ErrConflict, func(int) error {
		_, err := s.Apply(ctx, incident.Change{Put: row(clinic, 7)})
		return err
	})
	return one("creations", won, err)
}

func one(what string, won int, err error) error {
	if err == nil && won != 1 {
		err = fmt.Errorf("%d %s won, want 1", won, what)
	}
	return err
}

func updateOnce(ctx context.Context, s incident.Store) error {
	r, err := put(ctx, s, row(clinic, 3))
	if err != nil {
		return err
	}
	won, err := together(crowd, incident.ErrConflict, func(i int) error {
		next := r
		next.Body = []byte(fmt.Sprint("by ", i))
		_, err := s.Apply(ctx, incident.Change{Put: next, Expect: 1})
		return err
	})
	return one("updates", won, err)
}

func updateVersion(ctx context.Context, s incident.Store) error {
	r, err := put(ctx, s, row(clinic, 1))
	if err != nil {
		return err
	}
	for _, version := range []int64{2, 5} {
		next := r
		next.Body = []byte("too late")
		_, err = s.Apply(ctx, incident.Change{Put: next, Expect: version})
		if err := first(want("another version", err, incident.ErrConflict), expect(ctx, s, r)); err != nil {
			return err
		}
	}
	return nil
}

func updateMissing(ctx context.Context, s incident.Store) error {
	_, err := s.Apply(ctx, incident.Change{Put: row(clinic, 1), Expect: 3})
	return first(want("an update of nothing", err, incident.ErrConflict), gone(ctx, s, clinic, id(1)))
}

func numbersDense(ctx context.Context, s incident.Store) error {
	for n := int64(1); n <= 3; n++ {
		r, err := put(ctx, s, row(clinic, int(10-n)))
		if err := first(err, expect(ctx, s, r)); err != nil {
			return err
		}
		if r.Number != n {
			return fmt.Errorf("case %d has the number %d", n, r.Number)
		}
	}
	r, err := put(ctx, s, row(other, 1))
	if err == nil && r.Number != 1 {
		err = fmt.Errorf("another tenant's first case has the number %d", r.Number)
	}
	return err
}

func numbersTogether(ctx context.Context, s incident.Store) error {
	numbers := make([]int64, crowd)
	won, err := together(crowd, nil, func(i int) (err error) {
		numbers[i], err = s.Apply(ctx, incident.Change{Put: row(clinic, 100+i)})
		return err
	})
	slices.Sort(numbers)
	for i, n := range numbers {
		if err == nil && n != int64(i+1) {
			err = fmt.Errorf("%d creations got the numbers %v", won, numbers)
		}
	}
	return err
}

func numberUnused(ctx context.Context, s incident.Store) error {
	if _, err := put(ctx, s, row(clinic, 1)); err != nil {
		return err
	}
	_, err := s.Apply(ctx, incident.Change{Put: row(clinic, 1)})
	r, perr := put(ctx, s, row(clinic, 2))
	if err := first(want("a second creation", err, incident.ErrConflict), perr); err != nil {
		return err
	}
	if r.Number != 2 {
		return fmt.Errorf("the second case has the number %d", r.Number)
	}
	return nil
}

func numberKept(ctx context.Context, s incident.Store) error {
	r := row(clinic, 4)
	r.Number = 40
	r, err := put(ctx, s, r)
	if err != nil {
		return err
	}
	next := r
	next.Number = 41
	n, err := s.Apply(ctx, incident.Change{Put: next, Expect: 1})
	if err == nil && n != 1 {
		err = fmt.Errorf("the number is %d, want 1", n)
	}
	r.Version = 2
	return first(err, expect(ctx, s, r))
}

func cancelled(ctx context.Context, s incident.Store) error {
	r, err := put(ctx, s, row(clinic, 1), incident.Line{Seq: 1, Body: []byte("a")})
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	next := r
	next.Body = []byte("never")
	_, aerr := s.Apply(over, incident.Change{Put: next, Expect: 1, Add: []incident.Person{person(1, "p")}})
	_, cerr := s.Apply(over, incident.Change{Put: row(clinic, 2)})
	_, gerr := s.Get(over, clinic, r.ID)
	_, lerr := all(s.List(over, clinic, false, incident.Newest))
	_, serr := all(s.Lines(over, clinic, r.ID, 0))
	_, perr := all(s.People(over, clinic, r.ID))
	for i, err := range []error{aerr, cerr, gerr, lerr, serr, perr} {
		if err == nil {
			return fmt.Errorf("call %d succeeded after its context had ended", i+1)
		}
	}
	return first(expect(ctx, s, r), gone(ctx, s, clinic, id(2)))
}
