package session

import (
	"sync"
	"time"
)

// clock is a wall clock that never steps back: where the host's does, it goes on from where
// it was by the time that passes, until the host's has caught up. Otherwise a step back
// would lengthen every session by as much.
type clock struct {
	read func() time.Time

	mu  sync.Mutex
	raw time.Time // last reading, with the monotonic part if it has one
	out time.Time // last answer
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.read() // inside the lock, so that readings come in order
	if passed := n.Sub(c.raw); passed > 0 && !c.raw.IsZero() {
		c.out = c.out.Add(passed)
	}
	c.raw = n
	if wall := n.UTC().Round(0); wall.After(c.out) {
		c.out = wall
	}
	return c.out.Truncate(time.Microsecond)
}
