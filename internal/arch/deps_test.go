package arch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/arch"
)

// dependencies asks the go command what a package of the module in dir needs.
func dependencies(t *testing.T, dir, pkg string) (all []arch.Dependency) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Module", "./"+pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	require.NoError(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Standard   bool
			Module     *struct{ Path string }
		}
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		d := arch.Dependency{Path: p.ImportPath, Standard: p.Standard}
		if p.Module != nil {
			d.Module = p.Module.Path
		}
		all = append(all, d)
	}
	require.Greater(t, len(all), 10)
	return all
}

// Who imports audit or phi gets nothing heavy with it.
func TestCoreDependencies(t *testing.T) {
	t.Parallel()
	for _, core := range []string{"audit", "phi"} {
		t.Run(core, func(t *testing.T) {
			t.Parallel()
			all := dependencies(t, "../..", core)
			require.Empty(t, arch.CoreDependencies("github.com/wardkit/wardkit", core, all))
		})
	}
}

// Only importers of mfa/passkey compile WebAuthn and what it brings.
func TestPasskeysAreOptional(t *testing.T) {
	t.Parallel()
	brought := func(pkg string) (modules []string) {
		for _, d := range dependencies(t, "../..", pkg) {
			switch d.Module {
			case "github.com/go-webauthn/webauthn", "github.com/go-webauthn/x", "github.com/fxamacker/cbor/v2", "github.com/google/go-tpm":
				modules = append(modules, d.Module)
			}
		}
		return modules
	}
	require.Empty(t, brought("mfa"))
	require.Empty(t, brought("mfa/mfasql"))
	require.Empty(t, brought("mfa/passkey/passkeytest"))
	require.Empty(t, brought("authn"))
	require.NotEmpty(t, brought("mfa/passkey"))
}

// The go command sees through other packages: expvar brings net/http with it.
func TestCoreDependenciesCatchesTransitiveImport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module " + module + "\n\ngo 1.26.0\n",
		"audit/x.go":      "package audit\n\nimport _ \"" + module + "/internal/y\"\n",
		"internal/y/y.go": "package y\n\nimport _ \"expvar\"\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	bad := arch.CoreDependencies(module, "audit", dependencies(t, dir, "audit"))
	require.Contains(t, bad, "audit needs net/http")
}

func TestCoreDependenciesCatches(t *testing.T) {
	t.Parallel()
	std := func(path string) arch.Dependency { return arch.Dependency{Path: path, Standard: true} }
	for _, c := range []struct {
		core string
		dep  arch.Dependency
		bad  bool
	}{
		{"audit", std("net/http"), true},
		{"phi", std("net/http/internal"), true},
		{"audit", std("database/sql"), true},
		{"phi", std("database/sql"), true},
		{"audit", std("database/sql/driver"), true},
		{"phi", std("database/sql/driver"), false},
		{"audit", std("net/netip"), false},
		{"phi", arch.Dependency{Path: "github.com/google/uuid", Module: "github.com/google/uuid"}, true},
		{"phi", arch.Dependency{Path: "golang.org/xerrors", Module: "golang.org/xerrors"}, true},
		{"phi", arch.Dependency{Path: "golang.org/x/crypto/hkdf", Module: "golang.org/x/crypto"}, false},
		{"phi", arch.Dependency{Path: module + "/audit", Module: module}, false},
	} {
		bad := arch.CoreDependencies(module, c.core, []arch.Dependency{c.dep})
		require.Equal(t, c.bad, len(bad) > 0, "%s: %s", c.core, c.dep.Path)
	}
}
