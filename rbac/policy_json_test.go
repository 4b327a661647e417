package rbac_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/internal/world"
)

// TestPolicyReadsWhatItWrites: every scope, forbid and choice of random policies survives.
func TestPolicyReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		w := world.New(seed, 1)
		rules := w.Rules(w.Relations())
		p, err := rbac.Compile(rules)
		require.NoError(t, err)
		again, err := rbac.ReadPolicy(p.JSON(), rules.Actions, rules.Relations)
		require.NoError(t, err)
		require.Equal(t, p.Digest(), again.Digest())
		require.Equal(t, string(p.JSON()), string(again.JSON()))
		require.Equal(t, p.Choices(), again.Choices())
		require.Empty(t, rbac.Diff(p, again))
	}
}

func TestReadPolicySkipsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.labels = rbac.Unlabelled
	rules := h.rules()
	rules.Forbid = []rbac.Forbid{{Name: "vip", Labels: rbac.LabelVIP, Except: rbac.Or(rbac.Own, rbac.Not(rbac.Tenant))}}
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	text := string(p.JSON())
	for want, change := range map[string][2]string{
		`there is no action "note.raed"`:                 {`"action":"note.read"`, `"action":"note.raed"`},
		`there is no role "therapsit"`:                   {`"except_roles":[]`, `"except_roles":["therapsit"]`},
		`unknown scope`:                                  {`"scope":"own"`, `"scope":"onw"`},
		`unknown field "alow"`:                           {`"allow":`, `"alow":`},
		`an unknown label`:                               {`"labels":["vip"]`, `"labels":["vpi"]`},
		`a field is named twice`:                         {`"seat":true`, `"seat":true,"seat":false`},
		`more than one value`:                            {`{"format":2`, `{} {"format":2`},
		`format 3 is not 2`:                              {`"format":2`, `"format":3`},
		`action "note.read": not as the program defines`: {`"name":"note.read","object":"note"`, `"name":"note.read","object":"patient"`},
		`the relations are not those of the program`:     {`"relations":{"own"`, `"relations":{"consent":"x","own"`},
		`unknown choice`:                                 {`"choice":""`, `"choice":"opt"`},
		`two roles have this name`:                       {`"name":"biller"`, `"name":"admin"`},
		`two actions have this name`:                     {`"name":"team.manage","object"`, `"name":"note.read","object"`},
	} {
		changed := strings.Replace(text, change[0], change[1], 1)
		require.NotEqual(t, text, changed, want)
		_, err := rbac.ReadPolicy([]byte(changed), rules.Actions, rules.Relations)
		if want == "two actions have this name" {
			require.ErrorContains(t, err, "not as the program defines")
			continue
		}
		require.ErrorContains(t, err, want)
	}
	var loose bytes.Buffer
	require.NoError(t, json.Indent(&loose, []byte(text), "", "  "))
	again, err := rbac.ReadPolicy(loose.Bytes(), rules.Actions, rules.Relations)
	require.NoError(t, err)
	require.Equal(t, p.Digest(), again.Digest())
}

// small is a policy that has one of everything: a text of it is read in a fraction of the time
// that a world's takes, so that a fuzzer gets somewhere.
func small() rbac.Rules {
	cols := rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "id", Author: "author", Labels: "labels"}
	read := rbac.Define[patient]("p.read", cols, rbac.Verb(audit.Read), rbac.PHI())
	wipe := rbac.Define[patient]("p.wipe", cols, rbac.Destructive(), rbac.NeedReason())
	care := rbac.NewMemoryRelation()
	return rbac.Rules{
		Actions: []rbac.AnyAction{read, wipe},
		Roles: []rbac.Role{
			{Name: "a", Label: "A", Rank: 2, Seat: true, Allow: []rbac.Allow{rbac.In(rbac.Tenant, read), rbac.In(rbac.Practice, wipe).OptIn()}},
			{
				Name: "b", Label: "B", Rank: 1, Sight: map[phi.Class]phi.Level{phi.ClassName: phi.Mask},
				Allow: []rbac.Allow{rbac.In(rbac.And(rbac.Own, rbac.Not(rbac.Or(rbac.Author, rbac.Related("study")))), read)},
			},
		},
		Forbid: []rbac.Forbid{{
			Name: "f", Labels: rbac.LabelVIP | rbac.HostLabel(3), Actions: []rbac.AnyAction{read}, Kinds: []audit.Kind{audit.KindStaff},
			Except: rbac.Author, ExceptRoles: []rbac.RoleName{"b"}, Why: "a rule",
		}},
		Relations: rbac.Relations{Own: care, Others: map[string]rbac.Relation{"study": care}},
	}
}

