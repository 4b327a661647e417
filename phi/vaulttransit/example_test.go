package vaulttransit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/vaulttransit"
)

// A vault whose roots are wrapped by Transit, and what happens when the Transit key gets a new
// version.
func Example() {
	ctx := context.Background()
	server := startVault() // stands for a Vault in which the key acme-ehr exists
	defer server.Close()

	token := func(context.Context) (string, error) { return token, nil }
	kms, err := vaulttransit.New(server.URL, "acme-ehr", token, &vaulttransit.Options{Transport: server.Client().Transport})
	if err != nil {
		log.Fatal(err)
	}
	keys := phi.NewMemoryKeys()
	vault, err := phi.Open(ctx, "acme-ehr", kms, keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	at := phi.At{Tenant: "clinic-1", Field: "patient.name", Patient: "p-1", Row: "p-1"}
	sealed, err := vault.Seal(ctx, at, []byte("Jane Doe"))
	if err != nil {
		log.Fatal(err)
	}

	server.rotate() // vault write -f transit/keys/acme-ehr/rotate
	rotator, err := phi.NewRotator(vault, audit.Discard{}, "platform", nil)
	if err != nil {
		log.Fatal(err)
	}
	job, err := rotator.Rotate(ctx, phi.RotateKEK, "")
	fmt.Println(job.Done, "of", job.Total, err)
	server.retire() // min_decryption_version

	vault, err = phi.Open(ctx, "acme-ehr", kms, keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	name, err := vault.Unseal(ctx, at, sealed)
	fmt.Println(string(name), err)
	// Output:
	// 2 of 2 <nil>
	// Jane Doe <nil>
}
