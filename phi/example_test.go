package phi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Patient is a host's type.
type Patient struct {
	ID    string   `phi:",row,patient"`
	Name  phi.Text `phi:"name,class=name"`
	Phone phi.Text `phi:"phone,class=phone"`
	Email phi.Text `phi:"email,class=email"`
}

func exampleCodec(ctx context.Context) *phi.Codec[Patient] {
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	patients, err := phi.For[Patient](vault, "patient",
		phi.WithIndex("phone", phi.Phone("US")),
		phi.WithUnique("email", phi.Email()))
	if err != nil {
		log.Fatal(err)
	}
	return patients
}

func Example() {
	ctx := context.Background()
	patients := exampleCodec(ctx)

	// Into the database: rec.Args gives the arguments of an INSERT.
	rec, err := patients.Seal(ctx, "clinic-1", &Patient{ID: "p-1", Name: phi.NewText("Jane Doe")})
	if err != nil {
		log.Fatal(err)
	}
	// Out of it: patients.Dest gives the destinations of a Scan into row.
	row := phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{"name": rec.Col("name")}}
	p, err := patients.Open(ctx, "clinic-1", row)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", p.Name)
	_, err = p.Name.Reveal(ctx)
	fmt.Println(err)

	// rbac and audithttp do this for a request; a job says why it may.
	ctx = audit.WithActor(ctx, audit.System("clinic-1", "reminders"))
	ctx, err = phi.InsecureFullSight(ctx, audit.Discard{}, "appointment reminders")
	if err != nil {
		log.Fatal(err)
	}
	name, err := p.Name.Reveal(ctx)
	fmt.Println(name, err)
	// Output:
	// [PHI]
	// phi: no sight in context
	// Jane Doe <nil>
}

func ExampleText() {
	type form struct {
		Name  phi.Text
		phone phi.Text // unexported: fmt does not ask its methods, and still cannot print it
	}
	f := form{phi.NewText("Jane Doe"), phi.NewText("555-0123")}
	fmt.Println(f.Name)
	b, _ := json.Marshal(f)
	fmt.Println(string(b))
	fmt.Println(f.phone.Equal(phi.NewText("555-0123")))
	_, err := f.Name.Value()
	fmt.Println(err)
	// Output:
	// [PHI]
	// {"Name":"[PHI]"}
	// true
	// phi: refusing to store an unsealed value
}

func ExampleText_View() {
	ctx := context.Background()
	patients := exampleCodec(ctx)
	rec, err := patients.Seal(ctx, "clinic-1", &Patient{
		ID: "p-1", Name: phi.NewText("Jane Doe"), Phone: phi.NewText("(555) 555-0123"), Email: phi.NewText("jane@example.com"),
	})
	if err != nil {
		log.Fatal(err)
	}
	row := phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{"name": rec.Col("name"), "phone": rec.Col("phone"), "email": rec.Col("email")}}
	p, err := patients.Open(ctx, "clinic-1", row)
	if err != nil {
		log.Fatal(err)
	}

	// A request in which somebody was allowed this much.
	ctx = audit.WithActor(ctx, audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: "clinic-1"})
	ctx, _ = audit.WithTrail(ctx, audit.Discard{}, audit.Event{})
	if err := audit.Decide(ctx, audit.Event{Action: "patient.read", Verb: audit.Read}); err != nil {
		log.Fatal(err)
	}
	ctx = phi.WithSight(ctx, phi.NewSight(map[phi.Class]phi.Level{
		phi.ClassName: phi.Full, phi.ClassPhone: phi.Partial, phi.ClassEmail: phi.Mask,
	}))
	for _, t := range []phi.Text{p.Name, p.Phone, p.Email} {
		s, err := t.View(ctx)
		fmt.Println(s, err)
	}
	// Output:
	// Jane Doe <nil>
	// •••-•••-0123 <nil>
	// •••@••• <nil>
}

func ExampleCodec_Lookup() {
	ctx := context.Background()
	patients, terms := exampleCodec(ctx), phi.NewMemoryTerms()
	rec, err := patients.Seal(ctx, "clinic-1", &Patient{ID: "p-1", Phone: phi.NewText("(555) 555-0123"), Email: phi.NewText("jane@example.com")})
	if err != nil {
		log.Fatal(err)
	}
	if err := terms.SaveTerms(ctx, "clinic-1", rec.Terms()); err != nil {
		log.Fatal(err)
	}

	q, err := patients.Lookup(ctx, "clinic-1", "phone", "+1 555.555.0123")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(terms.Lookup(ctx, "clinic-1", q))

	rec, err = patients.Seal(ctx, "clinic-1", &Patient{ID: "p-2", Email: phi.NewText("JANE@example.com")})
	if err != nil {
		log.Fatal(err)
	}
	err = terms.SaveTerms(ctx, "clinic-1", rec.Terms())
	var duplicate *phi.DuplicateError
	fmt.Println(errors.As(err, &duplicate), err)
	// Output:
	// [p-1] <nil>
	// true phi: another row has the same value in field email
}

func ExampleVault_Seal() {
	ctx := context.Background()
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	at := phi.At{Tenant: "clinic-1", Field: "staff.api_key", Row: "u-1"}
	sealed, err := vault.Seal(ctx, at, []byte("s3cr3t"))
	if err != nil {
		log.Fatal(err)
	}
	plain, err := vault.Unseal(ctx, at, sealed)
	fmt.Println(string(plain), err)

	at.Row = "u-2"
	_, err = vault.Unseal(ctx, at, sealed)
	fmt.Println(errors.Is(err, phi.ErrTampered), err)
	// Output:
	// s3cr3t <nil>
	// true phi: sealed value is not the one that was sealed here: it was altered or belongs to another field or row
}

func ExampleOpenKeyFile() {
	dir, err := os.MkdirTemp("", "phi")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "phi.key")
	if err := phi.CreateKeyFile(path); err != nil {
		log.Fatal(err)
	}
	kms, err := phi.OpenKeyFile(path)
	if err != nil {
		log.Fatal(err)
	}
	ctx, keys := context.Background(), phi.NewMemoryKeys()
	_, err = phi.Open(ctx, "acme-ehr", kms, keys, nil)
	fmt.Println(err)

	_, err = phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), keys, nil) // not the same key
	fmt.Println(errors.Is(err, phi.ErrWrongKey))
	// Output:
	// <nil>
	// true
}
