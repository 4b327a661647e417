package rbacsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/internal/world"
	"github.com/wardkit/wardkit/rbac/rbacsql"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

const schema = `
CREATE TABLE record (id TEXT NOT NULL, tenant TEXT NOT NULL, practice TEXT, location TEXT, queue TEXT,
	patient TEXT, owner TEXT, author TEXT, labels BIGINT);
`

// host is a random world in the tables of an engine.
type host struct {
	*world.World
	db   *sqlkit.DB
	pool *sql.DB
	z    *rbac.Authorizer
}

func newHost(t testing.TB, e enginetest.Engine, seed uint64, rows int) *host {
	t.Helper()
	h := &host{World: world.New(seed, rows), db: e.Kit(t), pool: e.Pool}
	require.NoError(t, h.db.Write(t.Context(), func(tx *sqlkit.Tx) error { return h.fill(t.Context(), tx) }))
	store := open(t, e)
	require.NoError(t, h.Fill(t.Context(), store))
	emergency, err := store.EmergencyRelation(declared("emergency"))
	require.NoError(t, err)
	p, err := rbac.Compile(h.Rules(world.Relations(func(name string) rbac.Relation {
		r, err := store.Relation(declared(name))
		require.NoError(t, err)
		return r
	}, emergency)))
	require.NoError(t, err)
	h.z, err = rbac.New(p, store, audit.Discard{}, h.options())
	require.NoError(t, err)
	return h
}

func (h *host) options() *rbac.Options {
	return &rbac.Options{Now: func() time.Time { return h.Now }, Toggles: h.World}
}

// declared is a relation of the world as a table of its own, or through one.
func declared(name string) rbac.TableRelation {
	r := rbac.TableRelation{
		Table: "link_" + name, Tenant: "tenant", Subject: "person", Object: "object", From: "from_at", Until: "until_at",
	}
	switch name {
	case "emergency":
		r.ID = "id"
	case "supervisees":
		r.Table = "link_own"
		r.Through = &rbac.TableRelation{
			Table: "link_supervision", Tenant: "tenant", Subject: "person", Object: "object", From: "from_at", Until: "until_at",
		}
	case "full":
		r.Table, r.Kind, r.Kinds = "link_proxy", "kind", []string{"full", "more, than {that}"}
	}
	return r
}

