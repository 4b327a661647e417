package purge_test

import (
	"testing"

	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/purge/purgetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	purgetest.TestStore(t, func(testing.TB) purge.Store { return purge.NewMemory() })
}
