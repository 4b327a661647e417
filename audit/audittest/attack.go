package audittest

import (
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
)

// handles are two handles of one database.
type handles struct{ one, other audit.Store }

type attack = conform.Rule[handles]

// TestConcurrency lets many writers, sequencers and readers work at once, on one handle of a
// database and on two. No event is lost or doubled, places are dense and never change, who
// came before comes before, and pages are stable while the log grows.
//
// Each call of open returns two handles of one fresh database, as two processes would have
// them: pools of their own, caches of their own. A store that only one process can have
// returns the same one twice.
func TestConcurrency(t *testing.T, open func(t testing.TB) (one, other audit.Store)) {
	t.Helper()
	conform.Test(t, concurrencyAttacks(), both(open))
}

// TestFork tries to split a tenant's order: two handles of one database append the same and
// different events, sequence at once and in turn, and answer for what the other one did. No
// two events get one place and no event two, and an ID belongs to the one body that was
// acknowledged. For open see TestConcurrency; TestCrash does the same to processes.
func TestFork(t *testing.T, open func(t testing.TB) (one, other audit.Store)) {
	t.Helper()
	conform.Test(t, forkAttacks(), both(open))
}

func both(open func(t testing.TB) (one, other audit.Store)) func(t testing.TB) handles {
	return func(t testing.TB) handles {
		one, other := open(t)
		return handles{one, other}
	}
}

func concurrencyAttacks() []attack {
	return []attack{
		{Name: "one-handle", Clause: "Store: A store is safe for concurrent use", Run: oneHandle},
		{Name: "two-handles", Clause: "Sequence: What was durable before another Append began comes before what that one added", Run: twoHandles},
	}
}

func forkAttacks() []attack {
	return []attack{
		{Name: "same-event", Clause: "Append: Two calls at once with the same entry: both succeed, one copy is kept", Run: forkSame},
		{Name: "same-id", Clause: "Append: With another Body: ErrConflict", Run: forkID},
		{Name: "strangers-event", Clause: "Append: what is stored stays as it is", Run: forkStranger},
		{Name: "in-turn", Clause: "Sequence: each next one the number after, without a gap", Run: forkInTurn},
		{Name: "two-sequencers", Clause: "Sequence: also from two processes: each entry is placed once", Run: forkSequencers},
	}
}
