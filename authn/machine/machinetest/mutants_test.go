package machinetest_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/authn/machine/machinetest"
	"github.com/wardkit/wardkit/internal/conform"
)

// mutant is a good store with one method replaced.
type mutant struct {
	*machine.Memory
	get       func(context.Context, audit.Tenant, audit.ActorID) (machine.Principal, error)
	list      func(context.Context, audit.Tenant, audit.ActorID) iter.Seq2[machine.Principal, error]
	apply     func(context.Context, machine.Change) error
	findKey   func(context.Context, string) (machine.Found, error)
	findToken func(context.Context, string) (machine.Found, error)
	putToken  func(context.Context, machine.Token) error
	touch     func(context.Context, audit.Tenant, audit.ActorID, string, time.Time) error
	sweep     func(context.Context, time.Time) error
}

func (m *mutant) Get(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
	return m.get(ctx, t, id)
}

func (m *mutant) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[machine.Principal, error] {
	return m.list(ctx, t, after)
}
func (m *mutant) Apply(ctx context.Context, c machine.Change) error { return m.apply(ctx, c) }
func (m *mutant) FindKey(ctx context.Context, id string) (machine.Found, error) {
	return m.findKey(ctx, id)
}

func (m *mutant) FindToken(ctx context.Context, id string) (machine.Found, error) {
	return m.findToken(ctx, id)
}

func (m *mutant) PutToken(ctx context.Context, tk machine.Token) error { return m.putToken(ctx, tk) }

func (m *mutant) Touch(ctx context.Context, t audit.Tenant, p audit.ActorID, key string, now time.Time) error {
	return m.touch(ctx, t, p, key, now)
}
func (m *mutant) Sweep(ctx context.Context, now time.Time) error { return m.sweep(ctx, now) }

// breaking returns how to open stores that break breaks.
func breaking(breaks func(m *mutant, good *machine.Memory)) func() machine.Store {
	return func() machine.Store {
		good := machine.NewMemory()
		m := &mutant{good, good.Get, good.List, good.Apply, good.FindKey, good.FindToken, good.PutToken, good.Touch, good.Sweep}
		breaks(m, good)
		return m
	}
}

var errBroken = errors.New("broken")

func TestMutants(t *testing.T) {
	t.Parallel()
	all := principalMutants()
	maps.Copy(all, keyMutants())
	maps.Copy(all, credentialMutants())
	conform.Mutants(t, machinetest.Rules(), all)
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	good := func() (machine.Store, error) { return machine.NewMemory(), nil }
	require.NoError(t, machinetest.Check(t.Context(), good))
	bad := func() (machine.Store, error) { return credentialMutants()["sweep-expired"](), nil }
	require.ErrorContains(t, machinetest.Check(t.Context(), bad), "sweep-expired:")
	closed := func() (machine.Store, error) { return nil, errBroken }
	require.ErrorIs(t, machinetest.Check(t.Context(), closed), errBroken)
}

