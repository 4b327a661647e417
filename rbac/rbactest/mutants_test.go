package rbactest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// mutant is a store in memory with one method replaced.
type mutant struct {
	*rbac.Memory
	grants  func(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error)
	holders func(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error)
	list    func(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error]
	version func(ctx context.Context, t audit.Tenant) (int64, error)
	apply   func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error
}

func (m *mutant) Grants(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
	if m.grants != nil {
		return m.grants(ctx, t, person)
	}
	return m.Memory.Grants(ctx, t, person)
}

func (m *mutant) Holders(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error) {
	if m.holders != nil {
		return m.holders(ctx, t, roles)
	}
	return m.Memory.Holders(ctx, t, roles)
}

func (m *mutant) List(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error] {
	if m.list != nil {
		return m.list(ctx, t, after)
	}
	return m.Memory.List(ctx, t, after)
}

func (m *mutant) Version(ctx context.Context, t audit.Tenant) (int64, error) {
	if m.version != nil {
		return m.version(ctx, t)
	}
	return m.Memory.Version(ctx, t)
}

func (m *mutant) Apply(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
	if m.apply != nil {
		return m.apply(ctx, t, v, c)
	}
	return m.Memory.Apply(ctx, t, v, c)
}

// all returns every grant of the tenants that the rules use.
func (m *mutant) all(ctx context.Context, tenants ...audit.Tenant) (out []rbac.Grant) {
	for _, t := range tenants {
		for g, err := range m.Memory.List(ctx, t, "") {
			if err == nil {
				out = append(out, g)
			}
		}
	}
	return out
}

func seq(grants []rbac.Grant) iter.Seq2[rbac.Grant, error] {
	return func(yield func(rbac.Grant, error) bool) {
		for _, g := range grants {
			if !yield(g, nil) {
				return
			}
		}
	}
}

// listed changes what List yields.
func (m *mutant) listed(f func([]rbac.Grant) []rbac.Grant) {
	m.list = func(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error] {
		return func(yield func(rbac.Grant, error) bool) {
			var all []rbac.Grant
			for g, err := range m.Memory.List(ctx, t, after) {
				if err != nil {
					yield(g, err)
					return
				}
				all = append(all, g)
			}
			seq(f(all))(yield)
		}
	}
}

// granted changes what Grants returns.
func (m *mutant) granted(f func([]rbac.Grant) []rbac.Grant) {
	m.grants = func(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
		got, err := m.Memory.Grants(ctx, t, person)
		return f(got), err
	}
}

func mutants() map[string]func(*mutant) {
	return map[string]func(*mutant){
		"grants_round_trip": func(m *mutant) {
			m.granted(func(gs []rbac.Grant) []rbac.Grant {
				for i := range gs {
					gs[i].Until = time.Time{}
				}
				return gs
			})
		},
		"list_round_trip": func(m *mutant) {
			m.listed(func(gs []rbac.Grant) []rbac.Grant {
				for i := range gs {
					gs[i].Why = ""
				}
				return gs
			})
		},
		"grants_of_person": func(m *mutant) {
			m.grants = func(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
				if mine, err := m.Memory.Grants(ctx, t, person); err != nil || len(mine) == 0 {
					return nil, err
				}
				return slices.DeleteFunc(m.all(ctx, t), func(g rbac.Grant) bool { return !g.Ended.IsZero() }), nil
			}
		},
		"grants_of_tenant": func(m *mutant) {
			m.grants = func(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
				mine, err := m.Memory.Grants(ctx, t, person)
				for _, g := range m.all(ctx, "other") {
					if t != "other" && g.Person == person {
						mine = append(mine, g)
					}
				}
				return mine, err
			}
		},
		"grants_in_order": func(m *mutant) {
			m.granted(func(gs []rbac.Grant) []rbac.Grant { slices.Reverse(gs); return gs })
		},
		"grants_of_nobody": func(m *mutant) {
			m.grants = func(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
				got, err := m.Memory.Grants(ctx, t, person)
				if err == nil && len(m.all(ctx, t)) == 0 {
					err = rbac.ErrNoGrant
				}
				return got, err
			}
		},
		"holders_of_roles":       holdersByPrefix,
		"holders_of_tenant":      holdersOfAnybody,
		"holders_in_order":       func(m *mutant) { m.held(func(_ []rbac.RoleName, gs []rbac.Grant) []rbac.Grant { return reversed(gs) }) },
		"holders_after_a_change": cacheHolders,
		"holders_of_nothing":     noRolesAreAll,
		"ids_are_opaque":         joinIDs,
		"revoke_then_ask":        cacheGrants,
		"ended_kept":             dropEnded,
		"list_of_tenant":         listEverybody,
		"list_in_order":          func(m *mutant) { m.listed(reversed) },
		"list_after":             listFrom,
		"version_counts":         countByTwo,
		"stale_version":          zeroIsAny,
		"one_wins":               checkThenAct,
		"all_or_nothing":         addThenEnd,
		"id_taken":               overwrite,
		"id_taken_elsewhere":     idsPerTenant,
		"end_missing":            func(m *mutant) { forgive(m, func(_ context.Context, found, ended bool) bool { return !found }) },
		"end_twice":              func(m *mutant) { forgive(m, func(_ context.Context, found, ended bool) bool { return found && ended }) },
		"end_foreign":            endAnybodys,
		"copies":                 shareSlices,
		"cancelled":              ignoreCancel,
	}
}

