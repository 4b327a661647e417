package enginetest

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// migrates is a store over a database, as its constructors return it.
type migrates interface {
	Migrate(ctx context.Context) error
}

// Store returns a migrated store over an engine.
func Store[S migrates](t testing.TB, e Engine, sqlite, postgres func(*sql.DB) (S, error)) S {
	t.Helper()
	open := sqlite
	if e.Dialect == sqlkit.Postgres {
		open = postgres
	}
	s, err := open(e.Pool)
	if err == nil {
		err = s.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMigrations tests what every store over a database promises of its constructors and migrations: no
// database is an error, migrating twice is none, a closed database is one, and both engines have
// migrations of the same names, numbered without a gap, none of them empty. Their folders, "sqlite" and
// "postgres", are in a folder of migrations, which may be ".".
func TestMigrations[S migrates](t *testing.T, migrations fs.FS, folder string, sqlite, postgres func(*sql.DB) (S, error)) {
	for name, open := range map[string]func(*sql.DB) (S, error){"sqlite": sqlite, "postgres": postgres} {
		if _, err := open(nil); err == nil {
			t.Errorf("%s takes no database for one", name)
		}
	}
	if err := sameNames(migrations, folder); err != nil {
		t.Error(err)
	}
	SQL(t, func(t *testing.T, open func(testing.TB) Engine) {
		e := open(t)
		s := Store(t, e, sqlite, postgres)
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("migrating twice: %v", err)
		}
		if err := e.Pool.Close(); err != nil {
			t.Fatal(err)
		}
		if s.Migrate(t.Context()) == nil {
			t.Error("a closed database is migrated")
		}
	})
}

// sameNames says what is wrong with the migrations of two engines.
func sameNames(migrations fs.FS, folder string) error {
	sqlite, err := names(migrations, path.Join(folder, "sqlite"))
	if err != nil {
		return err
	}
	postgres, err := names(migrations, path.Join(folder, "postgres"))
	if err != nil {
		return err
	}
	if len(sqlite) == 0 || !slices.Equal(sqlite, postgres) {
		return fmt.Errorf("the engines' migrations differ: %v and %v", sqlite, postgres)
	}
	return nil
}

func names(migrations fs.FS, folder string) (all []string, err error) {
	entries, err := fs.ReadDir(migrations, folder)
	for i, e := range entries {
		text, err := fs.ReadFile(migrations, path.Join(folder, e.Name()))
		switch {
		case err != nil:
			return nil, err
		case !strings.HasPrefix(e.Name(), fmt.Sprintf("%04d_", i+1)) || path.Ext(e.Name()) != ".sql":
			return nil, fmt.Errorf("%s is no migration number %d", e.Name(), i+1)
		case len(strings.TrimSpace(string(text))) == 0:
			return nil, fmt.Errorf("%s is empty", e.Name())
		}
		all = append(all, e.Name())
	}
	return all, err
}