// rows turns a slice into what List yields.
func rows(all []machine.Principal) iter.Seq2[machine.Principal, error] {
	return func(yield func(machine.Principal, error) bool) {
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// all collects what a list yields; its error is kept by yielding it again.
func all(seq iter.Seq2[machine.Principal, error]) (out []machine.Principal, err error) {
	for p, e := range seq {
		if e != nil {
			return out, e
		}
		out = append(out, p)
	}
	return out, nil
}

// relisted is a List whose rows edit changes.
func relisted(m *mutant, list func(context.Context, audit.Tenant, audit.ActorID) iter.Seq2[machine.Principal, error], edit func([]machine.Principal) []machine.Principal) {
	m.list = func(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[machine.Principal, error] {
		have, err := all(list(ctx, t, after))
		if err != nil {
			return func(yield func(machine.Principal, error) bool) { yield(machine.Principal{}, err) }
		}
		return rows(edit(have))
	}
}

func principalMutants() map[string]func() machine.Store {
	return map[string]func() machine.Store{
		"get-missing": breaking(func(m *mutant, good *machine.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
				p, err := good.Get(ctx, t, id)
				if errors.Is(err, machine.ErrNotFound) && id == "m-nobody" {
					return machine.Principal{}, nil
				}
				return p, err
			}
		}),
		"round-trip": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error {
				if c.Put.Version == 77 { // forgets whom it acts for
					c.Put.OnBehalfOf = "p-diaz"
				}
				return good.Apply(ctx, c)
			}
		}),
		"detached": breaking(func(m *mutant, good *machine.Memory) {
			var mu sync.Mutex
			var scopes []audit.Action
			m.apply = func(ctx context.Context, c machine.Change) error {
				mu.Lock()
				defer mu.Unlock()
				if len(c.Put.Keys) == 1 && scopes == nil {
					scopes = c.Put.Scopes
				}
				return good.Apply(ctx, c)
			}
			m.get = func(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
				p, err := good.Get(ctx, t, id)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && p.Version == 1 && len(p.Scopes) == len(scopes) {
					p.Scopes = scopes
				}
				return p, err
			}
		}),
		"tenants-apart": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error { // the state goes to every tenant's
				err := good.Apply(ctx, c)
				if err == nil && c.Put.State == machine.Removed && c.Put.Tenant == "other-clinic" {
					if p, gerr := good.Get(ctx, "clinic", c.Put.ID); gerr == nil {
						p.State = machine.Removed
						_ = good.Apply(ctx, machine.Change{Put: p, Expect: p.Version})
					}
				}
				return err
			}
		}),
		"create-once": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error { // an upsert, but of what is the same
				err := good.Apply(ctx, c)
				if errors.Is(err, machine.ErrConflict) && c.Expect == 0 && c.Put.Name != "somebody else's" {
					return nil
				}
				return err
			}
		}),
		"update-once": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error {
				err := good.Apply(ctx, c)
				if errors.Is(err, machine.ErrConflict) && c.Expect == 1 && len(c.Put.Keys) == 0 {
					return nil
				}
				return err
			}
		}),
		"update-version": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error {
				err := good.Apply(ctx, c)
				if errors.Is(err, machine.ErrConflict) && c.Expect == 2 { // takes the version there is
					p, gerr := good.Get(ctx, c.Put.Tenant, c.Put.ID)
					if gerr == nil {
						c.Expect = p.Version
						_ = good.Apply(ctx, c)
					}
				}
				return err
			}
		}),
		"update-missing": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error {
				_, gerr := good.Get(ctx, c.Put.Tenant, c.Put.ID)
				if c.Expect > 0 && errors.Is(gerr, machine.ErrNotFound) {
					c.Expect = 0
				}
				return good.Apply(ctx, c)
			}
		}),
		"used-unwritten": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error {
				err := good.Apply(ctx, c)
				if err == nil && !c.Put.Used.IsZero() && len(c.Put.Keys) > 0 {
					return good.Touch(ctx, c.Put.Tenant, c.Put.ID, c.Put.Keys[0].ID, c.Put.Used)
				}
				return err
			}
		}),
		"list-order": breaking(func(m *mutant, good *machine.Memory) {
			relisted(m, good.List, func(have []machine.Principal) []machine.Principal { // after a page, the order is lost
				if len(have) > 200 {
					have[150], have[151] = have[151], have[150]
				}
				return have
			})
		}),
		"list-after": breaking(func(m *mutant, good *machine.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[machine.Principal, error] {
				return func(yield func(machine.Principal, error) bool) {
					if p, err := good.Get(ctx, t, after); err == nil && !yield(p, nil) { // from, not after
						return
					}
					good.List(ctx, t, after)(yield)
				}
			}
		}),
		"list-tenant": breaking(func(m *mutant, good *machine.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[machine.Principal, error] {
				return func(yield func(machine.Principal, error) bool) {
					for p, err := range good.List(ctx, t, after) {
						if !yield(p, err) || err != nil {
							return
						}
					}
					for p, err := range good.List(ctx, "other-clinic", after) {
						if t == "clinic" && err == nil && p.ID == "d" && !yield(p, nil) {
							return
						}
					}
				}
			}
		}),
		"list-hashless": breaking(func(m *mutant, good *machine.Memory) {
			relisted(m, good.List, func(have []machine.Principal) []machine.Principal {
				for i := range have {
					for j, k := range have[i].Keys {
						f, _ := good.FindKey(context.Background(), k.ID)
						have[i].Keys[j].Hash = f.Key.Hash
					}
				}
				return have
			})
		}),
		"cancelled": breaking(func(m *mutant, good *machine.Memory) {
			m.touch = func(ctx context.Context, t audit.Tenant, p audit.ActorID, key string, now time.Time) error {
				return good.Touch(context.WithoutCancel(ctx), t, p, key, now)
			}
		}),
	}
}

