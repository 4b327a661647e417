package rbactest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// World is a table of the host with what is in it, and people who may see some of it.
type World[R rbac.Resource] struct {
	Authorizer *rbac.Authorizer
	Actors     []audit.Actor
	Rows       []R // every row of the table, of all tenants
	Dialect    rbac.Dialect
	Alias      string // of the table in Select's statement, "" for none
	// Select runs the host's own statement with where as (a part of) its WHERE clause and
	// returns the rows. On rbac.Postgres the first placeholder in where is $1.
	Select func(ctx context.Context, where string, args []any) ([]R, error)
}

// FilterAgreesWithCheck asserts that, for every actor and action, the rows which a Filter
// selects in the host's own table are exactly the rows which Check allows, and that
// Filter.Match says the same of each. It fails too if over all of them no row was visible or
// none was hidden: such a world proves nothing.
//
// Rows are told apart by tenant and id, so every row needs both.
func FilterAgreesWithCheck[R rbac.Resource](t testing.TB, w World[R], actions ...rbac.Action[R]) {
	t.Helper()
	var visible, hidden int
	for i, a := range w.Actors {
		ctx, err := w.Authorizer.Load(As(t.Context(), a, audit.Discard{}))
		if err != nil {
			t.Fatalf("rbactest: actor %d: %v", i, err)
		}
		for _, action := range actions {
			v, err := agree(ctx, w, action)
			if err != nil {
				t.Fatalf("rbactest: actor %d, action %s: %v", i, action, err)
			}
			visible += v
			hidden += len(w.Rows) - v
		}
	}
	if visible == 0 || hidden == 0 {
		t.Fatalf("rbactest: %d rows visible and %d hidden: this world proves nothing", visible, hidden)
	}
}

// As returns a context in which a acts and decisions are recorded to rec.
func As(ctx context.Context, a audit.Actor, rec audit.Recorder) context.Context {
	ctx, _ = audit.WithTrail(audit.WithActor(ctx, a), rec, audit.Event{})
	return ctx
}

type row struct {
	tenant audit.Tenant
	id     string
}

// agree compares the three readings for one actor and one action.
func agree[R rbac.Resource](ctx context.Context, w World[R], a rbac.Action[R]) (visible int, err error) {
	f, err := rbac.Visible(ctx, w.Authorizer, a)
	if err != nil && !errors.Is(err, rbac.ErrDenied) {
		return 0, err
	}
	where, args := f.SQL(w.Dialect, w.Alias, 1)
	rows, err := w.Select(ctx, where, args)
	if err != nil {
		return 0, err
	}
	listed := map[row]int{}
	for _, r := range rows {
		listed[key(r)]++
	}
	for _, r := range w.Rows {
		dec, err := rbac.Check(ctx, w.Authorizer, a, r)
		if err != nil {
			return 0, err
		}
		match, err := f.Match(ctx, r)
		if err != nil {
			return 0, err
		}
		if n := listed[key(r)]; match != dec.Allowed || n > 1 || (n == 1) != dec.Allowed {
			return 0, errors.New("a row is allowed: " + strconv.FormatBool(dec.Allowed) + " (" + string(dec.Code) +
				"), matches: " + strconv.FormatBool(match) + ", listed: " + strconv.Itoa(n) + " times")
		}
		if dec.Allowed {
			visible++
		}
		delete(listed, key(r))
	}
	if len(listed) > 0 {
		return 0, errors.New("a row is listed that World.Rows does not have")
	}
	return visible, nil
}

func key[R rbac.Resource](r R) row {
	a := r.RBAC()
	return row{a.Tenant, a.ID}
}
