package recertsql_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/recert"
	"github.com/wardkit/wardkit/rbac/recert/recertsql"
	"github.com/wardkit/wardkit/rbac/recert/recerttest"
)

const tenant = audit.Tenant("clinic")

// open returns a migrated store on an engine.
func open(t testing.TB, e enginetest.Engine) *recertsql.Store {
	t.Helper()
	start := recertsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		start = recertsql.Postgres
	}
	s, err := start(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func engines(t *testing.T, f func(t *testing.T, e enginetest.Engine, s *recertsql.Store)) {
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		f(t, e, open(t, e))
	})
}

func at(n int) time.Time { return time.Date(2026, 3, 2, 9, 0, n, 0, time.UTC) }

func campaign(id string) recert.Campaign {
	return recert.Campaign{Tenant: tenant, ID: id, Active: true, State: recert.Open, Started: at(0), Due: at(30), Spec: recert.Spec{Name: "Spring", Owner: "ann"}}
}

func items(n int) []recert.Item {
	out := make([]recert.Item, n)
	for i := range out {
		out[i] = recert.Item{
			Seq: int64(i + 1), State: recert.ItemOpen, Reviewer: audit.ActorID(fmt.Sprint("r-", i%20)), Due: at(30), Risk: recert.RiskPHI,
			Access: recert.Access{Kind: recert.KindGrant, ID: fmt.Sprint("g-", i), Subject: audit.ActorID(fmt.Sprint("s-", i)), Role: "therapist", PHI: true},
		}
	}
	return out
}

func listed(t *testing.T, s recert.Store, f recert.ItemFilter) (out []recert.Item) {
	t.Helper()
	for i, err := range s.Items(t.Context(), tenant, "c", f) {
		require.NoError(t, err)
		out = append(out, i)
	}
	return out
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		recerttest.TestStore(t, func(t testing.TB) recert.Store { return open(t, engine(t)) })
	})
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, _ enginetest.Engine, s *recertsql.Store) {
		require.NoError(t, s.Migrate(t.Context()))
	})
}

func TestMigrationsAreExported(t *testing.T) {
	t.Parallel()
	require.NoError(t, fstest.TestFS(recertsql.Migrations(), "sqlite/0001_campaigns.sql", "postgres/0001_campaigns.sql"))
}

func TestNilDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, err := recertsql.SQLite(nil)
	require.Error(t, err)
	_, err = recertsql.Postgres(nil)
	require.Error(t, err)
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, e enginetest.Engine, s *recertsql.Store) {
		require.NoError(t, e.Pool.Close())
		_, err := s.Get(t.Context(), tenant, "c")
		require.Error(t, err)
		require.NotErrorIs(t, err, recert.ErrNotFound, "failed is not the same as missing")
		for _, err := range s.List(t.Context(), tenant, "") {
			require.Error(t, err)
		}
		n := 0
		for _, err := range s.Active(t.Context()) {
			require.Error(t, err, "nothing to do is an answer")
			n++
		}
		for _, err := range s.Items(t.Context(), tenant, "c", recert.ItemFilter{}) {
			require.Error(t, err)
			n++
		}
		require.Equal(t, 2, n)
		err = s.Apply(t.Context(), recert.Write{Campaign: campaign("c")})
		require.Error(t, err)
		require.NotErrorIs(t, err, recert.ErrConflict)
	})
}

// TestTwoServersDecide: two servers with pools of their own change one campaign as often as they can;
// no decision is lost and none is made twice.
func TestTwoServersDecide(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, e enginetest.Engine, s *recertsql.Store) {
		second := open(t, e)
		const each = 12
		require.NoError(t, s.Apply(t.Context(), recert.Write{Campaign: campaign("c"), Items: items(2 * each)}))
		var wg sync.WaitGroup
		for n, server := range []*recertsql.Store{s, second} {
			wg.Go(func() {
				for k := range each {
					if err := decide(t.Context(), server, int64(n*each+k+1)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		c, err := s.Get(t.Context(), tenant, "c")
		require.NoError(t, err)
		require.EqualValues(t, 2*each+1, c.Version)
		require.Equal(t, 2*each, c.Counts.Closed)
		require.Len(t, listed(t, second, recert.ItemFilter{States: []recert.ItemState{recert.ItemClosed}}), 2*each)
	})
}

// decide closes one item, reading again whenever the other server was first.
func decide(ctx context.Context, s recert.Store, seq int64) error {
	for {
		c, err := s.Get(ctx, tenant, "c")
		if err != nil {
			return err
		}
		for i, err := range s.Items(ctx, tenant, "c", recert.ItemFilter{After: seq - 1, Limit: 1}) {
			if err != nil {
				return err
			}
			i.State, i.Outcome = recert.ItemClosed, recert.Certified
			c.Counts.Closed++
			err = s.Apply(ctx, recert.Write{Campaign: c, Expect: c.Version, Items: []recert.Item{i}})
			if err == nil {
				return nil
			}
			if !isConflict(err) {
				return err
			}
		}
	}
}
