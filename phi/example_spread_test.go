package phi_test

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/phi"
)

// Names are found by any of their words, and the database does not show which are frequent.
func ExampleWithWords() {
	ctx := context.Background()
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	common, err := phi.NewFrequencies(10_000, map[string]float64{"smith": 0.0083, "maria": 0.006})
	if err != nil {
		fmt.Println(err)
		return
	}
	people, err := phi.For[named](vault, "person", phi.WithWords("name", phi.Name(), common))
	if err != nil {
		fmt.Println(err)
		return
	}
	terms := phi.NewMemoryTerms()
	for id, name := range map[string]string{"p-1": "Maria Smith", "p-2": "Bo Smith"} {
		rec, err := people.Seal(ctx, "clinic-1", &named{ID: id, Name: phi.NewText(name)})
		if err == nil {
			err = terms.SaveTerms(ctx, "clinic-1", rec.Terms())
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	queries, err := people.LookupWords(ctx, "clinic-1", "name.words", "smith, maria")
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, err := phi.Every(ctx, terms, "clinic-1", queries)
	fmt.Println(ids, err)
	// Output: [p-1] <nil>
}

type named struct {
	ID   string   `phi:",row,patient"`
	Name phi.Text `phi:"name,class=name"`
}
