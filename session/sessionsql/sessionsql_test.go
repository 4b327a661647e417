package sessionsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionsql"
	"github.com/wardkit/wardkit/session/sessiontest"
)

const (
	clinic = audit.Tenant("clinic-1")
	ann    = audit.ActorID("staff-ann")
)

func staff() audit.Actor {
	return audit.Actor{ID: ann, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, Methods: []string{"pwd"}}
}

// bare returns a store on e without tables.
func bare(t testing.TB, e enginetest.Engine) *sessionsql.Store {
	t.Helper()
	open := sessionsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		open = sessionsql.Postgres
	}
	s, err := open(e.Pool)
	require.NoError(t, err)
	return s
}

// store returns a migrated store on e.
func store(t testing.TB, e enginetest.Engine) *sessionsql.Store {
	t.Helper()
	s := bare(t, e)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func manager(t testing.TB, s session.Store) *session.Manager {
	t.Helper()
	m, err := session.New(s, audittest.NewRecorder(), session.RemoteAddr, nil)
	require.NoError(t, err)
	return m
}

// live asks whether the token is worth anything.
func live(t testing.TB, s session.Store, token string) bool {
	t.Helper()
	parsed, err := session.ParseToken(token)
	require.NoError(t, err)
	f, err := s.Get(t.Context(), parsed.Key())
	require.NoError(t, err)
	return f.Session.Ended.IsZero()
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		sessiontest.TestStore(t, func(t testing.TB) session.Store { return store(t, open(t)) })
	})
}

// The suite holds inside a host's transaction too, as far as a transaction allows: one
// connection, nothing at once.
func TestWithTx(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := store(t, e)
		token, err := manager(t, s).Start(t.Context(), staff())
		require.NoError(t, err)

		tx, err := e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, manager(t, s.WithTx(tx)).EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
		require.False(t, live(t, s.WithTx(tx), token))
		require.NoError(t, tx.Rollback())
		require.True(t, live(t, s, token), "it is the host's transaction")

		tx, err = e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		inside := s.WithTx(tx)
		twice := session.Record{Key: session.NewToken().Key(), Session: row(t, s, token)}
		_, err = inside.Create(t.Context(), twice, 0)
		require.ErrorIs(t, err, session.ErrExists)
		for v, err := range inside.List(t.Context(), clinic, ann, time.Now()) {
			require.NoError(t, err)
			n, err := inside.Revoke(t.Context(), session.Selection{Tenant: clinic, Person: ann, ID: v.ID}, time.Now(), "x")
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		require.NoError(t, tx.Commit(), "a refused Create has not spoiled the transaction")
		require.False(t, live(t, s, token))
	})
}

func row(t testing.TB, s session.Store, token string) session.Session {
	t.Helper()
	parsed, err := session.ParseToken(token)
	require.NoError(t, err)
	f, err := s.Get(t.Context(), parsed.Key())
	require.NoError(t, err)
	return f.Session
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := bare(t, e)
		_, err := s.Get(t.Context(), session.Key{})
		require.Error(t, err)
		require.NotErrorIs(t, err, session.ErrNotFound, "no table is a failure, not an answer")

		var all sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			all.Go(func() { errs[i] = bare(t, e).Migrate(t.Context()) })
		}
		all.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		_, err = s.Get(t.Context(), session.Key{})
		require.ErrorIs(t, err, session.ErrNotFound)
	})
}

func TestMigrationsAreExported(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "postgres"} {
		names, err := fs.Glob(sessionsql.Migrations(), "migrations/"+dialect+"/*.sql")
		require.NoError(t, err)
		require.NotEmpty(t, names)
	}
}

func TestNilDatabase(t *testing.T) {
	t.Parallel()
	_, err := sessionsql.SQLite(nil)
	require.ErrorContains(t, err, "sessionsql: ")
	_, err = sessionsql.Postgres(nil)
	require.ErrorContains(t, err, "sessionsql: ")
}

// Somebody who holds the whole database holds no token, and no address of a patient.
func TestDumpHoldsNoTokens(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		m := manager(t, store(t, e))
		a := staff()
		token, err := m.Start(t.Context(), a)
		require.NoError(t, err)
		a.ID, a.Kind = "patient-17", audit.KindPatient
		a.Origin = session.RemoteAddr(request("203.0.113.99:1"))
		_, err = m.Start(t.Context(), a)
		require.NoError(t, err)

		dump := dump(t, e.Pool)
		require.Contains(t, dump, string(ann), "the dump shows what is there")
		require.NotContains(t, dump, token)
		require.NotContains(t, dump, token[5:30])
		require.NotContains(t, dump, "203.0.113.99")
	})
}