func keyMutants() map[string]func() machine.Store {
	return map[string]func() machine.Store{
		"key-found": breaking(func(m *mutant, good *machine.Memory) { // only those that did not expire before they were revoked
			m.findKey = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindKey(ctx, id)
				if err == nil && f.Key.Expires.Before(f.Key.Revoked) && f.Principal.State == machine.Active {
					return machine.Found{}, machine.ErrNotFound
				}
				return f, err
			}
		}),
		"key-missing": breaking(func(m *mutant, good *machine.Memory) {
			m.findKey = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindKey(ctx, id)
				if id == "" && errors.Is(err, machine.ErrNotFound) {
					return machine.Found{}, nil
				}
				return f, err
			}
		}),
		"key-added": breaking(func(m *mutant, good *machine.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
				p, err := good.Get(ctx, t, id)
				if len(p.Keys) == 3 {
					slices.Reverse(p.Keys)
				}
				return p, err
			}
		}),
		"key-kept": breaking(func(m *mutant, good *machine.Memory) {
			forged := map[string]bool{}
			var mu sync.Mutex
			m.apply = func(ctx context.Context, c machine.Change) error {
				mu.Lock()
				defer mu.Unlock()
				for _, k := range c.Put.Keys {
					if c.Expect > 0 && string(k.Hash) == "forged" {
						forged[k.ID] = true
					}
				}
				return good.Apply(ctx, c)
			}
			m.findKey = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindKey(ctx, id)
				mu.Lock()
				defer mu.Unlock()
				if forged[id] {
					f.Key.Hash = []byte("forged")
				}
				return f, err
			}
		}),
		"key-deleted": breaking(func(m *mutant, good *machine.Memory) { // one of two stays
			m.apply = func(ctx context.Context, c machine.Change) error {
				if have, err := good.Get(ctx, c.Put.Tenant, c.Put.ID); err == nil && have.Version == c.Expect && len(have.Keys) == 2 && len(c.Put.Keys) == 1 && c.Put.Keys[0].ID == have.Keys[1].ID {
					c.Put.Keys = append(c.Put.Keys, have.Keys[0])
				}
				return good.Apply(ctx, c)
			}
		}),
		"key-elsewhere": breaking(func(m *mutant, good *machine.Memory) { // leaves the key where it is, and says nothing
			m.apply = func(ctx context.Context, c machine.Change) error {
				err := good.Apply(ctx, c)
				if errors.Is(err, machine.ErrExists) && c.Expect == 0 {
					c.Put.Keys = nil
					return good.Apply(ctx, c)
				}
				return err
			}
		}),
		"all-or-nothing": breaking(func(m *mutant, good *machine.Memory) {
			m.apply = func(ctx context.Context, c machine.Change) error {
				err := good.Apply(ctx, c)
				if errors.Is(err, machine.ErrExists) && c.Expect > 0 { // the row is written, its keys are not
					have, _ := good.Get(ctx, c.Put.Tenant, c.Put.ID)
					c.Put.Keys = have.Keys
					_ = good.Apply(ctx, c)
				}
				return err
			}
		}),
		"revoked-at-once": breaking(func(m *mutant, good *machine.Memory) { // a cache of what readers found
			var mu sync.Mutex
			reads := map[string]int{}
			kept := map[string]machine.Found{}
			m.findKey = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindKey(ctx, id)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && f.Key.Revoked.IsZero() {
					kept[id] = f
					reads[id]++
				}
				if old, ok := kept[id]; ok && err == nil && !f.Key.Revoked.IsZero() && len(f.Principal.Keys) == 0 && f.Key.Revoked.Equal(time.Date(2026, 3, 2, 9, 5, 0, 123456000, time.UTC)) {
					return old, nil
				}
				return f, err
			}
		}),
	}
}

