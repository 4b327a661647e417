package fhir_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export/exporttest"
	"github.com/wardkit/wardkit/audit/fhir"
)

// lines encodes one event.
func lines(t testing.TB, e audit.Event) (all []auditEvent, text string) {
	t.Helper()
	entry, err := exporttest.Entry(e, 12)
	require.NoError(t, err)
	out, err := fhir.AuditEvents{}.Append([]byte("before\n"), &entry)
	require.NoError(t, err)
	text, ok := strings.CutPrefix(string(out), "before\n")
	require.True(t, ok)
	for line := range strings.Lines(text) {
		require.True(t, strings.HasSuffix(line, "}\n"))
		a, err := parse(line)
		require.NoError(t, err, line)
		require.NoError(t, check(&a), line)
		tied(t, &a, &entry)
		all = append(all, a)
	}
	require.NotEmpty(t, all)
	return all, text
}

// tied: a line names the place and the leaf hash of its event.
func tied(t testing.TB, a *auditEvent, e *audit.Entry) {
	t.Helper()
	require.Len(t, a.Extension, 1)
	require.Equal(t, fhir.LogEntryURL, a.Extension[0].URL)
	parts := a.Extension[0].Extension
	require.Equal(t, string(e.Tenant), parts[0].ValueString)
	require.Equal(t, fmt.Sprint(e.Index), parts[1].ValueString)
	require.Equal(t, base64.StdEncoding.EncodeToString(e.Leaf[:]), parts[2].ValueBase64Binary)
}

func profilesOf(all []auditEvent) (names []string) {
	for _, a := range all {
		for _, p := range a.Meta.Profile {
			names = append(names, strings.TrimPrefix(p, balp))
		}
	}
	return names
}

// TestProfiles: which profile an event claims, and that it meets it (lines checks that).
func TestProfiles(t *testing.T) {
	t.Parallel()
	shapes := exporttest.Shapes()
	for name, want := range map[string][]string{
		"create": {"PatientCreate"}, "read": {"PatientRead"}, "update": {"PatientUpdate"}, "delete": {"PatientDelete"},
		"create without patient": {"Create"}, "read without patient": {"Read"}, "update without patient": {"Update"}, "delete without patient": {"Delete"},
		"read without object": {"PatientRead"}, "read of nothing": nil, "read denied": nil, "update denied": nil,
		"read of several patients": {"PatientRead", "PatientRead", "PatientRead"}, "delete of several patients": {"PatientDelete", "PatientDelete", "PatientDelete"},
		"read of several objects": {"PatientRead"}, "update in an emergency": {"PatientUpdate"}, "read by nobody": {"PatientRead"},
		"search": {"PatientQuery"}, "search without patient": {"Query"}, "search that finds several": {"PatientQuery", "PatientQuery"}, "execute": nil,
		"disclosure": {"PrivacyDisclosure.Source"}, "disclosure as an update": {"PrivacyDisclosure.Source"},
		"disclosure denied": nil,
		"authn.sign_in":     nil, "audit.read": nil, "audit.enabled": nil, "full": {"PatientRead"},
	} {
		e, ok := shapes[name]
		require.True(t, ok, name)
		all, _ := lines(t, e)
		require.Equal(t, want, profilesOf(all), name)
	}
	for name, e := range shapes {
		lines(t, e) // all of them are valid
		require.NotEmpty(t, name)
	}
}

// TestRolesFlip: on a read data flows to the client, on everything else from it.
func TestRolesFlip(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"read": {"110152", "110153"}, "create": {"110153", "110152"}, "update": {"110153", "110152"}, "search": {"110153", "110152"}, "delete": {"110150", "custodian"},
	} {
		all, _ := lines(t, exporttest.Shapes()[name])
		client, server := all[0].Agent[0], all[0].Agent[1]
		require.Equal(t, "web", client.Who.Identifier.Value)
		require.Equal(t, "api-1", server.Who.Identifier.Value)
		require.Equal(t, want, [2]string{client.Type.Coding[0].Code, server.Type.Coding[0].Code}, name)
	}
}

// TestCodes: what DICOM has codes for.
func TestCodes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"authn.sign_in": {"110114", "110122"}, "authn.step": {"110114"}, "session.end": {"110114", "110123"}, "audit.read": {"110101"},
		"audit.enabled": {"110113", "110134"}, "privilege.changed": {"110113", "110136"}, "export.created": {"110106"},
		"disclosure": {"110106", "disclose"}, "read in an emergency": {"rest", "read", "110127"}, "execute": {"rest", "operation"},
	} {
		all, _ := lines(t, exporttest.Shapes()[name])
		got := []string{all[0].Type.Code}
		for _, s := range all[0].Subtype[:len(all[0].Subtype)-1] {
			got = append(got, s.Code)
		}
		require.Equal(t, want, got, name)
		require.Equal(t, string(exporttest.Shapes()[name].Action), all[0].Subtype[len(all[0].Subtype)-1].Code)
	}
	emergency, _ := lines(t, exporttest.Shapes()["read in an emergency"])
	require.Equal(t, "ETREAT", emergency[0].PurposeOfEvent[1].Coding[0].Code)
	denied, _ := lines(t, exporttest.Shapes()["read denied"])
	require.Equal(t, []string{"8", "denied"}, []string{denied[0].Outcome, denied[0].OutcomeDesc})
	nobody, _ := lines(t, exporttest.Shapes()["read by nobody"])
	require.Len(t, nobody[0].Agent, 2)
	require.True(t, *nobody[0].Agent[0].Requestor)
}

