package phi_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// tampered is a key store whose rows somebody with the database has altered: what is read of
// a key is what alter makes of it.
type tampered struct {
	*phi.MemoryKeys
	mu    sync.Mutex
	alter func(*phi.Key) (gone bool)
}

func (s *tampered) set(alter func(*phi.Key) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alter = alter
}

func (s *tampered) each(keys []phi.Key, err error) ([]phi.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := []phi.Key{}
	for _, k := range keys {
		if s.alter == nil || !s.alter(&k) {
			left = append(left, k)
		}
	}
	return left, err
}

func (s *tampered) Current(ctx context.Context, slot phi.KeySlot) (phi.Key, error) {
	k, err := s.MemoryKeys.Current(ctx, slot)
	if err != nil {
		return k, err
	}
	left, _ := s.each([]phi.Key{k}, nil)
	if len(left) == 0 {
		return phi.Key{}, phi.ErrKeyNotFound
	}
	return left[0], nil
}

func (s *tampered) Get(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
	return s.each(s.MemoryKeys.Get(ctx, ids...))
}

// List selects after the alteration, as a database would.
func (s *tampered) List(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
	roots, err := s.MemoryKeys.List(ctx, phi.KeyQuery{Namespace: "app", Limit: 1000})
	if err != nil {
		return nil, err
	}
	all := roots
	for _, root := range roots {
		under, err := s.MemoryKeys.List(ctx, phi.KeyQuery{Namespace: "app", Root: root.ID, Limit: 1000})
		if err != nil {
			return nil, err
		}
		all = append(all, under...)
	}
	all, _ = s.each(all, nil)
	all = slices.DeleteFunc(all, func(k phi.Key) bool {
		return k.Root != q.Root || q.Tenant != "" && k.Tenant != q.Tenant || bytes.Compare(k.ID[:], q.After[:]) <= 0
	})
	slices.SortFunc(all, func(a, b phi.Key) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all[:min(len(all), q.Limit)], nil
}

func newTampered() (*world, *tampered) {
	w := newWorld()
	s := &tampered{MemoryKeys: phi.NewMemoryKeys()}
	w.store = s
	return w, s
}

// A rotation authenticates every key before it re-wraps it: it does not turn an altered row
// into a genuine one. The others are done, the altered one is left as it is, and the rotation
// does not finish before it is mended.
func TestRotationDoesNotLaunder(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(k, donor *phi.Key){
		"wrapped bytes altered":      func(k, _ *phi.Key) { k.Wrapped = flip(k.Wrapped) },
		"wrapped bytes cut":          func(k, _ *phi.Key) { k.Wrapped = k.Wrapped[:20] },
		"relabelled to another":      func(k, d *phi.Key) { k.Patient = d.Patient },
		"relabelled to a tenant":     func(k, _ *phi.Key) { k.Tenant = "clinic-2" },
		"relabelled as a root":       func(k, _ *phi.Key) { k.Purpose, k.Patient = phi.PurposeData, "" },
		"another purpose":            func(k, _ *phi.Key) { k.Purpose = phi.PurposeIndex },
		"another epoch":              func(k, _ *phi.Key) { k.Epoch = 7 },
		"another's wrapped bytes":    func(k, d *phi.Key) { k.Wrapped = d.Wrapped },
		"another's id":               func(k, d *phi.Key) { k.ID = d.ID },
		"another's row under its id": func(k, d *phi.Key) { id := k.ID; *k = *d; k.ID = id },
	} {
		for _, kind := range []phi.RotationKind{phi.RotateRoot, phi.RotatePatients} {
			w, store := newTampered()
			v := w.vault(t)
			w.populate(t, v)
			victim, donor := w.current(t, phi.PurposePatient, "p-1"), w.current(t, phi.PurposePatient, "p-2")
			store.set(func(k *phi.Key) bool {
				if k.ID == victim.ID && k.Root == victim.Root {
					alter(k, &donor)
				}
				return false
			})
			job, err := w.rotator(t, w.vault(t)).Rotate(t.Context(), kind, clinic)
			require.ErrorIs(t, err, phi.ErrStuck, name)
			require.ErrorIs(t, err, phi.ErrWrongKey, name)
			require.Equal(t, []int{2, 1, 3}, []int{job.Done, job.Failed, job.Total}, name)
			require.True(t, job.Finished.IsZero())
			require.Equal(t, "stuck", w.log.events[len(w.log.events)-1].Code)

			store.set(nil)
			require.Equal(t, victim, w.current(t, phi.PurposePatient, "p-1"), name)
			again, err := w.rotator(t, w.vault(t)).Rotate(t.Context(), kind, clinic)
			require.NoError(t, err, name)
			require.Equal(t, job.ID, again.ID)
			w.requireRotated(t, kind)
		}
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

// A root that was lost or altered holds up its own keys only, and says so.
func TestRotationWithALostRoot(t *testing.T) {
	t.Parallel()
	w, store := newTampered()
	v := w.vault(t)
	w.populate(t, v)
	first := w.current(t, phi.PurposeData, "")
	broken := func(k *phi.Key) bool {
		if k.ID == first.ID {
			k.Wrapped = flip(k.Wrapped)
		}
		return false
	}
	_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	// A key from before the rotation comes back, under the first root, which is broken now.
	stale := w.current(t, phi.PurposePatient, "p-1")
	moved := phi.KeySwap{ID: stale.ID, Old: stale.Wrapped, Root: first.ID, Wrapped: stale.Wrapped}
	_, err = store.Rewrap(t.Context(), []phi.KeySwap{moved})
	require.NoError(t, err)
	store.set(broken)
	job, err := w.rotator(t, w.vault(t)).Rotate(t.Context(), phi.RotateRoot, clinic)
	require.ErrorIs(t, err, phi.ErrStuck)
	require.Equal(t, []int{2, 1, 3}, []int{job.Done, job.Failed, job.Total})
}

// A KMS that gives back something else than the same key does not get it stored.
func TestRotateKEKChecksTheResult(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	before, err := w.store.List(t.Context(), phi.KeyQuery{Namespace: "app", Limit: 100})
	require.NoError(t, err)
	w.kms.Rotate()
	bad := &lyingKMS{KMS: w.kms}
	r := w.rotator(t, openVault(t, bad, w.store, nil))
	bad.lie = true
	job, err := r.Rotate(t.Context(), phi.RotateKEK, "")
	require.ErrorIs(t, err, phi.ErrStuck)
	require.Equal(t, 4, job.Failed, "and the canary was not tried")
	after, err := w.store.List(t.Context(), phi.KeyQuery{Namespace: "app", Limit: 100})
	require.NoError(t, err)
	require.Equal(t, before, after)
	bad.lie = false
	_, err = r.Rotate(t.Context(), phi.RotateKEK, "")
	require.NoError(t, err)
	w.kms.Retire()
	w.readable(t, w.vault(t))
}

// lyingKMS re-wraps another key than it was given.
type lyingKMS struct {
	phi.KMS
	lie bool
}

func (k *lyingKMS) Rewrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	if k.lie {
		return k.Wrap(ctx, make([]byte, 32), c)
	}
	return k.KMS.Rewrap(ctx, wrapped, c)
}

// The row of a root that was exchanged with another tenant's, or with the index root, does not
// survive RotateKEK either.
func TestRotateKEKDoesNotLaunder(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(k, donor *phi.Key){
		"another tenant's wrapped bytes": func(k, d *phi.Key) { k.Wrapped = d.Wrapped },
		"relabelled":                     func(k, d *phi.Key) { k.Tenant = d.Tenant },
		"as the index root":              func(k, _ *phi.Key) { k.Purpose = phi.PurposeIndex },
		"another epoch":                  func(k, _ *phi.Key) { k.Epoch++ },
	} {
		w, store := newTampered()
		v := w.vault(t)
		w.populate(t, v)
		victim := w.current(t, phi.PurposeData, "")
		donor, err := store.Current(t.Context(), phi.KeySlot{Namespace: "app", Tenant: "clinic-2", Purpose: phi.PurposeData})
		require.NoError(t, err)
		w.kms.Rotate()
		store.set(func(k *phi.Key) bool {
			if k.ID == victim.ID {
				alter(k, &donor)
			}
			return false
		})
		job, err := w.rotator(t, w.vault(t)).Rotate(t.Context(), phi.RotateKEK, "")
		require.ErrorIs(t, err, phi.ErrStuck, name)
		require.Equal(t, 1, job.Failed)
		store.set(nil)
		require.Equal(t, victim, w.current(t, phi.PurposeData, ""), name)
	}
}

// An older copy of the key store, in which the latest root or patient's key is missing, is
// noticed by every server that has used it: nothing more goes under the retired key.
func TestRolledBackKeyStore(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]func(k *phi.Key) bool{
		"root":    func(k *phi.Key) bool { return k.Purpose == phi.PurposeData && k.Epoch == 2 },
		"patient": func(k *phi.Key) bool { return k.Purpose == phi.PurposePatient && k.Epoch == 2 },
		"all":     func(k *phi.Key) bool { return k.Purpose != phi.PurposeCanary },
	} {
		w := newWorld()
		store := &rolledBack{MemoryKeys: phi.NewMemoryKeys()}
		w.store = store
		v := w.vault(t)
		w.populate(t, v)
		_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotatePatients, clinic)
		require.NoError(t, err)
		p := audit.Patient("p-1")
		if name == "root" {
			p = ""
		}
		require.NoError(t, w.seal(v, clinic, p))
		store.lost = lost
		w.clk.Advance(phi.DefaultCacheTTL)
		err = w.seal(v, clinic, p)
		require.ErrorIs(t, err, phi.ErrRolledBack, name)
		require.ErrorIs(t, err, phi.ErrWrongKey)
		store.lost = nil
		require.NoError(t, w.seal(v, clinic, p), name)
	}
}

