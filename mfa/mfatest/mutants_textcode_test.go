package mfatest_test

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/mfa"
)

// tries returns stores whose TryText is edit, one at a time.
func tries(edit func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error)) func() mfa.Store {
	return breakingTexts(func(m *textMutant, good *mfa.Memory) {
		var s serial
		m.try = func(ctx context.Context, r mfa.Ref, code string, tries, failures int, now time.Time) (n int, err error) {
			s.do(func() { n, err = edit(ctx, good, r, code, tries, failures, now) })
			return n, err
		}
	})
}

// burns returns stores whose BurnText is edit, one at a time.
func burns(edit func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, now time.Time) (bool, error)) func() mfa.Store {
	return breakingTexts(func(m *textMutant, good *mfa.Memory) {
		var s serial
		m.burn = func(ctx context.Context, r mfa.Ref, code string, now time.Time) (ok bool, err error) {
			s.do(func() { ok, err = edit(ctx, good, r, code, now) })
			return ok, err
		}
	})
}

func textCodeMutants() map[string]func() mfa.Store {
	return map[string]func() mfa.Store{
		"try-counts": tries(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
			n, err := good.TryText(ctx, r, code, tries, failures, now)
			if have, ok := has(good, r); ok && n == 3 && tries == 5 { // notes it as used as well
				c := have
				c.Used = now
				_ = good.ApplyNumber(ctx, mfa.NumberChange{Was: have.Ref(), Version: have.Version, Put: &c})
			}
			return n, err
		}),
		"try-crowd": tries(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
			if tries == 6 {
				tries = 7
			}
			return good.TryText(ctx, r, code, tries, failures, now)
		}),
		"try-failures": tries(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
			return good.TryText(ctx, r, code, tries, failures+1, now)
		}),
		"try-other": tries(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
			if have, ok := has(good, r); ok {
				r.ID = have.ID
			}
			return good.TryText(ctx, r, code, tries, failures, now)
		}),
		"try-expired": tries(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
			return good.TryText(ctx, r, code, tries, failures, now.Add(-time.Microsecond))
		}),
		"try-locked": tries(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
			n, err := good.TryText(ctx, r, code, tries, failures, now)
			if have, ok := has(good, r); ok && !have.Locked.IsZero() && have.ID == r.ID {
				return have.Failures + 1, err
			}
			return n, err
		}),
		"try-counted": staleTexts(true),
		"burn-sets": burns(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, now time.Time) (bool, error) {
			return good.BurnText(ctx, r, code, now.Add(time.Second))
		}),
		"burn-once": burns(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, now time.Time) (bool, error) {
			ok, err := good.BurnText(ctx, r, code, now)
			if have, there := has(good, r); there && have.ID == r.ID && have.CodeID == "" {
				return true, err
			}
			return ok, err
		}),
		"burn-other": burns(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, now time.Time) (bool, error) {
			if have, ok := has(good, r); ok && have.ID == r.ID && have.CodeID != "" {
				code = have.CodeID
			}
			return good.BurnText(ctx, r, code, now)
		}),
		"burn-locked": burns(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, code string, now time.Time) (bool, error) {
			ok, err := good.BurnText(ctx, r, code, now)
			have, there := has(good, r)
			return ok || there && !have.Locked.IsZero(), err
		}),
		"burn-counted": staleTexts(false),
	}
}

// staleTexts returns stores whose TryText or BurnText can be overwritten by an update of what was
// read before it.
func staleTexts(try bool) func() mfa.Store {
	return breakingTexts(func(m *textMutant, good *mfa.Memory) {
		var s serial
		hidden := map[mfa.Ref]int64{} // versions added behind the callers' backs
		m.try = func(ctx context.Context, r mfa.Ref, code string, tries, failures int, now time.Time) (n int, err error) {
			s.do(func() {
				if n, err = good.TryText(ctx, r, code, tries, failures, now); n > 0 && try {
					hidden[r]++
				}
			})
			return n, err
		}
		m.burn = func(ctx context.Context, r mfa.Ref, code string, now time.Time) (ok bool, err error) {
			s.do(func() {
				if ok, err = good.BurnText(ctx, r, code, now); ok && !try {
					hidden[r]++
				}
			})
			return ok, err
		}
		m.change = func(ctx context.Context, c mfa.NumberChange) (err error) {
			s.do(func() {
				if err = good.ApplyNumber(ctx, c); errors.Is(err, mfa.ErrConflict) {
					c.Version += hidden[c.Was]
					err = good.ApplyNumber(ctx, c)
				}
			})
			return err
		}
	})
}