func dump(t testing.TB, db *sql.DB) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM session_row")
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var b strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		require.NoError(t, rows.Scan(values...))
		for _, v := range values {
			fmt.Fprintf(&b, "%s %x %v\n", *v.(*any), *v.(*any), *v.(*any))
		}
	}
	require.NoError(t, rows.Err())
	return b.String()
}

// A row that somebody edited into nonsense signs nobody in.
func TestDamagedRows(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		for _, damage := range []string{
			"assurance = 9", "assurance = 0", "kind = 'root'", "kind = ''", "origin = 'here'",
			"version = 0", "fresh = 'settings'", "fresh = '=5'", "fresh = 'settings=soon'",
			"device = 'Fire\x1ffox'", "organization = '\x1f'", "reason = '\x1f5 {}'",
		} {
			e := open(t)
			s := store(t, e)
			m := manager(t, s)
			token, err := m.Start(t.Context(), staff())
			require.NoError(t, err)
			_, err = e.Pool.ExecContext(t.Context(), "UPDATE session_row SET "+damage)
			require.NoError(t, err)

			r := request("192.0.2.7:1")
			r.Header.Set("Cookie", "__Host-session="+token)
			_, err = m.Check(r)
			require.ErrorIs(t, err, session.ErrUnavailable, damage)
			for _, err := range s.List(t.Context(), clinic, ann, time.Now()) {
				require.Error(t, err, damage)
			}
			require.NoError(t, m.EndAll(t.Context(), clinic, ann, session.ReasonSignOut), damage)
		}
	})
}

// TestFunctionsOfOthers: a function in a schema of the path that fits better than PostgreSQL's own of that
// name is not called, and so cannot say who somebody is.
func TestFunctionsOfOthers(t *testing.T) {
	t.Parallel()
	e := enginetest.Postgres(t)
	s := store(t, e)
	token, err := manager(t, s).Start(t.Context(), staff())
	require.NoError(t, err)
	for _, texts := range []int{12, 13} { // of a list, and of one row with the policy
		_, err = e.Pool.ExecContext(t.Context(), `CREATE FUNCTION format(`+strings.Repeat("text, ", texts)+strings.Repeat("bigint, ", 10)+
			`smallint, smallint) RETURNS text LANGUAGE sql AS $$ SELECT 'mine'::text $$`)
		require.NoError(t, err)
	}
	require.Equal(t, ann, row(t, s, token).Person)
	n := 0
	for v, err := range s.List(t.Context(), clinic, ann, time.Now()) {
		require.NoError(t, err)
		require.Equal(t, ann, v.Person)
		n++
	}
	require.Equal(t, 1, n)
}

// What would be read as something else is not written, though nothing of package session says it.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		s := store(t, open(t))
		token, err := manager(t, s).Start(t.Context(), staff())
		require.NoError(t, err)
		parsed, err := session.ParseToken(token)
		require.NoError(t, err)
		for _, bad := range []string{"a\x1fb", "a\x00b"} {
			for field, spoil := range map[string]func(*session.Session){
				"id":           func(v *session.Session) { v.ID = bad },
				"tenant":       func(v *session.Session) { v.Tenant = audit.Tenant(bad) },
				"person":       func(v *session.Session) { v.Person = audit.ActorID(bad) },
				"on behalf of": func(v *session.Session) { v.OnBehalfOf = audit.ActorID(bad) },
				"organization": func(v *session.Session) { v.Organization = bad },
				"device":       func(v *session.Session) { v.Device = bad },
				"reason":       func(v *session.Session) { v.Reason = bad },
				"methods":      func(v *session.Session) { v.Methods = []string{bad} },
				"fresh":        func(v *session.Session) { v.Fresh = []session.Fresh{{Area: bad, Until: time.Now()}} },
			} {
				r := session.Record{Key: session.NewToken().Key(), Session: row(t, s, token)}
				spoil(&r.Session)
				_, err := s.Create(t.Context(), r, 0)
				require.ErrorContains(t, err, "control character", field)
				r.Session.Version++
				err = s.Rotate(t.Context(), parsed.Key(), r, time.Now().Add(time.Minute))
				require.ErrorContains(t, err, "control character", field)
				_, err = s.Get(t.Context(), r.Key)
				require.ErrorIs(t, err, session.ErrNotFound, field)
			}
			_, err = s.Revoke(t.Context(), session.Selection{Tenant: clinic, Person: ann}, time.Now(), bad)
			require.ErrorContains(t, err, "control character")
		}
		require.True(t, live(t, s, token))
	})
}

