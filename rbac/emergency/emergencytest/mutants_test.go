package emergencytest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
	"github.com/wardkit/wardkit/rbac/emergency/emergencytest"
)

// mutant is a good store with a method replaced.
type mutant struct {
	get    func(context.Context, audit.Tenant, string) (emergency.Grant, error)
	create func(context.Context, emergency.Grant) error
	update func(context.Context, emergency.Grant) error
	of     func(context.Context, audit.Tenant, audit.ActorID, int64) iter.Seq2[emergency.Grant, error]
	list   func(context.Context, audit.Tenant, bool, string) iter.Seq2[emergency.Grant, error]
}

func (m *mutant) Get(ctx context.Context, t audit.Tenant, id string) (emergency.Grant, error) {
	return m.get(ctx, t, id)
}
func (m *mutant) Create(ctx context.Context, g emergency.Grant) error { return m.create(ctx, g) }
func (m *mutant) Update(ctx context.Context, g emergency.Grant) error { return m.update(ctx, g) }
func (m *mutant) Of(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64) iter.Seq2[emergency.Grant, error] {
	return m.of(ctx, t, p, below)
}

func (m *mutant) List(ctx context.Context, t audit.Tenant, pending bool, below string) iter.Seq2[emergency.Grant, error] {
	return m.list(ctx, t, pending, below)
}

// bent is a good relation with a method replaced.
type bent struct {
	rbac.EmergencyRelation
	grant func(context.Context, audit.Tenant, audit.ActorID, audit.Patient, time.Time) (string, error)
	open  func(context.Context, audit.Tenant, audit.ActorID, time.Time) ([]string, error)
}

func (b *bent) Grant(ctx context.Context, t audit.Tenant, a audit.ActorID, p audit.Patient, now time.Time) (string, error) {
	return b.grant(ctx, t, a, p, now)
}

func (b *bent) Open(ctx context.Context, t audit.Tenant, a audit.ActorID, now time.Time) ([]string, error) {
	return b.open(ctx, t, a, now)
}

// breaking returns how to open subjects that breaks breaks.
func breaking(breaks func(m *mutant, b *bent, good *emergency.Memory)) func() emergencytest.Subject {
	return func() emergencytest.Subject {
		good := emergency.NewMemory()
		r := good.Relation()
		m := &mutant{good.Get, good.Create, good.Update, good.Of, good.List}
		b := &bent{r, r.Grant, r.Open}
		breaks(m, b, good)
		return emergencytest.Subject{Store: m, Relation: b}
	}
}

func creating(f func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error) func() emergencytest.Subject {
	return breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
		m.create = func(ctx context.Context, g emergency.Grant) error { return f(ctx, g, good) }
	})
}

func updating(f func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error) func() emergencytest.Subject {
	return breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
		m.update = func(ctx context.Context, g emergency.Grant) error { return f(ctx, g, good) }
	})
}

func listing(f func(ctx context.Context, t audit.Tenant, pending bool, below string, good *emergency.Memory) iter.Seq2[emergency.Grant, error]) func() emergencytest.Subject {
	return breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
		m.list = func(ctx context.Context, t audit.Tenant, pending bool, below string) iter.Seq2[emergency.Grant, error] {
			return f(ctx, t, pending, below, good)
		}
	})
}

func ofPerson(f func(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64, good *emergency.Memory) iter.Seq2[emergency.Grant, error]) func() emergencytest.Subject {
	return breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
		m.of = func(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64) iter.Seq2[emergency.Grant, error] {
			return f(ctx, t, p, below, good)
		}
	})
}

// edited is what a list yields, changed.
func edited(seq iter.Seq2[emergency.Grant, error], edit func([]emergency.Grant) []emergency.Grant) iter.Seq2[emergency.Grant, error] {
	return func(yield func(emergency.Grant, error) bool) {
		var all []emergency.Grant
		for g, err := range seq {
			if err != nil {
				yield(g, err)
				return
			}
			all = append(all, g)
		}
		for _, g := range edit(all) {
			if !yield(g, nil) {
				return
			}
		}
	}
}

// chain is two lists after each other.
func chain(seqs ...iter.Seq2[emergency.Grant, error]) iter.Seq2[emergency.Grant, error] {
	return func(yield func(emergency.Grant, error) bool) {
		for _, seq := range seqs {
			for g, err := range seq {
				if !yield(g, err) {
					return
				}
			}
		}
	}
}

