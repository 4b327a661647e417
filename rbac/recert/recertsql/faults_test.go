package recertsql_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/recert"
	"github.com/wardkit/wardkit/rbac/recert/recertsql"
)

func tenantOf(name string) audit.Tenant { return audit.Tenant(name) }

func isConflict(err error) bool { return errors.Is(err, recert.ErrConflict) }

// TestAWriteIsWholeOrNothing cuts a big write at every stage that a deadline can meet, and looks at what
// is there: all of it or nothing.
func TestAWriteIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, _ enginetest.Engine, s *recertsql.Store) {
		cut := 0
		for n := range 12 {
			id := fmt.Sprint("c-", n)
			ctx := failAfter(t.Context(), 5*n)
			err := s.Apply(ctx, recert.Write{Campaign: campaign(id), Items: items(170)})
			_, gerr := s.Get(t.Context(), tenant, id)
			there := 0
			for _, err := range s.Items(t.Context(), tenant, id, recert.ItemFilter{}) {
				require.NoError(t, err)
				there++
			}
			if err != nil {
				cut++
			}
			if gerr == nil {
				require.Equal(t, 170, there)
				continue
			}
			require.ErrorIs(t, gerr, recert.ErrNotFound)
			require.Error(t, err, "acknowledged, and not there")
			require.Zero(t, there)
		}
		require.Positive(t, cut, "nothing was cut")
	})
}

// failing is a context that ends after it was asked a number of times.
type failing struct {
	context.Context
	end   context.CancelFunc
	after atomic.Int64
}

func failAfter(ctx context.Context, n int) *failing {
	c := &failing{}
	c.Context, c.end = context.WithCancel(ctx)
	c.after.Store(int64(n))
	return c
}

func (c *failing) asked() {
	if c.after.Add(-1) < 0 {
		c.end()
	}
}

func (c *failing) Err() error {
	c.asked()
	return c.Context.Err()
}

func (c *failing) Done() <-chan struct{} {
	c.asked()
	return c.Context.Done()
}

// TestAFailingStatementLeavesNothing: the last item cannot be stored, so nothing of the write is.
func TestAFailingStatementLeavesNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, e enginetest.Engine, s *recertsql.Store) {
		require.NoError(t, s.Apply(t.Context(), recert.Write{Campaign: campaign("c"), Items: items(2)}))
		_, err := e.Pool.ExecContext(t.Context(), `CREATE UNIQUE INDEX full_house ON recert_item (state) WHERE state = 'closed'`)
		require.NoError(t, err)
		c := campaign("c")
		c.Spec.Name = "never"
		closed := items(2)
		closed[0].State, closed[1].State = recert.ItemClosed, recert.ItemClosed
		err = s.Apply(t.Context(), recert.Write{Campaign: c, Expect: 1, Items: closed})
		require.Error(t, err)
		require.NotErrorIs(t, err, recert.ErrConflict)
		require.NotContains(t, err.Error(), "full_house", "no SQL in errors")
		have, err := s.Get(t.Context(), tenant, "c")
		require.NoError(t, err)
		require.Equal(t, "Spring", have.Spec.Name)
		require.EqualValues(t, 1, have.Version)
		require.Len(t, listed(t, s, recert.ItemFilter{States: []recert.ItemState{recert.ItemOpen}}), 2)
	})
}