// rolledBack hides keys, as if they had never been created.
type rolledBack struct {
	*phi.MemoryKeys
	lost func(*phi.Key) bool
}

func (s *rolledBack) Current(ctx context.Context, slot phi.KeySlot) (phi.Key, error) {
	k, err := s.MemoryKeys.Current(ctx, slot)
	if err != nil || s.lost == nil || !s.lost(&k) {
		return k, err
	}
	// The one before it, if it is left.
	for _, root := range append([]phi.KeyID{{}}, s.roots(ctx)...) {
		page, err := s.MemoryKeys.List(ctx, phi.KeyQuery{Namespace: slot.Namespace, Root: root, Limit: 1000})
		if err != nil {
			return phi.Key{}, err
		}
		for _, older := range page {
			if older.KeySlot == slot && older.Epoch < k.Epoch && !s.lost(&older) {
				return older, nil
			}
		}
	}
	return phi.Key{}, phi.ErrKeyNotFound
}

func (s *rolledBack) roots(ctx context.Context) (ids []phi.KeyID) {
	page, _ := s.MemoryKeys.List(ctx, phi.KeyQuery{Namespace: "app", Limit: 1000})
	for _, k := range page {
		ids = append(ids, k.ID)
	}
	return ids
}

// A patient's key row that was put back as it was before a rotation still opens, because it is
// the same key, and the next rotation moves it again.
func TestRolledBackKeyRow(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	old := w.current(t, phi.PurposePatient, "p-1")
	r := w.rotator(t, v)
	_, err := r.Rotate(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	now := w.current(t, phi.PurposePatient, "p-1")
	n, err := w.store.Rewrap(t.Context(), []phi.KeySwap{{ID: old.ID, Old: now.Wrapped, Root: old.Root, Wrapped: old.Wrapped}})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	w.readable(t, w.vault(t))
	status, err := r.Status(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, 1, status.Behind, "it shows")
	_, err = r.Rotate(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	w.requireRotated(t, phi.RotateRoot)
}

// A rotation's row that somebody has altered cannot make keys of a far epoch, skip one, or
// lead into another tenant.
func TestAlteredRotation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alter func(*phi.Rotation)
		want  error
	}{
		"far target": {func(r *phi.Rotation) { r.Target = 1 << 31 }, phi.ErrRotationMoved},
		"namespace":  {func(r *phi.Rotation) { r.Namespace = "other" }, phi.ErrBinding},
		"cursor":     {func(r *phi.Rotation) { r.Cursor = "not hexadecimal" }, nil},
		"total":      {func(r *phi.Rotation) { r.Total, r.Done = -5, 70 }, nil},
	} {
		w := newWorld()
		v := w.vault(t)
		w.populate(t, v)
		r := w.rotator(t, v)
		job, err := r.Begin(t.Context(), phi.RotateRoot, clinic)
		require.NoError(t, err)
		c.alter(&job)
		_, err = r.Work(t.Context(), job)
		require.ErrorIs(t, err, c.want, name)
		if c.want != nil {
			require.EqualValues(t, 1, w.current(t, phi.PurposeData, "").Epoch, name)
		}
		w.readable(t, w.vault(t))
	}
	// Whatever the row says, every root is looked at.
	w := newWorld()
	w.populate(t, w.vault(t))
	w.kms.Rotate()
	r := w.rotator(t, w.vault(t))
	job, err := r.Begin(t.Context(), phi.RotateKEK, "")
	require.NoError(t, err)
	job.Cursor, job.Done, job.Total = "ffffffffffffffffffffffffffffffff", 1000, 1
	_, err = r.Work(t.Context(), job)
	require.NoError(t, err)
	w.requireRotated(t, phi.RotateKEK)
}

