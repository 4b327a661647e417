package authnsql_test

import (
	"context"
	"io/fs"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnsql"
	"github.com/wardkit/wardkit/authn/authntest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// store returns a migrated store over an engine.
func store(t testing.TB, e enginetest.Engine) *authnsql.Store {
	t.Helper()
	return enginetest.Store(t, e, authnsql.SQLite, authnsql.Postgres)
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		authntest.TestStore(t, func(t testing.TB) authn.Store { return store(t, open(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, authnsql.Migrations(), "migrations", authnsql.SQLite, authnsql.Postgres)
}

// TestHostTransaction shows that a change joins the host's transaction: what the host rolls
// back never was, and a failing change leaves the host's own rows alone.
func TestHostTransaction(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	somebody := func(id audit.ActorID) authn.Change {
		return authn.Change{Person: authn.Person{
			Tenant: "clinic", ID: id, Kind: audit.KindStaff, State: authn.Invited, Version: 1, Term: []byte(id), Created: now, Changed: now,
		}, Now: now, Due: now}
	}
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := store(t, e)
		ctx := t.Context()
		_, err := e.Pool.ExecContext(ctx, "CREATE TABLE host (id TEXT)")
		require.NoError(t, err)

		tx, err := e.Pool.BeginTx(ctx, nil)
		require.NoError(t, err)
		require.NoError(t, s.WithTx(tx).Apply(ctx, somebody("ann")))
		require.NoError(t, tx.Rollback())
		_, err = s.Account(ctx, "clinic", "ann")
		require.ErrorIs(t, err, authn.ErrNotFound)

		tx, err = e.Pool.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, "INSERT INTO host (id) VALUES ('kept')")
		require.NoError(t, err)
		require.NoError(t, s.WithTx(tx).Apply(ctx, somebody("bob")))
		require.ErrorIs(t, s.WithTx(tx).Apply(ctx, somebody("bob")), authn.ErrExists)
		taken := somebody("cid")
		require.NoError(t, s.WithTx(tx).Apply(ctx, taken))
		taken.Expect, taken.Person.Version, taken.Person.Term = 1, 2, []byte("bob")
		require.ErrorIs(t, s.WithTx(tx).Apply(ctx, taken), authn.ErrExists)
		require.NoError(t, tx.Commit())

		var n int
		require.NoError(t, e.Pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM host").Scan(&n))
		require.Equal(t, 1, n)
		a, err := s.Account(ctx, "clinic", "cid")
		require.NoError(t, err)
		require.Equal(t, int64(1), a.Person.Version)
	})
}

// TestPagesOfPeople reads more people than fit a page.
func TestPagesOfPeople(t *testing.T) {
	t.Parallel()
	s := store(t, enginetest.SQLite(t))
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	const people = 401
	for i := range people {
		p := authn.Person{
			Tenant: "clinic", ID: audit.ActorID(audit.NewID(now.Add(time.Duration(i) * time.Second))),
			Kind: audit.KindPatient, State: authn.Active, Version: 1, Created: now, Changed: now,
		}
		require.NoError(t, s.Apply(t.Context(), authn.Change{Person: p, Now: now, Due: now}))
	}
	n, last := 0, audit.ActorID("")
	for p, err := range s.People(t.Context(), "clinic", "") {
		require.NoError(t, err)
		require.Greater(t, p.ID, last)
		last = p.ID
		n++
	}
	require.Equal(t, people, n)
}

// TestDeadline shows that a call whose deadline is over fails rather than hangs.
func TestDeadline(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		s := store(t, open(t))
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		_, err := s.Account(ctx, "clinic", "ann")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestMigrationOfTheRemoved: what earlier releases kept of the identifier of somebody who was removed
// goes, and nothing else.
func TestMigrationOfTheRemoved(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := store(t, e)
		states := []authn.State{authn.Invited, authn.Waiting, authn.Active, authn.Suspended, authn.Removed}
		for _, state := range states {
			p := authn.Person{Tenant: "clinic", ID: audit.ActorID(state), Kind: audit.KindStaff, State: state, Version: 1, Term: []byte(state), Sealed: []byte("sealed"), Created: now, Changed: now}
			if state == authn.Removed {
				p.Term = nil
			}
			require.NoError(t, s.Apply(t.Context(), authn.Change{Person: p, Now: now, Due: now}))
		}
		text, err := fs.ReadFile(authnsql.Migrations(), path.Join("migrations", e.Name, "0005_removed.sql"))
		require.NoError(t, err)
		_, err = e.Pool.ExecContext(t.Context(), string(text))
		require.NoError(t, err)
		for _, state := range states {
			a, err := s.Account(t.Context(), "clinic", audit.ActorID(state))
			require.NoError(t, err)
			require.Equal(t, state == authn.Removed, a.Person.Sealed == nil, state)
			require.Equal(t, state, a.Person.State)
		}
	})
}