// fill writes rows and relations; what is empty is NULL, or 0 for every other open end.
func (h *host) fill(ctx context.Context, tx *sqlkit.Tx) error {
	for _, statement := range strings.SplitAfter(strings.TrimSpace(schema), ";\n") {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	for i, r := range h.Rows {
		_, err := tx.Exec(ctx, `INSERT INTO record (id, tenant, practice, location, queue, patient, owner, author, labels)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.ID, string(r.Tenant), null(string(r.Practice)), null(string(r.Location)), null(string(r.Queue)),
			null(string(r.Patient)), null(string(r.Owner)), null(string(r.Author)), open0(int64(r.Labels), i))
		if err != nil {
			return err
		}
	}
	for _, table := range world.Tables() {
		_, err := tx.Exec(ctx, `CREATE TABLE link_`+table+` (id TEXT, tenant TEXT, person TEXT, object TEXT, kind TEXT, from_at BIGINT, until_at BIGINT)`)
		if err != nil {
			return err
		}
		for i, l := range h.Links[table] {
			_, err := tx.Exec(ctx, `INSERT INTO link_`+table+` (id, tenant, person, object, kind, from_at, until_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
				world.LinkID(i), string(l.Tenant), string(l.Subject), null(l.Object), null(l.Kind), open0(l.From, i), open0(l.Until, i+1))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func open0(us int64, i int) any {
	if us == 0 && i%2 == 0 {
		return nil
	}
	return us
}

// find runs the host's statement with a filter in it.
func (h *host) find(ctx context.Context, where string, args []any) ([]world.Row, error) {
	const query = `SELECT r.id, r.tenant, COALESCE(r.practice, ''), COALESCE(r.location, ''), COALESCE(r.queue, ''),
		COALESCE(r.patient, ''), COALESCE(r.owner, ''), COALESCE(r.author, ''), COALESCE(r.labels, 0) FROM record r WHERE `
	rows, err := h.pool.QueryContext(ctx, query+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []world.Row
	for rows.Next() {
		var r world.Row
		var labels int64 // the column's sign is the highest label
		if err := rows.Scan(&r.ID, &r.Tenant, &r.Practice, &r.Location, &r.Queue, &r.Patient, &r.Owner, &r.Author, &labels); err != nil {
			return nil, err
		}
		r.Labels = rbac.Labels(labels)
		out = append(out, r)
	}
	return out, rows.Err()
}

// dialect is how an engine's driver takes arguments.
func dialect(e enginetest.Engine) rbac.Dialect {
	if e.Dialect == sqlkit.Postgres {
		return rbac.Postgres
	}
	return rbac.SQLite
}

// TestFilterAgreesWithCheck runs random worlds: what a statement lists is what Check allows,
// and both are what a naive evaluator says.
func TestFilterAgreesWithCheck(t *testing.T) {
	t.Parallel()
	seeds, rows := uint64(2), 80
	if testing.Short() {
		seeds, rows = 1, 40
	}
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		for seed := range seeds {
			e := engine(t)
			h := newHost(t, e, seed, rows)
			actors := h.Actors
			if testing.Short() {
				actors = actors[:15]
			}
			rbactest.FilterAgreesWithCheck(t, rbactest.World[world.Row]{
				Authorizer: h.z, Actors: actors, Rows: h.Rows,
				Dialect: dialect(e), Alias: "r", Select: h.find,
			}, h.World.Actions...)
			h.listsAreNaive(t, e)
		}
	})
}

// listsAreNaive compares lists with the naive evaluator.
func (h *host) listsAreNaive(t *testing.T, e enginetest.Engine) {
	t.Helper()
	for _, a := range h.Actors {
		ctx := rbactest.As(t.Context(), a, audit.Discard{})
		for i, action := range h.World.Actions {
			want := []string{}
			for _, r := range h.Rows {
				if h.Allowed(a, i, r) {
					want = append(want, r.ID)
				}
			}
			f, err := rbac.Visible(ctx, h.z, action)
			if err != nil {
				require.ErrorIs(t, err, rbac.ErrDenied)
			}
			where, args := f.SQL(dialect(e), "r", 1)
			rows, err := h.find(ctx, where, args)
			require.NoError(t, err)
			got := []string{}
			for _, r := range rows {
				got = append(got, r.ID)
			}
			require.ElementsMatch(t, want, got)
		}
	}
}

// TestFilterBesideTheHostsOwnArguments puts the condition between the host's arguments, in
// each of the three ways to write placeholders.
func TestFilterBesideTheHostsOwnArguments(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		h := newHost(t, e, 1, 60)
		most := 0
		for _, a := range h.Actors {
			ctx := rbactest.As(t.Context(), a, audit.Discard{})
			f, err := rbac.Visible(ctx, h.z, h.World.Actions[0])
			if err != nil {
				continue
			}
			where, args := f.SQL(dialect(e), "r", 1)
			rows, err := h.find(ctx, where, args)
			require.NoError(t, err)
			most = max(most, len(rows))

			where, args = f.SQL(dialect(e), "", 2)
			last := "?"
			if e.Dialect == sqlkit.Postgres {
				last = fmt.Sprintf("$%d", len(args)+2)
			}
			query := "SELECT COUNT(*) FROM record WHERE id <> " + strings.Replace(last, fmt.Sprint(len(args)+2), "1", 1) +
				" AND " + where + " AND id <> " + last
			var n int
			all := append(append([]any{"nobody"}, args...), "nothing")
			require.NoError(t, h.pool.QueryRowContext(ctx, query, all...).Scan(&n), query)
			require.Equal(t, len(rows), n)

			d := rbac.PostgresQ
			if e.Dialect == sqlkit.SQLite {
				d = rbac.SQLite
			}
			where, args = f.SQL(d, "record", 0)
			all = append(append([]any{"nobody"}, args...), "nothing")
			require.NoError(t, h.db.Get(ctx, []any{&n}, "SELECT COUNT(*) FROM record WHERE id <> ? AND "+where+" AND id <> ?", all...))
			require.Equal(t, len(rows), n)
		}
		require.Positive(t, most)
	})
}

// remembered is emergency access in memory.
type remembered struct{ *rbac.MemoryRelation }

func (r remembered) Grant(ctx context.Context, t audit.Tenant, subject audit.ActorID, p audit.Patient, now time.Time) (string, error) {
	if has, err := r.Has(ctx, t, subject, p, now); !has || err != nil {
		return "", err
	}
	return "grant", nil
}

func (remembered) Open(context.Context, audit.Tenant, audit.ActorID, time.Time) ([]string, error) {
	return nil, nil
}

// TestMemoryRelationListsWhatItHolds runs the SQL reading of MemoryRelation.
func TestMemoryRelationListsWhatItHolds(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		h := newHost(t, e, 2, 60)
		of := func(name string) *rbac.MemoryRelation {
			r := rbac.NewMemoryRelation()
			for _, l := range h.Links[name] {
				r.Link(l.Tenant, l.Subject, audit.Patient(l.Object), sqlkit.Time(l.Until))
			}
			return r
		}
		p, err := rbac.Compile(h.Rules(world.Relations(func(name string) rbac.Relation { return of(name) }, remembered{of("emergency")})))
		require.NoError(t, err)
		z, err := rbac.New(p, open(t, e), audit.Discard{}, h.options())
		require.NoError(t, err)
		rbactest.FilterAgreesWithCheck(t, rbactest.World[world.Row]{
			Authorizer: z, Actors: h.Actors[:15], Rows: h.Rows, Dialect: dialect(e), Alias: "r", Select: h.find,
		}, h.World.Actions...)
	})
}

