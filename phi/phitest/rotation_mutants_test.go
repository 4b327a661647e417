package phitest_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

func (m *keyMutant) List(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
	if m.list != nil {
		return m.list(ctx, q)
	}
	return m.MemoryKeys.List(ctx, q)
}

func (m *keyMutant) Count(ctx context.Context, q phi.KeyQuery) (int, error) {
	if m.count != nil {
		return m.count(ctx, q)
	}
	return m.MemoryKeys.Count(ctx, q)
}

func (m *keyMutant) Rewrap(ctx context.Context, swaps []phi.KeySwap) (int, error) {
	if m.rewrap != nil {
		return m.rewrap(ctx, swaps)
	}
	return m.MemoryKeys.Rewrap(ctx, swaps)
}

func (m *keyMutant) BeginRotation(ctx context.Context, r phi.Rotation) error {
	if m.begin != nil {
		return m.begin(ctx, r)
	}
	return m.MemoryKeys.BeginRotation(ctx, r)
}

func (m *keyMutant) AdvanceRotation(ctx context.Context, r phi.Rotation) error {
	if m.advance != nil {
		return m.advance(ctx, r)
	}
	return m.MemoryKeys.AdvanceRotation(ctx, r)
}

func (m *keyMutant) Rotation(ctx context.Context, namespace, id string) (phi.Rotation, error) {
	if m.rotation != nil {
		return m.rotation(ctx, namespace, id)
	}
	return m.MemoryKeys.Rotation(ctx, namespace, id)
}

func (m *keyMutant) Rotations(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
	if m.rotations != nil {
		return m.rotations(ctx, q)
	}
	return m.MemoryKeys.Rotations(ctx, q)
}

// tenantBlindList lists the keys of every tenant.
func tenantBlindList() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.list = func(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
		q.Tenant = ""
		return m.MemoryKeys.List(ctx, q)
	}
	return m
}

// unsorted lists each page backwards.
func unsorted() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.list = func(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
		page, err := m.MemoryKeys.List(ctx, q)
		if q.Limit < 100 { // of a page only: whole lists are other rules' business
			slices.Reverse(page)
		}
		return page, err
	}
	return m
}

// sharedList hands out its own memory.
func sharedList() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var mine sync.Map
	m.list = func(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
		page, err := m.MemoryKeys.List(ctx, q)
		for i := range page {
			own, _ := mine.LoadOrStore(page[i].ID, page[i].Wrapped)
			page[i].Wrapped = own.([]byte)
		}
		return page, err
	}
	return m
}

// countsOn counts what comes after the cursor.
func countsOn() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.count = func(ctx context.Context, q phi.KeyQuery) (int, error) {
		q.Limit = 1 << 30
		page, err := m.MemoryKeys.List(ctx, q)
		return len(page), err
	}
	return m
}

// rejuvenates forgets the root of large lots.
func rejuvenates() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rewrap = func(ctx context.Context, swaps []phi.KeySwap) (int, error) {
		const most = 1000
		for i := most; i < len(swaps); i++ {
			swaps[i].Root = phi.KeyID{}
		}
		return m.MemoryKeys.Rewrap(ctx, swaps)
	}
	return m
}

// careless writes over whatever is there.
func careless() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rewrap = func(ctx context.Context, swaps []phi.KeySwap) (int, error) {
		n, err := m.MemoryKeys.Rewrap(ctx, swaps)
		for _, s := range swaps {
			if have, _ := m.MemoryKeys.Get(ctx, s.ID); n == 0 && len(swaps) == 2 && len(have) == 1 && have[0].Root != s.Root {
				s.Old = have[0].Wrapped
				_, _ = m.MemoryKeys.Rewrap(ctx, []phi.KeySwap{s})
			}
		}
		return n, err
	}
	return m
}

// boastful counts what it was given.
func boastful() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rewrap = func(ctx context.Context, swaps []phi.KeySwap) (int, error) {
		n, err := m.MemoryKeys.Rewrap(ctx, swaps)
		if err == nil && len(swaps) > 1 {
			n = len(swaps)
		}
		return n, err
	}
	return m
}