func credentialMutants() map[string]func() machine.Store {
	return map[string]func() machine.Store{
		"token-found": breaking(func(m *mutant, good *machine.Memory) { // as its key was when it was made
			m.findToken = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindToken(ctx, id)
				f.Key.Revoked = time.Time{}
				return f, err
			}
		}),
		"token-missing": breaking(func(m *mutant, good *machine.Memory) { // a key's ID is as good
			m.findToken = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindToken(ctx, id)
				if errors.Is(err, machine.ErrNotFound) && id == "k-1" {
					return good.FindKey(ctx, id)
				}
				return f, err
			}
		}),
		"token-keyless": breaking(func(m *mutant, good *machine.Memory) {
			m.findToken = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindToken(ctx, id)
				if errors.Is(err, machine.ErrNotFound) && id == "t-1" && ctx.Err() == nil {
					if p, gerr := good.Get(ctx, "clinic", "m-bot"); gerr == nil && p.Version == 2 {
						return machine.Found{Principal: p}, nil
					}
				}
				return f, err
			}
		}),
		"token-of-another": breaking(func(m *mutant, good *machine.Memory) {
			m.findToken = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindToken(ctx, id)
				if errors.Is(err, machine.ErrNotFound) && id == "t-2" && ctx.Err() == nil {
					if _, gerr := good.Get(ctx, "clinic", "m-other"); gerr == nil {
						return good.FindKey(ctx, "k-1")
					}
				}
				return f, err
			}
		}),
		"token-once": breaking(func(m *mutant, good *machine.Memory) {
			m.putToken = func(ctx context.Context, tk machine.Token) error {
				err := good.PutToken(ctx, tk)
				if errors.Is(err, machine.ErrExists) {
					return nil
				}
				return err
			}
		}),
		"token-detached": breaking(func(m *mutant, good *machine.Memory) {
			var mu sync.Mutex
			scopes := map[string][]audit.Action{}
			m.putToken = func(ctx context.Context, tk machine.Token) error {
				mu.Lock()
				defer mu.Unlock()
				if _, ok := scopes[tk.ID]; !ok {
					scopes[tk.ID] = tk.Scopes
				}
				return good.PutToken(ctx, tk)
			}
			m.findToken = func(ctx context.Context, id string) (machine.Found, error) {
				f, err := good.FindToken(ctx, id)
				mu.Lock()
				defer mu.Unlock()
				if f.Token != nil {
					f.Token.Scopes = scopes[id]
				}
				return f, err
			}
		}),
		"touch-sets": breaking(func(m *mutant, good *machine.Memory) { // every key of the principal
			m.get = func(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
				p, err := good.Get(ctx, t, id)
				if err == nil && len(p.Keys) == 2 && p.Keys[1].Used.IsZero() {
					p.Keys[1].Used = p.Keys[0].Used
				}
				return p, err
			}
		}),
		"touch-forward": breaking(func(m *mutant, good *machine.Memory) { // the principal's goes back
			var mu sync.Mutex
			last := map[audit.ActorID]time.Time{}
			m.touch = func(ctx context.Context, t audit.Tenant, p audit.ActorID, key string, now time.Time) error {
				err := good.Touch(ctx, t, p, key, now)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && now.Minute() == 5 {
					last[p] = now
				}
				return err
			}
			m.get = func(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
				p, err := good.Get(ctx, t, id)
				mu.Lock()
				defer mu.Unlock()
				if at, ok := last[id]; ok {
					p.Used = at
				}
				return p, err
			}
		}),
		"touch-revoked": breaking(func(m *mutant, good *machine.Memory) {
			var mu sync.Mutex
			used := map[audit.ActorID]time.Time{}
			m.touch = func(ctx context.Context, t audit.Tenant, p audit.ActorID, key string, now time.Time) error {
				if f, err := good.FindKey(ctx, key); err == nil && !f.Key.Revoked.IsZero() {
					mu.Lock()
					defer mu.Unlock()
					used[p] = now
				}
				return good.Touch(ctx, t, p, key, now)
			}
			m.get = func(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
				p, err := good.Get(ctx, t, id)
				mu.Lock()
				defer mu.Unlock()
				if at, ok := used[id]; ok {
					p.Used = at
				}
				return p, err
			}
		}),
		"touch-missing": breaking(func(m *mutant, good *machine.Memory) { // a key's ID alone will do
			m.touch = func(ctx context.Context, t audit.Tenant, p audit.ActorID, key string, now time.Time) error {
				if f, err := good.FindKey(ctx, key); err == nil {
					t, p = f.Principal.Tenant, f.Principal.ID
				}
				return good.Touch(ctx, t, p, key, now)
			}
		}),
		"sweep-expired": breaking(func(m *mutant, good *machine.Memory) {
			m.sweep = func(ctx context.Context, now time.Time) error { return good.Sweep(ctx, now.Add(-time.Minute)) }
		}),
		"sweep-live": breaking(func(m *mutant, good *machine.Memory) {
			m.sweep = func(ctx context.Context, now time.Time) error { return good.Sweep(ctx, now.Add(time.Minute)) }
		}),
	}
}
