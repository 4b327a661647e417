package deid_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/deid"
)

// Visit is a host's type.
type Visit struct {
	ID    string     `phi:",row"`
	Name  phi.Text   `phi:"name,class=name"`
	Birth phi.Date   `phi:"birth,class=date"`
	ZIP   phi.Text   `phi:"zip,class=geography"`
	Score phi.Number `phi:"score,class=clinical"`
}

func Example() {
	ctx := audit.WithActor(context.Background(), audit.System("clinic-1", "research"))
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	visits, err := phi.For[Visit](vault, "visit")
	if err != nil {
		log.Fatal(err)
	}

	_, err = deid.New(visits, deid.Rules{"name": deid.Drop(), "birth": deid.Year(), "zip": deid.ZIP3()}, audit.Discard{}, nil)
	fmt.Println(err) // a field was forgotten

	x, err := deid.New(visits, deid.Rules{
		"name": deid.Drop(), "birth": deid.Year(), "zip": deid.ZIP3(), "score": deid.Keep(),
	}, audit.Discard{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	report, err := x.Export(ctx, deid.CSV(os.Stdout), "research, protocol 7", func(func(*Visit, error) bool) {})
	fmt.Println(report.Rows, report.ZIPDate, err)
	// Output:
	// deid: rules refused: field "score": no rule
	// record,birth,zip,score
	// 0 2000 (decennial Census) <nil>
}