// The engine going away is a failure of every call, never an answer.
func TestClosedDatabase(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := store(t, e)
		token, err := manager(t, s).Start(t.Context(), staff())
		require.NoError(t, err)
		parsed, err := session.ParseToken(token)
		require.NoError(t, err)
		v := row(t, s, token)
		require.NoError(t, e.Pool.Close())

		ctx := context.Background()
		_, getErr := s.Get(ctx, parsed.Key())
		_, touchErr := s.Touch(ctx, parsed.Key(), time.Now(), time.Now())
		_, revokeErr := s.Revoke(ctx, session.Selection{Tenant: clinic, Person: ann}, time.Now(), "x")
		var listErr error
		for _, err := range s.List(ctx, clinic, ann, time.Now()) {
			listErr = err
		}
		_, createErr := s.Create(ctx, session.Record{Key: parsed.Key(), Session: v}, 0)
		for call, err := range map[string]error{
			"Create": createErr,
			"Get":    getErr, "Touch": touchErr, "Revoke": revokeErr, "List": listErr,
			"Rotate":              s.Rotate(ctx, parsed.Key(), session.Record{Key: parsed.Key(), Session: v}, time.Now()),
			"Put":                 s.Put(ctx, session.Proof{Tenant: clinic, Key: parsed.Key(), Until: time.Now()}),
			"SavePolicy":          s.SavePolicy(ctx, clinic, session.Policy{Version: 1, Limits: session.DefaultLimits()}),
			"Lock":                second(s.Lock(ctx, session.Selection{Tenant: clinic, Person: ann}, time.Now())),
			"Consume":             second(s.Consume(ctx, clinic, parsed.Key(), time.Now())),
			"GetPolicy":           second(s.GetPolicy(ctx, clinic)),
			"Purge":               second(s.Purge(ctx, time.Now(), 1)),
			"Create with a limit": second(s.Create(ctx, session.Record{Key: parsed.Key(), Session: v}, 1)),
		} {
			require.ErrorContains(t, err, "sessionsql: ", call)
			require.NotErrorIs(t, err, session.ErrNotFound, call)
			require.NotErrorIs(t, err, session.ErrExists, call)
			require.NotErrorIs(t, err, session.ErrConflict, call)
			require.NotContains(t, err.Error(), string(ann), call)
			require.NotContains(t, err.Error(), "session_row", call)
		}
	})
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }

// A request costs one look-up by key, a list the person's own rows: no statement scans.
func TestStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	e := enginetest.SQLite(t)
	store(t, e)
	for _, statement := range []string{
		"SELECT id, (SELECT p.body FROM session_policy p WHERE p.tenant = session_row.tenant) FROM session_row WHERE hash = x'00'",
		"UPDATE session_row SET superseded = version WHERE hash = x'00' AND tenant = 'a' AND person = 'b' AND id = 'c' AND superseded = 0",
		"UPDATE session_row SET locked = 1 WHERE tenant = 'a' AND person = 'b' AND ended = 0 AND locked = 0 AND id = 'c' RETURNING superseded",
		"SELECT hash FROM session_row WHERE ends < 1 ORDER BY ends LIMIT 5",
		"UPDATE session_row SET last_seen = 1 WHERE hash = x'00' AND ended = 0 AND idle_ends > 1 AND ends > 1",
		"SELECT * FROM session_row WHERE tenant = 'a' AND person = 'b' AND ended = 0 AND idle_ends > 1 AND ends > 1 ORDER BY created DESC, id DESC",
		"UPDATE session_row SET ended = 1 WHERE tenant = 'a' AND person = 'b' AND ended = 0 AND id <> 'c'",
	} {
		rows, err := e.Pool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement)
		require.NoError(t, err)
		var plan strings.Builder
		for rows.Next() {
			var id, parent, unused int
			var detail string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
			plan.WriteString(detail + "\n")
		}
		require.NoError(t, rows.Err())
		require.Regexp(t, "SEARCH session_row USING", plan.String(), statement)
		require.NotContains(t, plan.String(), "SCAN", statement)
	}
}

func request(remote string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	return r
}