// FuzzReadPolicy: whatever is accepted is a policy that reads what it writes.
func FuzzReadPolicy(f *testing.F) {
	rules := small()
	p, err := rbac.Compile(rules)
	require.NoError(f, err)
	text := string(p.JSON())
	for _, change := range [][2]string{
		{"", ""},
		{`"practice"`, `{"not":{"any":["own"]}}`},
		{`"opt_in"`, `"opt_out"`},
		{`{"related":"study"}`, `{"related":"studies"}`},
		{`"rank":1`, `"rank":1,"rank":1`},
		{`"vip"`, `"label_9"`},
		{`"except":"author"`, `"except":null`},
	} {
		seed := strings.Replace(text, change[0], change[1], 1)
		require.Equal(f, change[0] == "", seed == text, change)
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := rbac.ReadPolicy([]byte(text), rules.Actions, rules.Relations)
		if err != nil {
			return
		}
		again, err := rbac.ReadPolicy(p.JSON(), rules.Actions, rules.Relations)
		require.NoError(t, err)
		require.Equal(t, string(p.JSON()), string(again.JSON()))
	})
}

func TestDiffSaysWhoGainsAndLoses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.labels = rbac.Unlabelled
	p, err := rbac.Compile(h.rules())
	require.NoError(t, err)
	h.policy = p
	rules := h.rules()
	rules.Roles[2].Allow = []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead), rbac.In(rbac.Own, h.NoteRead).OptIn()}
	rules.Roles[1].Allow[0] = rbac.In(rbac.Own, h.PatientRead, h.PatientUpdate, h.PatientReveal)
	rules.Roles[1].Sight[phi.ClassSSN] = phi.Full
	rules.Roles[0].Sight[phi.ClassName] = phi.Partial
	rules.Roles = append(rules.Roles[:3], rbac.Role{Name: "new", Label: "New", Rank: 2, Kind: audit.KindPatient, Allow: []rbac.Allow{rbac.In(rbac.Self, h.NoteRead)}})
	rules.Forbid = []rbac.Forbid{{Name: "vip", Labels: rbac.LabelVIP}}
	next, err := rbac.Compile(rules)
	require.NoError(t, err)
	// the actions of next are new values of the same names: only by name do they compare
	var lines []string
	for _, d := range rbac.Diff(h.policy, next) {
		lines = append(lines, d.String())
	}
	for _, want := range []string{
		"biller gains patient.read: practice → tenant",
		"biller gains note.read: (nothing) → own opt_in",
		"therapist loses note.read: own → (nothing)",
		"therapist gains sight ssn: ",
		"admin loses sight name: ",
		"patient loses role: patient → (nothing)",
		"new gains role: (nothing) → patient",
		"new gains note.read: (nothing) → self",
		"everybody loses forbid vip: (nothing) → ",
	} {
		require.Contains(t, strings.Join(lines, "\n"), want)
	}
	require.Len(t, lines, 11, lines)
	require.Empty(t, rbac.Diff(next, next))
	require.Empty(t, rbac.Diff(nil, next))
}

func TestLabelNamesAreStable(t *testing.T) {
	t.Parallel()
	all := rbac.LabelPsychotherapy | rbac.LabelPart2 | rbac.LabelHIV | rbac.LabelReproductive | rbac.LabelVIP |
		rbac.LabelEmployee | rbac.LabelUnreleased | rbac.HostLabel(0) | rbac.HostLabel(30)
	require.Equal(t, rbac.Labels(0x400000010000007f), all)
	require.Equal(t, []string{"psychotherapy", "42cfr2", "hiv", "reproductive", "vip", "employee", "unreleased", "host_0", "host_30"}, all.Names())
	back, ok := rbac.LabelsOf(all.Names()...)
	require.True(t, ok)
	require.Equal(t, all, back)
	for _, unknown := range []string{"", "VIP", "label_9", "label_63", "host_31"} {
		_, ok := rbac.LabelsOf(unknown)
		require.False(t, ok, unknown)
	}
	require.Zero(t, rbac.HostLabel(31)|rbac.HostLabel(-1))
	require.True(t, all.Has(rbac.LabelHIV|rbac.LabelVIP))
	require.False(t, rbac.LabelHIV.Has(0))
	require.Nil(t, rbac.Labels(0).Names())
}
