package rbac_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// everyCategory defines one action for each category and verb, and one that purges.
func everyCategory() (all []rbac.AnyAction) {
	cols := rbac.Columns{
		ID: "id", Tenant: "tenant", Practice: "practice", Location: "location", Patient: "patient", Author: "author", Labels: rbac.Unlabelled,
	}
	for _, c := range append(rbac.Categories(), "host_defined") {
		for _, v := range []audit.Verb{audit.Create, audit.Read, audit.Update, audit.Delete, audit.Execute} {
			name := fmt.Sprintf("%s.%s", c, strings.ToLower(string(v)))
			all = append(all, rbac.Define[note](name, cols, rbac.Verb(v), rbac.InCategory(c)))
		}
		all = append(all, rbac.Define[note](string(c)+".purge", cols, rbac.Verb(audit.Delete), rbac.InCategory(c), rbac.Destructive(), rbac.NeedReason()))
	}
	return all
}

func allRelations() rbac.Relations {
	m := rbac.NewMemoryRelation()
	return rbac.Relations{Own: m, Supervisees: m, Self: m, Proxy: m, Consent: m}
}

// presetPolicy compiles the presets with every action, each of which somebody must hold.
func presetPolicy(t testing.TB, o *rbac.PresetOptions) *rbac.Policy {
	t.Helper()
	all := everyCategory()
	roles := rbac.Presets(all, o)
	p, err := rbac.Compile(rbac.Rules{
		Actions: all, Relations: allRelations(), Forbid: rbac.PresetForbids(roles, allRelations()),
		Roles: append(roles, rbac.Role{Name: "everything", Label: "Everything", Rank: 1000, Allow: []rbac.Allow{rbac.In(rbac.Tenant, all...)}}),
	})
	require.NoError(t, err)
	return p
}

