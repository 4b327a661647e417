package mfatest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// keyMutant is a good store with one method about passkeys replaced.
type keyMutant struct {
	*mfa.Memory
	apply    func(context.Context, mfa.Change) error
	passkeys func(context.Context, audit.Tenant, audit.ActorID) ([]mfa.PasskeyRow, error)
	find     func(context.Context, audit.Tenant, []byte) (mfa.PasskeyRow, error)
	use      func(context.Context, mfa.Ref, uint32, bool, time.Time) (bool, error)
}

func (m *keyMutant) Apply(ctx context.Context, c mfa.Change) error { return m.apply(ctx, c) }

func (m *keyMutant) Passkeys(ctx context.Context, t audit.Tenant, p audit.ActorID) ([]mfa.PasskeyRow, error) {
	return m.passkeys(ctx, t, p)
}

func (m *keyMutant) FindPasskey(ctx context.Context, t audit.Tenant, hash []byte) (mfa.PasskeyRow, error) {
	return m.find(ctx, t, hash)
}

func (m *keyMutant) UsePasskey(ctx context.Context, r mfa.Ref, n uint32, backedUp bool, now time.Time) (bool, error) {
	return m.use(ctx, r, n, backedUp, now)
}

func keyBreaking(breaks func(m *keyMutant, good *mfa.Memory)) func() mfa.Store {
	return func() mfa.Store {
		good := mfa.NewMemory()
		m := &keyMutant{good, good.Apply, good.Passkeys, good.FindPasskey, good.UsePasskey}
		breaks(m, good)
		return m
	}
}

// rowOf returns a person's passkey.
func rowOf(good *mfa.Memory, r mfa.Ref) (mfa.PasskeyRow, bool) {
	rows, _ := good.Passkeys(context.Background(), r.Tenant, r.Person)
	i := slices.IndexFunc(rows, func(p mfa.PasskeyRow) bool { return p.ID == r.ID })
	if i < 0 {
		return mfa.PasskeyRow{}, false
	}
	return rows[i], true
}

func passkeyMutants() map[string]func() mfa.Store {
	all := map[string]func() mfa.Store{}
	for _, some := range []map[string]func() mfa.Store{keyRowMutants(), keyChangeMutants(), keyUseMutants()} {
		for name, open := range some {
			all[name] = open
		}
	}
	return all
}

func keyRowMutants() map[string]func() mfa.Store {
	return map[string]func() mfa.Store{
		"passkey-round-trip": keyBreaking(func(m *keyMutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				for i, p := range c.Passkeys {
					if p.Put != nil && p.Version == 1 && !p.Put.Disabled.IsZero() { // forgets that it is disabled
						put := *p.Put
						put.Disabled = time.Time{}
						c.Passkeys = slices.Clone(c.Passkeys)
						c.Passkeys[i].Put = &put
					}
				}
				return good.Apply(ctx, c)
			}
		}),
		"passkey-detached": keyBreaking(func(m *keyMutant, good *mfa.Memory) {
			shared := map[string][]byte{}
			var s serial
			m.find = func(ctx context.Context, t audit.Tenant, hash []byte) (mfa.PasskeyRow, error) {
				p, err := good.FindPasskey(ctx, t, hash)
				s.do(func() {
					if key := string(hash); err == nil && p.ID == "k-1" && p.Version == 1 && p.Count == 7 && t == "clinic" {
						if shared[key] == nil {
							shared[key] = p.Sealed
						}
						p.Sealed = shared[key]
					}
				})
				return p, err
			}
		}),
		"passkey-order": keyBreaking(func(m *keyMutant, good *mfa.Memory) {
			m.passkeys = func(ctx context.Context, t audit.Tenant, p audit.ActorID) ([]mfa.PasskeyRow, error) {
				rows, err := good.Passkeys(ctx, t, p)
				if len(rows) == 3 {
					slices.Reverse(rows)
				}
				return rows, err
			}
		}),
		"passkey-find": keyBreaking(func(m *keyMutant, good *mfa.Memory) {
			m.find = func(ctx context.Context, t audit.Tenant, hash []byte) (mfa.PasskeyRow, error) {
				p, err := good.FindPasskey(ctx, t, hash)
				if errors.Is(err, mfa.ErrNotFound) && bytes.Equal(hash, []byte("hash k-")) {
					return mfa.PasskeyRow{}, nil
				}
				return p, err
			}
		}),
	}
}

