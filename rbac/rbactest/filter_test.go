package rbactest_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

type chart struct {
	id     string
	tenant audit.Tenant
}

func (c chart) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: c.id, Tenant: c.tenant, Patient: audit.Patient(c.id)}
}

// probe is a testing.TB that remembers whether a helper complained.
type probe struct {
	testing.TB
	said string
}

func (p *probe) Helper() {}

func (p *probe) Errorf(format string, _ ...any) { p.said += format }

func (p *probe) Fatalf(format string, _ ...any) {
	p.said += format
	runtime.Goexit()
}

// complains runs f with a probe and reports what it said.
func complains(t testing.TB, f func(testing.TB)) string {
	p := &probe{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(p)
	}()
	<-done
	return p.said
}

// world is a table of charts in SQLite, of which ana sees one; column is where the host says
// that the patient is.
func world(t *testing.T, column string) (rbactest.World[chart], rbac.Action[chart]) {
	t.Helper()
	ctx := t.Context()
	read := rbac.Define[chart]("chart.read", rbac.Columns{ID: "id", Tenant: "tenant", Patient: column})
	own := rbac.NewMemoryRelation()
	own.Link("clinic", "ana", "c1", time.Time{})
	p, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{read},
		Roles:     []rbac.Role{{Name: "therapist", Label: "Therapist", Allow: []rbac.Allow{rbac.In(rbac.Own, read)}}},
		Relations: rbac.Relations{Own: own},
	})
	require.NoError(t, err)
	store := rbac.NewMemory()
	z, err := rbac.New(p, store, audit.Discard{}, nil)
	require.NoError(t, err)
	_, err = z.Grant(audit.WithActor(ctx, audit.System("clinic", "setup")), rbac.Grant{Person: "ana", Role: "therapist"})
	require.NoError(t, err)

	pool := enginetest.SQLite(t).Pool
	_, err = pool.ExecContext(ctx, `CREATE TABLE chart (id TEXT, tenant TEXT, wrong TEXT)`)
	require.NoError(t, err)
	rows := []chart{{"c1", "clinic"}, {"c2", "clinic"}, {"c1", "other"}}
	for _, r := range rows {
		_, err = pool.ExecContext(ctx, `INSERT INTO chart VALUES (?, ?, 'c1')`, r.id, string(r.tenant))
		require.NoError(t, err)
	}
	return rbactest.World[chart]{
		Authorizer: z, Rows: rows, Dialect: rbac.SQLite, Alias: "c",
		Actors: []audit.Actor{
			{ID: "ana", Kind: audit.KindStaff, Tenant: "clinic"}, {ID: "zoe", Kind: audit.KindStaff, Tenant: "clinic"},
		},
		Select: func(ctx context.Context, where string, args []any) ([]chart, error) {
			found, err := pool.QueryContext(ctx, `SELECT id, tenant FROM chart c WHERE `+where, args...)
			if err != nil {
				return nil, err
			}
			defer found.Close()
			var out []chart
			for found.Next() {
				var c chart
				if err := found.Scan(&c.id, &c.tenant); err != nil {
					return nil, err
				}
				out = append(out, c)
			}
			return out, found.Err()
		},
	}, read
}

func TestFilterAgreesWithCheckSeesMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		column string
		change func(*rbactest.World[chart])
		want   string
	}{
		"nothing wrong":         {"id", func(*rbactest.World[chart]) {}, ""},
		"the wrong column":      {"wrong", func(*rbactest.World[chart]) {}, "actor %d, action %s"},
		"no such column":        {"missing", func(*rbactest.World[chart]) {}, "actor %d, action %s"},
		"nobody sees anything":  {"id", func(w *rbactest.World[chart]) { w.Actors = w.Actors[1:] }, "proves nothing"},
		"nothing is hidden":     {"id", func(w *rbactest.World[chart]) { w.Actors, w.Rows = w.Actors[:1], w.Rows[:1] }, "proves nothing"},
		"a row is forgotten":    {"id", func(w *rbactest.World[chart]) { w.Rows = w.Rows[1:] }, "actor %d, action %s"},
		"the filter is ignored": {"id", ignore, "actor %d, action %s"},
		"rows come twice": {"id", func(w *rbactest.World[chart]) {
			find := w.Select
			w.Select = func(ctx context.Context, where string, args []any) ([]chart, error) {
				rows, err := find(ctx, where, args)
				return append(rows, rows...), err
			}
		}, "actor %d, action %s"},
		"the statement fails": {"id", func(w *rbactest.World[chart]) {
			w.Select = func(context.Context, string, []any) ([]chart, error) { return nil, errors.New("down") }
		}, "actor %d, action %s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, read := world(t, c.column)
			c.change(&w)
			said := complains(t, func(tb testing.TB) { rbactest.FilterAgreesWithCheck(tb, w, read) })
			require.Equal(t, c.want == "", said == "", said)
			require.Contains(t, said, c.want)
		})
	}
}

func ignore(w *rbactest.World[chart]) {
	find := w.Select
	w.Select = func(ctx context.Context, where string, args []any) ([]chart, error) {
		if strings.Contains(where, "1 = 0") {
			return nil, nil
		}
		return find(ctx, "1 = 1", nil)
	}
}
