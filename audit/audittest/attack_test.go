package audittest_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
)

// twoToys opens two handles of one fresh database, as two processes would.
func twoToys(f flaw) func(t testing.TB) (one, other audit.Store) {
	return func(t testing.TB) (one, other audit.Store) {
		path := filepath.Join(t.TempDir(), "toy.db")
		return openToy(t, path, f), openToy(t, path, f)
	}
}

func TestToy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: the toy is slow under the race detector; it is attacked there all the same")
	}
	audittest.TestStore(t, func(t testing.TB) audit.Store {
		return openToy(t, filepath.Join(t.TempDir(), "toy.db"), sane)
	})
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	for name, open := range soundStores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audittest.TestConcurrency(t, open)
		})
	}
}

func TestFork(t *testing.T) {
	t.Parallel()
	for name, open := range soundStores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audittest.TestFork(t, open)
		})
	}
}

func soundStores() map[string]func(testing.TB) (one, other audit.Store) {
	return map[string]func(testing.TB) (one, other audit.Store){
		"memory": func(testing.TB) (one, other audit.Store) {
			s := audit.NewMemory()
			return s, s
		},
		"staged": func(testing.TB) (one, other audit.Store) {
			s := newStaged()
			return s, s
		},
		"toy": twoToys(sane),
	}
}

// TestAttacksCatch proves the attacks: each fails on the stores that it is there for.
func TestAttacksCatch(t *testing.T) {
	t.Parallel()
	flaws := map[string][]flaw{
		"one-handle":      {looseSequence, byID, byTime},
		"two-handles":     {cachedHead},
		"same-event":      {lookThenFail},
		"same-id":         {lookThenLeap, ownIDs},
		"strangers-event": {ownIDs},
		"in-turn":         {cachedHead},
		"two-sequencers":  {looseSequence},
	}
	require.Len(t, audittest.Attacks(), len(flaws))
	for _, attack := range audittest.Attacks() {
		require.NotEmpty(t, flaws[attack.Name], "nothing shows that %s can fail", attack.Name)
		for _, f := range flaws[attack.Name] {
			t.Run(attack.Name+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				var err error
				for range 3 { // some flaws show by chance only
					one, other := twoToys(f)(t)
					if err = attack.Run(t.Context(), one, other); err != nil {
						break
					}
				}
				require.Error(t, err)
				t.Log(err)
			})
		}
	}
}
