package rbac_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

func TestCompileReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}
	read := rbac.Define[patient]("patient.read", cols, rbac.Verb(audit.Read))
	unlisted := rbac.Define[patient]("patient.update", cols)
	team := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{})
	_, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{
			read, read, team, nil,
			rbac.Action[patient]{},
			rbac.Define[patient]("patient.read", cols),
			rbac.Define[patient]("Patient Read", cols),
			rbac.Define[patient]("patient.verb", cols, rbac.Verb("X")),
			rbac.Define[patient]("patient.columns", rbac.Columns{Tenant: "tenant"}),
			rbac.Define[patient]("patient.injected", rbac.Columns{ID: "id", Tenant: "tenant", Practice: "1=1 OR x"}),
			rbac.Define[patient]("patient.purge", cols, rbac.Destructive()),
			rbac.Define[patient]("patient.reveal", cols, rbac.Reveals("")),
			rbac.Define[patient]("patient.nothing", cols, rbac.Object("")),
			rbac.Define[rbac.InTenant]("team.columns", cols),
		},
		Relations: rbac.Relations{Self: declared{rbac.NewMemoryRelation(), rbac.TableRelation{Table: "care team"}}},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Admin", Rank: 1, Allow: []rbac.Allow{rbac.In(rbac.Tenant, read, unlisted, rbac.Action[patient]{}, nil)}},
			{Name: "admin", Rank: 1, Allow: []rbac.Allow{{}}},
			{Name: "Front Desk", Label: "x", Rank: 2, Kind: audit.KindSystem, Allow: []rbac.Allow{rbac.In(rbac.Practice, read, team)}},
			{Name: "therapist", Label: "x", Rank: 3, Allow: []rbac.Allow{rbac.In(rbac.Own, read)}, Sight: map[phi.Class]phi.Level{phi.ClassName: 9, "": phi.Full}},
			{Name: "patient", Label: "x", Rank: 4, Kind: audit.KindPatient, Allow: []rbac.Allow{rbac.In(rbac.Tenant, read)}},
			{Name: "owner", Label: "x", Rank: 5, Allow: []rbac.Allow{rbac.In(rbac.Self, team), rbac.In(rbac.Own, team)}},
		},
	})
	require.Error(t, err)
	for _, want := range []string{
		"action 4 of the list is a zero action",
		"action 5 of the list is a zero action",
		"patient.read: listed twice",
		"patient.read: two actions have this name",
		`"Patient Read": a name is dotted lower-case words`,
		`patient.verb: unknown verb "X"`,
		"patient.columns: columns ID and Tenant are required",
		`patient.injected: column "1=1 OR x" is no identifier`,
		"patient.purge: destructive without a reason",
		"patient.reveal: reveals no class",
		"patient.nothing: no object type",
		"team.columns: a tenant-level action has no columns",
		"team.columns: no role grants it",
		"relation self: rbac: relation: table, tenant, subject and object are required",
		"role admin: action patient.update is not in Rules.Actions",
		"role admin: a zero action",
		"role admin: two roles have this name",
		"role admin: same rank as admin",
		"role admin: no label",
		"role admin: permissions in scope nothing: permissions without a scope",
		`role "Front Desk": a name is`,
		`role Front Desk: actors of kind "system" hold no roles`,
		"action patient.read in scope practice: the resource has no practice",
		"action team.manage in scope practice: the resource has no practice",
		"role therapist: action patient.read in scope own: Relations has no relation own",
		"role therapist: unknown class or level in its sight",
		"role patient: a role of patients or proxies reaches no further than self",
		"action team.manage in scope own: Relations has no relation own",
		"action team.manage in scope self: the resource has no owner",
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestCompileReportsEverythingAboutScopesForbidsAndChoices(t *testing.T) {
	t.Parallel()
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"}
	read := rbac.Define[patient]("patient.read", cols, rbac.Verb(audit.Read))
	write := rbac.Define[patient]("patient.write", cols, rbac.StepUp(-time.Second))
	unlisted := rbac.Define[patient]("patient.other", cols)
	team := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{}, rbac.StepUp(25*time.Hour))
	own := rbac.NewMemoryRelation()
	in := func(scopes ...rbac.Scope) (out []rbac.Allow) {
		for _, s := range scopes {
			out = append(out, rbac.In(s, read))
		}
		return out
	}
	deep := rbac.Scope(rbac.Own)
	for range 6 {
		deep = rbac.And(deep, deep)
	}
	_, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{read, write, team},
		Relations: rbac.Relations{Own: own, Others: map[string]rbac.Relation{
			"study": own, "Study": own, "none": nil, "own": own,
			"kind":    declared{own, rbac.TableRelation{Table: "t", Tenant: "t", Subject: "s", Object: "o", Kind: "k"}},
			"through": declared{own, rbac.TableRelation{Table: "t", Tenant: "t", Subject: "s", Object: "o", Through: &rbac.TableRelation{Table: "t; --", Tenant: "t", Subject: "s", Object: "o"}}},
		}},
		Roles: []rbac.Role{
			{Name: "admin", Label: "x", Rank: 1, Allow: append(
				in(rbac.Not(rbac.Tenant), rbac.And(), rbac.Or(rbac.Base(99)), rbac.Location, rbac.Queue, rbac.Author, rbac.Emergency, rbac.Related("sudy"), deep),
				rbac.In(rbac.Own, read).OptIn(), rbac.In(rbac.Tenant, read).OptOut(),
				rbac.In(rbac.And(rbac.Tenant, rbac.Not(rbac.Own)), team),
			)},
			{Name: "patient", Label: "x", Rank: 2, Kind: audit.KindPatient, Allow: in(rbac.Or(rbac.Related("study"), rbac.Own), rbac.Not(rbac.Related("study")))},
		},
		Forbid: []rbac.Forbid{
			{Name: "No Name", Labels: 1 << 40},
			{Name: "vip"},
			{Name: "vip", Labels: 1 << 31, Why: strings.Repeat("x", 201)},
			{Name: "more", Labels: rbac.LabelHIV, Actions: []rbac.AnyAction{read, unlisted, nil}, Kinds: []audit.Kind{"x"}, ExceptRoles: []rbac.RoleName{"amdin"}, Except: rbac.Author},
			{Name: "scope", Labels: rbac.LabelHIV, Except: rbac.Or()},
		},
	})
	require.Error(t, err)
	for _, want := range []string{
		"action patient.write: a step-up within no time", "action team.manage: a step-up within no time",
		`relation "Study": a name of its own`, `relation "none": a name of its own`, `relation "own": a name of its own`,
		"relation kind: rbac: relation: kind and kinds belong together", "relation through: rbac: relation: a name is no identifier",
		"in scope not(tenant): it reaches nothing", "in scope all(): a combination of nothing", "in scope any(nothing): no such scope",
		"in scope location: the resource has no location", "in scope queue: the resource has no queue", "in scope author: the resource has no author",
		"in scope emergency: Relations has no relation emergency", "in scope related(sudy): no such relation", "too many parts",
		"role admin: action patient.read: left to tenants as on and as off",
		"action team.manage in scope all(tenant,not(own)): the resource has no patient",
		`forbid "No Name": a name of its own`, `forbid "vip": a name of its own`, "forbid vip: no labels, or unknown ones", "longer than 200 bytes",
		"forbid more: a zero action", "forbid more: action patient.other is not in", "forbid more: action patient.read: the resource has no labels",
		"forbid more: action patient.read in scope author: the resource has no author", `forbid more: there is no role "amdin"`,
		`forbid more: actors of kind "x"`, "forbid scope: scope any(): a combination of nothing",
	} {
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, 2, strings.Count(err.Error(), "role patient: a role of patients or proxies reaches no further"))
	require.NotContains(t, err.Error(), "No Name: no labels", "the host's own labels are known")
}

