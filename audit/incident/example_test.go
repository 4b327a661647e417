package incident_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

// A patient reports that a letter of somebody else arrived. It becomes a case with deadlines.
func Example() {
	now := time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	events := audit.NewMemory()
	log, err := audit.New(events, audit.DropOpenings{}, &audit.Options{Now: clock})
	if err != nil {
		panic(err)
	}
	desk, err := incident.New(incident.Parts{
		Store: incident.NewMemory(), Sealer: demoSealer{}, Recorder: log, Events: events, Limits: noLimits{}, Holds: incident.NoHolds{}, Notices: printer{},
		Law: func(context.Context, audit.Tenant) (incident.Law, error) { return incident.Law{Zone: time.UTC}, nil },
	}, &incident.Options{Now: clock})
	if err != nil {
		panic(err)
	}
	patient := audit.WithActor(context.Background(), audit.Actor{ID: "p-7", Kind: audit.KindPatient, Tenant: "clinic"})
	receipt, err := desk.Report(patient, incident.Report{Kind: "wrong_recipient", Text: "I got a letter that is not mine."})
	if err != nil {
		panic(err)
	}
	fmt.Println("case", receipt.Number)

	officer := audit.WithActor(context.Background(), audit.Actor{ID: "p-1", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2})
	due, err := desk.Due(officer)
	if err != nil {
		panic(err)
	}
	for _, d := range due[0].Deadlines {
		fmt.Println(d.Name, d.Last, d.Citation)
	}
	now = now.AddDate(0, 0, 46)
	if err := desk.Tick(context.Background(), "clinic"); err != nil {
		panic(err)
	}

	// Output:
	// case 1
	// individuals 2026-05-01 45 CFR 164.404(b)
	// hhs 2026-05-01 45 CFR 164.408(b)
	// media 2026-05-01 45 CFR 164.406(b)
	// reminder: unowned
	// reminder: individuals until 2026-05-01
	// reminder: hhs until 2026-05-01
	// reminder: media until 2026-05-01
}

// demoSealer stands in for phi.NewSealer, which floor 0 does not import.
type demoSealer struct{}

func (demoSealer) Seal(_ context.Context, _ audit.Tenant, _ string, plain []byte) ([]byte, error) {
	return append([]byte(rand.Text()[:8]), plain...), nil
}

func (demoSealer) Unseal(_ context.Context, _ audit.Tenant, _ string, sealed []byte) ([]byte, error) {
	return sealed[8:], nil
}

type noLimits struct{}

func (noLimits) Hit(_ context.Context, _ audit.Tenant, _ string, d time.Duration, now time.Time) (int, time.Time, error) {
	return 1, now.Add(d), nil
}

type printer struct{}

func (printer) Remind(_ context.Context, r incident.Reminder) error {
	if r.Last == 0 {
		fmt.Println("reminder:", r.Name)
		return nil
	}
	fmt.Println("reminder:", r.Name, "until", r.Last)
	return nil
}