func keyChangeMutants() map[string]func() mfa.Store {
	applies := func(edit func(ctx context.Context, good *mfa.Memory, c mfa.Change) error) func() mfa.Store {
		return keyBreaking(func(m *keyMutant, good *mfa.Memory) {
			var s serial
			m.apply = func(ctx context.Context, c mfa.Change) (err error) {
				s.do(func() { err = edit(ctx, good, c) })
				return err
			}
		})
	}
	// retried is good.Apply and, after a conflict, without the passkeys that were refused.
	retried := func(ctx context.Context, good *mfa.Memory, c mfa.Change, refused func(mfa.PasskeyChange) bool) error {
		err := good.Apply(ctx, c)
		if errors.Is(err, mfa.ErrConflict) && len(c.Passkeys) == 1 && refused(c.Passkeys[0]) {
			return nil
		}
		return err
	}
	return map[string]func() mfa.Store{
		"passkey-add-once": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			return retried(ctx, good, c, func(p mfa.PasskeyChange) bool {
				_, there := rowOf(good, mfa.Ref{Tenant: c.Was.Tenant, Person: c.Was.Person, ID: p.ID})
				return p.Version == 0 && there
			})
		}),
		"passkey-hash-once": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			return retried(ctx, good, c, func(p mfa.PasskeyChange) bool {
				_, there := rowOf(good, mfa.Ref{Tenant: c.Was.Tenant, Person: c.Was.Person, ID: p.ID})
				return p.Version == 0 && c.Version == 0 && !there
			})
		}),
		"passkey-hash-tenant": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			for _, p := range c.Passkeys {
				if p.Put == nil || p.Version != 0 || c.Was.Tenant != "other-clinic" {
					continue
				}
				if _, err := good.FindPasskey(ctx, "clinic", p.Put.Hash); err == nil {
					return mfa.ErrConflict
				}
			}
			return good.Apply(ctx, c)
		}),
		"passkey-version": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			c.Passkeys = slices.Clone(c.Passkeys)
			for i, p := range c.Passkeys {
				if have, ok := rowOf(good, mfa.Ref{Tenant: c.Was.Tenant, Person: c.Was.Person, ID: p.ID}); ok && p.Version > have.Version {
					c.Passkeys[i].Version = have.Version
				}
			}
			return good.Apply(ctx, c)
		}),
		"passkey-owner": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			return retried(ctx, good, c, func(p mfa.PasskeyChange) bool {
				_, theirs := rowOf(good, mfa.Ref{Tenant: c.Was.Tenant, Person: "p-lin", ID: p.ID})
				return p.Version > 0 && theirs && c.Was.Person == "p-diaz"
			})
		}),
		"passkey-missing": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			return retried(ctx, good, c, func(p mfa.PasskeyChange) bool {
				rows, _ := good.Passkeys(ctx, c.Was.Tenant, "p-lin")
				return p.Version > 0 && len(rows) == 0
			})
		}),
		"passkey-hash-stays": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			c.Passkeys = slices.Clone(c.Passkeys)
			for i, p := range c.Passkeys { // forgets what cannot be
				have, ok := rowOf(good, mfa.Ref{Tenant: c.Was.Tenant, Person: c.Was.Person, ID: p.ID})
				if ok && p.Put != nil && p.Version > 0 && !bytes.Equal(have.Hash, p.Put.Hash) {
					put := *p.Put
					put.Hash = have.Hash
					c.Passkeys[i].Put = &put
				}
			}
			return good.Apply(ctx, c)
		}),
		"passkey-remove": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			if c.Put != nil && len(c.Passkeys) == 1 && c.Passkeys[0].Put == nil {
				if have, ok := rowOf(good, mfa.Ref{Tenant: c.Was.Tenant, Person: c.Was.Person, ID: c.Passkeys[0].ID}); ok && have.Version == c.Passkeys[0].Version {
					c.Passkeys = nil
				}
			}
			return good.Apply(ctx, c)
		}),
		"passkey-all-or-nothing": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			err := good.Apply(ctx, c)
			if errors.Is(err, mfa.ErrConflict) && len(c.Passkeys) == 3 {
				c.Passkeys = c.Passkeys[:1]
				_ = good.Apply(ctx, c)
			}
			return err
		}),
		"passkey-stale": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			err := good.Apply(ctx, c)
			have, e := good.Get(ctx, c.Was.Tenant, c.Was.Person)
			if errors.Is(err, mfa.ErrConflict) && e == nil && c.Version == have.Version+1 && len(c.Passkeys) == 1 && c.Passkeys[0].Version == 0 {
				have.Version = c.Version - 1
				_ = good.Apply(ctx, mfa.Change{Was: have.Ref(), Version: have.Version, Put: &have, Passkeys: c.Passkeys})
			}
			return err
		}),
		"passkey-end": applies(func(ctx context.Context, good *mfa.Memory, c mfa.Change) error {
			rows, _ := good.Passkeys(ctx, c.Was.Tenant, c.Was.Person)
			err := good.Apply(ctx, c)
			if err == nil && c.Put == nil && len(rows) > 1 { // only what was named goes
				ghost := mfa.Credential{Tenant: c.Was.Tenant, Person: c.Was.Person, ID: "e-9"}
				rows[0].Version = 0
				_ = good.Apply(ctx, mfa.Change{
					Was: mfa.Ref{Tenant: ghost.Tenant, Person: ghost.Person}, Put: &ghost,
					Passkeys: []mfa.PasskeyChange{{ID: rows[0].ID, Put: &rows[0]}},
				})
			}
			return err
		}),
	}
}

