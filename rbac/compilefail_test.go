package rbac_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMistakesDoNotCompile builds small programs that make one mistake each: the compiler
// refuses every one of them, at that place, and takes the one without a mistake.
func TestMistakesDoNotCompile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/compile/*/*.go")
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	args := []string{"vet"}
	for _, f := range files {
		args = append(args, "./"+filepath.ToSlash(filepath.Dir(f)))
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.Error(t, err, "everything compiled")
	lines := strings.Split(filepath.ToSlash(string(out)), "\n")
	for _, f := range files {
		t.Run(filepath.Base(filepath.Dir(f)), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			want := ""
			for line := range strings.Lines(string(text)) {
				if after, ok := strings.CutPrefix(line, "// want: "); ok {
					want = strings.TrimSpace(after)
				}
			}
			var errors []string
			for _, line := range lines {
				if strings.Contains(line, filepath.ToSlash(f)+":") {
					errors = append(errors, line)
				}
			}
			if want == "" {
				require.Empty(t, errors)
				return
			}
			require.Len(t, errors, 1, "%s", out)
			require.Contains(t, errors[0], want)
		})
	}
}
