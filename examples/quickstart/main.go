// Quickstart is the smallest useful host: one route whose caller is known and allowed, whose
// look at a record is on record before the answer leaves, and whose data is sealed.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

const clinic audit.Tenant = "my-clinic"

// Patient is the host's own type. Its tags say what is sealed and what it is.
type Patient struct {
	ID   string   `phi:",row,patient"`
	Name phi.Text `phi:"name,class=name"`
	SSN  phi.Text `phi:"ssn,class=ssn"`
}

// RBAC says where the record belongs.
func (p Patient) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: p.ID, Tenant: clinic, Patient: audit.Patient(p.ID)}
}

var patientRead = rbac.Define[Patient]("patient.read", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"},
	rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Demographics))

// show gets the record only with the proof that it may be seen, each value only as far.
func show(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	name, err := g.Resource().Name.View(r.Context())
	ssn, err2 := g.Resource().SSN.View(r.Context())
	if err != nil || err2 != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "%s, %s\n", name, ssn)
}

// host wires the parts. A real one has a KMS, SQL stores and a sign-in: see examples/clinic.
func host(ctx context.Context) (handler http.Handler, token string, events *audit.Log) {
	vault := must(phi.Open(ctx, "quickstart", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil))
	events = must(audit.New(audit.NewMemory(), phi.NewSealer(vault), nil))
	sessions := must(session.New(session.NewMemory(), events, session.RemoteAddr, nil))

	// The roles are the presets; a therapist reads the records of the patients in care.
	care, actions := rbac.NewMemoryRelation(), []rbac.AnyAction{patientRead}
	care.Link(clinic, "tomas", "p-1", time.Now().AddDate(1, 0, 0)) // and not p-2
	policy := must(rbac.Compile(rbac.Rules{Actions: actions, Roles: rbac.Presets(actions, nil), Relations: rbac.Relations{Own: care}}))
	access := must(rbac.New(policy, rbac.NewMemory(), events, nil))

	// What a dump of the database would hold: sealed values.
	patients, rows := must(phi.For[Patient](vault, "patient")), map[string]phi.Row{}
	for id, name := range map[string]string{"p-1": "Ana Example", "p-2": "Ben Example"} {
		p := &Patient{ID: id, Name: phi.NewText(name), SSN: phi.NewText("900-12-3456")}
		record := must(patients.Seal(ctx, clinic, p))
		rows[id] = phi.Row{ID: id, Cols: map[string]phi.Sealed{"name": record.Col("name"), "ssn": record.Col("ssn")}}
	}
	load := func(ctx context.Context, r *http.Request) (Patient, error) {
		row, ok := rows[r.PathValue("id")]
		if !ok {
			return Patient{}, rbac.ErrNotFound
		}
		p, err := patients.Open(ctx, clinic, row)
		if err != nil {
			return Patient{}, err
		}
		return *p, nil
	}
	mux := rbac.NewMux(access, nil)
	rbac.For(mux, load).Handle("GET /patients/{id}", patientRead, show)
	handler = must(audithttp.Hold(events, sessions.Handler(mux), nil))

	setup := audit.WithActor(ctx, audit.System(clinic, "setup"))
	must(access.Grant(setup, rbac.Grant{Person: "tomas", Role: rbac.Therapist, Why: "quickstart"}))
	tomas := audit.Actor{ID: "tomas", Tenant: clinic, Kind: audit.KindStaff, Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2}
	return handler, must(sessions.Start(setup, tomas)), events
}

func main() {
	handler, token, _ := host(context.Background())
	fmt.Printf("Tomas cares for p-1 and not for p-2:\n\n  curl -H 'Authorization: Bearer %s' http://127.0.0.1:8081/patients/p-[1-2]\n", token)
	server := http.Server{Addr: "127.0.0.1:8081", Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// must ends the program where a part cannot be made: nothing is served half-wired.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
