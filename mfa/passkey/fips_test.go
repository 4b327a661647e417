package passkey_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Passkeys need no algorithm that FIPS 140-3 has not approved: P-256 with SHA-256, Ed25519, RSA of
// 2048 bits and more. The mode is chosen when a process starts, so the test runs the others again.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		return // the whole suite runs in that mode already
	}
	self, err := os.Executable()
	require.NoError(t, err)
	const tests = "TestRegisterAndSignIn|TestSyncedPasskey|TestVirtualWebAuthn|TestEd25519|TestW3CVectors"
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^("+tests+")$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestVirtualWebAuthn/rsa")
	require.Contains(t, string(out), "--- PASS: TestEd25519")
	require.Contains(t, string(out), "--- PASS: TestW3CVectors")
}
