package rbacsql_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
)

// TestRelationCountsFromUntil: inclusive at the start, exclusive at the end, NULL and 0 are
// open, in both readings.
func TestRelationCountsFromUntil(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		ctx := t.Context()
		e := engine(t)
		db := e.Kit(t)
		_, err := db.Exec(ctx, `CREATE TABLE care (tenant TEXT, person TEXT, patient TEXT, from_at BIGINT, until_at BIGINT)`)
		require.NoError(t, err)
		now := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
		us := now.UnixMicro()
		r, err := rbacsql.TableRelation(e.Pool, dialect(e), rbac.TableRelation{
			Table: "care", Tenant: "tenant", Subject: "person", Object: "patient", From: "from_at", Until: "until_at",
		})
		require.NoError(t, err)
		for i, c := range []struct {
			from, until any
			want        bool
		}{
			{nil, nil, true},
			{0, 0, true},
			{us, nil, true},
			{us + 1, nil, false},
			{nil, us, false},
			{nil, us + 1, true},
			{us - 1, us - 1, false},
		} {
			p := audit.Patient(fmt.Sprintf("p%d", i))
			_, err := db.Exec(ctx, `INSERT INTO care (tenant, person, patient, from_at, until_at) VALUES ('t', 'a', ?, ?, ?)`, string(p), c.from, c.until)
			require.NoError(t, err)
			has, err := r.Has(ctx, "t", "a", p, now)
			require.NoError(t, err)
			require.Equal(t, c.want, has, i)
			args := rbac.NewArgs(rbac.PostgresQ, 1)
			where := r.SQL(args, "v", "t", "a", now)
			var n int
			require.NoError(t, db.Get(ctx, []any{&n}, `SELECT COUNT(*) FROM (SELECT '`+string(p)+`' AS v) AS x WHERE `+where, args.Values()...))
			require.Equal(t, c.want, n == 1, i)
			for _, other := range [][2]string{{"t", "b"}, {"u", "a"}} {
				has, err := r.Has(ctx, audit.Tenant(other[0]), audit.ActorID(other[1]), p, now)
				require.NoError(t, err)
				require.False(t, has)
			}
		}
	})
}

// TestAWrongColumnIsAnErrorAndNotTheStatementsOwn: a column that the relation's table does not
// have, but the host's does, would be taken from the statement around it, where it is true for
// every row.
func TestAWrongColumnIsAnErrorAndNotTheStatementsOwn(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		ctx := t.Context()
		db := engine(t).Kit(t)
		for _, statement := range []string{
			`CREATE TABLE chart (tenant TEXT, patient TEXT, person TEXT)`,
			`CREATE TABLE care (tenant TEXT, person TEXT, chart TEXT)`,
			`INSERT INTO chart (tenant, patient, person) VALUES ('t', 'somebody', 'a')`,
			`INSERT INTO care (tenant, person, chart) VALUES ('t', 'a', 'another')`,
		} {
			_, err := db.Exec(ctx, statement)
			require.NoError(t, err)
		}
		good := rbac.TableRelation{Table: "care", Tenant: "tenant", Subject: "person", Object: "chart"}
		wrong, inner := good, good
		wrong.Object = "patient"
		inner.Through = &rbac.TableRelation{Table: "care", Tenant: "tenant", Subject: "person", Object: "patient"}
		for i, r := range []rbac.TableRelation{good, wrong, inner} {
			d := rbac.SQLite
			if db.Dialect() == sqlkit.Postgres {
				d = rbac.PostgresQ
			}
			args := rbac.NewArgs(d, 1)
			var n int
			err := db.Get(ctx, []any{&n}, `SELECT COUNT(*) FROM chart WHERE `+r.SQL(args, "chart.patient", "t", "a", time.Unix(1, 0)), args.Values()...)
			require.Equal(t, i == 0, err == nil, "%d: %v", i, err)
			require.Zero(t, n)
		}
	})
}

