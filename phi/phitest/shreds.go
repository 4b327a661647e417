package phitest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

func destroyRules() []conform.Rule[phi.KeyStore] {
	return []conform.Rule[phi.KeyStore]{
		{Name: "destroy_removes_every_key_of_a_patient", Clause: "Destroy removes every key of a patient, and returns how many", Run: keysDestroyed},
		{Name: "destroy_leaves_others", Clause: "Other patients', tenants' and namespaces' keys stay", Run: othersStay},
		{Name: "destroy_refuses_what_is_no_patients", Clause: "A slot that is no patient's is ErrBinding", Run: rootsStay},
		{Name: "destroyed_counts_patients", Clause: "Destroyed returns for how many patients of a namespace Destroy was called; repeating it changes nothing", Run: destroyedCounts},
		{Name: "destroy_at_once_succeeds", Clause: "Twice at once: both succeed", Run: destroyRace},
		{Name: "destroy_cancelled_means_an_error", Clause: "Cancelled half-way: an error", Run: destroyCancelled},
	}
}

func patientSlot(p audit.Patient) phi.KeySlot {
	return phi.KeySlot{Namespace: "app", Tenant: "clinic-1", Purpose: phi.PurposePatient, Patient: p}
}

func wantDestroyed(ctx context.Context, s phi.KeyStore, slot phi.KeySlot, want int) error {
	n, err := s.Destroy(ctx, slot)
	if err != nil || n != want {
		return fmt.Errorf("destroyed %d keys with error %v, want %d", n, err, want)
	}
	return nil
}

func keysDestroyed(ctx context.Context, s phi.KeyStore) error {
	first, second := newKey(patientSlot("p-1"), 1), newKey(patientSlot("p-1"), 2)
	if err := create(ctx, s, first, second); err != nil {
		return err
	}
	if err := wantDestroyed(ctx, s, patientSlot("p-1"), 2); err != nil {
		return err
	}
	if got, _ := s.Get(ctx, first.ID, second.ID); len(got) != 0 { // whether that is an error is another rule
		return fmt.Errorf("have %d keys after Destroy", len(got))
	}
	return wantDestroyed(ctx, s, patientSlot("p-1"), 0)
}

func othersStay(ctx context.Context, s phi.KeyStore) error {
	other, foreign, elsewhere := patientSlot("p-2"), patientSlot("p-1"), patientSlot("p-1")
	foreign.Tenant, elsewhere.Namespace = "clinic-2", "app2"
	root := newKey(dataSlot(), 1)
	all := []phi.Key{newKey(other, 1), newKey(foreign, 1), newKey(elsewhere, 3), root}
	if err := create(ctx, s, append(all, newKey(patientSlot("p-1"), 1))...); err != nil {
		return err
	}
	if err := wantDestroyed(ctx, s, patientSlot("p-1"), 1); err != nil {
		return err
	}
	for _, k := range all {
		if err := wantGet(ctx, s, k); err != nil {
			return err
		}
	}
	return nil
}

func rootsStay(ctx context.Context, s phi.KeyStore) error {
	root := newKey(dataSlot(), 1)
	if err := create(ctx, s, root); err != nil {
		return err
	}
	bad := []phi.KeySlot{dataSlot(), {Namespace: "app", Tenant: "clinic-1", Purpose: phi.PurposePatient}, {Namespace: "app", Purpose: phi.PurposePatient, Patient: "p"}, {Tenant: "clinic-1", Purpose: phi.PurposePatient, Patient: "p"}}
	for _, slot := range bad {
		if _, err := s.Destroy(ctx, slot); !errors.Is(err, phi.ErrBinding) {
			return fmt.Errorf("have %v for %+v, want ErrBinding", err, slot)
		}
	}
	return wantGet(ctx, s, root)
}

func destroyedCounts(ctx context.Context, s phi.KeyStore) error {
	elsewhere := patientSlot("p-1")
	elsewhere.Namespace = "app2"
	for _, slot := range []phi.KeySlot{patientSlot("p-1"), patientSlot("p-2"), patientSlot("p-1"), elsewhere} {
		if err := wantDestroyed(ctx, s, slot, 0); err != nil {
			return err
		}
	}
	if n, err := s.Destroyed(ctx, "app"); err != nil || n != 2 {
		return fmt.Errorf("have %d destroyed with error %v, want 2", n, err)
	}
	return nil
}

func destroyRace(ctx context.Context, s phi.KeyStore) error {
	if err := create(ctx, s, newKey(patientSlot("p-1"), 1)); err != nil {
		return err
	}
	if err := errors.Join(race(racers, func(int) error {
		_, err := s.Destroy(ctx, patientSlot("p-1"))
		return err
	})...); err != nil {
		return fmt.Errorf("destroying at once: %w", err)
	}
	return nil
}

func destroyCancelled(ctx context.Context, s phi.KeyStore) error {
	k := newKey(patientSlot("p-1"), 1)
	if err := create(ctx, s, k); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Destroy(ended, patientSlot("p-1"))
	_, counting := s.Destroyed(ended, "app")
	if err == nil || counting == nil {
		return errors.New("a call whose context had ended succeeded")
	}
	return wantGet(ctx, s, k)
}

