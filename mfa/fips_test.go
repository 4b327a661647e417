package mfa_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// In FIPS 140-only mode HMAC-SHA-1 would panic at the first code; the constructor says so
// instead. The mode is chosen when a process starts, so the test runs itself again.
func TestFIPSOnlyRefusesTOTP(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		_, err := mfa.New(mfa.NewMemory(), new(phi.Vault), audit.Discard{}, "Example", nil)
		require.ErrorIs(t, err, mfa.ErrFIPS)
		_, err = rfcKey(t).Code(start)
		require.ErrorIs(t, err, mfa.ErrFIPS)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFIPSOnlyRefusesTOTP$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestFIPSOnlyRefusesTOTP")
}
