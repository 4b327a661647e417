package phi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// liveRoots are a tenant's index roots under which rows have terms, the oldest first: two
// while the index is rotated, else one. All of them are written, and any of them finds a row.
type liveRoots struct {
	roots   []*indexRoot
	first   atomic.Pointer[indexRoot] // of epoch 1, once LastingTerm asked for it
	place   indexPlace
	expires time.Time
}

// indexRoot is an index root with the keys that were derived from it.
type indexRoot struct {
	epoch byte
	raw   []byte

	macs    atomic.Pointer[map[macID]*macPool] // replaced by a larger one, never changed
	growing sync.Mutex
}

// maxMacs bounds the derived keys of one root, of which each index has one.
const maxMacs = 1024

func newIndexRoot(k *key) *indexRoot {
	r := &indexRoot{epoch: byte(k.epoch), raw: k.root}
	r.macs.Store(&map[macID]*macPool{})
	return r
}

// mac returns what computes the terms of an index.
func (r *indexRoot) mac(id macID) *macPool {
	if m := (*r.macs.Load())[id]; m != nil {
		return m
	}
	return r.derive(id)
}

// derive adds the key of an index to those that are there.
func (r *indexRoot) derive(id macID) *macPool {
	m := newMacPool(r.epoch, deriveMAC(r.raw, id))
	r.growing.Lock()
	defer r.growing.Unlock()
	macs := map[macID]*macPool{id: m}
	if have := *r.macs.Load(); len(have) < maxMacs {
		maps.Copy(macs, have)
	}
	r.macs.Store(&macs)
	return m
}

// firstRoot returns the tenant's first index root, which its rotations leave where it is.
func (v *Vault) firstRoot(ctx context.Context, t audit.Tenant, l *liveRoots) (*indexRoot, error) {
	if l.roots[0].epoch == 1 {
		return l.roots[0], nil
	}
	if r := l.first.Load(); r != nil {
		return r, nil
	}
	recs, err := v.olderIndexKeys(ctx, t, 1, 1)
	if err != nil {
		return nil, err
	}
	k, err := v.open(ctx, recs[0])
	if err != nil {
		return nil, err
	}
	r := newIndexRoot(k)
	l.first.Store(r)
	return r, nil
}

// indexPlace is how far a tenant's index has come, a number that only grows: four for each
// epoch, and within it the phases of the rotation that leads there.
type indexPlace uint32

func placeOf(r Rotation) (indexPlace, error) {
	at := indexPlace(r.Target) * 4
	switch {
	case r.Target < 2 || r.Target > maxIndexEpoch:
		return 0, errors.New("epoch out of range")
	case !r.Finished.IsZero():
		return at + 3, nil
	case r.Phase == PhasePrepare:
		return at, nil
	case r.Phase == PhaseDual:
		return at + 1, nil
	case r.Phase == PhaseRetire:
		return at + 2, nil
	}
	return 0, errors.New("unknown phase: a newer release is at work")
}

const firstPlace indexPlace = 1*4 + 3 // epoch 1, nothing rotated yet

// epochs returns the first and last live epoch.
func (p indexPlace) epochs() (from, to uint32) {
	to = uint32(p / 4)
	switch p % 4 {
	case 0:
		return to - 1, to - 1
	case 1:
		return to - 1, to
	}
	return to, to
}

// live returns the tenant's live index roots, from the cache or the store.
func (v *Vault) live(ctx context.Context, t audit.Tenant) (*liveRoots, error) {
	for {
		if l, ok := v.indexes.get(t, v.tick()); ok {
			return l, nil
		}
		land, err := v.loading.enter(ctx, slot{tenant: t, purpose: PurposeIndex})
		if err != nil {
			return nil, unavailable("waiting for a key", err)
		}
		if land == nil {
			continue
		}
		return v.loadIndexOnce(ctx, t, land)
	}
}

func (v *Vault) loadIndexOnce(ctx context.Context, t audit.Tenant, land func()) (*liveRoots, error) {
	defer land()
	return v.loadIndex(ctx, t)
}