// TestShreds proves that the journals that open returns keep the contract of phi.ShredJournal. Every call
// of open returns one of its own, empty.
func TestShreds(t *testing.T, open func(t testing.TB) phi.ShredJournal) {
	conform.Test(t, shredRules(), open)
}

// CheckShreds is TestShreds outside a test: it returns every rule that was broken, nil if none.
func CheckShreds(ctx context.Context, open func() (phi.ShredJournal, error)) error {
	return conform.Check(ctx, shredRules(), open)
}

func shredRules() []conform.Rule[phi.ShredJournal] {
	return []conform.Rule[phi.ShredJournal]{
		{Name: "appended_is_there", Clause: "Append adds e durably; Has reports whether the patient is in it", Run: shredThere},
		{Name: "patients_are_apart", Clause: "Whose entry it is is namespace, tenant and patient, all of them", Run: shredsApart},
		{Name: "append_again_changes_nothing", Clause: "The patient is there already: no error, and nothing changes", Run: shredAgain},
		{Name: "append_at_once_is_one_entry", Clause: "Twice at once: one entry", Run: shredRace},
		{Name: "list_is_in_order", Clause: "List yields the entries of a namespace in the order in which they were added", Run: shredOrder},
		{Name: "shreds_cancelled_means_an_error", Clause: "A call whose context has ended is an error", Run: shredCancelled},
	}
}

func entry(p audit.Patient) phi.Shredded {
	return phi.Shredded{Namespace: "app", Tenant: "clínica-1", Patient: p, At: time.Date(2026, 3, 1, 9, 30, 0, 123000, time.UTC)}
}

func journalOf(ctx context.Context, j phi.ShredJournal, namespace string) (all []phi.Shredded, err error) {
	for e, err := range j.List(ctx, namespace) {
		if err != nil {
			return all, err
		}
		e.At = e.At.UTC()
		all = append(all, e)
	}
	return all, nil
}

func wantJournal(ctx context.Context, j phi.ShredJournal, want ...phi.Shredded) error {
	if all, err := journalOf(ctx, j, "app"); err != nil || !slices.Equal(all, want) {
		return fmt.Errorf("the journal has %d entries with error %v, want others or %d", len(all), err, len(want))
	}
	return nil
}

func wantHas(ctx context.Context, j phi.ShredJournal, e phi.Shredded, want bool) error {
	if has, err := j.Has(ctx, e.Namespace, e.Tenant, e.Patient); err != nil || has != want {
		return fmt.Errorf("the answer of Has is %t with error %v, want %t", has, err, want)
	}
	return nil
}

func shredThere(ctx context.Context, j phi.ShredJournal) error {
	e := entry("p'1\"%_日本")
	if err := errors.Join(wantJournal(ctx, j), wantHas(ctx, j, e, false), j.Append(ctx, e)); err != nil {
		return err
	}
	return errors.Join(wantHas(ctx, j, e, true), wantJournal(ctx, j, e))
}

func shredsApart(ctx context.Context, j phi.ShredJournal) error {
	e, other, foreign, elsewhere := entry("p-1"), entry("p-2"), entry("p-1"), entry("p-1")
	foreign.Tenant, elsewhere.Namespace = "clinic-2", "app2"
	if err := errors.Join(j.Append(ctx, e), j.Append(ctx, elsewhere)); err != nil {
		return err
	}
	return errors.Join(wantHas(ctx, j, other, false), wantHas(ctx, j, foreign, false), wantHas(ctx, j, elsewhere, true), wantJournal(ctx, j, e))
}

func shredAgain(ctx context.Context, j phi.ShredJournal) error {
	e := entry("p-1")
	again := e
	again.At = e.At.Add(time.Hour)
	if err := errors.Join(j.Append(ctx, e), j.Append(ctx, again)); err != nil {
		return err
	}
	return wantJournal(ctx, j, e)
}

func shredRace(ctx context.Context, j phi.ShredJournal) error {
	if err := errors.Join(race(racers, func(int) error { return j.Append(ctx, entry("p-1")) })...); err != nil {
		return fmt.Errorf("appending at once: %w", err)
	}
	return wantJournal(ctx, j, entry("p-1"))
}

func shredOrder(ctx context.Context, j phi.ShredJournal) error {
	want := []phi.Shredded{entry("p-9"), entry("p-10"), entry("p-1")}
	for _, e := range want {
		if err := j.Append(ctx, e); err != nil {
			return err
		}
	}
	return wantJournal(ctx, j, want...)
}

func shredCancelled(ctx context.Context, j phi.ShredJournal) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	err := j.Append(ended, entry("p-1"))
	_, asking := j.Has(ended, "app", "clínica-1", "p-1")
	_, listing := journalOf(ended, j, "app")
	if err == nil || asking == nil || listing == nil {
		return errors.New("a call whose context had ended succeeded")
	}
	return wantHas(ctx, j, entry("p-1"), false)
}