func TestMutants(t *testing.T) {
	t.Parallel()
	all := map[string]func() emergencytest.Subject{}
	for _, m := range []map[string]func() emergencytest.Subject{writeMutants(), listMutants(), relationMutants()} {
		for name, open := range m {
			all[name] = open
		}
	}
	conform.Mutants(t, emergencytest.Rules(), all)
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	good := func() (emergencytest.Subject, error) {
		m := emergency.NewMemory()
		return emergencytest.Subject{Store: m, Relation: m.Relation()}, nil
	}
	require.NoError(t, emergencytest.Check(t.Context(), good))
	bad := func() (emergencytest.Subject, error) { return listMutants()["of_order"](), nil }
	require.ErrorContains(t, emergencytest.Check(t.Context(), bad), "of_order:")
}

func writeMutants() map[string]func() emergencytest.Subject {
	return map[string]func() emergencytest.Subject{
		"get_round_trip": creating(func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error {
			g.Again = strings.ReplaceAll(g.Again, `"`, "")
			return good.Create(ctx, g)
		}),
		"get_missing": breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id string) (emergency.Grant, error) {
				if id == "nothing" {
					return emergency.Grant{}, nil
				}
				return good.Get(ctx, t, id)
			}
		}),
		"get_foreign": breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id string) (emergency.Grant, error) {
				g, err := good.Get(ctx, t, id)
				if errors.Is(err, emergency.ErrNotFound) && t != "clinic" {
					return good.Get(ctx, "clinic", id)
				}
				return g, err
			}
		}),
		"create_version": creating(func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error {
			if err := good.Create(ctx, g); err != nil || g.Version < 5 {
				return err
			}
			up := g
			for up.Version = 2; up.Version <= g.Version; up.Version++ {
				if err := good.Update(ctx, up); err != nil {
					return err
				}
			}
			return nil
		}),
		"create_number": creating(func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error {
			if strings.HasPrefix(g.ID, "wrong/3") {
				return nil
			}
			return good.Create(ctx, g)
		}),
		"create_number_of_person": creating(func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error {
			for h := range good.Of(ctx, "clinic", "ana", 0) {
				if h.Number == 2 && g.Person == "ben" {
					return emergency.ErrConflict
				}
			}
			return good.Create(ctx, g)
		}),
		"create_id_taken": breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
			m.create = func(ctx context.Context, g emergency.Grant) error {
				err := good.Create(ctx, g)
				if errors.Is(err, emergency.ErrConflict) && g.Tenant != "clinic" && g.Number == 1 {
					return nil
				}
				return err
			}
		}),
		"create_one_wins": creating(func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error {
			if err := good.Create(ctx, g); !strings.HasPrefix(g.ID, "race/") {
				return err
			}
			return ctx.Err()
		}),
		"update_round_trip": updating(func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error {
			if g.Reason == "yet_another" {
				g.Reason = "covering"
			}
			return good.Update(ctx, g)
		}),
		"update_keeps": breaking(func(m *mutant, _ *bent, good *emergency.Memory) {
			moved := audit.Patient("")
			m.update = func(ctx context.Context, g emergency.Grant) error {
				if g.Patient == "p-2" {
					moved = g.Patient
				}
				return good.Update(ctx, g)
			}
			m.get = func(ctx context.Context, t audit.Tenant, id string) (emergency.Grant, error) {
				g, err := good.Get(ctx, t, id)
				if err == nil && moved != "" {
					g.Patient = moved
				}
				return g, err
			}
		}),
		"update_stale": forgiving(func(g, have emergency.Grant, _ error) bool { return g.Version == 3 && have.Version == 1 }),
		"update_missing": forgiving(func(g, _ emergency.Grant, err error) bool {
			return errors.Is(err, emergency.ErrNotFound) && g.Tenant == "clinic"
		}),
		"update_foreign":  forgiving(func(g, _ emergency.Grant, _ error) bool { return g.Tenant != "clinic" }),
		"update_one_wins": forgiving(func(g, have emergency.Grant, _ error) bool { return g.Version == 2 && have.Version == 2 }),
		"cancelled": ofPerson(func(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64, good *emergency.Memory) iter.Seq2[emergency.Grant, error] {
			return good.Of(context.WithoutCancel(ctx), t, p, below)
		}),
	}
}

// forgiving returns how to open stores that answer some conflicts as if they had written.
func forgiving(which func(g, have emergency.Grant, err error) bool) func() emergencytest.Subject {
	return updating(func(ctx context.Context, g emergency.Grant, good *emergency.Memory) error {
		err := good.Update(ctx, g)
		if !errors.Is(err, emergency.ErrConflict) {
			return err
		}
		if have, gerr := good.Get(ctx, g.Tenant, g.ID); which(g, have, gerr) {
			return nil
		}
		return err
	})
}

