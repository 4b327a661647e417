package phitest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

func rotationRules() []conform.Rule[phi.KeyStore] {
	return []conform.Rule[phi.KeyStore]{
		{
			Name:   "rotation_returns_what_was_begun",
			Clause: "BeginRotation stores r durably; Rotation returns it, whole",
			Run:    rotationKept,
		},
		{
			Name:   "rotation_of_another_namespace",
			Clause: "Not there, or of another namespace: ErrNoRotation",
			Run:    rotationMissing,
		},
		{
			Name:   "begin_refuses_a_busy_lane",
			Clause: "Another unfinished rotation of the same Namespace, Tenant and Lane: ErrRotating, and nothing changes",
			Run:    laneBusy,
		},
		{
			Name:   "lanes_are_apart",
			Clause: "Rotations of another namespace, tenant or lane, and finished ones, do not stand in the way",
			Run:    lanesApart,
		},
		{
			Name:   "begin_refuses_an_id_that_exists",
			Clause: "Already there: ErrRotating, and nothing changes, even where it is finished",
			Run:    rotationIDTaken,
		},
		{
			Name:   "begin_at_once_succeeds_once",
			Clause: "Twice at once: exactly one succeeds",
			Run:    beginRace,
		},
		{
			Name:   "advance_stores_progress_only",
			Clause: "AdvanceRotation stores Phase, Cursor, Done, Failed, Total, Updated and Finished, with Version+1, and nothing else",
			Run:    advanceStores,
		},
		{
			Name:   "advance_compares_the_version",
			Clause: "If the stored one has another Version, or is not there: ErrRotationMoved, and nothing changes",
			Run:    advanceStale,
		},
		{
			Name:   "finished_rotations_stay",
			Clause: "A finished rotation never changes: ErrRotationMoved",
			Run:    finishedStays,
		},
		{
			Name:   "advance_at_once_succeeds_once",
			Clause: "Twice at once: exactly one succeeds",
			Run:    advanceRace,
		},
		{
			Name:   "rotations_come_latest_first",
			Clause: "Rotations returns those that q selects in descending order of their ids, below Before, Limit at most",
			Run:    rotationPages,
		},
		{
			Name:   "rotations_of_one_tenant_or_any",
			Clause: "A Tenant that is set selects it, also the empty one; nil selects any",
			Run:    rotationTenants,
		},
		{
			Name:   "unfinished_rotations",
			Clause: "Unfinished leaves out the finished ones",
			Run:    rotationUnfinished,
		},
		{
			Name:   "rotations_of_one_kind",
			Clause: "A Kind that is set selects it",
			Run:    rotationKinds,
		},
		{
			Name:   "rotation_cancelled_means_an_error",
			Clause: "A call whose context has ended is an error, and changes nothing",
			Run:    rotationCancelled,
		},
	}
}

func patientName(i int) audit.Patient { return audit.Patient(fmt.Sprintf("p-%04d", i)) }

// rotationTime is n minutes past a fixed time.
func rotationTime(n int) time.Time {
	return time.Date(2026, 3, 1, 9, 0, 0, 7000, time.UTC).Add(time.Duration(n) * time.Minute)
}

// newRotation returns a rotation of the clinic's sweep called name.
func newRotation(n int, name string) phi.Rotation {
	at := rotationTime(n)
	return phi.Rotation{
		ID: audit.NewID(at), Namespace: "app", Tenant: "clínica-日本", Kind: phi.RotateRows, Name: name, Target: 1<<32 - 1,
		Phase: phi.PhasePrepare, Cursor: "p'0\"%_日本", Done: 3, Failed: 1, Total: 1<<31 - 1, Started: at, Updated: at.Add(time.Second), Version: 1,
	}
}

func begin(ctx context.Context, s phi.KeyStore, all ...phi.Rotation) error {
	for _, r := range all {
		if err := s.BeginRotation(ctx, r); err != nil {
			return fmt.Errorf("beginning a rotation: %w", err)
		}
	}
	return nil
}

func wantRotation(ctx context.Context, s phi.KeyStore, want phi.Rotation) error {
	have, err := s.Rotation(ctx, want.Namespace, want.ID)
	if err != nil {
		return fmt.Errorf("reading a rotation: %w", err)
	}
	if have != want {
		return fmt.Errorf("have rotation %+v, want %+v", have, want)
	}
	return nil
}

// finished returns r as it is once it was advanced to its end.
func finished(r phi.Rotation) phi.Rotation {
	r.Finished = rotationTime(99)
	return r
}

func rotationKept(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	kek := phi.Rotation{ID: audit.NewID(rotationTime(2)), Namespace: "app", Kind: phi.RotateKEK, Started: rotationTime(2), Updated: rotationTime(2), Version: 1}
	if err := begin(ctx, s, r, kek); err != nil {
		return err
	}
	return errors.Join(wantRotation(ctx, s, r), wantRotation(ctx, s, kek))
}

