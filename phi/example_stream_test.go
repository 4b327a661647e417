package phi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

func ExampleVault_SealStream() {
	ctx := context.Background()
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	at := phi.At{Tenant: "clinic-1", Field: "document.scan", Patient: "p-1", Row: "d-1"}

	var file bytes.Buffer // or an *os.File, or an upload to a bucket
	w, err := vault.SealStream(ctx, at, &file)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(w, strings.NewReader("a scanned letter")); err != nil {
		log.Fatal(err) // without Close, what was written is never taken for whole
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	r, err := vault.UnsealStream(ctx, at, bytes.NewReader(file.Bytes()))
	if err != nil {
		log.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	fmt.Println(string(plain), err)

	cut := bytes.NewReader(file.Bytes()[:file.Len()-5])
	if r, err = vault.UnsealStream(ctx, at, cut); err != nil {
		log.Fatal(err)
	}
	_, err = io.ReadAll(r)
	fmt.Println(errors.Is(err, phi.ErrTruncated), errors.Is(err, phi.ErrTampered))

	at.Row = "d-2" // another document
	_, err = vault.UnsealStream(ctx, at, bytes.NewReader(file.Bytes()))
	fmt.Println(errors.Is(err, phi.ErrTampered))
	// Output:
	// a scanned letter <nil>
	// true true
	// true
}

// Visit has values of all three kinds.
type Visit struct {
	ID     string        `phi:",row"`
	Who    audit.Patient `phi:",patient"`
	Note   phi.Text      `phi:"note,class=clinical"`
	Date   phi.Date      `phi:"date,class=date"`
	Weight phi.Number    `phi:"weight,class=clinical"`
}

func ExampleDate() {
	ctx := context.Background()
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	visits, err := phi.For[Visit](vault, "visit")
	if err != nil {
		log.Fatal(err)
	}
	date, err := phi.ParseDate("2026-03-01") // or NewDate(phi.DayOf(t))
	if err != nil {
		log.Fatal(err)
	}
	weight, err := phi.ParseNumber("72.50") // or NewInt(72)
	if err != nil {
		log.Fatal(err)
	}
	rec, err := visits.Seal(ctx, "clinic-1", &Visit{ID: "v-1", Who: "p-1", Date: date, Weight: weight})
	if err != nil {
		log.Fatal(err)
	}
	row := phi.Row{ID: "v-1", Patient: "p-1", Cols: map[string]phi.Sealed{"date": rec.Col("date"), "weight": rec.Col("weight")}}
	v, err := visits.Open(ctx, "clinic-1", row)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Date, v.Weight)

	ctx = audit.WithActor(ctx, audit.System("clinic-1", "statistics"))
	if ctx, err = phi.InsecureFullSight(ctx, audit.Discard{}, "monthly statistics"); err != nil {
		log.Fatal(err)
	}
	day, err := v.Date.Reveal(ctx)
	fmt.Println(day, day.Month, err)
	kilograms, err := v.Weight.Reveal(ctx)
	fmt.Println(kilograms, err)
	_, err = phi.ParseDate("2026-02-30")
	fmt.Println(err)
	// Output:
	// [PHI] [PHI]
	// 2026-03-01 March <nil>
	// 72.50 <nil>
	// phi: value does not have the form of its type
}