func listMutants() map[string]func() emergencytest.Subject {
	type memory = *emergency.Memory
	turned := func(all []emergency.Grant) []emergency.Grant {
		if len(all) > 200 {
			slices.Reverse(all)
		}
		return all
	}
	return map[string]func() emergencytest.Subject{
		"of_person": ofPerson(func(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64, good memory) iter.Seq2[emergency.Grant, error] {
			return chain(good.Of(ctx, t, p, below), good.Of(ctx, t, "ben", below))
		}),
		"of_tenant": ofPerson(func(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64, good memory) iter.Seq2[emergency.Grant, error] {
			return chain(good.Of(ctx, t, p, below), good.Of(ctx, "clinic/other", p, below))
		}),
		"of_order": ofPerson(func(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64, good memory) iter.Seq2[emergency.Grant, error] {
			return edited(good.Of(ctx, t, p, below), turned)
		}),
		"of_below": ofPerson(func(ctx context.Context, t audit.Tenant, p audit.ActorID, below int64, good memory) iter.Seq2[emergency.Grant, error] {
			if below > 0 {
				below++
			}
			return good.Of(ctx, t, p, below)
		}),
		"list_tenant": listing(func(ctx context.Context, t audit.Tenant, pending bool, below string, good memory) iter.Seq2[emergency.Grant, error] {
			if t == "clinic" {
				return chain(good.List(ctx, t, pending, below), good.List(ctx, "clinic/other", pending, below))
			}
			return good.List(ctx, t, pending, below)
		}),
		"list_order": listing(func(ctx context.Context, t audit.Tenant, pending bool, below string, good memory) iter.Seq2[emergency.Grant, error] {
			return edited(good.List(ctx, t, pending, below), turned)
		}),
		"list_below": listing(func(ctx context.Context, t audit.Tenant, pending bool, below string, good memory) iter.Seq2[emergency.Grant, error] {
			if below != "" && t != "" {
				below += "0"
			}
			return good.List(ctx, t, pending, below)
		}),
		"list_pending": listing(func(ctx context.Context, t audit.Tenant, pending bool, below string, good memory) iter.Seq2[emergency.Grant, error] {
			return good.List(ctx, t, pending && t == "", below)
		}),
		"list_everywhere": listing(func(ctx context.Context, t audit.Tenant, pending bool, below string, good memory) iter.Seq2[emergency.Grant, error] {
			if t == "" && pending {
				t = "clinic"
			}
			return good.List(ctx, t, pending, below)
		}),
		"list_nothing": listing(func(ctx context.Context, t audit.Tenant, pending bool, below string, good memory) iter.Seq2[emergency.Grant, error] {
			return good.List(ctx, t, pending || t == "", below)
		}),
		"breaking_off": listing(func(ctx context.Context, t audit.Tenant, pending bool, below string, good memory) iter.Seq2[emergency.Grant, error] {
			return func(yield func(emergency.Grant, error) bool) {
				for g, err := range good.List(ctx, t, pending, below) {
					yield(g, err)
				}
			}
		}),
	}
}

func relationMutants() map[string]func() emergencytest.Subject {
	return map[string]func() emergencytest.Subject{
		"relation_grant": breaking(func(_ *mutant, b *bent, _ *emergency.Memory) {
			b.grant = func(ctx context.Context, t audit.Tenant, a audit.ActorID, p audit.Patient, now time.Time) (string, error) {
				if a == "ben" && p == "p-1" {
					a = "ana"
				}
				return b.EmergencyRelation.Grant(ctx, t, a, p, now)
			}
		}),
		"relation_period": breaking(func(_ *mutant, b *bent, _ *emergency.Memory) {
			b.grant = func(ctx context.Context, t audit.Tenant, a audit.ActorID, p audit.Patient, now time.Time) (string, error) {
				if id, err := b.EmergencyRelation.Grant(ctx, t, a, p, now); id != "" || err != nil {
					return id, err
				}
				return b.EmergencyRelation.Grant(ctx, t, a, p, now.Add(-time.Microsecond))
			}
		}),
		"relation_ended": breaking(func(_ *mutant, b *bent, good *emergency.Memory) {
			b.grant = func(ctx context.Context, t audit.Tenant, a audit.ActorID, p audit.Patient, now time.Time) (string, error) {
				for g := range good.Of(ctx, t, a, 0) {
					if g.Patient == p && now.Before(g.Ended) && !now.Before(g.Opened) {
						return g.ID, nil
					}
				}
				return b.EmergencyRelation.Grant(ctx, t, a, p, now)
			}
		}),
		"relation_open": breaking(func(_ *mutant, b *bent, _ *emergency.Memory) {
			b.open = func(ctx context.Context, t audit.Tenant, a audit.ActorID, now time.Time) ([]string, error) {
				ids, err := b.EmergencyRelation.Open(ctx, t, a, now)
				return ids[:min(1, len(ids))], err
			}
		}),
	}
}
