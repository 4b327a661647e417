package session_test

import (
	"testing"

	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessiontest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	sessiontest.TestStore(t, func(testing.TB) session.Store { return session.NewMemory() })
}
