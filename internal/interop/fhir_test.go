package interop_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export/exporttest"
	"github.com/wardkit/wardkit/audit/fhir"
)

// auditEventSchema is HL7's, see testdata/fhir.
func auditEventSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/fhir/auditevent.schema.json")
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("http://hl7.org/fhir/json-schema/4.0", doc))
	schema, err := c.Compile("http://hl7.org/fhir/json-schema/4.0")
	require.NoError(t, err)
	return schema
}

// TestFHIR: what we write of any event is an AuditEvent by HL7's published schema of R4.
func TestFHIR(t *testing.T) {
	t.Parallel()
	schema := auditEventSchema(t)
	events := exporttest.Shapes()
	for seed := range uint64(2000) {
		events[strings.Repeat("x", int(seed)+1)] = exporttest.Random(seed, 99)
	}
	lines := 0
	for _, e := range events {
		for line := range strings.Lines(string(fhirLines(t, e))) {
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			require.NoError(t, err)
			require.NoError(t, schema.Validate(doc), line)
			lines++
		}
	}
	require.Greater(t, lines, 2000)
}

func fhirLines(t *testing.T, e audit.Event) []byte {
	t.Helper()
	entry, err := exporttest.Entry(e, 7)
	require.NoError(t, err)
	out, err := fhir.AuditEvents{}.Append(nil, &entry)
	require.NoError(t, err)
	return out
}

// TestFHIRSchemaRefuses shows that the schema can say no.
func TestFHIRSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := auditEventSchema(t)
	for name, change := range map[string]func(map[string]any){
		"unknown element": func(r map[string]any) { r["who"] = "u-1" },
		"no agent":        func(r map[string]any) { delete(r, "agent") },
		"no type":         func(r map[string]any) { delete(r, "type") },
		"no source":       func(r map[string]any) { delete(r, "source") },
		"action":          func(r map[string]any) { r["action"] = "X" },
		"outcome":         func(r map[string]any) { r["outcome"] = 0 },
		"network":         func(r map[string]any) { agentOf(r)["network"] = map[string]any{"ip": "192.0.2.1"} },
		"deep":            func(r map[string]any) { agentOf(r)["who"].(map[string]any)["id"] = 7 },
		"contained":       func(r map[string]any) { r["contained"] = []any{map[string]any{"resourceType": "Patient"}} },
	} {
		var r map[string]any
		require.NoError(t, json.Unmarshal(fhirLines(t, exporttest.Shapes()["read"]), &r))
		require.NoError(t, schema.Validate(any(r)))
		change(r)
		require.Error(t, schema.Validate(any(r)), name)
	}
}

func agentOf(r map[string]any) map[string]any { return r["agent"].([]any)[0].(map[string]any) }
