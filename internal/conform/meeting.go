package conform

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Meeting is a place in a mutant between a look and the write that trusts it, where
// goroutines that are there at the same time are sure to meet. The zero Meeting is ready.
type Meeting struct{ inside, arrived atomic.Int64 }

// Wait returns true as soon as another goroutine waits there or comes, false after some 20 ms
// if nobody does.
func (m *Meeting) Wait() bool {
	mine := m.arrived.Add(1)
	others := m.inside.Add(1) > 1
	defer m.inside.Add(-1)
	for range 20 {
		if others || m.arrived.Load() > mine {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	for range 200 { // a process that did not run for 20 ms has given the others no time
		runtime.Gosched()
	}
	return m.arrived.Load() > mine
}
