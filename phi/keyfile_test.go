package phi_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "phi.key")
	_, err := phi.OpenKeyFile(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, phi.CreateKeyFile(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	a, err := phi.OpenKeyFile(path)
	require.NoError(t, err)
	b, err := phi.OpenKeyFile(path)
	require.NoError(t, err)
	require.Equal(t, a.Fingerprint(), b.Fingerprint())
	c := phi.KeyContext{Namespace: "app", Purpose: phi.PurposeCanary, Epoch: 1}
	wrapped, err := a.Wrap(t.Context(), make([]byte, 32), c)
	require.NoError(t, err)
	_, err = b.Unwrap(t.Context(), wrapped, c)
	require.NoError(t, err)
}

func TestCreateKeyFileNeverOverwrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "phi.key")
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	require.ErrorIs(t, phi.CreateKeyFile(path), fs.ErrExist)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
	requireOnly(t, dir, "phi.key")
	require.Error(t, phi.CreateKeyFile(filepath.Join(dir, "missing", "phi.key")))
	require.ErrorIs(t, phi.CreateKeyFile(dir), fs.ErrExist)
}

// requireOnly checks that a folder holds this file and no left-over beside.
func requireOnly(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, name, entries[0].Name())
}

// Of many that create at once one does, and everybody reads its whole key.
func TestCreateKeyFileAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "phi.key")
	var wg sync.WaitGroup
	created := make([]error, 16)
	prints := make([]string, 16)
	for i := range created {
		wg.Go(func() {
			created[i] = phi.CreateKeyFile(path)
			if k, err := phi.OpenKeyFile(path); err == nil {
				prints[i] = k.Fingerprint()
			}
		})
	}
	wg.Wait()
	won := 0
	for i, err := range created {
		if err == nil {
			won++
		} else {
			require.ErrorIs(t, err, fs.ErrExist)
		}
		require.Equal(t, prints[0], prints[i])
		require.NotEmpty(t, prints[i])
	}
	require.Equal(t, 1, won)
	requireOnly(t, dir, "phi.key")
}

func TestKeyFileMode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no mode bits on Windows")
	}
	path := filepath.Join(t.TempDir(), "phi.key")
	require.NoError(t, phi.CreateKeyFile(path))
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o644, 0o666, 0o610, 0o601} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := phi.OpenKeyFile(path)
		require.ErrorIs(t, err, phi.ErrKeyFileMode, mode)
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := phi.OpenKeyFile(path)
		require.NoError(t, err, mode)
	}
	_, err := phi.OpenKeyFile(filepath.Dir(path))
	require.ErrorIs(t, err, phi.ErrKeyFile, "a folder")
}

func TestKeyFileParsing(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{9}, 32)
	line := phi.EncodeKeyFile(bytes.Clone(key))
	for name, text := range map[string]string{
		"bare": line, "newline": line + "\n", "windows": "# c\r\n\r\n" + line + "\r\n", "comment after": line + "\n# x\n",
	} {
		got, err := phi.DecodeKeyFile([]byte(text))
		require.NoError(t, err, name)
		require.Equal(t, key, got, name)
	}
	for name, text := range map[string]string{
		"empty": "", "only comments": "# a\n# b\n", "two keys": line + "\n" + line + "\n", "version": strings.Replace(line, "-1.", "-2.", 1),
		"no prefix": strings.TrimPrefix(line, "phi-key-1."), "cut": line[:len(line)-4], "one less": line[:len(line)-1],
		"longer": line + "AAAA", "leading space": " " + line, "pem": "-----BEGIN PRIVATE KEY-----\n", "zeros": strings.Repeat("\x00", 58),
		"huge": line + "\n#" + strings.Repeat("x", 5000),
	} {
		_, err := phi.DecodeKeyFile([]byte(text))
		require.ErrorIs(t, err, phi.ErrKeyFile, name)
		require.NotContains(t, err.Error(), "CQkJ", "never the key")
	}
}

// Any changed character is noticed.
func FuzzKeyFile(f *testing.F) {
	line := phi.EncodeKeyFile(bytes.Repeat([]byte{9}, 32))
	f.Add(0, byte(1))
	f.Add(12, byte('A'))
	f.Add(len(line)-1, byte('Z'))
	f.Fuzz(func(t *testing.T, at int, b byte) {
		bad := []byte(line)
		at = ((at % len(bad)) + len(bad)) % len(bad)
		bad[at] = b
		_, err := phi.DecodeKeyFile(bad)
		changed := string(bad) != line && strings.TrimRight(string(bad), "\r\n") != line
		require.Equal(t, changed, err != nil)
		require.True(t, err == nil || errors.Is(err, phi.ErrKeyFile))
	})
}
