package mfatest_test

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/mfa"
)

func attemptMutants() map[string]func() mfa.Store {
	advances := func(edit func(ctx context.Context, good *mfa.Memory, r mfa.Ref, step int64, now time.Time) (bool, error)) func() mfa.Store {
		return breaking(func(m *mutant, good *mfa.Memory) {
			var s serial
			m.advance = func(ctx context.Context, r mfa.Ref, step int64, now time.Time) (ok bool, err error) {
				s.do(func() { ok, err = edit(ctx, good, r, step, now) })
				return ok, err
			}
		})
	}
	fails := func(edit func(ctx context.Context, good *mfa.Memory, r mfa.Ref, limit int, now time.Time) (int, error)) func() mfa.Store {
		return breaking(func(m *mutant, good *mfa.Memory) {
			var s serial
			m.fail = func(ctx context.Context, r mfa.Ref, limit int, now time.Time) (n int, err error) {
				s.do(func() { n, err = edit(ctx, good, r, limit, now) })
				return n, err
			}
		})
	}
	return map[string]func() mfa.Store{
		"counted-advance": uncounted(true),
		"counted-fail":    uncounted(false),
		"advance-sets": advances(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, step int64, now time.Time) (bool, error) {
			return good.Advance(ctx, r, step, now.Add(time.Second))
		}),
		"advance-once": advances(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, step int64, now time.Time) (bool, error) {
			c, err := good.Get(ctx, r.Tenant, r.Person)
			if err == nil && c.ID == r.ID && c.Step == step {
				return true, nil
			}
			return good.Advance(ctx, r, step, now)
		}),
		"advance-forward": advances(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, step int64, now time.Time) (bool, error) {
			ok, err := good.Advance(ctx, r, step, now)
			c, e := good.Get(ctx, r.Tenant, r.Person)
			return ok || e == nil && c.ID == r.ID && step < c.Step, err
		}),
		"advance-enrolment": advances(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, step int64, now time.Time) (bool, error) {
			if c, err := good.Get(ctx, r.Tenant, r.Person); err == nil {
				r.ID = c.ID
			}
			return good.Advance(ctx, r, step, now)
		}),
		"advance-pending": advances(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, step int64, now time.Time) (bool, error) {
			c, err := good.Get(ctx, r.Tenant, r.Person)
			if err == nil && c.Confirmed.IsZero() {
				return true, nil
			}
			return good.Advance(ctx, r, step, now)
		}),
		"advance-locked": advances(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, step int64, now time.Time) (bool, error) {
			c, err := good.Get(ctx, r.Tenant, r.Person)
			if err == nil && !c.Locked.IsZero() {
				return true, nil
			}
			return good.Advance(ctx, r, step, now)
		}),
		"fail-counts": fails(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, limit int, now time.Time) (int, error) {
			c, err := good.Get(ctx, r.Tenant, r.Person)
			if err == nil && c.ID == r.ID && limit == 1000 && c.Failures == 5 { // one lost among many
				return c.Failures, nil
			}
			return good.Fail(ctx, r, limit, now)
		}),
		"fail-locks": fails(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, limit int, now time.Time) (int, error) {
			return good.Fail(ctx, r, limit+1, now)
		}),
		"fail-stops": fails(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, limit int, now time.Time) (int, error) {
			n, err := good.Fail(ctx, r, limit, now)
			if c, e := good.Get(ctx, r.Tenant, r.Person); e == nil && c.ID == r.ID && n == 0 {
				return c.Failures + 1, err
			}
			return n, err
		}),
		"fail-enrolment": fails(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, limit int, now time.Time) (int, error) {
			if c, err := good.Get(ctx, r.Tenant, r.Person); err == nil {
				r.ID = c.ID
			}
			return good.Fail(ctx, r, limit, now)
		}),
	}
}

// uncounted returns stores whose Advance or Fail can be overwritten by an update of what was
// read before it.
func uncounted(advance bool) func() mfa.Store {
	return breaking(func(m *mutant, good *mfa.Memory) {
		stale := map[mfa.Ref]int64{} // versions added behind the callers' backs
		var s serial
		if advance {
			m.advance = func(ctx context.Context, r mfa.Ref, step int64, now time.Time) (ok bool, err error) {
				s.do(func() {
					if ok, err = good.Advance(ctx, r, step, now); ok {
						stale[r]++
					}
				})
				return ok, err
			}
		} else {
			m.fail = func(ctx context.Context, r mfa.Ref, limit int, now time.Time) (n int, err error) {
				s.do(func() {
					if n, err = good.Fail(ctx, r, limit, now); n > 0 {
						stale[r]++
					}
				})
				return n, err
			}
		}
		m.apply = func(ctx context.Context, c mfa.Change) (err error) {
			s.do(func() {
				c.Version += stale[c.Was]
				err = good.Apply(ctx, c)
			})
			return err
		}
	})
}