// A root whose row says that another key wraps it would be passed over by RotateKEK, and lost
// with the old key-encryption key; it does not open, so that somebody notices before. The same
// holds for a patient's key that nothing wraps.
func TestMisplacedKeyRows(t *testing.T) {
	t.Parallel()
	w, store := newTampered()
	w.populate(t, w.vault(t))
	for name, alter := range map[string]func(*phi.Key){
		"root":    func(k *phi.Key) { k.Root[0] = 1 },
		"patient": func(k *phi.Key) { k.Root = phi.KeyID{} },
	} {
		fresh := w.vault(t)
		store.set(func(k *phi.Key) bool {
			if (k.Purpose == phi.PurposeData) == (name == "root") && k.Purpose != phi.PurposeCanary {
				alter(k)
			}
			return false
		})
		s := w.values[0]
		_, err := fresh.Unseal(t.Context(), s.at, s.sealed)
		require.ErrorIs(t, err, phi.ErrWrongKey, name)
		store.set(nil)
	}
}

// A server that was reading the old root while a rotation made a new one does not go on
// sealing under the old one.
func TestRotationOvertakesARead(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(t, w.vault(t))
	var v *phi.Vault
	var r *phi.Rotator
	busy := false
	store := &hooked{KeyStore: w.store, after: func(op string) error {
		if r != nil && op == "current" && !busy {
			busy = true
			_, err := r.Rotate(context.Background(), phi.RotateRoot, clinic)
			return err
		}
		return nil
	}}
	v = openVault(t, w.kms, store, nil)
	r = w.rotator(t, v)
	require.NoError(t, w.seal(v, clinic, ""), "under the old root, which it had read")
	require.True(t, busy)
	require.NoError(t, w.seal(v, clinic, ""))
	id, err := w.values[len(w.values)-1].sealed.KeyID()
	require.NoError(t, err)
	require.Equal(t, w.current(t, phi.PurposeData, "").ID, id)
	w.readable(t, w.vault(t))
}
