package rbacsql_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// open returns a migrated store in the engine.
func open(t testing.TB, e enginetest.Engine) *rbacsql.Store {
	t.Helper()
	make := rbacsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		make = rbacsql.Postgres
	}
	s, err := make(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		rbactest.TestStore(t, func(t testing.TB) rbac.Store { return open(t, engine(t)) })
	})
}

func TestStoreKeepsTheContractOfToggles(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		rbactest.TestToggles(t, func(t testing.TB) rbac.ToggleStore { return open(t, engine(t)) })
	})
}

// TestRevokedOnEveryServer: two servers over one database; what one revokes, the other denies
// at the next request.
func TestRevokedOnEveryServer(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		manage := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{})
		p, err := rbac.Compile(rbac.Rules{
			Actions: []rbac.AnyAction{manage},
			Roles:   []rbac.Role{{Name: "admin", Label: "Admin", Allow: []rbac.Allow{rbac.In(rbac.Tenant, manage)}}},
		})
		require.NoError(t, err)
		var servers []*rbac.Authorizer
		for range 2 {
			z, err := rbac.New(p, open(t, e), audit.Discard{}, nil)
			require.NoError(t, err)
			servers = append(servers, z)
		}
		setup := audit.WithActor(t.Context(), audit.System("clinic", "setup"))
		ana := rbactest.As(t.Context(), audit.Actor{ID: "ana", Kind: audit.KindStaff, Tenant: "clinic"}, audit.Discard{})
		for range 3 {
			g, err := servers[0].Grant(setup, rbac.Grant{Person: "ana", Role: "admin"})
			require.NoError(t, err)
			for _, z := range servers {
				ok, err := rbac.Holds(ana, z, manage)
				require.NoError(t, err)
				require.True(t, ok)
			}
			require.NoError(t, servers[1].Revoke(setup, "ana", g.ID))
			for _, z := range servers {
				ok, err := rbac.Holds(ana, z, manage)
				require.NoError(t, err)
				require.False(t, ok)
			}
		}
	})
}

func TestOpenRefusesNoDatabase(t *testing.T) {
	t.Parallel()
	_, err := rbacsql.SQLite(nil)
	require.Error(t, err)
	_, err = rbacsql.Postgres(nil)
	require.Error(t, err)
	files, err := fs.Glob(rbacsql.Migrations(), "migrations/*/*.sql")
	require.NoError(t, err)
	require.Len(t, files, 8)
}

// TestMissingTablesAreErrors: a store that was not migrated answers nothing, and says nothing
// of its statements.
func TestMissingTablesAreErrors(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		make := rbacsql.SQLite
		if e.Dialect == sqlkit.Postgres {
			make = rbacsql.Postgres
		}
		s, err := make(e.Pool)
		require.NoError(t, err)
		_, errGrants := s.Grants(t.Context(), "clinic", "ana")
		_, errHolders := s.Holders(t.Context(), "clinic", []rbac.RoleName{"admin"})
		_, errVersion := s.Version(t.Context(), "clinic")
		errApply := s.Apply(t.Context(), "clinic", 0, rbac.Change{})
		var errList error
		for _, err := range s.List(t.Context(), "clinic", "") {
			errList = err
		}
		for _, err := range []error{errGrants, errHolders, errVersion, errApply, errList} {
			require.Error(t, err)
			require.NotContains(t, err.Error(), "SELECT")
			require.NotContains(t, err.Error(), "rbac_grant")
			require.NotContains(t, err.Error(), "clinic")
		}
	})
}
