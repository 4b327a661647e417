package phi

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
)

// Stale reports whether s, a value of this place, is sealed under another key than a new value
// should be. It asks the key store, not the cache, and decrypts nothing; its errors are those
// of Unseal that concern keys.
func (v *Vault) Stale(ctx context.Context, at At, s Sealed) (bool, error) {
	if err := at.check(); err != nil {
		return false, err
	}
	if _, err := v.opening(ctx, at, s); err != nil {
		return false, err
	}
	now, err := v.freshest(ctx, at)
	if err != nil {
		return false, err
	}
	return v.stale(s, now), nil
}

// freshest returns the key that new values of the place should be sealed under, past the
// cache, and makes this process use it: another one may have rotated.
func (v *Vault) freshest(ctx context.Context, at At) (*key, error) {
	s := slot{tenant: at.Tenant, purpose: PurposeData}
	if at.Patient != "" {
		s = slot{at.Tenant, PurposePatient, at.Patient}
	}
	k, err := v.latest(ctx, s)
	if errors.Is(err, ErrKeyNotFound) {
		return nil, ErrUnknownKey
	}
	if err == nil {
		v.use(k)
	}
	return k, err
}

func (v *Vault) stale(s Sealed, now *key) bool {
	id, err := s.KeyID()
	return err != nil || id != now.id
}

// Reseal returns s sealed anew under the key that seals now, or nil where it is already. The
// host stores the result on condition that the column still holds s.
func (v *Vault) Reseal(ctx context.Context, at At, s Sealed) (Sealed, error) {
	if stale, err := v.Stale(ctx, at, s); err != nil || !stale {
		return nil, err
	}
	return v.reseal(ctx, at, s)
}

func (v *Vault) reseal(ctx context.Context, at At, s Sealed) (Sealed, error) {
	plain, err := v.Unseal(ctx, at, s)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return v.Seal(ctx, at, plain)
}

// Reseal seals those columns of a row anew that are not under the key that seals now, and
// returns them by name; none is left to do where it returns none. Errors that concern a column
// are *FieldError. The host stores the result on condition that the columns still hold what
// row has, and leaves the row to a later pass where they do not:
//
//	UPDATE patient SET name = $1 WHERE tenant = $2 AND id = $3 AND name = $4
func (c *Codec[T]) Reseal(ctx context.Context, t audit.Tenant, row Row) (map[string]Sealed, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: sealing anew: nil codec", ErrCodec)
	}
	l := c.layout
	patient := row.Patient
	switch {
	case l.patient == nil:
		patient = ""
	case patient == "" && l.same:
		patient = audit.Patient(row.ID)
	}
	if t == "" || row.ID == "" || l.patient != nil && patient == "" {
		return nil, ErrBinding
	}
	now, err := c.v.freshest(ctx, At{Tenant: t, Patient: patient})
	if err != nil {
		return nil, err
	}
	fresh := map[string]Sealed{}
	for name, s := range row.all() {
		f := l.find(name)
		if f == nil {
			return nil, &FieldError{l.entity + "." + name, ErrNoField}
		}
		if s == nil || !c.v.stale(s, now) {
			continue
		}
		if fresh[name], err = c.v.reseal(ctx, At{t, f.id, patient, row.ID}, s); err != nil {
			return nil, &FieldError{f.id, err}
		}
	}
	return fresh, nil
}

// Step seals the next rows of a sweep anew: those after the one that cursor names, all in the
// order of their ids, from the first where it is empty. It returns the cursor of the next step,
// empty where no row is left, and how many rows it looked at. It may be called again with the
// same cursor, by two processes at once, or after it was killed half-way.
type Step func(ctx context.Context, cursor string) (next string, rows int, err error)

// Sweep calls step until it has been through all rows. How far it came is stored after each
// step: called again with the same tenant and name, after a crash, it goes on from there; once
// it is finished, it begins anew. Total is how many rows there are, 0 for unknown. It is
// recorded as a rotation of kind RotateRows.
//
// Values that other servers seal under an old key while their caches last are not noticed by a
// sweep that has passed them: begin it Options.CacheTTL after the rotation.
func (r *Rotator) Sweep(ctx context.Context, t audit.Tenant, name string, total int, step Step) (Rotation, error) {
	job := Rotation{Namespace: r.v.namespace, Tenant: t, Kind: RotateRows, Name: name, Total: max(total, 0)}
	if t == "" || !isName(name) || !storable(string(t)) || step == nil {
		return job, ErrBinding
	}
	job, err := r.begin(ctx, job)
	if err != nil {
		return job, err
	}
	return r.do(ctx, job, func(ctx context.Context, n *run) error { return r.walk(ctx, n, step) })
}

func (r *Rotator) walk(ctx context.Context, n *run, step Step) error {
	for n.job.Finished.IsZero() {
		next, rows, err := step(ctx, n.job.Cursor)
		if err != nil {
			return err
		}
		last := next == ""
		moved, err := r.advance(ctx, n, func(job *Rotation) {
			job.Done += rows
			job.Total = max(job.Total, job.Done)
			if !last {
				job.Cursor = next
			}
		})
		if err != nil || last && !moved {
			return err
		}
	}
	return nil
}
