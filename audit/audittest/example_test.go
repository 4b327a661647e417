package audittest_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
)

// forgetful is a store that says it erased, and did not.
type forgetful struct{ audit.Store }

func (forgetful) Erase(ctx context.Context, _ audit.Tenant, _ []string) error { return ctx.Err() }

func ExampleCheck() {
	fmt.Println(audittest.Check(context.Background(), func() (audit.Store, error) {
		return audit.NewMemory(), nil
	}))

	err := audittest.Check(context.Background(), func() (audit.Store, error) {
		return forgetful{audit.NewMemory()}, nil
	})
	var broken interface{ Unwrap() []error }
	if errors.As(err, &broken) {
		fmt.Println(broken.Unwrap()[0])
	}
	// Output:
	// <nil>
	// erase: the openings are still there (the contract says: Erase: removes the Openings of these events)
}

// The body of a test in the store's own package. The processes that TestCrash kills open the
// same file by its address.
func ExampleTestCrash() {
	_ = func(t *testing.T) {
		audittest.TestCrash(t, audittest.CrashOptions{
			Database: func(t testing.TB) string { return filepath.Join(t.TempDir(), "crash.db") },
			Open: func(t testing.TB, address string) audit.Store {
				return openToy(t, address, sane)
			},
		})
	}
}

// dispense hands out a medicine only if that is on record.
func dispense(ctx context.Context, rec audit.Recorder, patient audit.Patient) error {
	return rec.Record(ctx, audit.Event{
		Action: "medicine.dispense", Verb: audit.Create, Patients: []audit.Patient{patient},
	})
}

func ExampleRecorder() {
	rec := audittest.NewRecorder()
	fmt.Println(dispense(context.Background(), rec, "p-1"))

	nurse := audit.Actor{ID: "u-7", Kind: audit.KindStaff, Tenant: "clinic-17"}
	ctx := audit.WithActor(context.Background(), nurse)
	fmt.Println(dispense(ctx, rec, "p-1"))
	last, _ := rec.Last("medicine.dispense")
	fmt.Println(last.Actor.ID, last.Patients)

	rec.FailWith(errors.New("disk full"))
	fmt.Println(dispense(ctx, rec, "p-1"), rec.Len())
	// Output:
	// audit: no actor in context
	// <nil>
	// u-7 [p-1]
	// disk full 1
}
