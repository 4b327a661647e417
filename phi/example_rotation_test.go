package phi_test

import (
	"context"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// A tenant's root and its patients' keys are replaced, and then the rows sealed anew, each
// with progress; after a crash the same two calls go on where they were.
func ExampleRotator() {
	ctx := context.Background()
	vault, err := phi.Open(ctx, "acme-ehr", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	patients, err := phi.For[Patient](vault, "patient")
	if err != nil {
		log.Fatal(err)
	}
	table := map[string]phi.Row{} // a host has a database here
	for i := range 3 {
		id := fmt.Sprint("p-", i)
		rec, err := patients.Seal(ctx, "clinic-1", &Patient{ID: id, Name: phi.NewText("Jane Doe")})
		if err != nil {
			log.Fatal(err)
		}
		table[id] = phi.Row{ID: id, Cols: map[string]phi.Sealed{"name": rec.Col("name")}}
	}

	rotator, err := phi.NewRotator(vault, audit.Discard{}, "platform", &phi.RotatorOptions{
		Batch: 2, Progress: func(r phi.Rotation) { fmt.Println(r.Kind, r.Done, "of", r.Total) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err = rotator.Rotate(ctx, phi.RotatePatients, "clinic-1"); err != nil {
		log.Fatal(err)
	}
	_, err = rotator.Sweep(ctx, "clinic-1", "patient", len(table), func(ctx context.Context, cursor string) (string, int, error) {
		for _, id := range slices.Sorted(maps.Keys(table)) { // SELECT … WHERE id > cursor ORDER BY id LIMIT …
			if id <= cursor {
				continue
			}
			fresh, err := patients.Reseal(ctx, "clinic-1", table[id])
			if err != nil {
				return "", 0, err
			}
			maps.Copy(table[id].Cols, fresh) // UPDATE … WHERE id = … AND name is still what was read
			return id, 1, nil
		}
		return "", 0, nil
	})
	fmt.Println(err)
	// Output:
	// patients 0 of 3
	// patients 2 of 3
	// patients 3 of 3
	// patients 3 of 3
	// patients 3 of 3
	// rows 1 of 3
	// rows 2 of 3
	// rows 3 of 3
	// rows 3 of 3
	// rows 3 of 3
	// <nil>
}

// A key file is replaced by another one, and then not needed any more.
func ExampleRing() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "phi")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	open := func(name string) *phi.KeyFile {
		path := filepath.Join(dir, name)
		if err := phi.CreateKeyFile(path); err != nil {
			log.Fatal(err)
		}
		k, err := phi.OpenKeyFile(path)
		if err != nil {
			log.Fatal(err)
		}
		return k
	}
	old, next, keys := open("2026.key"), open("2027.key"), phi.NewMemoryKeys()
	if _, err := phi.Open(ctx, "acme-ehr", old, keys, nil); err != nil {
		log.Fatal(err)
	}

	ring, err := phi.NewRing(next, old) // wraps with the new one, and still unwraps with the old one
	if err != nil {
		log.Fatal(err)
	}
	vault, err := phi.Open(ctx, "acme-ehr", ring, keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	rotator, err := phi.NewRotator(vault, audit.Discard{}, "platform", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err = rotator.Rotate(ctx, phi.RotateKEK, ""); err != nil {
		log.Fatal(err)
	}
	_, err = phi.Open(ctx, "acme-ehr", next, keys, nil)
	fmt.Println(err)
	// Output:
	// <nil>
}

// A host that began with a clear column, on its way to a sealed one.
func ExampleStage() {
	clear, sealed := phi.NewText("from the clear column"), phi.Text{} // this row was not sealed yet
	for _, stage := range phi.Stages() {
		name, err := phi.Pick(stage, clear, sealed)
		fmt.Println(stage, "has a value:", !name.IsZero(), "writes clear:", stage.WritesClear(), "writes sealed:", stage.WritesSealed(), err)
	}
	// Output:
	// plain has a value: true writes clear: true writes sealed: false <nil>
	// dual has a value: true writes clear: true writes sealed: true <nil>
	// cutover has a value: false writes clear: true writes sealed: true phi: value was not sealed yet
	// sealed has a value: false writes clear: false writes sealed: true phi: value was not sealed yet
}