// loadIndex reads how far the tenant's index has come, and then the roots of the epochs that
// are live: whatever a rotation does in between, these exist.
func (v *Vault) loadIndex(ctx context.Context, t audit.Tenant) (*liveRoots, error) {
	if !storable(v.namespace, string(t)) {
		return nil, ErrBinding
	}
	l := &liveRoots{expires: v.now().Add(v.ttl)}
	var err error
	if l.place, err = v.readPlace(ctx, t); err != nil {
		return nil, err
	}
	recs, err := v.indexKeys(ctx, t, l.place)
	if err != nil {
		return nil, err
	}
	for _, rec := range recs {
		k, err := v.open(ctx, rec)
		if err != nil {
			return nil, err
		}
		l.roots = append(l.roots, newIndexRoot(k))
		if k.expires.Before(l.expires) {
			l.expires = k.expires
		}
	}
	v.places.put(t, l.place, forever())
	v.indexes.put(t, l, l.expires)
	return l, nil
}

// readPlace returns how far the tenant's index has come. It returns ErrRolledBack where this
// process has seen it further.
func (v *Vault) readPlace(ctx context.Context, t audit.Tenant) (indexPlace, error) {
	seen, _ := v.places.get(t, time.Time{})
	const many = 1000 // more than there are epochs
	all, err := v.keys.Rotations(ctx, RotationQuery{Namespace: v.namespace, Tenant: &t, Kind: RotateIndex, Limit: many})
	if err != nil {
		return 0, unavailable("reading how far the index was rotated", err)
	}
	place := firstPlace
	for _, r := range all {
		at, err := placeOf(r)
		if err != nil {
			return 0, unavailable("reading how far the index was rotated", err)
		}
		place = max(place, at)
	}
	if place < seen {
		return 0, ErrRolledBack
	}
	return place, nil
}

// indexKeys returns the stored keys of the epochs that are live at place, the oldest first. The
// first of all is made where there is none.
func (v *Vault) indexKeys(ctx context.Context, t audit.Tenant, place indexPlace) ([]Key, error) {
	s := slot{tenant: t, purpose: PurposeIndex}
	from, to := place.epochs()
	rec, err := v.keys.Current(ctx, v.slot(s))
	if errors.Is(err, ErrKeyNotFound) && place == firstPlace && v.seen(s) == 0 {
		if err := v.create(ctx, s, 1); err != nil {
			return nil, err
		}
		rec, err = v.keys.Current(ctx, v.slot(s))
	}
	switch {
	case errors.Is(err, ErrKeyNotFound):
		return nil, ErrRolledBack
	case err != nil:
		return nil, unavailable("reading the current key", err)
	case rec.KeySlot != v.slot(s):
		return nil, ErrWrongKey
	case rec.Epoch == 0 || rec.Epoch > maxIndexEpoch:
		return nil, unavailable("reading the current key", errors.New("epoch out of range"))
	case rec.Epoch < to || rec.Epoch < v.seen(s):
		return nil, ErrRolledBack
	}
	v.epochs.put(s, rec.Epoch, forever())
	if from == to && rec.Epoch == to {
		return []Key{rec}, nil
	}
	return v.olderIndexKeys(ctx, t, from, to)
}

// olderIndexKeys finds the keys of these epochs among all that the KMS wraps for the tenant.
func (v *Vault) olderIndexKeys(ctx context.Context, t audit.Tenant, from, to uint32) ([]Key, error) {
	found := make([]Key, to-from+1)
	q := KeyQuery{Namespace: v.namespace, Tenant: t, Limit: 100}
	for {
		page, err := v.keys.List(ctx, q)
		if err != nil {
			return nil, unavailable("listing keys", err)
		}
		for _, rec := range page {
			if rec.KeySlot == v.slot(slot{tenant: t, purpose: PurposeIndex}) && rec.Epoch >= from && rec.Epoch <= to {
				found[rec.Epoch-from] = rec
			}
		}
		if len(page) < q.Limit {
			break
		}
		q.After = page[len(page)-1].ID
	}
	for i := range found {
		if found[i].Epoch == 0 {
			return nil, fmt.Errorf("%w: an index root is missing", ErrUnknownKey)
		}
	}
	return found, nil
}
