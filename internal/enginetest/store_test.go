package enginetest_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
)

func TestSameNames(t *testing.T) {
	t.Parallel()
	files := func(names ...string) fstest.MapFS {
		all := fstest.MapFS{}
		for _, name := range names {
			all[name] = &fstest.MapFile{Data: []byte("SELECT 1;")}
		}
		return all
	}
	good := files("m/sqlite/0001_a.sql", "m/sqlite/0002_b.sql", "m/postgres/0001_a.sql", "m/postgres/0002_b.sql")
	require.NoError(t, enginetest.SameNames(good, "m"))
	require.NoError(t, enginetest.SameNames(files("sqlite/0001_a.sql", "postgres/0001_a.sql"), "."))
	require.Error(t, enginetest.SameNames(good, "."))
	for name, bad := range map[string]fstest.MapFS{
		"none":         files("m/sqlite", "m/postgres"),
		"one engine":   files("m/sqlite/0001_a.sql"),
		"another name": files("m/sqlite/0001_a.sql", "m/postgres/0001_b.sql"),
		"one more":     files("m/sqlite/0001_a.sql", "m/postgres/0001_a.sql", "m/postgres/0002_b.sql"),
		"a gap":        files("m/sqlite/0001_a.sql", "m/sqlite/0003_b.sql", "m/postgres/0001_a.sql", "m/postgres/0003_b.sql"),
		"twice":        files("m/sqlite/0001_a.sql", "m/sqlite/0001_b.sql", "m/postgres/0001_a.sql", "m/postgres/0001_b.sql"),
		"no migration": files("m/sqlite/0001_a.txt", "m/postgres/0001_a.txt"),
	} {
		require.Error(t, enginetest.SameNames(bad, "m"), name)
	}
	good["m/postgres/0002_b.sql"].Data = []byte(" \n")
	require.Error(t, enginetest.SameNames(good, "m"), "an empty one")
}
