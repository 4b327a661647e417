package export_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
)

// What leaves the system is checked by somebody who has two verifier keys and no database.
func Example() {
	events := audit.NewMemory()
	log, err := audit.New(events, audit.DropOpenings{}, nil)
	if err != nil {
		panic(err)
	}
	secret := func(seed string) ed25519.PrivateKey { // from the host's secrets
		return ed25519.NewKeyFromSeed([]byte(seed))
	}
	trees, err := tlog.New(events, tlog.NewMemory(), "clinic.example.com/audit", secret("the key for checkpoints, 32 bytes"[:32]), nil)
	if err != nil {
		panic(err)
	}
	x, err := export.New(events, trees, log, "clinic.example.com/export", secret("the key for manifests, 32 bytes."[:32]), nil)
	if err != nil {
		panic(err)
	}
	who := audit.Actor{ID: "p-ada", Kind: audit.KindStaff, Tenant: "clinic-17"}
	ctx := audit.WithActor(context.Background(), who) // rbac has decided that she may
	for _, patient := range []audit.Patient{"p-1", "p-2"} {
		_ = log.Record(ctx, audit.Event{Tenant: "clinic-17", Actor: who, Action: "patient.read", Verb: audit.Read, Patients: []audit.Patient{patient}})
	}
	_, _ = trees.Integrate(ctx) // Run does so every ten seconds

	var file bytes.Buffer
	manifest, err := x.Export(ctx, &file, export.Request{Tenant: "clinic-17"})
	fmt.Println("exported", err)

	keys := export.Keys{Export: x.VerifierKey(), Log: trees.VerifierKey()}
	verified, err := export.Verify(bytes.NewReader(file.Bytes()), manifest, keys, nil)
	fmt.Println(verified.Manifest.Count, "events, all there are:", verified.Whole, err)

	altered := bytes.Replace(file.Bytes(), []byte("p-2"), []byte("p-9"), 1)
	_, err = export.Verify(bytes.NewReader(altered), manifest, keys, nil)
	fmt.Println(errors.Is(err, export.ErrContent), err)
	// Output:
	// exported <nil>
	// 2 events, all there are: true <nil>
	// true export: the content is not what was signed
}
