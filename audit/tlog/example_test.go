package tlog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// One event is proven to somebody who has the verifier key and a checkpoint, and no database.
func Example() {
	ctx := context.Background()
	store := audit.NewMemory()
	log, err := audit.New(store, audit.DropOpenings{}, nil)
	if err != nil {
		panic(err)
	}
	trees, err := tlog.New(store, tlog.NewMemory(), "clinic.example.com/audit", key("from the host's secrets"), nil)
	if err != nil {
		panic(err)
	}
	for _, patient := range []audit.Patient{"p-1", "p-2", "p-3"} {
		_ = log.Record(ctx, audit.Event{
			Tenant: "clinic-17", Action: "patient.read", Verb: audit.Read, Purpose: "TREAT",
			Actor: audit.Actor{ID: "u-9", Kind: audit.KindStaff, Tenant: "clinic-17"}, Patients: []audit.Patient{patient},
		})
	}
	checkpoint, err := trees.Integrate(ctx) // Run does so every ten seconds
	fmt.Println(checkpoint.Origin, checkpoint.Size, err)

	page, err := log.Query(ctx, audit.Query{Tenant: "clinic-17", Patient: "p-2"})
	if err != nil {
		panic(err)
	}
	event := page.Events[0]
	proof, err := trees.Prove(ctx, "clinic-17", event.Index)
	fmt.Println("proven:", err == nil && proof.Check(trees.VerifierKey(), event.Body) == nil)

	altered := strings.Replace(string(event.Body), "p-2", "p-9", 1)
	fmt.Println(errors.Is(proof.Check(trees.VerifierKey(), []byte(altered)), tlog.ErrProof))
	// Output:
	// clinic.example.com/audit 1 <nil>
	// proven: true
	// true
}

// The whole log is compared with a checkpoint that was kept elsewhere.
func ExampleVerify() {
	ctx := context.Background()
	events, store := audit.NewMemory(), tlog.NewMemory()
	trees, err := tlog.New(events, store, "clinic.example.com/audit", key("from the host's secrets"), nil)
	if err != nil {
		panic(err)
	}
	_ = events.Append(ctx, []audit.Entry{entry("clinic-17", 1, "a"), entry("clinic-17", 2, "b")})
	_, _ = trees.Integrate(ctx)
	onPaper := trees.Checkpoint()

	report, err := tlog.Verify(ctx, events, store, trees.VerifierKey(), onPaper, nil)
	fmt.Println(report.Events, "events,", len(report.Findings), "findings,", err)

	// Somebody writes the whole log anew, with hashes that fit, and even has the key.
	events, store = audit.NewMemory(), tlog.NewMemory()
	trees, _ = tlog.New(events, store, "clinic.example.com/audit", key("from the host's secrets"), nil)
	_ = events.Append(ctx, []audit.Entry{entry("clinic-17", 1, "a"), entry("clinic-17", 2, "something else")})
	_, _ = trees.Integrate(ctx)
	_, err = tlog.Verify(ctx, events, store, trees.VerifierKey(), onPaper, nil)
	fmt.Println(errors.Is(err, tlog.ErrRewritten), err)
	// Output:
	// 2 events, 0 findings, <nil>
	// true tlog: the log is not what was signed: its history is another one
}

// A later checkpoint is compared with one kept earlier without reading the log.
func ExampleGrowth_Check() {
	ctx := context.Background()
	events := audit.NewMemory()
	trees, err := tlog.New(events, tlog.NewMemory(), "clinic.example.com/audit", key("from the host's secrets"), nil)
	if err != nil {
		panic(err)
	}
	_ = events.Append(ctx, []audit.Entry{entry("clinic-17", 1, "a")})
	earlier, _ := trees.Integrate(ctx)
	_ = events.Append(ctx, []audit.Entry{entry("clinic-17", 2, "b")})
	_, _ = trees.Integrate(ctx)

	growth, err := trees.Grown(ctx, earlier)
	fmt.Println(err, growth.Check(trees.VerifierKey(), earlier))
	// Output: <nil> <nil>
}
