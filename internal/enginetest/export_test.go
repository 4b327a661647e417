package enginetest

import (
	"io/fs"
	"testing"
)

// SameNames is sameNames.
func SameNames(migrations fs.FS, folder string) error { return sameNames(migrations, folder) }

// WithSearchPath is withSearchPath.
func WithSearchPath(address, schema string) string { return withSearchPath(address, schema) }

// RedisAt starts a private Redis that was promised another server's port.
func RedisAt(t testing.TB, other *RedisServer) *RedisServer {
	t.Helper()
	s := &RedisServer{t: t, dir: t.TempDir(), port: other.port}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}