// looksFirst compares, and writes later.
func looksFirst() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var inside conform.Meeting
	m.rewrap = func(ctx context.Context, swaps []phi.KeySwap) (int, error) {
		if len(swaps) != 1 {
			return m.MemoryKeys.Rewrap(ctx, swaps)
		}
		have, err := m.MemoryKeys.Get(ctx, swaps[0].ID)
		if err != nil {
			return 0, err
		}
		fits := len(have) == 1 && string(have[0].Wrapped) == string(swaps[0].Old)
		if fits {
			inside.Wait()
		}
		n, err := m.MemoryKeys.Rewrap(ctx, swaps)
		if err == nil && fits && n == 0 {
			n = 1
		}
		return n, err
	}
	return m
}

// keepsWrapped remembers the caller's memory as what it stored.
func keepsWrapped() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var given sync.Map
	m.rewrap = func(ctx context.Context, swaps []phi.KeySwap) (int, error) {
		n, err := m.MemoryKeys.Rewrap(ctx, swaps)
		if err == nil && n == 1 && len(swaps) == 1 {
			given.Store(swaps[0].ID, swaps[0].Wrapped)
		}
		return n, err
	}
	m.list = func(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
		keys, err := m.MemoryKeys.List(ctx, q)
		for i := range keys {
			if own, ok := given.Load(keys[i].ID); ok {
				keys[i].Wrapped = append([]byte{}, own.([]byte)...)
			}
		}
		return keys, err
	}
	return m
}

// deafRewrap does not hear that the caller has gone.
func deafRewrap() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rewrap = func(ctx context.Context, swaps []phi.KeySwap) (int, error) {
		return m.MemoryKeys.Rewrap(context.WithoutCancel(ctx), swaps)
	}
	return m
}

// forgetsTotal keeps no total of the rotations that a KMS is about.
func forgetsTotal() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rotation = func(ctx context.Context, namespace, id string) (phi.Rotation, error) {
		r, err := m.MemoryKeys.Rotation(ctx, namespace, id)
		if kek, _ := m.MemoryKeys.Rotations(ctx, phi.RotationQuery{Namespace: namespace, Limit: 9}); len(kek) == 2 && kek[0].Kind == phi.RotateKEK && kek[0].Total == 0 {
			r.Total = 0
		}
		return r, err
	}
	return m
}

// anyNamespace finds rotations by their id alone.
func anyNamespace() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rotation = func(ctx context.Context, namespace, id string) (phi.Rotation, error) {
		r, err := m.MemoryKeys.Rotation(ctx, namespace, id)
		if namespace == "app2" && errors.Is(err, phi.ErrNoRotation) {
			return m.MemoryKeys.Rotation(ctx, "app", id)
		}
		return r, err
	}
	return m
}

// kindForLane takes the kind for the lane.
func kindForLane() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.begin = func(ctx context.Context, r phi.Rotation) error {
		err := m.MemoryKeys.BeginRotation(ctx, r)
		if errors.Is(err, phi.ErrRotating) && r.Kind == phi.RotatePatients {
			return nil
		}
		return err
	}
	return m
}

// oneLane has one lane for all sweeps of a tenant.
func oneLane() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.begin = func(ctx context.Context, r phi.Rotation) error {
		busy, err := m.MemoryKeys.Rotations(ctx, phi.RotationQuery{Namespace: r.Namespace, Tenant: &r.Tenant, Unfinished: true, Limit: 9})
		if err == nil && len(busy) == 1 && r.Name == "rowsx" {
			return phi.ErrRotating
		}
		return m.MemoryKeys.BeginRotation(ctx, r)
	}
	return m
}

// reusesFinished lets a finished rotation's id be used again.
func reusesFinished() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.begin = func(ctx context.Context, r phi.Rotation) error {
		err := m.MemoryKeys.BeginRotation(ctx, r)
		have, _ := m.MemoryKeys.Rotation(ctx, r.Namespace, r.ID)
		if errors.Is(err, phi.ErrRotating) && !have.Finished.IsZero() {
			return nil
		}
		return err
	}
	return m
}