func TestRelationInsideTheHostsTransaction(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		ctx := t.Context()
		e := engine(t)
		h := newHost(t, e, 3, 1)
		r, err := rbacsql.TableRelation(e.Pool, dialect(e), rbac.TableRelation{
			Table: "link_own", Tenant: "tenant", Subject: "person", Object: "object",
		})
		require.NoError(t, err)
		tx, err := e.Pool.BeginTx(ctx, nil)
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(ctx, `INSERT INTO link_own (tenant, person, object) VALUES ('new', 'ana', 'p1')`)
		require.NoError(t, err)
		has, err := r.WithTx(tx).Has(ctx, "new", "ana", "p1", h.Now)
		require.NoError(t, err)
		require.True(t, has)
		has, err = r.Has(ctx, "new", "ana", "p1", h.Now)
		require.NoError(t, err)
		require.False(t, has, "not committed")
	})
}

func TestRelationFailsClosed(t *testing.T) {
	t.Parallel()
	_, err := rbacsql.TableRelation(nil, rbac.SQLite, rbac.TableRelation{})
	require.Error(t, err)
	e := enginetest.SQLite(t)
	_, err = rbacsql.TableRelation(e.Pool, 0, rbac.TableRelation{})
	require.ErrorContains(t, err, "dialect")
	_, err = rbacsql.TableRelation(e.Pool, rbac.SQLite, rbac.TableRelation{Table: "care; DROP TABLE care", Tenant: "t", Subject: "s", Object: "o"})
	require.ErrorContains(t, err, "identifier")
	r, err := rbacsql.TableRelation(e.Pool, rbac.SQLite, rbac.TableRelation{Table: "missing", Tenant: "t", Subject: "s", Object: "o"})
	require.NoError(t, err)
	has, err := r.Has(t.Context(), "t", "s", "p", time.Now())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "missing")
	require.False(t, has)
}

// TestGrantJoinsTheHostsTransaction: a grant and the host's own rows are one.
func TestGrantJoinsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		ctx := t.Context()
		e := engine(t)
		s := open(t, e)
		g := rbac.Grant{ID: "g1", Tenant: "clinic", Person: "ana", Role: "therapist", By: "adam"}
		for _, commit := range []bool{false, true} {
			tx, err := e.Pool.BeginTx(ctx, nil)
			require.NoError(t, err)
			require.NoError(t, s.WithTx(tx).Apply(ctx, "clinic", 0, rbac.Change{Add: []rbac.Grant{g}}))
			require.ErrorIs(t, s.WithTx(tx).Apply(ctx, "clinic", 1, rbac.Change{Add: []rbac.Grant{g}}), rbac.ErrGrantExists)
			if commit {
				require.NoError(t, tx.Commit())
			} else {
				require.NoError(t, tx.Rollback())
			}
			got, err := s.Grants(ctx, "clinic", "ana")
			require.NoError(t, err)
			require.Equal(t, commit, len(got) == 1)
		}
	})
}
