package emergency_test

import (
	"testing"

	"github.com/wardkit/wardkit/rbac/emergency"
	"github.com/wardkit/wardkit/rbac/emergency/emergencytest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	emergencytest.TestStore(t, func(testing.TB) emergencytest.Subject {
		m := emergency.NewMemory()
		return emergencytest.Subject{Store: m, Relation: m.Relation()}
	})
}
