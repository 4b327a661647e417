package audittest

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
)

// Rules gives the suite's own tests the rules, for the mutants.
func Rules() []conform.Rule[audit.Store] { return rules() }

// Attacks is what the suites beside TestStore prove.
func Attacks() []conform.Rule[audit.Store] {
	return []conform.Rule[audit.Store]{
		{Name: "crash", Clause: "Append: Nil means that they survive a crash of the process and of the machine"},
		{Name: "fork", Clause: "Sequence: also from two processes: each entry is placed once"},
		{Name: "killed", Clause: "Sequence: or killed: all or none of the call are placed, and the next call goes on"},
		{Name: "erasure", Clause: "Erase: Nil means that the erasure survives a crash"},
	}
}
