package rbacsql_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// servers returns n authorizers over one database, as many servers as that.
func servers(t *testing.T, e enginetest.Engine, n int, rules rbac.GrantRules) []*rbac.Authorizer {
	t.Helper()
	manage := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{})
	p, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{manage},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Admin", Rank: 2, Seat: true, Allow: []rbac.Allow{rbac.In(rbac.Tenant, manage)}},
			{Name: "finance", Label: "Finance", Rank: 1, Seat: true},
		},
	})
	require.NoError(t, err)
	var out []*rbac.Authorizer
	for range n {
		z, err := rbac.New(p, open(t, e), audit.Discard{}, &rbac.Options{Grants: rules})
		require.NoError(t, err)
		out = append(out, z)
	}
	return out
}

// TestSeatsAreExactOnEveryServer: sixty-four grants at once over two servers, five seats.
func TestSeatsAreExactOnEveryServer(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		both := servers(t, engine(t), 2, rbac.GrantRules{Seats: rbac.SeatLimit(5)})
		setup := audit.WithActor(t.Context(), audit.System("clinic", "setup"))
		errs := make([]error, 64)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = both[i%2].Grant(setup, rbac.Grant{Person: audit.ActorID(fmt.Sprintf("p%d", i)), Role: "finance"})
			})
		}
		wg.Wait()
		seated := 0
		for _, err := range errs {
			if err == nil {
				seated++
				continue
			}
			require.ErrorIs(t, err, rbac.ErrSeats)
		}
		require.Equal(t, 5, seated)
		use, err := both[0].Seats(setup)
		require.NoError(t, err)
		require.Equal(t, rbac.SeatUse{Taken: 5, Limit: 5, Limited: true}, use)
	})
}

// TestTheLastAdminStaysOnEveryServer: two administrators revoke each other on two servers.
func TestTheLastAdminStaysOnEveryServer(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		both := servers(t, e, 2, rbac.GrantRules{})
		setup := audit.WithActor(t.Context(), audit.System("clinic", "setup"))
		people := []audit.ActorID{"ana", "bo"}
		var grants []rbac.Grant
		for _, p := range people {
			g, err := both[0].Grant(setup, rbac.Grant{Person: p, Role: "admin"})
			require.NoError(t, err)
			grants = append(grants, g)
		}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				ctx := rbactest.As(t.Context(), audit.Actor{ID: people[i], Kind: audit.KindStaff, Tenant: "clinic"}, audit.Discard{})
				errs[i] = both[i].Revoke(ctx, people[1-i], grants[1-i].ID)
			})
		}
		wg.Wait()
		require.Error(t, errors.Join(errs...))
		left, err := open(t, e).Holders(t.Context(), "clinic", []rbac.RoleName{"admin"})
		require.NoError(t, err)
		require.Len(t, left, 1)
	})
}

// TestWordsLeaveTheTable: what release 0.2 kept in clear as the reason is replaced by a code.
func TestWordsLeaveTheTable(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		before := fstest.MapFS{}
		for _, d := range []string{"sqlite", "postgres"} {
			name := "migrations/" + d + "/0001_grants.sql"
			text, err := fs.ReadFile(rbacsql.Migrations(), name)
			require.NoError(t, err)
			before[name] = &fstest.MapFile{Data: text}
		}
		require.NoError(t, e.Kit(t).Migrate(t.Context(), "rbac", before, "migrations"))
		words := map[string]string{
			"covers for Maria": "recorded", "Maria": "recorded", "3rd floor": "recorded", "set up": "recorded", "vacación": "recorded",
			"new_hire": "new_hire", "invited": "invited", "": "", strings.Repeat("a", 129): "recorded",
		}
		for why := range words {
			_, err := e.Kit(t).Exec(t.Context(), `INSERT INTO rbac_grant (id, tenant, person, role, practices, from_at, until_at, granted_by, why, created, ended, ended_by)
				VALUES (?, 'clinic', 'ana', 'admin', '["north"]', 0, 0, 'adam', ?, 1, 0, '')`, why+".", why)
			require.NoError(t, err)
		}
		s := open(t, e)
		got, err := s.Grants(t.Context(), "clinic", "ana")
		require.NoError(t, err)
		require.Len(t, got, len(words))
		for _, g := range got {
			require.Equal(t, words[strings.TrimSuffix(g.ID, ".")], g.Why, g.ID)
		}
	})
}

// TestTheReleaseBeforeRunsOnThisSchema: rows that it writes are read, and rows of this release
// stay readable for it.
func TestTheReleaseBeforeRunsOnThisSchema(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := engine(t)
		s := open(t, e)
		const old = `INSERT INTO rbac_grant (id, tenant, person, role, practices, from_at, until_at, granted_by, why, created, ended, ended_by)
			VALUES ('old', 'clinic', 'ana', 'admin', '["north"]', 0, 0, 'adam', 'invited', 1, 0, '')`
		_, err := e.Pool.ExecContext(t.Context(), old)
		require.NoError(t, err)
		got, err := s.Grants(t.Context(), "clinic", "ana")
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, rbac.SourceDirect, got[0].Source)
		require.Equal(t, []rbac.PracticeID{"north"}, got[0].Practices)
		require.Empty(t, got[0].Locations)
		v, err := s.Version(t.Context(), "clinic")
		require.NoError(t, err)
		require.NoError(t, s.Apply(t.Context(), "clinic", v, rbac.Change{Add: []rbac.Grant{{
			ID: "new", Tenant: "clinic", Person: "bo", Role: "admin", Practices: []rbac.PracticeID{"south"},
			Locations: []rbac.LocationID{"east"}, Source: rbac.SourceIdP,
		}}}))
		var practices string
		require.NoError(t, e.Pool.QueryRowContext(t.Context(), `SELECT practices FROM rbac_grant WHERE id = 'new'`).Scan(&practices))
		require.JSONEq(t, `["south"]`, practices)
	})
}
