package sessionsql_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
)

// Whoever asks first writes the seed down; everybody is told the same, and another database
// has another.
func TestSeedIsOneForAll(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		_, err := bare(t, e).Seed(t.Context())
		require.Error(t, err, "there are no tables")
		one, two := store(t, e), store(t, e)
		seeds, errs := make([][32]byte, 16), make([]error, 16)
		var all sync.WaitGroup
		for i := range seeds {
			all.Go(func() { seeds[i], errs[i] = one.Seed(t.Context()) })
		}
		all.Wait()
		again, err := two.Seed(t.Context())
		require.NoError(t, err)
		require.NotZero(t, again)
		for i, seed := range seeds {
			require.NoError(t, errs[i])
			require.Equal(t, again, seed)
		}
		elsewhere, err := store(t, open(t)).Seed(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, again, elsewhere)
	})
}
