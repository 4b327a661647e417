package audithttp_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// A guarded route says what it decided and saw; the response leaves when that is durable.
// A route that says nothing answers nobody.
func ExampleHold() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /patients/{id}", func(w http.ResponseWriter, r *http.Request) {
		nurse := audit.Actor{ID: "nurse-7", Kind: audit.KindStaff, Tenant: "clinic-1"}
		ctx := audit.WithActor(r.Context(), nurse) // session does this
		err := audit.Decide(ctx, audit.Event{Action: "patient.read", Verb: audit.Read})
		if err != nil { // rbac does this
			http.Error(w, "not available", http.StatusServiceUnavailable)
			return
		}
		patient := audit.Patient(r.PathValue("id"))
		_ = audit.Seen(ctx, patient, audit.Object{Type: "patient", ID: r.PathValue("id"), Fields: []string{"name"}})
		fmt.Fprintln(w, "Jane Example") // phi does this: Seen, then the plaintext
	})
	mux.HandleFunc("GET /debug", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "every patient of the clinic")
	})

	rec := audittest.NewRecorder() // an audit.Log in a program
	held, err := audithttp.Hold(rec, mux, &audithttp.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(held)
	defer server.Close()

	for _, path := range []string{"/patients/17", "/debug"} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Printf("%d %q\n", resp.StatusCode, body)
	}
	for _, e := range rec.Events() {
		fmt.Println(e.Actor.ID, e.Action, e.Patients, e.Objects[0].Fields)
	}
	// Output:
	// 200 "Jane Example\n"
	// 500 ""
	// nurse-7 patient.read [17] [name]
}
