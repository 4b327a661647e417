package phi_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// modelCache is the cache as its comment says, slowly.
type modelCache struct {
	size  int
	items []modelItem // most recently used first
}

type modelItem struct {
	key     string
	value   int
	expires time.Time
}

func (m *modelCache) take(k string) (modelItem, bool) {
	i := slices.IndexFunc(m.items, func(it modelItem) bool { return it.key == k })
	if i < 0 {
		return modelItem{}, false
	}
	it := m.items[i]
	m.items = slices.Delete(m.items, i, i+1)
	return it, true
}

func (m *modelCache) get(k string, now time.Time) (int, bool) {
	it, ok := m.take(k)
	if !ok || !now.Before(it.expires) {
		return 0, false
	}
	m.items = slices.Insert(m.items, 0, it)
	return it.value, true
}

func (m *modelCache) put(k string, v int, expires time.Time) {
	m.take(k)
	m.items = slices.Insert(m.items, 0, modelItem{k, v, expires})
	m.items = m.items[:min(len(m.items), m.size)]
}

// The cache drops what was used longest ago, what has expired and what is forgotten, and gives
// nothing else, whichever item is asked for twice in a row.
func TestCacheAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		size := 1 + r.IntN(4)
		c, m, now := phi.NewCache(size), &modelCache{size: size}, time.Unix(1000, 0)
		for step := range 300 {
			k := strconv.Itoa(r.IntN(6))
			switch r.IntN(8) {
			case 0, 1:
				expires := now.Add(time.Duration(r.IntN(5)) * time.Second)
				c.Put(k, step, expires)
				m.put(k, step, expires)
			case 2:
				c.Forget(k)
				m.take(k)
			case 3:
				now = now.Add(time.Duration(r.IntN(3)) * time.Second)
			default:
				want, wantOK := m.get(k, now)
				got, ok := c.Get(k, now)
				require.Equal(t, wantOK, ok, "seed %d step %d", seed, step)
				require.Equal(t, want, got, "seed %d step %d", seed, step)
			}
		}
	}
}

// What was forgotten is gone once Forget has returned, however many ask for it meanwhile.
func TestCacheForgetsUnderLoad(t *testing.T) {
	t.Parallel()
	c, later := phi.NewCache(3), time.Now().Add(time.Hour)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.Get("mine", time.Now())
					c.Get("other-"+strconv.Itoa(i%2), time.Now())
				}
			}
		})
	}
	for i := range 2000 {
		c.Put("mine", i, later)
		c.Put("other-"+strconv.Itoa(i%2), i, later)
		c.Forget("mine")
		_, ok := c.Get("mine", time.Now())
		require.False(t, ok)
	}
	close(stop)
	readers.Wait()
}