func rotationMissing(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	if err := begin(ctx, s, r); err != nil {
		return err
	}
	for _, c := range [][2]string{{"app", audit.NewID(rotationTime(3))}, {"app2", r.ID}} {
		if _, err := s.Rotation(ctx, c[0], c[1]); !errors.Is(err, phi.ErrNoRotation) {
			return fmt.Errorf("have %v, want ErrNoRotation", err)
		}
	}
	return nil
}

func laneBusy(ctx context.Context, s phi.KeyStore) error {
	root := newRotation(1, "")
	root.Kind = phi.RotateRoot
	if err := begin(ctx, s, root); err != nil {
		return err
	}
	patients := newRotation(2, "") // another kind of the same lane
	patients.Kind = phi.RotatePatients
	if err := s.BeginRotation(ctx, patients); !errors.Is(err, phi.ErrRotating) {
		return fmt.Errorf("have %v, want ErrRotating", err)
	}
	if _, err := s.Rotation(ctx, "app", patients.ID); !errors.Is(err, phi.ErrNoRotation) {
		return fmt.Errorf("a refused rotation: have %v, want ErrNoRotation", err)
	}
	return wantRotation(ctx, s, root)
}

func lanesApart(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	namespace, tenant, lane := newRotation(2, "rows"), newRotation(3, "rows"), newRotation(4, "rowsx")
	namespace.Namespace, tenant.Tenant = "app2", "clinic-2"
	if err := begin(ctx, s, r, namespace, tenant, lane); err != nil {
		return err
	}
	if err := s.AdvanceRotation(ctx, finished(r)); err != nil {
		return fmt.Errorf("finishing a rotation: %w", err)
	}
	again := newRotation(5, "rows")
	if err := begin(ctx, s, again); err != nil {
		return err
	}
	return errors.Join(wantRotation(ctx, s, namespace), wantRotation(ctx, s, tenant), wantRotation(ctx, s, lane), wantRotation(ctx, s, again))
}

func rotationIDTaken(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	if err := begin(ctx, s, r); err != nil {
		return err
	}
	end := finished(r)
	if err := s.AdvanceRotation(ctx, end); err != nil {
		return fmt.Errorf("finishing a rotation: %w", err)
	}
	end.Version++
	other := newRotation(2, "other")
	other.ID = r.ID
	if err := s.BeginRotation(ctx, other); !errors.Is(err, phi.ErrRotating) {
		return fmt.Errorf("have %v, want ErrRotating", err)
	}
	return wantRotation(ctx, s, end)
}

// once counts the errors of a race: one must be nil and the others want.
func once(errs []error, want error) error {
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, want):
			return fmt.Errorf("have %w, want %w", err, want)
		}
	}
	if won != 1 {
		return fmt.Errorf("of several at once %d succeeded", won)
	}
	return nil
}

func beginRace(ctx context.Context, s phi.KeyStore) error {
	return once(race(racers, func(i int) error { return s.BeginRotation(ctx, newRotation(i, "rows")) }), phi.ErrRotating)
}

func advanceStores(ctx context.Context, s phi.KeyStore) error {
	r, bystander := newRotation(1, "rows"), newRotation(2, "other")
	if err := begin(ctx, s, r, bystander); err != nil {
		return err
	}
	want := r
	want.Phase, want.Cursor, want.Done, want.Failed, want.Total, want.Updated = phi.PhaseDual, "", 9, 0, 10, rotationTime(8)
	given := want
	given.Tenant, given.Kind, given.Name, given.Target, given.Started = "clinic-2", phi.RotateRoot, "x", 7, rotationTime(7)
	for range 2 {
		if err := s.AdvanceRotation(ctx, given); err != nil {
			return fmt.Errorf("advancing a rotation: %w", err)
		}
		want.Version++
		given.Version++
		if err := wantRotation(ctx, s, want); err != nil {
			return err
		}
	}
	if err := s.AdvanceRotation(ctx, finished(given)); err != nil {
		return fmt.Errorf("finishing a rotation: %w", err)
	}
	want = finished(want)
	want.Version++
	return errors.Join(wantRotation(ctx, s, want), wantRotation(ctx, s, bystander))
}

func advanceStale(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	if err := begin(ctx, s, r); err != nil {
		return err
	}
	missing := newRotation(2, "other")
	older, newer := r, r
	older.Version, newer.Version, older.Done, newer.Done = 0, 2, 50, 60
	for _, bad := range []phi.Rotation{missing, older, newer} {
		if err := s.AdvanceRotation(ctx, bad); !errors.Is(err, phi.ErrRotationMoved) {
			return fmt.Errorf("have %v, want ErrRotationMoved", err)
		}
	}
	return wantRotation(ctx, s, r)
}