// FuzzAmong: a value is found in a list if and only if it is in it, whatever the bytes.
func FuzzAmong(f *testing.F) {
	for _, s := range [][3]string{
		{"north", "south", "north"},
		{`a"b`, `c\d`, `c\d`},
		{"{x,y}", "", "x"},
		{"NULL", "null", "NULL"},
		{"a,b", "c", "a"},
		{" a", "a ", "a"},
		{"ü", "u\u0308", "ü"},
		{"'); DROP TABLE x; --", "?", "$1"},
		{"\\", "\"", "\\\""},
		{"<&>", "\u2028", "\u2028"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	engines := []enginetest.Engine{enginetest.SQLite(f)}
	if os.Getenv("WARDKIT_POSTGRES") != "" {
		engines = append(engines, enginetest.Postgres(f))
	}
	f.Fuzz(func(t *testing.T, a, b, v string) {
		for _, s := range []string{a, b, v} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				return // no database text, and no id: see validID
			}
		}
		for _, e := range engines {
			d, mark := rbac.SQLite, "?"
			if e.Dialect == sqlkit.Postgres {
				d, mark = rbac.Postgres, "CAST($1 AS text)"
			}
			for _, list := range [][]string{{}, {a}, {a, b}, {a, b, a}, slices.Repeat([]string{b, a}, 5)} { // every way of writing one
				args := rbac.NewArgs(d, 2)
				where := args.Among("v", list)
				var n int
				err := e.Pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM (SELECT `+mark+` AS v) AS x WHERE `+where,
					append([]any{v}, args.Values()...)...).Scan(&n)
				require.NoError(t, err)
				require.Equal(t, slices.Contains(list, v), n == 1, "%s: %q in %q", e.Name, v, list)
			}
		}
	})
}

// TestEmergencyRelationNamesTheGrant: the lowest id of those that count, and an error, never a way
// in, where a row has none.
func TestEmergencyRelationNamesTheGrant(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		ctx := t.Context()
		e := engine(t)
		db := e.Kit(t)
		_, err := db.Exec(ctx, `CREATE TABLE glass (id TEXT, tenant TEXT, person TEXT, patient TEXT, until_at BIGINT)`)
		require.NoError(t, err)
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		us := now.UnixMicro()
		for _, row := range [][]any{{"e3", "t", "a", "p1", us + 1}, {"e2", "t", "a", "p1", us + 1}, {"e1", "t", "a", "p1", us}, {"e0", "t", "b", "p1", us + 1}, {"e4", "t", "a", "p2", us + 1}, {"", "t", "c", "p1", us + 1}, {nil, "t", "d", "p1", us + 1}} {
			_, err := db.Exec(ctx, `INSERT INTO glass (id, tenant, person, patient, until_at) VALUES (?, ?, ?, ?, ?)`, row...)
			require.NoError(t, err)
		}
		declared := rbac.TableRelation{Table: "glass", Tenant: "tenant", Subject: "person", Object: "patient", Until: "until_at"}
		_, err = rbacsql.EmergencyTable(e.Pool, dialect(e), declared)
		require.ErrorContains(t, err, "ID is required")
		declared.ID = "id"
		_, err = rbacsql.EmergencyTable(e.Pool, 0, declared)
		require.ErrorContains(t, err, "dialect")
		r, err := rbacsql.EmergencyTable(e.Pool, dialect(e), declared)
		require.NoError(t, err)
		id, err := r.Grant(ctx, "t", "a", "p1", now)
		require.NoError(t, err)
		require.Equal(t, "e2", id)
		ids, err := r.Open(ctx, "t", "a", now)
		require.NoError(t, err)
		require.Equal(t, []string{"e2", "e3", "e4"}, ids)
		id, err = r.Grant(ctx, "u", "a", "p1", now)
		require.NoError(t, err)
		require.Empty(t, id)
		for _, who := range []audit.ActorID{"c", "d"} {
			_, err = r.Grant(ctx, "t", who, "p1", now)
			require.Error(t, err)
		}
		_, err = r.Open(ctx, "t", "d", now)
		require.Error(t, err)
		tx, err := e.Pool.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, `DELETE FROM glass`)
		require.NoError(t, err)
		id, err = r.WithTx(tx).Grant(ctx, "t", "a", "p1", now)
		require.NoError(t, err)
		require.Empty(t, id)
		require.NoError(t, tx.Rollback())
		declared.Table = "missing"
		r, err = rbacsql.EmergencyTable(e.Pool, dialect(e), declared)
		require.NoError(t, err)
		_, err = r.Grant(ctx, "t", "a", "p1", now)
		require.Error(t, err)
		_, err = r.Open(ctx, "t", "a", now)
		require.Error(t, err)
	})
}
