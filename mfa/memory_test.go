package mfa_test

import (
	"testing"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfatest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	mfatest.TestStore(t, func(testing.TB) mfa.Store { return mfa.NewMemory() })
}
