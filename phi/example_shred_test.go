package phi_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// retained keeps nobody's data; a host asks its retention and its legal holds.
type retained struct{}

func (retained) Held(context.Context, audit.Tenant, audit.Patient) (bool, error) { return false, nil }

// A patient's data is made unreadable, in every backup too.
func ExampleShredder() {
	ctx := audit.WithActor(context.Background(), audit.Actor{ID: "u-7", Kind: audit.KindStaff, Tenant: "clinic-1"})
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), &phi.Options{Shreds: phi.NewMemoryShreds()})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := phi.At{Tenant: "clinic-1", Field: "patient.note", Patient: "p-1", Row: "n-1"}
	sealed, err := vault.Seal(ctx, at, []byte("sleeps badly"))
	if err != nil {
		fmt.Println(err)
		return
	}
	shredder, err := phi.NewShredder(vault, audit.Discard{}, retained{}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	certificate, err := shredder.Shred(ctx, "clinic-1", "p-1", "the patient asked for it")
	fmt.Println(certificate.Keys, err)
	_, err = vault.Unseal(ctx, at, sealed)
	fmt.Println(errors.Is(err, phi.ErrShredded))
	// Output:
	// 1 <nil>
	// true
}