// beginsTwice looks first and writes later.
func beginsTwice() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var inside conform.Meeting
	m.begin = func(ctx context.Context, r phi.Rotation) error {
		busy, err := m.MemoryKeys.Rotations(ctx, phi.RotationQuery{Namespace: r.Namespace, Limit: 99})
		free := err == nil && len(busy) == 0
		if free {
			inside.Wait()
		}
		err = m.MemoryKeys.BeginRotation(ctx, r)
		if free && errors.Is(err, phi.ErrRotating) {
			return nil
		}
		return err
	}
	return m
}

// renames stores the name that a caller changed.
func renames() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var name sync.Map
	m.advance = func(ctx context.Context, r phi.Rotation) error {
		err := m.MemoryKeys.AdvanceRotation(ctx, r)
		if err == nil {
			name.Store(r.ID, r.Name)
		}
		return err
	}
	m.rotation = func(ctx context.Context, namespace, id string) (phi.Rotation, error) {
		r, err := m.MemoryKeys.Rotation(ctx, namespace, id)
		if changed, ok := name.Load(id); ok {
			r.Name = changed.(string)
		}
		return r, err
	}
	return m
}

// takesLater accepts versions above the stored one.
func takesLater() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.advance = func(ctx context.Context, r phi.Rotation) error {
		err := m.MemoryKeys.AdvanceRotation(ctx, r)
		have, _ := m.MemoryKeys.Rotation(ctx, r.Namespace, r.ID)
		if errors.Is(err, phi.ErrRotationMoved) && have.Finished.IsZero() && r.Version > have.Version {
			r.Version = have.Version
			return m.MemoryKeys.AdvanceRotation(ctx, r)
		}
		return err
	}
	return m
}

// reopens says that it has changed a finished rotation.
func reopens() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.advance = func(ctx context.Context, r phi.Rotation) error {
		err := m.MemoryKeys.AdvanceRotation(ctx, r)
		have, _ := m.MemoryKeys.Rotation(ctx, r.Namespace, r.ID)
		if errors.Is(err, phi.ErrRotationMoved) && !have.Finished.IsZero() {
			return nil
		}
		return err
	}
	return m
}

// advancesTwice looks first and writes later.
func advancesTwice() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var inside conform.Meeting
	m.advance = func(ctx context.Context, r phi.Rotation) error {
		have, err := m.MemoryKeys.Rotation(ctx, r.Namespace, r.ID)
		fits := err == nil && have.Version == r.Version && have.Finished.IsZero()
		if fits {
			inside.Wait()
		}
		err = m.MemoryKeys.AdvanceRotation(ctx, r)
		if fits && errors.Is(err, phi.ErrRotationMoved) {
			return nil
		}
		return err
	}
	return m
}

// asBegun lists pages in the order in which rotations were begun.
func asBegun() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rotations = func(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
		page, err := m.MemoryKeys.Rotations(ctx, q)
		if len(page) > 3 {
			slices.Reverse(page)
		}
		return page, err
	}
	return m
}

// emptyIsAny takes the empty tenant for any.
func emptyIsAny() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rotations = func(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
		if q.Tenant != nil && *q.Tenant == "" {
			q.Tenant = nil
		}
		return m.MemoryKeys.Rotations(ctx, q)
	}
	return m
}

// showsAll does not leave out the finished ones.
func showsAll() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rotations = func(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
		q.Unfinished = false
		return m.MemoryKeys.Rotations(ctx, q)
	}
	return m
}

// anyKind does not look at the kind.
func anyKind() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.rotations = func(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
		q.Kind = ""
		return m.MemoryKeys.Rotations(ctx, q)
	}
	return m
}

// deafBegin does not hear that the caller has gone.
func deafBegin() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.begin = func(ctx context.Context, r phi.Rotation) error {
		return m.MemoryKeys.BeginRotation(context.WithoutCancel(ctx), r)
	}
	return m
}
