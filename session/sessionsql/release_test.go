package sessionsql_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionsql"
)

// The statements of release 0.2, which still runs on some servers while others are newer.
const (
	oldColumns = `id, tenant, person, kind, on_behalf_of, organization, auth_time, methods, assurance,
		phishing_resistant, origin, device, created, last_seen, idle_ends, ends, ended, reason`
	oldInsert = `INSERT INTO session_row (hash, ` + oldColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	oldTouch = `UPDATE session_row SET
		idle_ends = CASE WHEN last_seen < ? THEN ? ELSE idle_ends END,
		last_seen = CASE WHEN last_seen < ? THEN ? ELSE last_seen END
		WHERE hash = ? AND ended = 0 AND idle_ends > ? AND ends > ?`
	oldRevoke = `UPDATE session_row SET ended = ?, reason = ? WHERE tenant = ? AND person = ? AND ended = 0`
)

// oldRow is what release 0.2 writes at a sign-in.
func oldRow(k session.Key, id string, now time.Time) []any {
	at := sqlkit.Micros
	return []any{
		k.Hash[:], id, string(clinic), string(ann), "staff", "", "", at(now), "pwd otp", int64(2), int64(0), "192.0.2.7", "Firefox on Windows",
		at(now), at(now), at(now.Add(15 * time.Minute)), at(now.Add(12 * time.Hour)), int64(0), "",
	}
}

// The data of release 0.2 goes on to work, and so do its servers on the tables of this one.
func TestReleaseBefore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		kit := e.Kit(t)
		ctx := t.Context()
		exec := func(query string, args ...any) int64 {
			t.Helper()
			n, err := kit.Exec(ctx, query, args...)
			require.NoError(t, err)
			return n
		}
		first, err := fs.ReadFile(sessionsql.Migrations(), fmt.Sprintf("migrations/%s/0001_session.sql", e.Name))
		require.NoError(t, err)
		for statement := range strings.SplitSeq(string(first), ";\n") {
			if strings.TrimSpace(statement) != "" {
				_, err := e.Pool.ExecContext(ctx, statement)
				require.NoError(t, err)
			}
		}
		second := migrationsAfterFirst(t, e.Name)
		now := time.Now().UTC().Truncate(time.Microsecond)
		before, after := session.NewToken(), session.NewToken()
		require.EqualValues(t, 1, exec(oldInsert, oldRow(before.Key(), audit.NewID(now), now)...))
		for _, statement := range second {
			_, err := e.Pool.ExecContext(ctx, statement)
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, exec(oldInsert, oldRow(after.Key(), audit.NewID(now), now)...))
		require.EqualValues(t, 0, exec(oldInsert, oldRow(after.Key(), audit.NewID(now), now)...), "still refused twice")

		s := bare(t, e)
		m := manager(t, s)
		for _, token := range []session.Token{before, after} {
			r := request("192.0.2.7:1")
			r.Header.Set("Authorization", "Bearer "+token.Reveal())
			v, err := m.Check(r)
			require.NoError(t, err)
			require.EqualValues(t, 1, v.Version)
			require.Equal(t, now, v.Since)
			require.Equal(t, now.Add(12*time.Hour), v.Ends)
		}

		f, err := s.Get(ctx, before.Key())
		require.NoError(t, err)
		next := session.Record{Key: session.NewToken().Key(), Session: f.Session}
		next.Session.Version++
		require.NoError(t, s.Rotate(ctx, before.Key(), next, now.Add(10*time.Second)))
		at := sqlkit.Micros(now.Add(time.Second))
		idle := sqlkit.Micros(now.Add(time.Hour))
		for _, k := range []session.Key{before.Key(), next.Key} {
			require.EqualValues(t, 1, exec(oldTouch, at, idle, at, at, k.Hash[:], at, at), "an old server touches either token")
		}
		old := before.Key().Hash
		require.EqualValues(t, 0, exec(oldTouch, idle, idle, idle, idle, old[:], idle, idle), "and not the old one for longer")
		require.EqualValues(t, 3, exec(oldRevoke, at, "sign_out", string(clinic), string(ann)))
		for _, k := range []session.Key{before.Key(), after.Key(), next.Key} {
			f, err := s.Get(ctx, k)
			require.NoError(t, err)
			require.False(t, f.Session.Ended.IsZero(), "what an old server ends is dead on a new one, under every token")
		}
	})
}

