package audittest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/conform"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	audittest.TestStore(t, func(testing.TB) audit.Store { return audit.NewMemory() })
}

// A store that gives places afterwards keeps the same contract.
func TestStaged(t *testing.T) {
	t.Parallel()
	audittest.TestStore(t, func(testing.TB) audit.Store { return newStaged() })
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, audittest.Check(t.Context(), func() (audit.Store, error) { return audit.NewMemory(), nil }))

	err := audittest.Check(t.Context(), func() (audit.Store, error) { return mutants()["erase"](), nil })
	require.ErrorContains(t, err, "erase: ")
	require.NotContains(t, err.Error(), "filter")

	none := errors.New("no store today")
	err = audittest.Check(t.Context(), func() (audit.Store, error) { return nil, none })
	require.ErrorIs(t, err, none)
}

// TestMutants proves the suite: each rule catches the store that is broken in its way, and,
// which takes longer, no other rule does.
func TestMutants(t *testing.T) {
	t.Parallel()
	all := mutants()
	if !testing.Short() {
		conform.Mutants(t, audittest.Rules(), all)
		return
	}
	for _, r := range audittest.Rules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, all, r.Name)
			require.Error(t, conform.Check(t.Context(), []conform.Rule[audit.Store]{r}, func() (audit.Store, error) { return all[r.Name](), nil }))
		})
	}
}
