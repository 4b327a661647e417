// Package bubble runs tests in a bubble of their own time.
package bubble

import (
	"crypto/fips140"
	"testing"
	"testing/synctest"
)

// Test is synctest.Test, skipped in FIPS 140-only mode: there Go 1.26 draws entropy from the
// jitter of a clock that stands still in a bubble, finds none, and panics.
func Test(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("crypto/rand finds no entropy in a bubble's clock")
	}
	synctest.Test(t, f)
}