// matrix writes what each role may do, and sees, one line each.
func matrix(t *testing.T, o *rbac.PresetOptions) string {
	t.Helper()
	p := presetPolicy(t, o)
	z, err := rbac.New(p, rbac.NewMemory(), audit.Discard{}, nil)
	require.NoError(t, err)
	var lines []string
	for _, r := range p.Roles() {
		if r.Name == "everything" {
			continue
		}
		g := rbac.Grant{Person: audit.ActorID(r.Name), Role: r.Name}
		_, err := z.Grant(system(t), g)
		if errors.Is(err, rbac.ErrBadGrant) {
			g.Practices = []rbac.PracticeID{"north"}
			_, err = z.Grant(system(t), g)
		}
		require.NoError(t, err)
		rights, err := rbac.Rights(system(t), z, audit.Actor{ID: g.Person, Kind: r.Kind})
		require.NoError(t, err)
		for _, x := range rights {
			for _, c := range x.Clauses {
				switch c.Verdict {
				case rbac.VerdictAllows:
					lines = append(lines, fmt.Sprintf("%-17s may  %-26s %s", r.Name, x.Action, c.Scope))
				case rbac.VerdictOff:
					lines = append(lines, fmt.Sprintf("%-17s may  %-26s %s, if the tenant says so", r.Name, x.Action, c.Scope))
				}
			}
		}
		for _, c := range phi.Classes() {
			if l := r.Sight[c]; l != phi.Hide {
				lines = append(lines, fmt.Sprintf("%-17s sees %-26s %s", r.Name, c, l))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func TestPresetsGolden(t *testing.T) {
	t.Parallel()
	for file, o := range map[string]*rbac.PresetOptions{
		"testdata/presets.golden":        nil,
		"testdata/presets_wide.golden":   {AdminReadsNotes: true, AdminRevealsIdentifiers: true},
		"testdata/presets_narrow.golden": {Desk: rbac.Practice},
		"testdata/presets_all.golden":    {Roles: rbac.AllPresets()},
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

// TestPresetsAreLeastPrivilege: what nobody has by default, whatever the table says one day.
func TestPresetsAreLeastPrivilege(t *testing.T) {
	t.Parallel()
	m := matrix(t, &rbac.PresetOptions{Roles: rbac.AllPresets()})
	readers := map[string]bool{} // of clinical records of the whole tenant
	for line := range strings.Lines(m) {
		f := strings.Fields(line)
		role, what, scope := f[0], f[2], f[3]
		category, verb, _ := strings.Cut(what, ".")
		inTenant := f[1] == "may" && strings.TrimSuffix(scope, ",") == "tenant"
		switch {
		case f[1] == "sees":
			require.False(t, what == "ssn" && scope == "full", line)
			continue
		case category == "psychotherapy":
			require.Equal(t, "therapist all(own,author)", role+" "+scope, line)
		case category == "identifiers":
			require.Equal(t, "own", scope, line)
		case category == "host_defined":
			t.Error("a category of the host's own:", line)
		case verb == "purge":
			require.Equal(t, "records_custodian tenant,", role+" "+scope, line)
		case verb == "d" && rbac.Category(category).Clinical():
			require.Contains(t, line, "if the tenant says so")
		case inTenant && rbac.Category(category).Clinical() && verb != "c":
			readers[role] = true
		}
		switch role {
		case "platform_operator", "it_admin", "auditor":
			require.Contains(t, []string{"users", "settings", "security_log", "audit_log"}, category, line)
		case "patient", "family_proxy":
			require.Contains(t, []string{"self", "proxy"}, scope, line)
		case "trainee", "nurse":
			require.NotContains(t, []string{"u", "d", "e"}, verb, line)
		case "suspended", "service_account":
			t.Error("nothing:", line)
		}
	}
	delete(readers, "manager")    // forms: the desk's own paper work
	delete(readers, "front_desk") // the same
	require.Equal(t, map[string]bool{"clinic_admin_full": true, "records_custodian": true}, readers)
	for _, never := range []string{"platform_operator sees", "it_admin          sees", "auditor           sees", "finance           sees clinical"} {
		require.NotContains(t, m, never)
	}
}

func TestPresetRulesForGrants(t *testing.T) {
	t.Parallel()
	for _, o := range []*rbac.PresetOptions{nil, {Roles: rbac.AllPresets()}, {Roles: []rbac.RoleName{rbac.Therapist}}} {
		p := presetPolicy(t, o)
		rules := rbac.PresetGrantRules(rbac.Presets(everyCategory(), o))
		_, err := rbac.New(p, rbac.NewMemory(), audit.Discard{}, &rbac.Options{Grants: rules})
		require.NoError(t, err)
	}
	o := &rbac.PresetOptions{Roles: rbac.AllPresets()}
	z, err := rbac.New(presetPolicy(t, o), rbac.NewMemory(), audit.Discard{}, &rbac.Options{Grants: rbac.PresetGrantRules(rbac.Presets(everyCategory(), o))})
	require.NoError(t, err)
	give := func(p audit.ActorID, role rbac.RoleName) error {
		_, err := z.Grant(system(t), rbac.Grant{Person: p, Role: role})
		return err
	}
	require.NoError(t, give("olga", rbac.Owner))
	require.ErrorIs(t, give("otto", rbac.Owner), rbac.ErrSingle)
	require.NoError(t, give("fin", rbac.Finance))
	require.ErrorIs(t, give("fin", rbac.ClinicAdmin), rbac.ErrExclusive)
	require.NoError(t, give("aud", rbac.Auditor))
	for _, role := range []rbac.RoleName{rbac.Therapist, rbac.PrivacyOfficer, rbac.Owner, rbac.Scheduler} {
		require.ErrorIs(t, give("aud", role), rbac.ErrRefused)
	}
	require.NoError(t, give("ana", rbac.ClinicAdmin))
	require.NoError(t, give("ana", rbac.Therapist), "an admin who also sees patients")
	label, err := z.Label(audit.WithActor(t.Context(), staff("ana")))
	require.NoError(t, err)
	require.Equal(t, "Clinic Admin", label)
}

func TestDeletionMatrix(t *testing.T) {
	t.Parallel()
	p := presetPolicy(t, &rbac.PresetOptions{Roles: rbac.AllPresets()})
	find := func(cells []rbac.Deletion, role rbac.RoleName, action audit.Action) rbac.Deletion {
		i := slices.IndexFunc(cells, func(d rbac.Deletion) bool { return d.Role == role && d.Action == action })
		require.GreaterOrEqual(t, i, 0, "%s %s", role, action)
		return cells[i]
	}
	cells := p.Deletions(rbac.Toggles{})
	for _, role := range []rbac.RoleName{rbac.Manager, rbac.RecordsCustodian, rbac.Supervisor, rbac.Therapist} {
		for _, kind := range []rbac.Category{rbac.Forms, rbac.Documents, rbac.Files, rbac.Attachments} {
			want := rbac.Deletion{Role: role, Action: audit.Action(kind + ".d"), Category: kind, Switchable: true}
			require.Equal(t, want, find(cells, role, want.Action))
		}
	}
	require.Equal(t, rbac.Deletion{Role: rbac.RecordsCustodian, Action: "files.purge", Category: rbac.Files, Purge: true, Switchable: true},
		find(cells, rbac.RecordsCustodian, "files.purge"))
	require.False(t, slices.ContainsFunc(cells, func(d rbac.Deletion) bool { return d.Role == rbac.Therapist && d.Purge }))
	require.True(t, find(cells, rbac.ClinicAdmin, "users.d").On, "not left to the tenant")

	on := rbac.Toggles{Choices: []rbac.Choice{{Role: rbac.Therapist, Action: "files.d", On: true}}}
	require.NoError(t, on.Validate(p))
	cells = p.Deletions(on)
	require.True(t, find(cells, rbac.Therapist, "files.d").On)
	require.False(t, find(cells, rbac.Therapist, "forms.d").On)
	require.False(t, find(cells, rbac.Manager, "files.d").On)
	over := rbac.Toggles{Choices: []rbac.Choice{{Role: rbac.Therapist, Action: "files.purge", On: true}}}
	require.Error(t, over.Validate(p), "above the ceiling")
	require.False(t, slices.ContainsFunc(p.Deletions(over), func(d rbac.Deletion) bool { return d.Role == rbac.Therapist && d.Purge }))
}

func TestPresetForbidsWin(t *testing.T) {
	t.Parallel()
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "patient", Author: "author", Labels: "labels"}
	read := rbac.Define[labelled]("note.read", cols, rbac.Verb(audit.Read), rbac.InCategory(rbac.Notes))
	own := rbac.NewMemoryRelation()
	relations := rbac.Relations{Own: own, Self: own, Consent: rbac.NewMemoryRelation()}
	roles := rbac.Presets([]rbac.AnyAction{read}, &rbac.PresetOptions{Roles: []rbac.RoleName{rbac.ClinicAdminFull, rbac.Therapist, rbac.PatientRole}})
	p, err := rbac.Compile(rbac.Rules{Actions: []rbac.AnyAction{read}, Roles: roles, Relations: relations, Forbid: rbac.PresetForbids(roles, relations)})
	require.NoError(t, err)
	z, err := rbac.New(p, rbac.NewMemory(), audit.Discard{}, nil)
	require.NoError(t, err)
	people := map[rbac.RoleName]audit.Actor{
		rbac.ClinicAdminFull: staff("adam"), rbac.Therapist: staff("ana"),
		rbac.PatientRole: {ID: "pat", Kind: audit.KindPatient, Tenant: clinic, Assurance: audit.AAL2},
	}
	for role, a := range people {
		_, err := z.Grant(system(t), rbac.Grant{Person: a.ID, Role: role})
		require.NoError(t, err)
		own.Link(clinic, a.ID, "p1", time.Time{})
	}
	for name, c := range map[string]struct {
		labels rbac.Labels
		author audit.ActorID
		may    []rbac.RoleName
	}{
		"plain":                  {0, "ana", []rbac.RoleName{rbac.ClinicAdminFull, rbac.PatientRole, rbac.Therapist}},
		"psychotherapy":          {rbac.LabelPsychotherapy, "ana", []rbac.RoleName{rbac.Therapist}},
		"another's":              {rbac.LabelPsychotherapy, "bo", nil},
		"part 2":                 {rbac.LabelPart2, "bo", []rbac.RoleName{rbac.PatientRole, rbac.Therapist}},
		"not released":           {rbac.LabelUnreleased, "bo", []rbac.RoleName{rbac.ClinicAdminFull, rbac.Therapist}},
		"part 2, not released":   {rbac.LabelUnreleased | rbac.LabelPart2, "bo", []rbac.RoleName{rbac.Therapist}},
		"psychotherapy, part 2 ": {rbac.LabelPsychotherapy | rbac.LabelPart2, "ana", []rbac.RoleName{rbac.Therapist}},
	} {
		var may []rbac.RoleName
		for role, a := range people {
			d, err := rbac.Check(audit.WithActor(t.Context(), a), z, read, labelled{rbac.Attrs{
				ID: "n1", Tenant: clinic, Patient: "p1", Author: c.author, Labels: c.labels,
			}})
			require.NoError(t, err)
			if d.Allowed {
				may = append(may, role)
			}
		}
		slices.Sort(may)
		require.Equal(t, c.may, may, name)
	}
}

// labelled is a record with every attribute.
type labelled struct{ rbac.Attrs }

func (l labelled) RBAC() rbac.Attrs { return l.Attrs }

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