func reversed(gs []rbac.Grant) []rbac.Grant { slices.Reverse(gs); return gs }

// held changes what Holders returns.
func (m *mutant) held(f func(roles []rbac.RoleName, gs []rbac.Grant) []rbac.Grant) {
	m.holders = func(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error) {
		got, err := m.Memory.Holders(ctx, t, roles)
		return f(roles, got), err
	}
}

// holdersByPrefix finds a role by the beginning of its name.
func holdersByPrefix(m *mutant) {
	m.holders = func(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error) {
		if _, err := m.Memory.Holders(ctx, t, roles); err != nil {
			return nil, err
		}
		return slices.DeleteFunc(m.all(ctx, t), func(g rbac.Grant) bool {
			return !g.Ended.IsZero() || !slices.ContainsFunc(roles, func(r rbac.RoleName) bool { return r != "" && strings.HasPrefix(string(g.Role), string(r)) })
		}), nil
	}
}

func holdersOfAnybody(m *mutant) {
	m.holders = func(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error) {
		if _, err := m.Memory.Holders(ctx, t, roles); err != nil {
			return nil, err
		}
		return slices.DeleteFunc(m.all(ctx, "clinic", "other"), func(g rbac.Grant) bool {
			return !g.Ended.IsZero() || !slices.Contains(roles, g.Role)
		}), nil
	}
}

// cacheHolders remembers the first answer about each list of roles.
func cacheHolders(m *mutant) {
	known := map[string][]rbac.Grant{}
	m.held(func(roles []rbac.RoleName, gs []rbac.Grant) []rbac.Grant {
		key := fmt.Sprint(roles)
		if _, ok := known[key]; !ok {
			known[key] = gs
		}
		return known[key]
	})
}

// noRolesAreAll takes an empty list for no condition.
func noRolesAreAll(m *mutant) {
	m.holders = func(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error) {
		got, err := m.Memory.Holders(ctx, t, roles)
		if err == nil && len(roles) == 0 {
			got = m.all(ctx, t)
		}
		return got, err
	}
}

// joinIDs finds grants by tenant and person joined with a slash.
func joinIDs(m *mutant) {
	m.grants = func(ctx context.Context, t audit.Tenant, person audit.ActorID) (out []rbac.Grant, err error) {
		key := string(t) + "/" + string(person)
		for i := range key {
			if key[i] != '/' {
				continue
			}
			got, err := m.Memory.Grants(ctx, audit.Tenant(key[:i]), audit.ActorID(key[i+1:]))
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
		}
		return out, nil
	}
}

// cacheGrants remembers the first answer.
func cacheGrants(m *mutant) {
	type key struct {
		t audit.Tenant
		p audit.ActorID
	}
	known := map[key]int{}
	m.grants = func(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
		got, err := m.Memory.Grants(ctx, t, person)
		if n, ok := known[key{t, person}]; ok && len(got) != n && err == nil {
			return slices.Repeat([]rbac.Grant{{ID: "stale"}}, n), nil
		}
		known[key{t, person}] = len(got)
		return got, err
	}
}

func dropEnded(m *mutant) {
	m.listed(func(gs []rbac.Grant) []rbac.Grant {
		return slices.DeleteFunc(gs, func(g rbac.Grant) bool { return !g.Ended.IsZero() })
	})
}

func listEverybody(m *mutant) {
	m.list = func(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error] {
		if ctx.Err() != nil {
			return m.Memory.List(ctx, t, after)
		}
		all := m.all(ctx, "clinic", "other")
		return seq(slices.DeleteFunc(all, func(g rbac.Grant) bool { return g.ID <= after }))
	}
}

func listFrom(m *mutant) {
	m.list = func(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error] {
		if after == "" || ctx.Err() != nil {
			return m.Memory.List(ctx, t, after)
		}
		return seq(slices.DeleteFunc(m.all(ctx, t), func(g rbac.Grant) bool { return g.ID < after }))
	}
}

func countByTwo(m *mutant) {
	m.version = func(ctx context.Context, t audit.Tenant) (int64, error) {
		v, err := m.Memory.Version(ctx, t)
		return 2 * v, err
	}
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		if v%2 != 0 {
			return rbac.ErrConflict
		}
		return m.Memory.Apply(ctx, t, v/2, c)
	}
}

