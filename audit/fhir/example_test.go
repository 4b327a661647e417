package fhir_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/fhir"
)

// Who read what about whom, in the words of FHIR.
func Example() {
	e := audit.Event{
		ID: "0193a5c0-7c4f-7abc-8def-000000000001", Tenant: "clinic-17", Action: "note.read", Verb: audit.Read, Purpose: "TREAT",
		Recorded: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), Actor: audit.Actor{ID: "u-ada", Kind: audit.KindStaff, Tenant: "clinic-17"},
		Patients: []audit.Patient{"p-1"}, Objects: []audit.Object{{Type: "note", ID: "n-7"}}, Client: audit.Client{App: "web"}, Server: audit.Server{ID: "api-1"},
	}
	body, err := audit.Encode(e)
	if err != nil {
		panic(err)
	}
	line, err := fhir.AuditEvents{}.Append(nil, &audit.Entry{Index: 12, Body: body, Leaf: audit.Leaf(body)})
	if err != nil {
		panic(err)
	}
	var pretty bytes.Buffer
	var resource struct {
		Meta, Agent json.RawMessage
	}
	_ = json.Unmarshal(line, &resource)
	_ = json.Compact(&pretty, resource.Agent)
	fmt.Println(string(resource.Meta))
	fmt.Println(bytes.Count(pretty.Bytes(), []byte(`"requestor"`)), "agents: the client, the server and the user")
	// Output:
	// {"profile":["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"]}
	// 3 agents: the client, the server and the user
}