func keyUseMutants() map[string]func() mfa.Store {
	uses := func(edit func(ctx context.Context, good *mfa.Memory, r mfa.Ref, n uint32, b bool, now time.Time) (bool, error)) func() mfa.Store {
		return keyBreaking(func(m *keyMutant, good *mfa.Memory) {
			var s serial
			m.use = func(ctx context.Context, r mfa.Ref, n uint32, b bool, now time.Time) (ok bool, err error) {
				s.do(func() { ok, err = edit(ctx, good, r, n, b, now) })
				return ok, err
			}
		})
	}
	// claims is good.UsePasskey, but reports true where a row of r is as told.
	claims := func(as func(p mfa.PasskeyRow, n uint32) bool) func() mfa.Store {
		return uses(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, n uint32, b bool, now time.Time) (bool, error) {
			have, there := rowOf(good, r)
			ok, err := good.UsePasskey(ctx, r, n, b, now)
			return ok || err == nil && there && as(have, n), err
		})
	}
	return map[string]func() mfa.Store{
		"use-sets": uses(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, n uint32, b bool, now time.Time) (bool, error) {
			have, _ := rowOf(good, r)
			return good.UsePasskey(ctx, r, n, b || n == have.Count+2, now) // BS of the first use stays
		}),
		"use-once":     claims(func(p mfa.PasskeyRow, n uint32) bool { return n > 0 && p.Count == n && p.Disabled.IsZero() }),
		"use-forward":  claims(func(p mfa.PasskeyRow, n uint32) bool { return n > 0 && n < p.Count }),
		"use-zero":     claims(func(p mfa.PasskeyRow, n uint32) bool { return n == 0 && p.Count > 0 }),
		"use-disabled": claims(func(p mfa.PasskeyRow, _ uint32) bool { return !p.Disabled.IsZero() }),
		"use-owner": uses(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, n uint32, b bool, now time.Time) (bool, error) {
			if r.Person == "p-diaz" {
				r.Person = "p-lin"
			}
			return good.UsePasskey(ctx, r, n, b, now)
		}),
		"use-cancelled": uses(func(ctx context.Context, good *mfa.Memory, r mfa.Ref, n uint32, b bool, now time.Time) (bool, error) {
			return good.UsePasskey(context.WithoutCancel(ctx), r, n, b, now)
		}),
	}
}