func zeroIsAny(m *mutant) {
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		if v == 0 {
			v, _ = m.Memory.Version(ctx, t)
		}
		return m.Memory.Apply(ctx, t, v, c)
	}
}

func checkThenAct(m *mutant) {
	var meeting conform.Meeting
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		if now, err := m.Memory.Version(ctx, t); err != nil || now != v {
			return cmp.Or(err, rbac.ErrConflict)
		}
		meeting.Wait()
		for {
			now, err := m.Memory.Version(ctx, t)
			if err != nil {
				return err
			}
			if err := m.Memory.Apply(ctx, t, now, c); !errors.Is(err, rbac.ErrConflict) {
				return err
			}
		}
	}
}

func addThenEnd(m *mutant) {
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		if len(c.Add) == 0 || len(c.End) == 0 {
			return m.Memory.Apply(ctx, t, v, c)
		}
		if err := m.Memory.Apply(ctx, t, v, rbac.Change{Add: c.Add}); err != nil {
			return err
		}
		return m.Memory.Apply(ctx, t, v+1, rbac.Change{End: c.End})
	}
}

// overwrite keeps, as it claims, the newest grant of an ID.
func overwrite(m *mutant) {
	hidden := map[string]bool{}
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		mine := m.all(ctx, t)
		for i := range c.Add {
			old := c.Add[i].ID
			if slices.ContainsFunc(mine, func(g rbac.Grant) bool { return g.ID == old }) {
				hidden[old] = true
				c.Add = slices.Clone(c.Add)
				c.Add[i].ID += "'"
			}
		}
		return m.Memory.Apply(ctx, t, v, c)
	}
	m.granted(func(gs []rbac.Grant) []rbac.Grant {
		return slices.DeleteFunc(gs, func(g rbac.Grant) bool { return hidden[g.ID] })
	})
}

func idsPerTenant(m *mutant) {
	const sep = "\x00"
	strip := func(gs []rbac.Grant) []rbac.Grant {
		for i := range gs {
			_, gs[i].ID, _ = strings.Cut(gs[i].ID, sep)
		}
		return gs
	}
	m.granted(strip)
	m.held(func(_ []rbac.RoleName, gs []rbac.Grant) []rbac.Grant { return strip(gs) })
	m.list = func(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error] {
		if ctx.Err() != nil {
			return m.Memory.List(ctx, t, after)
		}
		all := strip(m.all(ctx, t))
		return seq(slices.DeleteFunc(all, func(g rbac.Grant) bool { return g.ID <= after }))
	}
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		c.Add, c.End = slices.Clone(c.Add), slices.Clone(c.End)
		for i := range c.Add {
			c.Add[i].ID = string(t) + sep + c.Add[i].ID
		}
		for i := range c.End {
			c.End[i].ID = string(t) + sep + c.End[i].ID
		}
		return m.Memory.Apply(ctx, t, v, c)
	}
}

// forgive ends without an error what a rule says cannot be ended.
func forgive(m *mutant, what func(ctx context.Context, found, ended bool) bool) {
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		state := map[string]bool{}
		for _, g := range m.all(ctx, "clinic", "other") {
			state[g.ID] = !g.Ended.IsZero()
		}
		c.End = slices.DeleteFunc(slices.Clone(c.End), func(e rbac.Ending) bool {
			ended, found := state[e.ID]
			return what(ctx, found, ended)
		})
		return m.Memory.Apply(ctx, t, v, c)
	}
}

func endAnybodys(m *mutant) {
	m.apply = func(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
		err := m.Memory.Apply(ctx, t, v, c)
		if !errors.Is(err, rbac.ErrNoGrant) || t != "other" {
			return err
		}
		w, err := m.Memory.Version(ctx, "clinic")
		if err != nil {
			return err
		}
		return m.Memory.Apply(ctx, "clinic", w, c)
	}
}

func shareSlices(m *mutant) {
	var mu sync.Mutex
	shared := map[string][]rbac.PracticeID{}
	m.granted(func(gs []rbac.Grant) []rbac.Grant {
		mu.Lock()
		defer mu.Unlock()
		for i, g := range gs {
			if _, ok := shared[g.ID]; !ok {
				shared[g.ID] = g.Practices
			}
			gs[i].Practices = shared[g.ID]
		}
		return gs
	})
}

func ignoreCancel(m *mutant) {
	m.grants = func(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
		if ctx.Err() != nil {
			return nil, nil
		}
		return m.Memory.Grants(ctx, t, person)
	}
}

func TestEachRuleCatchesItsMutant(t *testing.T) {
	t.Parallel()
	open := map[string]func() rbac.Store{}
	for name, breakIt := range maps.All(mutants()) {
		open[name] = func() rbac.Store {
			m := &mutant{Memory: rbac.NewMemory()}
			breakIt(m)
			return m
		}
	}
	conform.Mutants(t, rbactest.Rules(), open)
}