func TestNoticesAreNoMistakes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.Contains(t, h.policy.Notices(), "role biller: admin may do everything that it may")
	require.Contains(t, h.policy.Notices(), "action patient.purge: destructive, with neither a step-up nor a second person")
	h.labels = rbac.Unlabelled
	rules := h.rules()
	rules.Forbid = []rbac.Forbid{{Name: "vip", Labels: rbac.LabelVIP, ExceptRoles: []rbac.RoleName{"biller"}}}
	rules.Roles = append(rules.Roles, rbac.Role{Name: "guest", Label: "Guest", Rank: 2})
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	require.Contains(t, p.Notices(), "role guest: it may do nothing")
	require.Contains(t, p.Notices(), "forbid vip: no resource has labels")
	require.NotContains(t, p.Notices(), "role biller: admin may do everything that it may", "the administrator is held back where it is not")
}

// TestAForbidNeedsAColumnOrAWord: what a check forbids, a list has to forbid too. A type that does
// not say where its labels are is refused, and one that says it has none is held back in checks
// should a record carry some all the same.
func TestAForbidNeedsAColumnOrAWord(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rules := h.rules()
	rules.Forbid = []rbac.Forbid{{Name: "vip", Labels: rbac.LabelVIP}, {Name: "unknown_label", Labels: rbac.LabelHIV}}
	_, err := rbac.Compile(rules)
	require.ErrorContains(t, err, "forbid vip: action note.read: its columns say neither Labels nor Unlabelled")
	require.ErrorContains(t, err, `forbid "unknown_label": a name of its own`)
	require.NotContains(t, err.Error(), "team.manage", "a tenant-level action has no rows")
	h.labels = rbac.Unlabelled
	rules = h.rules()
	rules.Forbid = []rbac.Forbid{{Name: "vip", Labels: rbac.LabelVIP, Actions: []rbac.AnyAction{h.NoteRead}}}
	_, err = rbac.Compile(rules)
	require.ErrorContains(t, err, "forbid vip: action note.read: the resource has no labels")
	reveal := rbac.Define[patient]("patient.reveal", rbac.Columns{ID: "id", Tenant: "tenant"}, rbac.Reveals(phi.ClassSSN))
	p, err := rbac.Compile(rbac.Rules{Actions: []rbac.AnyAction{reveal}, Roles: []rbac.Role{{Name: "a", Label: "A", Allow: []rbac.Allow{rbac.In(rbac.Tenant, reveal)}}}})
	require.NoError(t, err)
	require.Contains(t, strings.Join(p.Notices(), "\n"), "action patient.reveal: reveals data and is not marked PHI")
}