// migrationsAfterFirst are the statements of all later migrations.
func migrationsAfterFirst(t *testing.T, dialect string) (all []string) {
	t.Helper()
	names, err := fs.Glob(sessionsql.Migrations(), "migrations/"+dialect+"/*.sql")
	require.NoError(t, err)
	for _, name := range names[1:] {
		b, err := fs.ReadFile(sessionsql.Migrations(), name)
		require.NoError(t, err)
		for statement := range strings.SplitSeq(string(b), ";\n") {
			if strings.TrimSpace(statement) != "" {
				all = append(all, statement)
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// A policy that somebody edited into nonsense signs nobody in, and nobody out: with the
// policy mended the session goes on.
func TestDamagedPolicy(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := store(t, e)
		m := manager(t, s)
		token, err := m.Start(t.Context(), staff())
		require.NoError(t, err)
		p := session.DefaultPolicy()
		p.Version = 1
		require.NoError(t, s.SavePolicy(t.Context(), clinic, p))
		r := request("192.0.2.7:1")
		r.Header.Set("Authorization", "Bearer "+token)
		_, err = m.Check(r)
		require.NoError(t, err)
		var good string
		require.NoError(t, e.Pool.QueryRowContext(t.Context(), "SELECT body FROM session_policy").Scan(&good))
		for _, damage := range []string{
			`{}`, ``, `null`, `{"format":9}`, strings.Replace(good, `"idle":900000000`, `"idle":90000000000`, 1),
			strings.Replace(good, "{", `{"more":1,`, 1),
		} {
			_, err := e.Kit(t).Exec(t.Context(), "UPDATE session_policy SET body = ?", damage)
			require.NoError(t, err)
			_, err = m.Check(r)
			require.ErrorIs(t, err, session.ErrUnavailable, damage)
			_, err = m.Start(t.Context(), staff())
			require.ErrorIs(t, err, session.ErrUnavailable, damage)
			_, err = m.Policy(t.Context(), clinic)
			require.ErrorIs(t, err, session.ErrUnavailable, damage)
		}
		_, err = e.Kit(t).Exec(t.Context(), "UPDATE session_policy SET body = ?", good)
		require.NoError(t, err)
		_, err = m.Check(r)
		require.NoError(t, err)
	})
}

// Inside the host's transaction everything works that works outside, and goes with it.
func TestChangesWithinTx(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := store(t, e)
		token, err := manager(t, s).Start(t.Context(), staff())
		require.NoError(t, err)
		parsed, err := session.ParseToken(token)
		require.NoError(t, err)
		tx, err := e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		inside := s.WithTx(tx)
		v := row(t, inside, token)
		stale := session.Record{Key: session.NewToken().Key(), Session: v}
		require.ErrorIs(t, inside.Rotate(t.Context(), parsed.Key(), stale, time.Now()), session.ErrConflict)
		next := stale
		next.Session.Version++
		require.NoError(t, inside.Rotate(t.Context(), parsed.Key(), next, time.Now().Add(time.Minute)))
		n, err := inside.Lock(t.Context(), session.Selection{Tenant: clinic, Person: ann}, time.Now())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		p := session.DefaultPolicy()
		p.Version = 1
		require.NoError(t, inside.SavePolicy(t.Context(), clinic, p))
		require.ErrorIs(t, inside.SavePolicy(t.Context(), clinic, p), session.ErrConflict)
		evicted, err := manager(t, inside).Start(t.Context(), staff())
		require.NoError(t, err)
		require.NotEmpty(t, evicted)
		require.NoError(t, tx.Rollback())

		v = row(t, s, token)
		require.False(t, v.Superseded)
		require.True(t, v.Locked.IsZero())
		_, err = s.GetPolicy(t.Context(), clinic)
		require.ErrorIs(t, err, session.ErrNotFound)
	})
}