func finishedStays(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	if err := begin(ctx, s, r); err != nil {
		return err
	}
	end := finished(r)
	if err := s.AdvanceRotation(ctx, end); err != nil {
		return fmt.Errorf("finishing a rotation: %w", err)
	}
	end.Version++
	later := end
	later.Finished, later.Done = time.Time{}, 60
	if err := s.AdvanceRotation(ctx, later); !errors.Is(err, phi.ErrRotationMoved) {
		return fmt.Errorf("have %v, want ErrRotationMoved", err)
	}
	return wantRotation(ctx, s, end)
}

func advanceRace(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	if err := begin(ctx, s, r); err != nil {
		return err
	}
	return once(race(racers, func(int) error { return s.AdvanceRotation(ctx, r) }), phi.ErrRotationMoved)
}

// several begins n rotations and returns them, the latest first.
func several(ctx context.Context, s phi.KeyStore, n int) ([]phi.Rotation, error) {
	all := make([]phi.Rotation, n)
	for i := range n {
		all[n-1-i] = newRotation(i, fmt.Sprint("rows", i))
	}
	other := newRotation(n, "rows")
	other.Namespace = "app2"
	for _, i := range []int{1, 0} { // in another order than that of their ids
		for j := i; j < n; j += 2 {
			if err := begin(ctx, s, all[j]); err != nil {
				return nil, err
			}
		}
	}
	return all, begin(ctx, s, other)
}

func wantRotations(ctx context.Context, s phi.KeyStore, q phi.RotationQuery, want ...phi.Rotation) error {
	q.Namespace = "app"
	got, err := s.Rotations(ctx, q)
	if err != nil {
		return fmt.Errorf("listing rotations: %w", err)
	}
	if len(got) != len(want) {
		return fmt.Errorf("have %d rotations, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].ID != want[i].ID {
			return fmt.Errorf("rotation %d is another one than expected", i)
		}
	}
	return nil
}

func rotationPages(ctx context.Context, s phi.KeyStore) error {
	all, err := several(ctx, s, 7)
	if err != nil {
		return err
	}
	return errors.Join(
		wantRotations(ctx, s, phi.RotationQuery{Limit: 100}, all...),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 3}, all[:3]...),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 3, Before: all[2].ID}, all[3:6]...),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 3, Before: all[6].ID}),
	)
}

func rotationTenants(ctx context.Context, s phi.KeyStore) error {
	kek, mine := newRotation(2, ""), newRotation(1, "rows")
	kek.Kind, kek.Tenant = phi.RotateKEK, ""
	if err := begin(ctx, s, mine, kek); err != nil {
		return err
	}
	none, other := audit.Tenant(""), audit.Tenant("clinic-2")
	return errors.Join(
		wantRotations(ctx, s, phi.RotationQuery{Limit: 9}, kek, mine),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 9, Tenant: &none}, kek),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 9, Tenant: &mine.Tenant}, mine),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 9, Tenant: &other}),
	)
}

func rotationUnfinished(ctx context.Context, s phi.KeyStore) error {
	all, err := several(ctx, s, 3)
	if err != nil {
		return err
	}
	if err := s.AdvanceRotation(ctx, finished(all[1])); err != nil {
		return fmt.Errorf("finishing a rotation: %w", err)
	}
	return wantRotations(ctx, s, phi.RotationQuery{Limit: 9, Unfinished: true}, all[0], all[2])
}

func rotationKinds(ctx context.Context, s phi.KeyStore) error {
	rows, index := newRotation(1, "rows"), newRotation(2, "")
	index.Kind = phi.RotateIndex
	if err := begin(ctx, s, rows, index); err != nil {
		return err
	}
	return errors.Join(
		wantRotations(ctx, s, phi.RotationQuery{Limit: 9, Kind: phi.RotateIndex}, index),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 9, Kind: phi.RotateRows}, rows),
		wantRotations(ctx, s, phi.RotationQuery{Limit: 9, Kind: phi.RotateKEK}),
	)
}

func rotationCancelled(ctx context.Context, s phi.KeyStore) error {
	r := newRotation(1, "rows")
	if err := begin(ctx, s, r); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.BeginRotation(gone, newRotation(2, "other")); err == nil {
		return errors.New("begin succeeded though it was cancelled")
	}
	if err := s.AdvanceRotation(gone, r); err == nil {
		return errors.New("advance succeeded though it was cancelled")
	}
	if _, err := s.Rotation(gone, "app", r.ID); err == nil {
		return errors.New("reading a rotation succeeded though it was cancelled")
	}
	if _, err := s.Rotations(gone, phi.RotationQuery{Namespace: "app", Limit: 9}); err == nil {
		return errors.New("listing rotations succeeded though it was cancelled")
	}
	return wantRotation(ctx, s, r)
}
