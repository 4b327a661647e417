package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
)

func (e *engine) store(ctx context.Context) (*rbacsql.Store, error) {
	open := rbacsql.SQLite
	if e.dialect == rbac.Postgres {
		open = rbacsql.Postgres
	}
	s, err := open(e.db)
	if err != nil {
		return nil, err
	}
	return s, s.Migrate(ctx)
}

// cases are what a database answers: the subject's read, a decision with the relation, and
// lists, each with the same list by hand after it.
func (e *engine) cases(ctx context.Context, o *opened) ([]*turns.Case, error) {
	load := answering("loading a subject", nil, func(i int) (bool, error) {
		_, err := o.z.Load(audit.WithActor(ctx, o.actor(o.asked[i].user)))
		return err == nil, err
	}, nil)
	read := time.Time{}
	check := answering("a decision, the subject loaded", o.answers, o.decide, func() error {
		if time.Since(read) < 15*time.Second {
			return nil
		}
		read = time.Now()
		return o.load(ctx)
	})
	cases := []*turns.Case{load, check}
	for _, who := range []struct {
		role      string
		practices int
	}{{"therapist", 0}, {"biller", 1}, {"biller", 4}} {
		pair, err := e.list(ctx, o, who.role, who.practices)
		if err != nil {
			return nil, err
		}
		cases = append(cases, pair...)
	}
	return cases, nil
}

// list returns the first 50 rows of a list by rbac and by hand.
func (e *engine) list(ctx context.Context, o *opened, role string, practices int) ([]*turns.Case, error) {
	g := rbac.Grant{ID: "list", Tenant: listTenant, Person: audit.ActorID(role), Role: rbac.RoleName(role)}
	for i := range practices {
		g.Practices = append(g.Practices, rbac.PracticeID(practiceName(i)))
	}
	lister, err := o.open(o.careRelation(), one{rbac.NewMemory(), g})
	if err != nil {
		return nil, err
	}
	var action rbac.Action[row]
	for i, name := range o.clinic.actions {
		if name == o.perms[role][0] {
			action = lister.actions[i]
		}
	}
	actor := audit.Actor{ID: g.Person, Kind: audit.KindStaff, Tenant: listTenant, Assurance: audit.AAL2}
	const query = "SELECT p.id, p.name FROM patient p WHERE %s ORDER BY p.name LIMIT 50"
	var loaded context.Context
	ready := func() (err error) {
		ctx, _ := audit.WithTrail(audit.WithActor(ctx, actor), audit.Discard{}, audit.Event{})
		loaded, err = lister.z.Load(ctx)
		return err
	}
	ask := func(int) (bool, error) {
		f, err := rbac.Visible(loaded, lister.z, action)
		if err != nil {
			return false, err
		}
		where, args := f.SQL(e.dialect, "p", 1)
		return e.fifty(ctx, fmt.Sprintf(query, where), args)
	}
	hand, args := e.byHand(role, practices)
	name := fmt.Sprintf("first 50 of a %s's patients, %d practices", role, practices)
	filtered := answering(name+", by filter", nil, ask, nil)
	filtered.Ready = ready
	byHand := answering(name+", by hand", nil, func(int) (bool, error) { return e.fifty(ctx, fmt.Sprintf(query, hand), args) }, nil)
	byHand.Ready = ready
	return []*turns.Case{filtered, byHand}, nil
}

// byHand is what somebody would write who knows what the role may see.
func (e *engine) byHand(role string, practices int) (string, []any) {
	if role == "therapist" {
		now := time.Now().UnixMicro()
		return "p.tenant = " + e.mark(1) + " AND p.id IN (SELECT patient FROM care WHERE tenant = " + e.mark(2) + " AND person = " + e.mark(3) +
				" AND (since IS NULL OR since <= " + e.mark(4) + ") AND (until IS NULL OR until = 0 OR until > " + e.mark(5) + "))",
			[]any{listTenant, listTenant, role, now, now}
	}
	args := []any{listTenant}
	text := "p.tenant = " + e.mark(1) + " AND p.practice IN ("
	for i := range practices {
		if i > 0 {
			text += ", "
		}
		text += e.mark(i + 2)
		args = append(args, practiceName(i))
	}
	return text + ")", args
}

func (e *engine) fifty(ctx context.Context, query string, args []any) (bool, error) {
	rows, err := e.db.QueryContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			return false, err
		}
	}
	if n != 50 {
		return false, fmt.Errorf("%d rows", n)
	}
	return true, rows.Err()
}

// one is a store of one grant.
type one struct {
	rbac.Store
	g rbac.Grant
}

func (o one) Grants(context.Context, audit.Tenant, audit.ActorID) ([]rbac.Grant, error) {
	return []rbac.Grant{o.g}, nil
}

// careRelation has only an SQL reading.
func (c *clinic) careRelation() rbac.Relation { return careMap{} }