// marked is a record with labels.
type marked struct{ labels rbac.Labels }

func (l marked) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: "r1", Tenant: clinic, Labels: l.labels}
}

// TestWhatALabelDemandsIsKnownOrNobodyReads: a label of a later release holds a record back from
// everybody, in every reading.
func TestWhatALabelDemandsIsKnownOrNobodyReads(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	read := rbac.Define[marked]("record.read", rbac.Columns{ID: "id", Tenant: "tenant", Labels: "labels"}, rbac.Verb(audit.Read))
	p, err := rbac.Compile(rbac.Rules{Actions: []rbac.AnyAction{read}, Roles: []rbac.Role{{Name: "a", Label: "A", Allow: []rbac.Allow{rbac.In(rbac.Tenant, read)}}}})
	require.NoError(t, err)
	z, err := rbac.New(p, h.store, h.rec, nil)
	require.NoError(t, err)
	_, err = z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: "ana", Role: "a"})
	require.NoError(t, err)
	ctx := h.as(t, staff("ana"))
	f, err := rbac.Visible(ctx, z, read)
	require.NoError(t, err)
	where, args := f.SQL(rbac.Postgres, "r", 1)
	require.Equal(t, "(r.tenant = $1 AND (COALESCE(r.labels, 0) & CAST($2 AS BIGINT)) = 0)", where)
	require.Equal(t, []any{"clinic", ^int64(0x7fffffff0000007f)}, args)
	for labels, want := range map[rbac.Labels]bool{0: true, rbac.LabelVIP: true, rbac.HostLabel(30): true, 1 << 7: false, 1 << 31: false, 1 << 63: false, 1<<7 | rbac.LabelHIV: false} {
		d, err := rbac.Check(ctx, z, read, marked{labels})
		require.NoError(t, err)
		require.Equal(t, want, d.Allowed, labels.Names())
		match, err := f.Match(ctx, marked{labels})
		require.NoError(t, err)
		require.Equal(t, want, match)
		if !want {
			require.Equal(t, rbac.CodeForbidden, d.Code)
			require.Equal(t, "unknown_label", d.Forbid)
		}
	}
}

// declared is a relation that can be checked.
type declared struct {
	rbac.Relation
	table rbac.TableRelation
}

func (d declared) Validate() error { return d.table.Validate() }

