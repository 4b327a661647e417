package ocsf_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export/exporttest"
	"github.com/wardkit/wardkit/audit/ocsf"
)

// encode writes one event and checks it.
func encode(t testing.TB, e audit.Event) (map[string]any, string) {
	t.Helper()
	entry, err := exporttest.Entry(e, 12)
	require.NoError(t, err)
	out, err := ocsf.Events{Product: "clinic"}.Append([]byte("before\n"), &entry)
	require.NoError(t, err)
	text, ok := strings.CutPrefix(string(out), "before\n")
	require.True(t, ok)
	require.Equal(t, 1, strings.Count(text, "\n"))
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &m), text)
	require.NoError(t, check(m), text)
	require.Equal(t, base64.StdEncoding.EncodeToString(entry.Leaf[:]), at(m, "unmapped", "leaf"))
	return m, text
}

// at returns what is under a path of keys, nil if nothing is.
func at(m any, path ...string) any {
	for _, key := range path {
		object, ok := m.(map[string]any)
		if !ok {
			return nil
		}
		m = object[key]
	}
	return m
}

// check asks for what OCSF 1.2.0 requires of the classes (base_event, api_activity, authentication and
// their objects): attributes marked required, and constraints of which at least one is there.
func check(m map[string]any) error {
	required := []string{"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "metadata", "metadata.product", "metadata.version", "metadata.product.vendor_name"}
	oneOf := [][]string{
		{"actor.user", "actor.session", "actor.invoked_by"},
		{"actor.user.uid", "actor.user.name"},
		{"src_endpoint.name", "src_endpoint.uid"},
		{"metadata.product.name", "metadata.product.uid"},
	}
	switch m["class_uid"] {
	case 6003.0:
		required = append(required, "actor", "api", "src_endpoint", "api.operation")
	case 3002.0:
		required = append(required, "user")
		oneOf = append(oneOf, []string{"service", "dst_endpoint"}, []string{"user.uid", "user.name"})
	default:
		return fmt.Errorf("class %v", m["class_uid"])
	}
	var problems []error
	for _, path := range required {
		if at(m, strings.Split(path, ".")...) == nil {
			problems = append(problems, fmt.Errorf("%s is required", path))
		}
	}
	for _, paths := range oneOf {
		found := false
		for _, path := range paths {
			found = found || at(m, strings.Split(path, ".")...) != nil
		}
		if !found {
			problems = append(problems, fmt.Errorf("one of %v is required", paths))
		}
	}
	class, _ := m["class_uid"].(float64)
	activity, _ := m["activity_id"].(float64)
	if m["type_uid"] != class*100+activity || m["category_uid"] != float64(int(class)/1000) {
		problems = append(problems, errors.New("type_uid or category_uid"))
	}
	if activity == 99 && m["activity_name"] == nil {
		problems = append(problems, errors.New("another activity has a name"))
	}
	return errors.Join(problems...)
}

// TestClasses: what an event is to a SIEM.
func TestClasses(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]float64{
		"create": 600301, "read": 600302, "update": 600303, "delete": 600304, "execute": 600399, "search": 600399, "disclosure": 600302,
		"authn.sign_in": 300201, "session.end": 300202, "authn.step": 300299, "audit.read": 600399,
	} {
		m, _ := encode(t, exporttest.Shapes()[name])
		require.Equal(t, want, m["type_uid"], name)
	}
	denied, _ := encode(t, exporttest.Shapes()["read denied"])
	require.Equal(t, []any{2.0, 3.0, "denied"}, []any{denied["status_id"], denied["severity_id"], denied["status_code"]})
	nobody, _ := encode(t, exporttest.Shapes()["read by nobody"])
	require.Equal(t, "anonymous", at(nobody, "actor", "user", "name"))
}

// TestWhatIsSaid of an event in which everything is said.
func TestWhatIsSaid(t *testing.T) {
	t.Parallel()
	m, text := encode(t, exporttest.Full())
	require.Equal(t, "chart.read", at(m, "api", "operation"))
	require.Equal(t, "u-9", at(m, "actor", "user", "uid"))
	require.Equal(t, "clinic-17", at(m, "metadata", "tenant_uid"))
	require.Equal(t, 12.0, at(m, "metadata", "sequence"))
	require.Equal(t, "clinic", at(m, "metadata", "product", "name"))
	require.Equal(t, float64(exporttest.Noon().UnixMilli()), m["time"])
	for _, word := range []string{
		exporttest.Full().ID, "s-7", "u-8", "org-5", "clinician", "on call", "p-1234", "observation", "o-77", "v3", "42CFR2", "very private", "n-78", "req-11", "tr-12",
		"web", "ward 4", "api-3", "1.42", "em-6", "TREAT", "rule-13", "scope-14", "grant-15", "detail-20", "detail-21", "Firefox on Windows",
	} {
		require.Contains(t, text, `"`+word+`"`)
	}
}

// TestEachPatientOnce: named twice, or an object as well, a patient is one resource.
func TestEachPatientOnce(t *testing.T) {
	t.Parallel()
	e := exporttest.Shapes()["read of several patients"] // p-1, p-2, p-1, p-3
	e.Objects = append(e.Objects, audit.Object{Type: "patient", ID: "p-2", Version: "v7"}, audit.Object{Type: "note", ID: "p-3"}, audit.Object{Type: "patient", ID: "p-9"})
	m, _ := encode(t, e)
	var got []string
	resources, ok := at(m, "resources").([]any)
	require.True(t, ok)
	for _, r := range resources {
		got = append(got, fmt.Sprint(at(r, "type"), " ", at(r, "uid"), " ", at(r, "version")))
	}
	require.Equal(t, []string{"patient p-1 <nil>", "patient p-3 <nil>", "note n-1 <nil>", "patient p-2 v7", "note p-3 <nil>", "patient p-9 <nil>"}, got)
}

// TestPrivateValuesStayPrivate in every shape.
func TestPrivateValuesStayPrivate(t *testing.T) {
	t.Parallel()
	for name, e := range exporttest.Shapes() {
		_, text := encode(t, e)
		for _, secret := range []string{"secret", "192.0.2"} {
			require.NotContains(t, text, secret, name)
		}
	}
}

func TestDamagedEvents(t *testing.T) {
	t.Parallel()
	entry, err := exporttest.Entry(exporttest.Full(), 1)
	require.NoError(t, err)
	entry.Body = append(entry.Body, ' ')
	_, err = ocsf.Events{}.Append(nil, &entry)
	require.ErrorIs(t, err, audit.ErrDamaged)
	require.Equal(t, "ocsf-1.2", ocsf.Events{}.Name())
	require.Empty(t, ocsf.Events{}.Begin(nil))
}

// FuzzAppend: every event that a log takes becomes one line that OCSF takes.
func FuzzAppend(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, seed*11)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) { encode(t, exporttest.Random(a, b)) })
}
