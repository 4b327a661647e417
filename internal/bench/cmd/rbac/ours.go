package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/rbac"
)

// row is a record of a patient.
type row struct {
	id, practice string
	tenant       audit.Tenant
}

func (r row) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: r.id, Tenant: r.tenant, Practice: rbac.PracticeID(r.practice), Patient: audit.Patient(r.id)}
}

func (c *clinic) row(i int) row {
	p := c.patient[i]
	return row{strings.Clone(p.id), practiceName(p.practice), audit.Tenant(tenantName(p.practice / perCompany))}
}

// page is the records that a request shows, just read.
type page [inRow]row

func (c *clinic) page(first int) (out page) {
	for i := range out {
		out[i] = c.row(c.asked[first+i].patient)
	}
	return out
}

// rows are the records of all questions.
func (c *clinic) rows() []row {
	out := make([]row, len(c.asked))
	for i, q := range c.asked {
		out[i] = c.row(q.patient)
	}
	return out
}

// careMap is the care relation in memory: everybody's patients, in order. That is half the memory of a
// map for each person, and fewer of the places that a cache has to have.
type careMap map[audit.ActorID][]audit.Patient

func (m careMap) Has(_ context.Context, _ audit.Tenant, subject audit.ActorID, p audit.Patient, _ time.Time) (bool, error) {
	_, ok := slices.BinarySearch(m[subject], p)
	return ok, nil
}

func (careMap) SQL(args *rbac.Args, column string, t audit.Tenant, subject audit.ActorID, now time.Time) string {
	return careTable().SQL(args, column, t, subject, now)
}

func (careMap) Digest() string { return "map" }

// opened is the workload in rbac.
type opened struct {
	*clinic
	z       *rbac.Authorizer
	actions []rbac.Action[row]
	records []row
	ctx     map[int]context.Context // by user, grants loaded
	asking  []context.Context       // by question
}

// open compiles the workload's policy over a relation and a store.
func (c *clinic) open(care rbac.Relation, store rbac.Store) (*opened, error) {
	o := &opened{clinic: c, ctx: map[int]context.Context{}, records: c.rows(), asking: make([]context.Context, len(c.asked))}
	columns := rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "id"}
	byName := map[string]rbac.AnyAction{}
	rules := rbac.Rules{Relations: rbac.Relations{Own: care}}
	for _, name := range c.actions {
		a := rbac.Define[row](name, columns, rbac.Verb(audit.Read), rbac.PHI())
		o.actions, rules.Actions, byName[name] = append(o.actions, a), append(rules.Actions, a), a
	}
	for i, name := range roles() {
		scope := rbac.Practice
		if own(name) {
			scope = rbac.Own
		}
		r := rbac.Role{Name: rbac.RoleName(name), Label: name, Rank: i}
		for _, action := range c.perms[name] {
			r.Allow = append(r.Allow, rbac.In(scope, byName[action]))
		}
		rules.Roles = append(rules.Roles, r)
	}
	p, err := rbac.Compile(rules)
	if err != nil {
		return nil, err
	}
	o.z, err = rbac.New(p, store, audit.Discard{}, nil)
	return o, err
}

// grants are the rows of one user.
func (c *clinic) grants(i int) rbac.Grant {
	u := c.users[i]
	g := rbac.Grant{
		ID: "grant-" + u.id, Tenant: audit.Tenant(tenantName(u.tenant)), Person: audit.ActorID(u.id),
		Role: rbac.RoleName(u.role), By: "setup", Source: rbac.SourceSetUp,
	}
	if !own(u.role) {
		for _, p := range u.practices {
			g.Practices = append(g.Practices, rbac.PracticeID(practiceName(p)))
		}
	}
	return g
}

func (c *clinic) actor(i int) audit.Actor {
	u := c.users[i]
	return audit.Actor{ID: audit.ActorID(u.id), Kind: audit.KindStaff, Tenant: audit.Tenant(tenantName(u.tenant)), Assurance: audit.AAL2}
}

// load reads everybody's grants again: rbac uses what was read for 30 seconds.
func (o *opened) load(ctx context.Context) error {
	clear(o.ctx)
	for i, q := range o.asked {
		if _, ok := o.ctx[q.user]; !ok {
			loaded, err := o.z.Load(audit.WithActor(ctx, o.actor(q.user)))
			if err != nil {
				return err
			}
			o.ctx[q.user] = loaded
		}
		o.asking[i] = o.ctx[q.user]
	}
	return nil
}