func TestCompileRefusesTooManyRoles(t *testing.T) {
	t.Parallel()
	var r rbac.Rules
	for i := range 65 {
		r.Roles = append(r.Roles, rbac.Role{Name: rbac.RoleName("r" + strings.Repeat("x", i)), Label: "x", Rank: i})
	}
	_, err := rbac.Compile(r)
	require.ErrorContains(t, err, "at most 64")
	r.Roles = r.Roles[:64]
	_, err = rbac.Compile(r)
	require.NoError(t, err)
}

// Policy digests are in audit logs for years: these two change only with the policy.
const (
	goldenPolicy = "cb36c74fc4f1218685a14d9a06138790cc8672468e5a9b50592ffcfcaabd2473"
	goldenMask   = "ad11c746bab88f2160362c4769a03e6b97000fde4d69ccf71cc6cdbae3e39525"
)

func TestDigestsAreStable(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.Equal(t, goldenPolicy, h.policy.Digest())
	require.Equal(t, goldenMask, h.policy.MaskDigest())

	// the order in which a policy is written down is not part of it
	rules := h.rules()
	slices.Reverse(rules.Actions)
	slices.Reverse(rules.Roles)
	for i := range rules.Roles {
		slices.Reverse(rules.Roles[i].Allow)
	}
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	require.Equal(t, h.policy.Digest(), p.Digest())
	require.Equal(t, h.policy.MaskDigest(), p.MaskDigest())

	for name, change := range map[string]func(*rbac.Rules, *house){
		"permission": func(r *rbac.Rules, h *house) {
			r.Roles[2].Allow = append(r.Roles[2].Allow, rbac.In(rbac.Tenant, h.NoteRead))
		},
		"scope":    func(r *rbac.Rules, h *house) { r.Roles[2].Allow = []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead)} },
		"rank":     func(r *rbac.Rules, _ *house) { r.Roles[2].Rank = 41 },
		"label":    func(r *rbac.Rules, _ *house) { r.Roles[2].Label = "Biller II" },
		"seat":     func(r *rbac.Rules, _ *house) { r.Roles[2].Seat = false },
		"sight":    func(r *rbac.Rules, _ *house) { r.Roles[2].Sight[phi.ClassSSN] = phi.Partial },
		"relation": func(r *rbac.Rules, _ *house) { r.Relations.Self = nil },
	} {
		rules := h.rules()
		change(&rules, h)
		p, err := rbac.Compile(rules)
		if name == "relation" {
			require.ErrorContains(t, err, "no relation tells whose patient it is")
			continue
		}
		require.NoError(t, err)
		require.NotEqual(t, h.policy.Digest(), p.Digest(), name)
		require.Equal(t, name == "sight", h.policy.MaskDigest() != p.MaskDigest(), name)
	}
}

func TestPolicyIsNotChangedThroughWhatItReturns(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	roles := h.policy.Roles()
	require.Equal(t, rbac.RoleName("admin"), roles[0].Name)
	roles[0].Sight[phi.ClassSSN] = phi.Full
	roles[0].Allow[0] = rbac.In(rbac.Tenant)
	require.Equal(t, phi.Hide, h.policy.Roles()[0].Sight[phi.ClassSSN])
	require.Equal(t, "Clinic Admin", h.policy.Label("biller", "admin", "therapist", "unknown"))
	require.Empty(t, h.policy.Label("unknown"))
}

func TestCompiledPolicyKeepsNothingOfTheRules(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rules := h.rules()
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	rules.Roles[0].Sight[phi.ClassSSN] = phi.Full
	require.Equal(t, phi.Hide, p.Roles()[0].Sight[phi.ClassSSN])
}

func TestNewRefusesMissingParts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, c := range []struct {
		p *rbac.Policy
		s rbac.Store
		r audit.Recorder
		o *rbac.Options
	}{
		{nil, h.store, h.rec, nil},
		{h.policy, nil, h.rec, nil},
		{h.policy, h.store, nil, nil},
		{h.policy, h.store, h.rec, &rbac.Options{PHIAssurance: 9}},
	} {
		_, err := rbac.New(c.p, c.s, c.r, c.o)
		require.Error(t, err)
	}
	z, err := rbac.New(h.policy, h.store, audit.Discard{}, nil)
	require.NoError(t, err)
	require.Same(t, h.policy, z.Policy())
}
