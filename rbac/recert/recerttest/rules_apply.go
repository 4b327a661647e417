package recerttest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/recert"
)

func applyRules() []rule {
	return []rule{
		{Name: "create-once", Clause: "Of several new campaigns with one ID at once one is created; the others are ErrConflict.", Run: createOnce},
		{Name: "update-once", Clause: "Of several changes of the same version at once one succeeds; the others are ErrConflict.", Run: updateOnce},
		{Name: "apply-seen", Clause: "Once Apply has returned nil, every read that begins afterwards sees it.", Run: applySeen},
	}
}

func refusedRules() []rule {
	return []rule{
		{Name: "create-taken", Clause: "A new campaign whose ID is taken is ErrConflict, and nothing changes.", Run: createTaken},
		{Name: "create-elsewhere", Clause: "So it is if another tenant has the ID.", Run: createElsewhere},
		{Name: "update-version", Clause: "A change of another version is ErrConflict, and nothing changes.", Run: updateVersion},
		{Name: "update-items", Clause: "A refused change stores no item.", Run: updateItems},
		{Name: "update-missing", Clause: "A change of a campaign that is not there is ErrConflict, and nothing changes.", Run: updateMissing},
		{Name: "update-apart", Clause: "So it is of another tenant's.", Run: updateApart},
		{Name: "ended-writes", Clause: "A write whose context has ended is an error, and nothing changes.", Run: endedWrites},
	}
}

func createOnce(ctx context.Context, s recert.Store) error {
	won, err := together(crowd, func(i int) error {
		c := plain(clinic, 7)
		if i%2 == 1 {
			c.Tenant = other
		}
		c.Spec.Name = fmt.Sprint(i)
		return s.Apply(ctx, recert.Write{Campaign: c, Items: some(2)})
	})
	if err != nil || won != 1 {
		return fmt.Errorf("%d of %d were created: %w", won, crowd, errors.Join(err))
	}
	for _, t := range []audit.Tenant{clinic, other} {
		for c, err := range s.List(ctx, t, "") {
			if err = first(err, holds(ctx, s, c, recert.ItemFilter{}, some(2)...)); err != nil {
				return err
			}
		}
	}
	return nil
}

func updateOnce(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 3), some(crowd)...)
	if err != nil {
		return err
	}
	won, err := together(crowd, func(i int) error {
		mine, decided := c, small(int64(i+1))
		mine.Spec.Name, decided.State = fmt.Sprint(i), recert.ItemClosed
		return s.Apply(ctx, recert.Write{Campaign: mine, Expect: 1, Items: []recert.Item{decided}})
	})
	if err != nil || won != 1 {
		return fmt.Errorf("%d of %d changed the same version: %w", won, crowd, errors.Join(err))
	}
	have, err := s.Get(ctx, clinic, c.ID)
	closed, cerr := all(s.Items(ctx, clinic, c.ID, recert.ItemFilter{States: []recert.ItemState{recert.ItemClosed}}))
	if err = first(err, cerr); err != nil {
		return err
	}
	if have.Version != 2 || len(closed) != 1 || fmt.Sprint(closed[0].Seq-1) != have.Spec.Name {
		return fmt.Errorf("version %d and %d items of who did not win", have.Version, len(closed))
	}
	return nil
}

func applySeen(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 4), some(1)...)
	for n := range 5 {
		if err = first(err, expect(ctx, s, c), lists("the list", s.List(ctx, clinic, ""), c), lists("the active", s.Active(ctx), c)); err != nil {
			return err
		}
		i := small(1)
		i.Due, c.Due = at(40+n), at(40+n)
		if c, err = update(ctx, s, c, i); err == nil {
			err = holds(ctx, s, c, recert.ItemFilter{}, i)
		}
	}
	return err
}

// never is a change that must not be made of anything.
func never(c recert.Campaign, expect int64) recert.Write {
	c.Spec.Name, c.Active = "never", false
	return recert.Write{Campaign: c, Expect: expect}
}

func createTaken(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1))
	if err != nil {
		return err
	}
	return first(refused("a taken ID", s.Apply(ctx, never(c, 0)), recert.ErrConflict), expect(ctx, s, c))
}

func createElsewhere(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1))
	if err != nil {
		return err
	}
	theirs := c
	theirs.Tenant = other
	return first(refused("an ID of another tenant", s.Apply(ctx, never(theirs, 0)), recert.ErrConflict), expect(ctx, s, c),
		lists("the other's", s.List(ctx, other, "")))
}

func updateVersion(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1))
	if err == nil {
		c, err = update(ctx, s, c)
	}
	if err != nil {
		return err
	}
	for _, v := range []int64{1, 3, 9} {
		if err := first(refused(fmt.Sprint("version ", v), s.Apply(ctx, never(c, v)), recert.ErrConflict), expect(ctx, s, c)); err != nil {
			return err
		}
	}
	return nil
}

func updateItems(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1), some(2)...)
	if err != nil {
		return err
	}
	forged, added := small(1), small(3)
	forged.State = recert.ItemClosed
	for _, v := range []int64{0, 2} {
		w := never(c, v)
		w.Items = []recert.Item{forged, added}
		if err := first(refused("a refused change", s.Apply(ctx, w), recert.ErrConflict), holds(ctx, s, c, recert.ItemFilter{}, some(2)...)); err != nil {
			return err
		}
	}
	return nil
}

func updateMissing(ctx context.Context, s recert.Store) error {
	w := never(plain(clinic, 1), 3)
	w.Items = some(1)
	err := refused("a campaign that is not there", s.Apply(ctx, w), recert.ErrConflict)
	_, gerr := s.Get(ctx, clinic, id(1))
	return first(err, refused("reading it", gerr, recert.ErrNotFound), holds(ctx, s, w.Campaign, recert.ItemFilter{}))
}

func updateApart(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1), some(1)...)
	if err != nil {
		return err
	}
	theirs := c
	theirs.Tenant = other
	w := never(theirs, 1)
	w.Items = some(2)
	return first(refused("another tenant's", s.Apply(ctx, w), recert.ErrConflict), expect(ctx, s, c), holds(ctx, s, c, recert.ItemFilter{}, some(1)...),
		holds(ctx, s, theirs, recert.ItemFilter{}))
}

func endedWrites(ctx context.Context, s recert.Store) error {
	c, err := create(ctx, s, plain(clinic, 1))
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if s.Apply(ended, never(c, 1)) == nil || s.Apply(ended, recert.Write{Campaign: plain(clinic, 2)}) == nil {
		return errors.New("a write whose context had ended was acknowledged")
	}
	_, gerr := s.Get(ctx, clinic, id(2))
	return first(expect(ctx, s, c), refused("reading what was not written", gerr, recert.ErrNotFound))
}
