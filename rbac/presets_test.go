package rbac_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// everyCategory defines one action for each category and verb.
func everyCategory() (all []rbac.AnyAction, rows map[string]rbac.Action[note]) {
	rows = map[string]rbac.Action[note]{}
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "patient"}
	for _, c := range []rbac.Category{
		rbac.Demographics, rbac.Identifiers, rbac.CareTeam, rbac.Schedule, rbac.Notes, rbac.Psychotherapy, rbac.Orders,
		rbac.Documents, rbac.Billing, rbac.Consents, rbac.Exports, rbac.Users, rbac.Settings, rbac.AuditLog, "host_defined",
	} {
		for _, v := range []audit.Verb{audit.Create, audit.Read, audit.Update, audit.Delete, audit.Execute} {
			name := fmt.Sprintf("%s.%s", c, strings.ToLower(string(v)))
			a := rbac.Define[note](name, cols, rbac.Verb(v), rbac.InCategory(c))
			all, rows[name] = append(all, a), a
		}
	}
	return all, rows
}

// matrix writes what each role may do, and sees, one line each.
func matrix(t *testing.T, o *rbac.PresetOptions) string {
	t.Helper()
	all, rows := everyCategory()
	everything := rbac.Role{Name: "everything", Label: "Everything", Rank: 1000, Allow: []rbac.Allow{rbac.In(rbac.Tenant, all...)}}
	own := rbac.NewMemoryRelation()
	p, err := rbac.Compile(rbac.Rules{
		Actions: all, Roles: append(rbac.Presets(all, o), everything), Relations: rbac.Relations{Own: own},
	})
	require.NoError(t, err)
	store := rbac.NewMemory()
	z, err := rbac.New(p, store, audit.Discard{}, nil)
	require.NoError(t, err)
	var lines []string
	for _, r := range p.Roles() {
		if r.Name == "everything" {
			continue
		}
		g := rbac.Grant{Person: audit.ActorID(r.Name), Role: r.Name}
		if o != nil && o.Desk == rbac.Practice && (r.Name == rbac.FrontDesk || r.Name == rbac.Finance) {
			g.Practices = []rbac.PracticeID{"north"}
		}
		_, err := z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), g)
		require.NoError(t, err)
		a := staff(g.Person)
		ctx, err := z.Load(rbactest.As(t.Context(), a, audit.Discard{}))
		require.NoError(t, err)
		for name, action := range rows {
			f, err := rbac.Visible(ctx, z, action)
			if err != nil {
				require.ErrorIs(t, err, rbac.ErrNothing)
				continue
			}
			where, _ := f.SQL(rbac.SQLite, "", 1)
			lines = append(lines, fmt.Sprintf("%-13s may %-16s %s", r.Name, name, scopeOf(where)))
		}
		for _, c := range phi.Classes() {
			if l := r.Sight[c]; l != phi.Hide {
				lines = append(lines, fmt.Sprintf("%-13s sees %-15s %s", r.Name, c, l))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func scopeOf(where string) string {
	switch {
	case where == "(tenant = ?)":
		return "tenant"
	case strings.Contains(where, "json_each") && strings.Contains(where, "practice"):
		return "practice"
	case strings.Contains(where, "patient <> ''"):
		return "own"
	}
	return where
}

func TestPresetsGolden(t *testing.T) {
	t.Parallel()
	for file, o := range map[string]*rbac.PresetOptions{
		"testdata/presets.golden":        nil,
		"testdata/presets_wide.golden":   {AdminReadsNotes: true, AdminRevealsIdentifiers: true},
		"testdata/presets_narrow.golden": {Desk: rbac.Practice},
	} {
		got := matrix(t, o)
		if os.Getenv(rbactest.UpdateVariable) != "" {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got, file)
	}
}

func TestPresetsAreLeastPrivilege(t *testing.T) {
	t.Parallel()
	m := matrix(t, nil)
	for _, nobody := range []string{"psychotherapy", "orders", "host_defined", "exports.c", ".d "} {
		for line := range strings.Lines(m) {
			if strings.Contains(line, " may ") && !strings.Contains(line, "care_team.d") &&
				!strings.Contains(line, "users.d") && !strings.Contains(line, "settings.d") {
				require.NotContains(t, line, nobody)
			}
		}
	}
	for _, never := range []string{
		"clinic_admin  may notes", "clinic_admin  may identifiers", "clinic_admin  sees clinical", "clinic_admin  sees ssn             full",
		"finance       may notes", "finance       may documents", "finance       sees clinical", "finance       sees ssn",
		"front_desk    may notes", "front_desk    may identifiers", "front_desk    sees clinical", "front_desk    sees ssn             full",
		"therapist     may users", "therapist     may settings",
	} {
		require.NotContains(t, m, never)
	}
	require.NotContains(t, m, "therapist     may demographics.r    tenant")
}

func TestPresetsFitTheResource(t *testing.T) {
	t.Parallel()
	log := rbac.Define[rbac.InTenant]("audit_log.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.AuditLog))
	slots := rbac.Define[note]("slot.read", rbac.Columns{ID: "id", Tenant: "tenant", Owner: "author"}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Schedule))
	rooms := rbac.Define[note]("room.read", rbac.Columns{ID: "id", Tenant: "tenant"}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Schedule))
	all := []rbac.AnyAction{log, slots, rooms, nil, rbac.Action[note]{}}
	p, err := rbac.Compile(rbac.Rules{Actions: all[:3], Roles: rbac.Presets(all, nil)})
	require.NoError(t, err, "own is needed by nothing")
	store := rbac.NewMemory()
	z, err := rbac.New(p, store, audit.Discard{}, nil)
	require.NoError(t, err)
	_, err = z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: "ana", Role: rbac.Therapist})
	require.NoError(t, err)
	ctx := rbactest.As(t.Context(), staff("ana"), audit.Discard{})
	d, err := rbac.Check(ctx, z, log, rbac.InTenant{Tenant: clinic})
	require.NoError(t, err)
	require.False(t, d.Allowed, "own patients' log is not the tenant's")
	d, err = rbac.Check(ctx, z, slots, note{id: "s1", tenant: clinic, author: "ana"})
	require.NoError(t, err)
	require.Equal(t, rbac.Self, d.Scope)
	d, err = rbac.Check(ctx, z, rooms, note{id: "r1", tenant: clinic, author: "ana"})
	require.NoError(t, err)
	require.False(t, d.Allowed)
}
