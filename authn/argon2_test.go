package authn_test

import (
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// TestArgon2CommandAgrees has the command of the reference implementation make hashes, which are
// read and matched here, in the default parameters and others.
func TestArgon2CommandAgrees(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("argon2")
	if err != nil {
		enginetest.Missing(t, "the argon2 command is not installed")
	}
	for _, params := range [][]string{
		{"-k", "19456", "-t", "2", "-p", "1"}, {"-k", "64", "-t", "1", "-p", "1"}, {"-k", "256", "-t", "3", "-p", "4"},
	} {
		for _, typed := range []string{good, "p", "a kettle, a tabby — and a naïve one", strings.Repeat("long ", 20)} {
			cmd := exec.CommandContext(t.Context(), path, append([]string{"sixteen bytes ok", "-id", "-l", "32", "-e"}, params...)...)
			cmd.Stdin = strings.NewReader(typed)
			out, err := cmd.Output()
			require.NoError(t, err)
			stored := strings.TrimSpace(string(out))
			again, _, err := authn.ParsePHC(stored)
			require.NoError(t, err, stored)
			require.Equal(t, stored, again, "one spelling")
			ok, err := authn.MatchPHC(stored, typed)
			require.NoError(t, err)
			require.True(t, ok, hex.EncodeToString([]byte(typed)))
			ok, err = authn.MatchPHC(stored, typed+" ")
			require.NoError(t, err)
			require.False(t, ok)
		}
	}
}
