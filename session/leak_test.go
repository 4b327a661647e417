package session_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test leaves a goroutine behind, whichever call of the store stalled in it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
