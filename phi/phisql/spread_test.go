package phisql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
)

type named struct {
	ID   string   `phi:",row,patient"`
	Name phi.Text `phi:"name,class=name"`
}

// TestSpreadIndex looks up names in their buckets, as many as there can be; counts what the database shows;
// and goes on finding them while the index is rotated.
func TestSpreadIndex(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		store := openStore(t, e)
		v, err := phi.Open(t.Context(), "app", phi.NewMemoryKMS(), store, nil)
		require.NoError(t, err)
		f, err := phi.NewFrequencies(4000, map[string]float64{"smith": 1, "ana": 0.1})
		require.NoError(t, err)
		require.Equal(t, 1000, f.Buckets("smith"))
		codec, err := phi.For[named](v, "person", phi.WithWords("name", phi.Name(), f))
		require.NoError(t, err)
		people := make([]named, 200)
		for i := range people {
			people[i] = named{ID: fmt.Sprintf("p%03d", i), Name: phi.NewText([]string{"Ana Smith", "Bo Smith"}[i%2])}
			rec, err := codec.Seal(t.Context(), clinic, &people[i])
			require.NoError(t, err)
			require.NoError(t, store.SaveTerms(t.Context(), clinic, rec.Terms()))
		}
		finds := func(name string, want int) {
			qs, err := codec.LookupWords(t.Context(), clinic, "name.words", name)
			require.NoError(t, err)
			ids, err := phi.Every(t.Context(), store, clinic, qs)
			require.NoError(t, err)
			require.Len(t, ids, want, name)
		}
		finds("smith", 200)
		finds("ANA Smith", 100)
		finds("ana bo", 0)

		var most int
		require.NoError(t, e.Pool.QueryRowContext(t.Context(), `SELECT max(n) FROM (SELECT count(*) AS n FROM phi_term GROUP BY term) x`).Scan(&most))
		require.Less(t, most, 101, "Bo alone is not spread")
		require.Equal(t, 100, most)

		page := func(ctx context.Context, t audit.Tenant, _ string) (all []phi.Terms, _ string, _ error) {
			for i := range people {
				terms, err := codec.Terms(ctx, t, &people[i])
				if err != nil {
					return nil, "", err
				}
				all = append(all, terms)
			}
			return all, "", nil
		}
		rotator, err := phi.NewRotator(v, audit.Discard{}, "platform", &phi.RotatorOptions{Terms: store, Rows: []phi.IndexRows{{Entity: "person", Page: page}}, Settle: -1})
		require.NoError(t, err)
		job, err := rotator.Rotate(t.Context(), phi.RotateIndex, clinic)
		require.NoError(t, err)
		require.False(t, job.Finished.IsZero())
		finds("smith", 200)
		finds("bo smith", 100)
		require.NotContains(t, strings.Join(codec.Indexes(), " "), "unique")
	})
}

var _ phi.TermStore = (*phisql.Store)(nil)
