// Package docs_test keeps the prose honest: every Go snippet in README and docs is compiled,
// and the README's program is run.
package docs_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// snippets returns the Go blocks of a Markdown text.
func snippets(text string) (all []string) {
	for _, m := range goBlock.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// documents are README, CHANGELOG and everything below docs.
func documents(t *testing.T) []string {
	t.Helper()
	found := []string{filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"), filepath.Join(root, "SECURITY.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	})
	require.NoError(t, err)
	return found
}

// build compiles programs that exist only in an overlay of this module, and returns what the
// compiler said. With run it runs the first one and returns its output.
func build(t *testing.T, run bool, programs ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	base, err := filepath.Abs(root)
	require.NoError(t, err)
	replace := map[string]string{}
	args := []string{"build", "-o", os.DevNull}
	if run {
		args = []string{"run"}
	}
	var packages []string
	for i, p := range programs {
		source := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		require.NoError(t, os.WriteFile(source, []byte(p), 0o600))
		replace[filepath.Join(base, "internal", "docs", fmt.Sprintf("snippet%d", i), "main.go")] = source
		packages = append(packages, fmt.Sprintf("./internal/docs/snippet%d", i))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	cmd := exec.CommandContext(t.Context(), "go", append(append(args, "-overlay", file), packages...)...)
	cmd.Dir = base
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestSnippetsCompile(t *testing.T) {
	t.Parallel()
	var programs []string
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, s := range snippets(string(text)) {
			require.True(t, strings.HasPrefix(s, "package "), "%s has a Go snippet that is no whole file; mark it as text, or complete it:\n%s", path, s)
			programs = append(programs, s)
		}
	}
	require.NotEmpty(t, programs)
	out, err := build(t, false, programs...)
	require.NoError(t, err, out)
}

func TestBrokenSnippetIsNoticed(t *testing.T) {
	t.Parallel()
	found := snippets("text\n```go\npackage main\n\nfunc main() { undefined() }\n```\nmore")
	require.Len(t, found, 1)
	out, err := build(t, false, found...)
	require.Error(t, err)
	require.Contains(t, out, "undefined")
}

func TestReadmeProgramRuns(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	out, err := build(t, true, snippets(string(text))[0])
	require.NoError(t, err, out)
	require.Contains(t, out, "[PHI] is sealed in ")
	require.Contains(t, out, "phi: ")
	require.NotContains(t, out, "Ana")
}

// The first code of the README stands on its first screen.
func TestReadmeShowsCodeEarly(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	before, _, found := strings.Cut(string(text), "```go\n")
	require.True(t, found)
	require.Less(t, strings.Count(before, "\n"), 25)
	for _, command := range []string{"go run ./examples/clinic", "go test ./..."} {
		require.Contains(t, string(text), command)
	}
}

// fence is a block of code, which may hold brackets of its own.
var fence = regexp.MustCompile("(?s)```.*?```")

var link = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)

// Links between files of the project lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			checked++
			require.FileExists(t, orFolder(filepath.Join(filepath.Dir(path), m[1])), "%s links to %s", path, m[1])
		}
	}
	require.NotZero(t, checked)
}

// orFolder lets a link to a folder count: it stands for the folder's Go files.
func orFolder(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path
	}
	inside, err := filepath.Glob(filepath.Join(path, "*.go"))
	if err != nil || len(inside) == 0 {
		return path
	}
	return inside[0]
}
