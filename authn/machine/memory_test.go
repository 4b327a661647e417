package machine_test

import (
	"testing"

	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/authn/machine/machinetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	machinetest.TestStore(t, func(testing.TB) machine.Store { return machine.NewMemory() })
}
