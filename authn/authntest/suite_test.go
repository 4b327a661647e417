package authntest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authntest"
	"github.com/wardkit/wardkit/internal/conform"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	authntest.TestStore(t, func(testing.TB) authn.Store { return authn.NewMemory() })
}

// TestMutants shows for each rule that it can fail: a store broken in that one place, which
// the rule catches and no other does.
func TestMutants(t *testing.T) {
	t.Parallel()
	mutants := map[string]func() authn.Store{}
	for _, r := range authntest.Rules() {
		mutants[r.Name] = func() authn.Store { return newFlawed(r.Name) }
	}
	conform.Mutants(t, authntest.Rules(), mutants)
}

// TestWhole shows that the store of the mutants is whole without a flaw, so that what the
// rules catch is the flaw.
func TestWhole(t *testing.T) {
	t.Parallel()
	require.NoError(t, authntest.Check(t.Context(), func() (authn.Store, error) { return newFlawed(""), nil }))
}

func TestCheckSaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	err := authntest.Check(t.Context(), func() (authn.Store, error) { return newFlawed("link_once"), nil })
	require.ErrorContains(t, err, "link_once")
	err = authntest.Check(t.Context(), func() (authn.Store, error) { return nil, errors.New("no store") })
	require.ErrorContains(t, err, "no store")
}
