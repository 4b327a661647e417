package review_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

// relatives knows one thing: p-7 is a relative of ada's.
type relatives struct{}

func (relatives) Ties(_ context.Context, _ audit.Tenant, pairs []review.Pair) ([]review.Tie, error) {
	out := make([]review.Tie, len(pairs))
	for i, p := range pairs {
		out[i].Surname = p == review.Pair{Person: "ada", Patient: "p-7"}
	}
	return out, nil
}

func Example() {
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	events := audit.NewMemory()
	log, _ := audit.New(events, audit.DropOpenings{}, &audit.Options{Now: now})
	reviewer, err := review.New(events, review.NewMemory(), log, audit.DropOpenings{}, &review.Options{Ties: relatives{}, Now: now})
	if err != nil {
		fmt.Println(err)
		return
	}

	// What the clinic records as ada works.
	ada := audit.WithActor(context.Background(), audit.Actor{ID: "ada", Kind: audit.KindStaff, Tenant: "clinic"})
	_ = log.Record(ada, audit.Event{Action: "patient.read", Verb: audit.Read, Patients: []audit.Patient{"p-7"}})

	_ = reviewer.Tick(context.Background()) // Run does this
	page, _ := reviewer.Findings(context.Background(), "clinic", review.Query{States: []review.State{review.Open}})
	f := page.Findings[0]
	fmt.Println(f.Rule, f.Actor, len(f.Events))
	fmt.Println(f.Explanation())

	_, err = reviewer.Change(ada, "clinic", f.ID, f.Version, review.Change{To: review.InReview})
	fmt.Println(err)
	officer := audit.WithActor(context.Background(), audit.Actor{ID: "otto", Kind: audit.KindStaff, Tenant: "clinic"})
	f, _ = reviewer.Change(officer, "clinic", f.ID, f.Version, review.Change{To: review.InReview})
	f, _ = reviewer.Change(officer, "clinic", f.ID, f.Version, review.Change{To: review.Explained, Note: "She covered for Bea that day."})
	fmt.Println(f.State)
	// Output:
	// same_surname ada 1
	// 1 patient with this person's surname, whom the person does not care for, in one day.
	// review: the finding is about this person
	// explained
}
