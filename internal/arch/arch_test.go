package arch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/arch"
)

// The house keeps its own rules.
func TestHouse(t *testing.T) {
	t.Parallel()
	h, err := arch.Load(os.DirFS("../.."))
	require.NoError(t, err)
	require.Equal(t, "github.com/wardkit/wardkit", h.Module)
	require.Greater(t, len(h.Packages), 10)
	for _, r := range arch.Rules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			if bad := r.Check(h); len(bad) > 0 {
				t.Errorf("the rule: %s\n%s", r.Clause, strings.Join(bad, "\n"))
			}
		})
	}
}
