package rbacsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

type form struct{}

func (form) RBAC() rbac.Attrs { return rbac.Attrs{ID: "f", Tenant: "clinic"} }

// TestChosenOnEveryServer: what a tenant switches on one server holds with the next request on
// the other; of two who choose at once one is told; a row that cannot be read denies.
func TestChosenOnEveryServer(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		wipe := rbac.Define[form]("form.delete", rbac.Columns{ID: "id", Tenant: "tenant"}, rbac.Verb(audit.Delete))
		p, err := rbac.Compile(rbac.Rules{
			Actions: []rbac.AnyAction{wipe},
			Roles: []rbac.Role{
				{Name: "admin", Label: "Admin", Rank: 2, Allow: []rbac.Allow{rbac.In(rbac.Tenant, wipe)}},
				{Name: "desk", Label: "Desk", Rank: 1, Allow: []rbac.Allow{rbac.In(rbac.Tenant, wipe).OptIn()}},
			},
		})
		require.NoError(t, err)
		var servers []*rbac.Authorizer
		for range 2 {
			s := open(t, e)
			z, err := rbac.New(p, s, audit.Discard{}, &rbac.Options{Toggles: s})
			require.NoError(t, err)
			servers = append(servers, z)
		}
		setup := audit.WithActor(t.Context(), audit.System("clinic", "setup"))
		_, err = servers[0].Grant(setup, rbac.Grant{Person: "dora", Role: "desk"})
		require.NoError(t, err)
		dora := rbactest.As(t.Context(), audit.Actor{ID: "dora", Kind: audit.KindStaff, Tenant: "clinic"}, audit.Discard{})
		version := int64(0)
		for _, on := range []bool{true, false, true} {
			next := rbac.Toggles{Version: version, Choices: []rbac.Choice{{Role: "desk", Action: "form.delete", On: on}}}
			got, err := servers[version%2].Choose(setup, next)
			require.NoError(t, err)
			version++
			require.Equal(t, version, got.Version)
			for _, z := range servers {
				d, err := rbac.Check(dora, z, wipe, form{})
				require.NoError(t, err)
				require.Equal(t, on, d.Allowed)
			}
			_, err = servers[version%2].Choose(setup, next)
			require.ErrorIs(t, err, rbac.ErrConflict)
		}
		_, err = e.Pool.ExecContext(t.Context(), `UPDATE rbac_toggles SET choices = '[{'`)
		require.NoError(t, err)
		d, err := rbac.Check(dora, servers[0], wipe, form{})
		require.ErrorIs(t, err, rbac.ErrUndecided)
		require.False(t, d.Allowed)
	})
}

// TestMasksOnEveryServer: what a tenant lets its roles see is kept in full; a table that cannot be
// read, or that somebody wrote by hand, denies.
func TestMasksOnEveryServer(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		s := open(t, e)
		lowered := rbac.Masks{"desk": {phi.ClassPhone: phi.Partial, phi.ClassName: phi.Full}, "auditor": {}}
		require.NoError(t, s.SaveToggles(t.Context(), "clinic", rbac.Toggles{Masks: lowered}))
		got, err := open(t, e).Toggles(t.Context(), "clinic")
		require.NoError(t, err)
		require.Equal(t, rbac.Toggles{Version: 1, Masks: lowered}, got)
		for _, bad := range []string{``, `null`, `{"desk":{"phone":"all of it"}}`, `{"desk":{"phone":"hide","phone":"full"}}`} {
			_, err := e.Pool.ExecContext(t.Context(), `UPDATE rbac_toggles SET masks = '`+bad+`'`)
			require.NoError(t, err)
			_, err = s.Toggles(t.Context(), "clinic")
			require.ErrorContains(t, err, "cannot be read", bad)
		}
	})
}
