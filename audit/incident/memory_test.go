package incident_test

import (
	"testing"

	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/incident/incidenttest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	incidenttest.TestStore(t, func(testing.TB) incident.Store { return incident.NewMemory() })
}
