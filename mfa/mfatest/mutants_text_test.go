package mfatest_test

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// textMutant is a good store with one method about numbers replaced.
type textMutant struct {
	*mfa.Memory
	number func(context.Context, audit.Tenant, audit.ActorID) (mfa.Number, error)
	change func(context.Context, mfa.NumberChange) error
	whole  func(context.Context, mfa.Change) error
	try    func(context.Context, mfa.Ref, string, int, int, time.Time) (int, error)
	burn   func(context.Context, mfa.Ref, string, time.Time) (bool, error)
}

func (m *textMutant) Number(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Number, error) {
	return m.number(ctx, t, p)
}

func (m *textMutant) ApplyNumber(ctx context.Context, c mfa.NumberChange) error {
	return m.change(ctx, c)
}

func (m *textMutant) Apply(ctx context.Context, c mfa.Change) error { return m.whole(ctx, c) }

func (m *textMutant) TryText(ctx context.Context, r mfa.Ref, code string, tries, failures int, now time.Time) (int, error) {
	return m.try(ctx, r, code, tries, failures, now)
}

func (m *textMutant) BurnText(ctx context.Context, r mfa.Ref, code string, now time.Time) (bool, error) {
	return m.burn(ctx, r, code, now)
}

// breakingTexts returns how to open stores that break breaks.
func breakingTexts(breaks func(m *textMutant, good *mfa.Memory)) func() mfa.Store {
	return func() mfa.Store {
		good := mfa.NewMemory()
		m := &textMutant{good, good.Number, good.ApplyNumber, good.Apply, good.TryText, good.BurnText}
		breaks(m, good)
		return m
	}
}

// changing returns stores whose ApplyNumber is edit, one at a time.
func changing(edit func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error) func() mfa.Store {
	return breakingTexts(func(m *textMutant, good *mfa.Memory) {
		var s serial
		m.change = func(ctx context.Context, c mfa.NumberChange) (err error) {
			s.do(func() { err = edit(ctx, good, c) })
			return err
		}
	})
}

// has returns the row of a change.
func has(good *mfa.Memory, r mfa.Ref) (mfa.Number, bool) {
	n, err := good.Number(context.Background(), r.Tenant, r.Person)
	return n, err == nil
}

func numberMutants() map[string]func() mfa.Store {
	return map[string]func() mfa.Store{
		"number-missing": breakingTexts(func(m *textMutant, good *mfa.Memory) {
			m.number = func(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Number, error) {
				n, err := good.Number(ctx, t, p)
				if errors.Is(err, mfa.ErrNotFound) && p == "p-nobody" {
					return mfa.Number{}, nil
				}
				return n, err
			}
		}),
		"number-round-trip": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			if c.Put != nil && c.Put.Version == 77 { // takes the caller's version
				put := *c.Put
				put.Failures = 1
				c.Put = &put
			}
			return good.ApplyNumber(ctx, c)
		}),
		"number-detached": breakingTexts(func(m *textMutant, good *mfa.Memory) {
			var s serial
			var shared []byte
			m.change = func(ctx context.Context, c mfa.NumberChange) error {
				if c.Put != nil {
					s.do(func() { shared = c.Put.Next })
				}
				return good.ApplyNumber(ctx, c)
			}
			m.number = func(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Number, error) {
				n, err := good.Number(ctx, t, p)
				s.do(func() {
					if err == nil && n.ID == "n-1" && n.Version == 1 && len(n.Next) > 0 && t == "clinic" && p == "p-lin" && string(n.Next) != string(shared) {
						n.Next = shared
					}
				})
				return n, err
			}
		}),
		"number-create-once": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error { // an upsert
			err := good.ApplyNumber(ctx, c)
			if errors.Is(err, mfa.ErrConflict) && c.Was.ID == "" && c.Put != nil {
				return nil
			}
			return err
		}),
		"number-update-once": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			err := good.ApplyNumber(ctx, c)
			if have, ok := has(good, c.Was); ok && err != nil && c.Put != nil && have.ID == c.Was.ID && have.CodeID != "c-1" && have.CodeID != "" {
				return nil
			}
			return err
		}),
		"number-update-other": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			if have, ok := has(good, c.Was); ok && c.Put != nil && c.Was.ID == "n-0" {
				c.Was.ID = have.ID
			}
			return good.ApplyNumber(ctx, c)
		}),
		"number-update-missing": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			if _, ok := has(good, c.Was); !ok && c.Put != nil {
				c.Was.ID, c.Version = "", 0
			}
			return good.ApplyNumber(ctx, c)
		}),
		"number-delete": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			if have, ok := has(good, c.Was); ok && c.Put == nil && have.Version == c.Version {
				return nil
			}
			return good.ApplyNumber(ctx, c)
		}),
		"number-delete-version": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			if have, ok := has(good, c.Was); ok && c.Put == nil {
				c.Version = have.Version
			}
			return good.ApplyNumber(ctx, c)
		}),
		"number-delete-missing": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			if _, ok := has(good, c.Was); !ok && c.Put == nil {
				return nil
			}
			return good.ApplyNumber(ctx, c)
		}),
		"number-messages": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			c.Due = c.Due.Add(-time.Minute)
			return good.ApplyNumber(ctx, c)
		}),
		"number-all-or-nothing": changing(func(ctx context.Context, good *mfa.Memory, c mfa.NumberChange) error {
			err := good.ApplyNumber(ctx, c)
			if errors.Is(err, mfa.ErrConflict) {
				extra := mfa.Number{ID: "n-extra"}
				_ = good.ApplyNumber(ctx, mfa.NumberChange{Was: mfa.Ref{Tenant: c.Was.Tenant, Person: "extra"}, Put: &extra, Messages: c.Messages, Due: c.Due})
			}
			return err
		}),
		"number-tenants-apart": breakingTexts(func(m *textMutant, good *mfa.Memory) {
			m.number = func(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Number, error) {
				n, err := good.Number(ctx, t, p)
				if clinics, e := good.Number(ctx, "clinic", p); err != nil && t == "other-clinic" && e == nil {
					return clinics, nil
				}
				return n, err
			}
		}),
		"number-with-change": breakingTexts(func(m *textMutant, good *mfa.Memory) {
			m.whole = func(ctx context.Context, c mfa.Change) error {
				if c.Number != nil && c.Version == 0 {
					c.Number = nil
				}
				return good.Apply(ctx, c)
			}
		}),
		"number-with-conflict": breakingTexts(func(m *textMutant, good *mfa.Memory) {
			m.whole = func(ctx context.Context, c mfa.Change) error {
				err := good.Apply(ctx, c)
				if errors.Is(err, mfa.ErrConflict) && c.Number != nil {
					c.Number = nil
					_ = good.Apply(ctx, c)
				}
				return err
			}
		}),
		"number-with-end": breakingTexts(func(m *textMutant, good *mfa.Memory) {
			m.whole = func(ctx context.Context, c mfa.Change) error {
				n, ok := has(good, c.Was)
				err := good.Apply(ctx, c)
				if ok && err == nil && c.Put == nil && c.Number == nil { // left behind
					_ = good.ApplyNumber(ctx, mfa.NumberChange{Was: mfa.Ref{Tenant: n.Tenant, Person: n.Person}, Put: &n})
				}
				return err
			}
		}),
		"number-cancelled": breakingTexts(func(m *textMutant, good *mfa.Memory) {
			m.burn = func(ctx context.Context, r mfa.Ref, code string, now time.Time) (bool, error) {
				return good.BurnText(context.WithoutCancel(ctx), r, code, now)
			}
		}),
	}
}
