package mfatest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/mfa"
)

func countedAdvance(ctx context.Context, s mfa.Store) error {
	return stale(ctx, s, func(c mfa.Credential) error {
		_, err := s.Advance(ctx, c.Ref(), c.Step+1, at(4))
		return err
	})
}

func countedFail(ctx context.Context, s mfa.Store) error {
	return stale(ctx, s, func(c mfa.Credential) error {
		_, err := s.Fail(ctx, c.Ref(), 100, at(4))
		return err
	})
}

// stale expects that write makes an update of the version before it a conflict.
func stale(ctx context.Context, s mfa.Store, write func(mfa.Credential) error) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	if err := write(c); err != nil {
		return err
	}
	change := update(c, func(c *mfa.Credential) { c.Failures = 0 })
	return want("updating what was read before", s.Apply(ctx, change), mfa.ErrConflict)
}

// attempt is one Advance with what it must report and leave behind.
func attempt(ctx context.Context, s mfa.Store, c mfa.Credential, r mfa.Ref, step int64, ok bool) error {
	have, err := s.Advance(ctx, r, step, at(4))
	if err != nil {
		return err
	}
	if have != ok {
		return fmt.Errorf("advancing reports %v, want %v", have, ok)
	}
	if ok {
		c.Step, c.Used, c.Failures = step, at(4), 0
		c.Version++
	}
	return expect(ctx, s, c)
}

func advanceSets(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	return attempt(ctx, s, c, c.Ref(), c.Step+1, true)
}

func advanceOnce(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	var won atomic.Int64
	err = together(crowd(), func(int) error {
		ok, err := s.Advance(ctx, c.Ref(), c.Step+1, at(4))
		if ok {
			won.Add(1)
		}
		return err
	})
	return first(err, one("advances to the same step", won.Load()))
}

func advanceForward(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	return attempt(ctx, s, c, c.Ref(), c.Step-1, false)
}

func advanceEnrolment(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	another := c.Ref()
	another.ID = "e-0"
	if err := attempt(ctx, s, c, another, c.Step+1, false); err != nil {
		return err
	}
	ok, err := s.Advance(ctx, mfa.Ref{Tenant: clinic, Person: diaz, ID: "e-1"}, c.Step+1, at(4))
	if ok || err != nil {
		return fmt.Errorf("advancing a missing row reports %v (%v)", ok, err)
	}
	return nil
}

func advancePending(ctx context.Context, s mfa.Store) error {
	c := sample(clinic, lin, "e-1")
	c.Confirmed = time.Time{}
	c, err := put(ctx, s, c)
	if err != nil {
		return err
	}
	return attempt(ctx, s, c, c.Ref(), c.Step+1, false)
}

func advanceLocked(ctx context.Context, s mfa.Store) error {
	c := sample(clinic, lin, "e-1")
	c.Locked = at(3)
	c, err := put(ctx, s, c)
	if err != nil {
		return err
	}
	return attempt(ctx, s, c, c.Ref(), c.Step+1, false)
}

func failCounts(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	counts := make([]int, crowd())
	err = together(len(counts), func(i int) error {
		n, err := s.Fail(ctx, c.Ref(), 1000, at(4))
		counts[i] = n
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(counts)
	for i, n := range counts {
		if n != c.Failures+1+i {
			return fmt.Errorf("%d calls counted to %v", len(counts), counts)
		}
	}
	return nil
}

func failLocks(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1")) // Failures 2
	if err != nil {
		return err
	}
	for i := range 2 {
		n, err := s.Fail(ctx, c.Ref(), 4, at(4+i))
		if err != nil || n != 3+i {
			return fmt.Errorf("a wrong code counts to %d, want %d (%v)", n, 3+i, err)
		}
		c.Failures, c.Version = n, c.Version+1
		if n == 4 {
			c.Locked = at(4 + i)
		}
		if err := expect(ctx, s, c); err != nil {
			return err
		}
	}
	return nil
}

func failStops(ctx context.Context, s mfa.Store) error {
	c := sample(clinic, lin, "e-1")
	c.Locked = at(3)
	c, err := put(ctx, s, c)
	if err != nil {
		return err
	}
	n, err := s.Fail(ctx, c.Ref(), 100, at(4))
	if err != nil || n != 0 {
		return fmt.Errorf("a wrong code for a locked row counts to %d, want 0 (%v)", n, err)
	}
	return expect(ctx, s, c)
}

func failEnrolment(ctx context.Context, s mfa.Store) error {
	c, err := put(ctx, s, sample(clinic, lin, "e-1"))
	if err != nil {
		return err
	}
	for _, r := range []mfa.Ref{{Tenant: clinic, Person: lin, ID: "e-0"}, {Tenant: clinic, Person: diaz, ID: "e-1"}} {
		n, err := s.Fail(ctx, r, 100, at(4))
		if err != nil || n != 0 {
			return fmt.Errorf("a wrong code for another enrolment counts to %d, want 0 (%v)", n, err)
		}
	}
	return first(expect(ctx, s, c), gone(ctx, s, clinic, diaz))
}
