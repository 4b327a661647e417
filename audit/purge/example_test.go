package purge_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/tlog"
)

// Two people purge what is older than seven years; one alone cannot.
func Example() {
	today := time.Date(2018, 3, 1, 9, 0, 0, 0, time.UTC)
	now := func() time.Time { return today } // a clock for this example; leave Options.Now out
	secret := func(seed string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed([]byte(seed)) }

	events := audit.NewMemory()
	log, _ := audit.New(events, audit.DropOpenings{}, &audit.Options{Now: now})
	trees, _ := tlog.New(events, tlog.NewMemory(), "clinic.example.com/audit", secret("the key for checkpoints, 32 bytes"[:32]), &tlog.Options{Now: now})
	exporter, _ := export.New(events, trees, log, "clinic.example.com/export", secret("the key for manifests, 32 bytes."[:32]), &export.Options{Now: now})
	folder, _ := os.MkdirTemp("", "bundles")
	defer os.RemoveAll(folder)
	keeper, err := purge.New(purge.Parts{
		Source: events, Trees: trees, Exporter: exporter, Recorder: log,
		Bundles: purge.NewFolder(folder), Store: purge.NewMemory(),
	}, &purge.Options{Now: now})
	if err != nil {
		panic(err)
	}

	staff := func(id audit.ActorID) context.Context { // rbac has decided that they may
		return audit.WithActor(context.Background(), audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: "clinic-17"})
	}
	ada, diaz := staff("p-ada"), staff("p-diaz")
	for _, patient := range []audit.Patient{"m-1", "m-2", "m-3"} {
		_ = log.Record(ada, audit.Event{Action: "patient.read", Verb: audit.Read, Patients: []audit.Patient{patient}})
	}
	_, _ = trees.Integrate(ada) // Run does so every ten seconds

	today = today.AddDate(7, 1, 0)
	_, _ = keeper.Place(ada, purge.Hold{Tenant: "clinic-17", Patient: "m-2", Matter: "2025-014"}, "a claim")
	plan, err := keeper.Propose(ada, "clinic-17", "older than seven years")
	fmt.Println(plan.Count, "events,", plan.State, err)

	_, err = keeper.Approve(ada, "clinic-17", plan.ID, "I agree with myself")
	fmt.Println(errors.Is(err, purge.ErrSamePerson))

	plan, _ = keeper.Approve(diaz, "clinic-17", plan.ID, "I have read the export")
	plan, err = keeper.Resume(diaz, "clinic-17", plan.ID)
	fmt.Println(plan.State, err)
	missing, _ := events.Purged(ada, "clinic-17", 0, 10)
	fmt.Println("gone:", missing)
	// Output:
	// 2 events, proposed <nil>
	// true
	// destroyed <nil>
	// gone: [{0 1} {2 3}]
}