// TestRowsPutElsewhereAreDamaged: a row says in two places whose it is.
func TestRowsPutElsewhereAreDamaged(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, e enginetest.Engine, s *recertsql.Store) {
		for n, change := range []string{
			`UPDATE recert_campaign SET tenant = 'other' WHERE id = 'c'`,
			`UPDATE recert_campaign SET version = 7 WHERE id = 'c'`,
			`UPDATE recert_campaign SET active = 0 WHERE id = 'c'`,
			`UPDATE recert_campaign SET id = 'x' WHERE id = 'c'`,
			`UPDATE recert_item SET reviewer = 'mallory' WHERE campaign = 'c' AND seq = 2`,
			`UPDATE recert_item SET state = 'closed' WHERE campaign = 'c' AND seq = 2`,
			`UPDATE recert_item SET seq = 9 WHERE campaign = 'c' AND seq = 2`,
			`UPDATE recert_item SET campaign = 'x' WHERE campaign = 'c' AND seq = 2`,
			`UPDATE recert_item SET tenant = 'other' WHERE campaign = 'c' AND seq = 2`,
		} {
			_, err := e.Pool.ExecContext(t.Context(), `DELETE FROM recert_campaign`)
			require.NoError(t, err)
			_, err = e.Pool.ExecContext(t.Context(), `DELETE FROM recert_item`)
			require.NoError(t, err)
			require.NoError(t, s.Apply(t.Context(), recert.Write{Campaign: campaign("c"), Items: items(3)}))
			res, err := e.Pool.ExecContext(t.Context(), change)
			require.NoError(t, err)
			rows, err := res.RowsAffected()
			require.NoError(t, err)
			require.EqualValues(t, 1, rows)
			require.True(t, damaged(t.Context(), s), "change %d went unseen", n)
		}
	})
}

// damaged reports whether somebody who looks at all that there is meets ErrDamaged.
func damaged(ctx context.Context, s *recertsql.Store) bool {
	for _, tenant := range []string{"clinic", "other"} {
		for _, id := range []string{"c", "x"} {
			if _, err := s.Get(ctx, tenantOf(tenant), id); errors.Is(err, recert.ErrDamaged) {
				return true
			}
			for _, err := range s.Items(ctx, tenantOf(tenant), id, recert.ItemFilter{}) {
				if errors.Is(err, recert.ErrDamaged) {
					return true
				}
			}
		}
	}
	return false
}

// TestUnsafeSQLite: an engine that acknowledges what a power cut would take away is refused.
func TestUnsafeSQLite(t *testing.T) {
	t.Parallel()
	e := enginetest.SQLite(t)
	s := open(t, e)
	e.Pool.SetMaxOpenConns(1)
	_, err := e.Pool.ExecContext(t.Context(), `PRAGMA synchronous = NORMAL`)
	require.NoError(t, err)
	err = s.Apply(t.Context(), recert.Write{Campaign: campaign("c")})
	require.ErrorIs(t, err, recertsql.ErrUnsafeEngine)
	_, err = s.Get(t.Context(), tenant, "c")
	require.ErrorIs(t, err, recert.ErrNotFound)
}

// TestABigCampaign counts what is said on the wire: a campaign of 5,000 items is stored and read in
// batches, and one decision costs the same as in a small one.
func TestABigCampaign(t *testing.T) {
	t.Parallel()
	e, trips := enginetest.CountedPostgres(t)
	require.Equal(t, sqlkit.Postgres, e.Dialect)
	s := open(t, e)
	all := items(5000)
	require.LessOrEqual(t, trips.Of(func() {
		require.NoError(t, s.Apply(t.Context(), recert.Write{Campaign: campaign("c"), Items: all}))
	}), 2*5000/50+10, "storing")
	require.LessOrEqual(t, trips.Of(func() { require.Len(t, listed(t, s, recert.ItemFilter{}), 5000) }), 2*12, "reading")
	require.LessOrEqual(t, trips.Of(func() { require.Len(t, listed(t, s, recert.ItemFilter{Reviewer: "r-3"}), 250) }), 2, "of one reviewer")
	c := campaign("c")
	all[2500].State = recert.ItemClosed
	require.LessOrEqual(t, trips.Of(func() {
		require.NoError(t, s.Apply(t.Context(), recert.Write{Campaign: c, Expect: 1, Items: all[2500:2501]}))
	}), 10, "one decision")
	require.LessOrEqual(t, trips.Of(func() {
		require.NoError(t, s.Apply(t.Context(), recert.Write{Campaign: c, Expect: 2, Items: all[:200]}))
	}), 16, "a batch of a tick")
}
