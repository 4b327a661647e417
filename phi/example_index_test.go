package phi_test

import (
	"context"
	"fmt"
	"log"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Enrollee is a row that is looked up in several ways.
type Enrollee struct {
	ID     string   `phi:",row,patient"`
	Family phi.Text `phi:"family,class=name"`
	Born   phi.Date `phi:"born,class=date"`
	Email  phi.Text `phi:"email,class=email"`
	SSN    phi.Text `phi:"ssn,class=ssn"`
}

// indexed saves the terms of one enrollee under an index and prints what a query finds.
func indexed(o phi.Option, index string, values ...string) {
	ctx := context.Background()
	terms := phi.NewMemoryTerms()
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	enrollees, err := phi.For[Enrollee](vault, "enrollee", o)
	if err != nil {
		log.Fatal(err)
	}
	born, err := phi.ParseDate("1984-02-29")
	if err != nil {
		log.Fatal(err)
	}
	rec, err := enrollees.Seal(ctx, "clinic-1", &Enrollee{
		ID: "e-1", Family: phi.NewText("O’Brien-García"), Born: born,
		Email: phi.NewText("jane@example.com"), SSN: phi.NewText("987-65-4321"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := terms.SaveTerms(ctx, "clinic-1", rec.Terms()); err != nil {
		log.Fatal(err)
	}
	q, err := enrollees.Lookup(ctx, "clinic-1", index, values...)
	if err != nil {
		log.Fatal(err)
	}
	ids, err := terms.Lookup(ctx, "clinic-1", q)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ids)
}

func ExampleWithIndex() {
	indexed(phi.WithIndex("family", phi.Name()), "family", "OBRIEN GARCIA")
	indexed(phi.WithIndex("family", phi.Name()), "family", "o'brien garcía")
	// Output:
	// []
	// [e-1]
}

func ExampleWithUnique() {
	indexed(phi.WithUnique("email", phi.Email()), "email", " Jane@Example.com")
	// Output: [e-1]
}

func ExampleWithLast() {
	indexed(phi.WithLast("ssn", phi.SSN(), 4), "ssn.last4", "4321")
	// Output: [e-1]
}

func ExampleWithPrefix() {
	indexed(phi.WithPrefix("family", phi.Name(), 3, 8), "family.prefix", "O'Bri")
	// Output: [e-1]
}

func ExampleWithCompound() {
	indexed(phi.WithCompound("family_born",
		phi.Part{Field: "family", Normaliser: phi.Name()},
		phi.Part{Field: "born", Normaliser: phi.CivilDate()},
	), "family_born", "O'Brien García", "1984-02-29")
	// Output: [e-1]
}

func ExampleWithUniqueCompound() {
	indexed(phi.WithUniqueCompound("ssn_born",
		phi.Part{Field: "ssn", Normaliser: phi.SSN(), Last: 4},
		phi.Part{Field: "born", Normaliser: phi.CivilDate()},
	), "ssn_born", "4321", "1984-02-29")
	// Output: [e-1]
}

// The host says how its rows are read; everything else is the Rotator's.
func ExampleIndexRows() {
	ctx := context.Background()
	terms := phi.NewMemoryTerms()
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	enrollees, err := phi.For[Enrollee](vault, "enrollee", phi.WithUnique("email", phi.Email()))
	if err != nil {
		log.Fatal(err)
	}
	jane := &Enrollee{ID: "e-1", Email: phi.NewText("jane@example.com")}
	rec, err := enrollees.Seal(ctx, "clinic-1", jane)
	if err != nil {
		log.Fatal(err)
	}
	if err := terms.SaveTerms(ctx, "clinic-1", rec.Terms()); err != nil {
		log.Fatal(err)
	}

	rows := phi.IndexRows{Entity: "enrollee", Page: func(ctx context.Context, t audit.Tenant, cursor string) ([]phi.Terms, string, error) {
		// SELECT … WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT 500, then Codec.OpenAll
		of, err := enrollees.Terms(ctx, t, jane)
		return []phi.Terms{of}, "", err
	}}
	rotator, err := phi.NewRotator(vault, audit.Discard{}, "platform", &phi.RotatorOptions{
		Terms: terms, Rows: []phi.IndexRows{rows},
		Settle: -1, // this process is alone; servers need the time of their caches
	})
	if err != nil {
		log.Fatal(err)
	}
	job, err := rotator.Rotate(ctx, phi.RotateIndex, "clinic-1")
	if err != nil {
		log.Fatal(err)
	}
	q, err := enrollees.Lookup(ctx, "clinic-1", "email", "jane@example.com")
	if err != nil {
		log.Fatal(err)
	}
	ids, err := terms.Lookup(ctx, "clinic-1", q)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Done, "of", job.Total, "rows under root", job.Target, ids)
	// Output: 1 of 1 rows under root 2 [e-1]
}
