package audittest

import (
	"context"
	"slices"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
)

// Rules gives the suite's own tests the rules, for the mutants.
func Rules() []conform.Rule[audit.Store] { return rules() }

// PurgeRules are those of TestPurger.
func PurgeRules() []conform.Rule[PurgeStore] { return purgeRules() }

// Attack is one of TestConcurrency or TestFork.
type Attack struct {
	Name, Clause string
	Run          func(ctx context.Context, one, other audit.Store) error
}

// Attacks gives the suite's own tests the attacks, for stores that do not withstand them.
func Attacks() (out []Attack) {
	for _, a := range slices.Concat(concurrencyAttacks(), forkAttacks()) {
		out = append(out, Attack{a.Name, a.Clause, func(ctx context.Context, one, other audit.Store) error {
			return a.Run(ctx, handles{one, other})
		}})
	}
	return out
}

// CheckCrash is TestCrash without a verdict.
func CheckCrash(t testing.TB, o CrashOptions) error { return crash(t, o) }