// decide answers a question.
func (o *opened) decide(i int) (bool, error) {
	d, err := rbac.Check(o.asking[i], o.z, o.actions[o.asked[i].action], o.records[i])
	return d.Allowed, err
}

// fill writes everybody's grants into a store.
func (c *clinic) fill(ctx context.Context, s rbac.Store) error {
	changes := map[audit.Tenant]*rbac.Change{}
	for i := range c.users {
		g := c.grants(i)
		if changes[g.Tenant] == nil {
			changes[g.Tenant] = &rbac.Change{}
		}
		changes[g.Tenant].Add = append(changes[g.Tenant].Add, g)
	}
	for t, change := range changes {
		if err := s.Apply(ctx, t, 0, *change); err != nil {
			return err
		}
	}
	return nil
}

// fixed is a store of one user's grants, as a host's request has read them.
type fixed struct {
	rbac.Store
	c      *clinic
	byName map[audit.ActorID]int
}

func (f fixed) Grants(_ context.Context, _ audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
	return []rbac.Grant{f.c.grants(f.byName[person])}, nil
}

func (c *clinic) fixed() fixed {
	f := fixed{rbac.NewMemory(), c, map[audit.ActorID]int{}}
	for i, u := range c.users {
		f.byName[audit.ActorID(u.id)] = i
	}
	return f
}

// ours is rbac.Check with the subject loaded, in requests.
func ours(ctx context.Context, c *clinic) (*turns.Case, error) {
	o, err := c.open(c.inCare, c.fixed())
	if err != nil {
		return nil, err
	}
	var loaded context.Context
	var rows page
	var actions [inRow]rbac.Action[row]
	ready := func(first int) (err error) {
		loaded, err = o.z.Load(audit.WithActor(ctx, o.actor(c.asked[first].user)))
		rows = c.page(first)
		for i := range actions {
			actions[i] = o.actions[c.asked[first+i].action]
		}
		return err
	}
	return visited("wardkit rbac.Check", c.answers, ready, func(i int) (bool, error) {
		d, err := rbac.Check(loaded, o.z, actions[i], rows[i])
		return d.Allowed, err
	}), nil
}

// oursCold is rbac.Check with every subject loaded some time ago.
func oursCold(ctx context.Context, c *clinic) (*turns.Case, error) {
	o, err := c.open(c.inCare, c.fixed())
	if err != nil {
		return nil, err
	}
	read := time.Time{}
	return answering("wardkit rbac.Check", c.answers, o.decide, func() error {
		if time.Since(read) < 20*time.Second {
			return nil
		}
		read = time.Now()
		return o.load(ctx)
	}), nil
}

// visible is the text of a filter: Visible and Filter.SQL.
func visible(ctx context.Context, c *clinic) (*turns.Case, error) {
	o, err := c.open(c.inCare, c.fixed())
	if err != nil {
		return nil, err
	}
	var trails [inRow]context.Context
	var actions [inRow]rbac.Action[row]
	ready := func(first int) (err error) {
		for i := range trails {
			actions[i] = o.actions[c.asked[first+i].action]
			ctx, _ := audit.WithTrail(audit.WithActor(ctx, o.actor(c.asked[first].user)), audit.Discard{}, audit.Event{})
			if trails[i], err = o.z.Load(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	return visited("wardkit rbac.Visible with Filter.SQL, recorded", nil, ready, func(i int) (bool, error) {
		f, err := rbac.Visible(trails[i], o.z, actions[i])
		if err != nil {
			return false, nil // ErrNothing: the role has not the action
		}
		where, args := f.SQL(rbac.Postgres, "p", 1)
		return where != "" && len(args) > 0, nil
	}), nil
}

// text is Filter.SQL alone, of the filters that the request has: half of the questions are allowed.
func text(ctx context.Context, c *clinic) (*turns.Case, error) {
	o, err := c.open(c.inCare, c.fixed())
	if err != nil {
		return nil, err
	}
	var filters []rbac.Filter[row]
	ready := func(first int) error {
		filters = filters[:0]
		for _, q := range c.asked[first : first+inRow] {
			ctx, _ := audit.WithTrail(audit.WithActor(ctx, o.actor(q.user)), audit.Discard{}, audit.Event{})
			if f, err := rbac.Visible(ctx, o.z, o.actions[q.action]); err == nil {
				filters = append(filters, f)
			}
		}
		return nil
	}
	return visited("wardkit Filter.SQL alone", nil, ready, func(i int) (bool, error) {
		where, args := filters[i%len(filters)].SQL(rbac.Postgres, "p", 1)
		return where != "" && len(args) > 0, nil
	}), nil
}
