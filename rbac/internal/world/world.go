// Package world makes random worlds for rbac's tests: policies, people, grants, relations and
// records, with ids that try to be mistaken for each other, and a naive evaluator that is
// written straight from the meaning of the rules.
package world

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Row is a record of a world.
type Row struct {
	ID       string
	Tenant   audit.Tenant
	Practice rbac.PracticeID
	Location rbac.LocationID
	Queue    rbac.QueueID
	Patient  audit.Patient
	Owner    audit.ActorID
	Author   audit.ActorID
	Labels   rbac.Labels
}

// RBAC returns where the record belongs.
func (r Row) RBAC() rbac.Attrs { return rbac.Attrs(r) }

// Link relates a person to a patient, or to a supervised person, for a time: microseconds, 0
// means open.
type Link struct {
	Tenant      audit.Tenant
	Subject     audit.ActorID
	Object      string
	Kind        string
	From, Until int64
}

// holds reports whether the link counts at now.
func (l Link) holds(now time.Time) bool {
	us := now.UnixMicro()
	return l.From <= us && (l.Until == 0 || us < l.Until)
}

// World is a random world.
type World struct {
	Now     time.Time
	Actions []rbac.Action[Row]
	Roles   []rbac.Role
	Forbids []Forbid
	Grants  []rbac.Grant
	Links   map[string][]Link // by table: see Tables
	Rows    []Row
	Actors  []audit.Actor
	Chosen  map[audit.Tenant]rbac.Toggles

	columns []rbac.Columns
	phi     []bool
	reads   []bool
	perms   map[rbac.RoleName][][]perm // by action
	rnd     *rand.Rand
}

// perm is a permission as the naive evaluator reads it.
type perm struct {
	in     Expr
	choice string // "in", "out" or ""
}

// Forbid is an rbac.Forbid as the naive evaluator reads it.
type Forbid struct {
	rule    rbac.Forbid
	actions []int
	except  *Expr
}

// Tables are the tables of Links.
func Tables() []string {
	return []string{"own", "supervision", "self", "proxy", "consented", "emergency"}
}

// Columns are the columns of a table of rows: each action leaves out some of them.
func Columns() rbac.Columns {
	return rbac.Columns{
		ID: "id", Tenant: "tenant", Practice: "practice", Location: "location", Queue: "queue",
		Patient: "patient", Owner: "owner", Author: "author", Labels: "labels",
	}
}

// New returns the world of a seed with n rows.
func New(seed uint64, n int) *World {
	w := &World{
		Now:    time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC),
		Links:  map[string][]Link{},
		Chosen: map[audit.Tenant]rbac.Toggles{},
		perms:  map[rbac.RoleName][][]perm{},
		rnd:    rand.New(rand.NewPCG(seed, 7)),
	}
	w.actions()
	w.roles()
	w.forbids()
	w.links()
	for i := range n {
		w.Rows = append(w.Rows, w.Row(i))
	}
	w.actors()
	w.grants()
	w.choose()
	return w
}

// Rules returns the world's policy over relations.
func (w *World) Rules(relations rbac.Relations) rbac.Rules {
	r := rbac.Rules{Roles: w.Roles, Relations: relations}
	for _, a := range w.Actions {
		r.Actions = append(r.Actions, a)
	}
	for _, f := range w.Forbids {
		r.Forbid = append(r.Forbid, f.rule)
	}
	return r
}

// Fill writes the world's grants into a store.
func (w *World) Fill(ctx context.Context, s rbac.Store) error {
	for _, g := range w.Grants {
		v, err := s.Version(ctx, g.Tenant)
		if err == nil {
			err = s.Apply(ctx, g.Tenant, v, rbac.Change{Add: []rbac.Grant{g}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Toggles makes a world the rbac.TenantToggles of its tenants.
func (w *World) Toggles(_ context.Context, t audit.Tenant) (rbac.Toggles, error) {
	return w.Chosen[t], nil
}