// TestSeveralPatients: a line for each, all of them tied to one event, and no patient beside the
// object that another one is.
func TestSeveralPatients(t *testing.T) {
	t.Parallel()
	e := exporttest.Shapes()["read of several patients"]
	e.Objects = append(e.Objects, audit.Object{Type: "patient", ID: "p-2"}, audit.Object{Type: "patient", ID: "p-9"})
	all, _ := lines(t, e)
	require.Len(t, all, 3)
	for i, p := range []string{"p-1", "p-2", "p-3"} {
		require.Equal(t, fmt.Sprint(e.ID, ".", i+1), all[i].ID)
		require.Equal(t, fmt.Sprintf("%d/3", i+1), all[i].Extension[0].Extension[3].ValueString)
		require.Equal(t, p, entities(&all[i], "1")[0].What.Identifier.Value)
		var objects []string
		for _, code := range []string{"2", "4"} {
			for _, x := range entities(&all[i], code) {
				if x.What != nil {
					objects = append(objects, x.What.Identifier.Value)
				}
			}
		}
		want := []string{"n-1", "p-9"}
		if p == "p-2" {
			want = []string{"n-1", "p-2", "p-9"}
		}
		require.Equal(t, want, objects)
	}

	e.Patients, e.Objects = nil, nil
	for i := range 65 {
		e.Patients = append(e.Patients, audit.Patient(fmt.Sprint("p-", i)))
		e.Objects = append(e.Objects, audit.Object{Type: "note", ID: fmt.Sprint("n-", i)})
	}
	all, _ = lines(t, e)
	require.Len(t, all, 1, "65 × 65 pairs")
	require.Equal(t, e.ID, all[0].ID)
	require.Empty(t, all[0].Meta.Profile)
	require.Len(t, entities(&all[0], "1"), 65)
	e.Patients, e.Objects = e.Patients[:64], e.Objects[:64]
	all, _ = lines(t, e)
	require.Len(t, all, 64)
}

// TestNothingIsLost: every word of an event is in its line, and of what is private the commitment.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	full := exporttest.Full()
	all, text := lines(t, full)
	for _, word := range []string{
		full.ID, "clinic-17", "2026-05-04T11:00:00.123456Z", "2026-05-04T11:59:00.123456Z", "2026-05-04T12:00:00.123456Z", "2026-05-04T10:00:00.123456Z",
		"chart.read", "fine", "u-9", "agent", "platform-3", "u-8", "s-7", "pwd", "hwk", "Firefox on Windows", "em-6", "org-5", "clinician", "on call",
		"web", "ward 4", "api-3", "us-east", "1.42", "p-1234", "observation", "o-77", "v3", "results", "42CFR2", "very private", "lab-acme", "value", "unit", "note", "n-78",
		"TREAT", "req-11", "tr-12", "rule-13", "scope-14", "grant-15", "policy-16", "mask-17", "phone", "detail-20", "detail-21", "detail.step", "850",
		"YmVmb3JlLTE4", "YWZ0ZXItMTk=",
	} {
		require.Contains(t, text, `"`+word+`"`)
	}
	require.Equal(t, 2, strings.Count(text, fhir.CommitmentURL), "address, reason")
	require.Len(t, all, 1)
	require.Equal(t, 1, strings.Count(text, "search_commitment"))
	disclosed, text := lines(t, exporttest.Shapes()["disclosure"])
	require.Len(t, disclosed, 1)
	for _, word := range []string{"a test result", "164.512(b)", "monthly", "2"} {
		require.Contains(t, text, `"`+word+`"`)
	}
	recipient := agents(&disclosed[0], dcm+"110152")[0]
	require.Equal(t, "masked", recipient.Who.Extension[0].ValueCode)
	require.NotEmpty(t, recipient.Who.Extension[1].ValueBase64Binary)
	require.Contains(t, text, "disclosure_address_commitment")
}

// TestPrivateValuesStayPrivate in every shape: neither as they are nor in base64.
func TestPrivateValuesStayPrivate(t *testing.T) {
	t.Parallel()
	for name, e := range exporttest.Shapes() {
		_, text := lines(t, e)
		for _, secret := range []string{"secret", "192.0.2", base64.StdEncoding.EncodeToString([]byte("secret search"))[:10]} {
			require.NotContains(t, text, secret, name)
		}
	}
}

// TestDamagedEvents: bytes that no log wrote are not written.
func TestDamagedEvents(t *testing.T) {
	t.Parallel()
	entry, err := exporttest.Entry(exporttest.Full(), 1)
	require.NoError(t, err)
	entry.Body = slices.Concat(entry.Body, []byte(" "))
	out, err := fhir.AuditEvents{}.Append([]byte("before"), &entry)
	require.ErrorIs(t, err, audit.ErrDamaged)
	require.Equal(t, "before", string(out))
	require.Equal(t, "fhir-r4-auditevent", fhir.AuditEvents{}.Name())
	require.Empty(t, fhir.AuditEvents{}.Begin(nil))
}

// FuzzAppend: every event that a log takes becomes valid JSON that meets the profiles it claims.
func FuzzAppend(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) { lines(t, exporttest.Random(a, b)) })
}
