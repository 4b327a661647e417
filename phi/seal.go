package phi

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// lock seals and opens values under one key and one salt, which the fields of a row share.
type lock struct {
	head [nonceAt]byte // suite, flags, kid, salt
	aead cipher.AEAD
}

// newLock draws a fresh salt.
func newLock(x *xaes, kid KeyID, scope byte) *lock {
	l := &lock{}
	l.head[0], l.head[1] = suiteXAES, scope|flagPadded
	copy(l.head[kidAt:], kid[:])
	rand.Read(l.head[saltAt:]) // never fails (crypto/rand)
	l.aead = x.aead(l.head[saltAt:])
	return l
}

// lockOf returns the lock under which s, which parse accepted, was sealed.
func lockOf(x *xaes, s Sealed) *lock {
	l := &lock{head: [nonceAt]byte(s[:nonceAt])}
	l.aead = x.aead(l.head[saltAt:])
	return l
}

// scratch is memory that every call needs and none keeps.
type scratch struct{ aad, plain []byte }

// done clears the plaintext and gives the memory back, unless it is large.
func (m *scratch) done(pool *sync.Pool) {
	clear(m.plain[:cap(m.plain)])
	if cap(m.plain) <= 4096 {
		pool.Put(m)
	}
}

func (v *Vault) scratchpad() *scratch {
	if m, ok := v.scratch.Get().(*scratch); ok {
		return m
	}
	return &scratch{aad: make([]byte, 0, 256), plain: make([]byte, 0, 256)}
}

// sealUnder encrypts plain for at under l.
func sealUnder[T string | []byte](v *Vault, l *lock, at At, plain T) Sealed {
	m := v.scratchpad()
	defer m.done(&v.scratch)
	m.plain = appendPadded(m.plain[:0], plain)
	m.aad = at.appendAAD(m.aad[:0], l.head[:], v.namespace)
	out := make([]byte, nonceAt, overhead+len(m.plain))
	copy(out, l.head[:])
	return l.aead.Seal(out, nil, m.plain, m.aad)
}

// openUnder authenticates s, which parse accepted, against at and returns the plaintext in m.
func (v *Vault) openUnder(m *scratch, l *lock, at At, s Sealed) ([]byte, error) {
	m.aad = at.appendAAD(m.aad[:0], s, v.namespace)
	plain, err := l.aead.Open(m.plain[:0], nil, s[nonceAt:], m.aad)
	if err != nil {
		return nil, ErrAltered
	}
	m.plain = plain
	if s[1]&flagPadded != 0 {
		return unpad(plain)
	}
	return plain, nil
}

// Seal encrypts plaintext, at most MaxValue bytes, for one place. A patient's first value
// creates the patient's key: call it before, not inside, a write transaction on the database
// that holds the key store.
func (v *Vault) Seal(ctx context.Context, at At, plaintext []byte) (Sealed, error) {
	if err := at.check(); err != nil {
		return nil, err
	}
	if len(plaintext) > MaxValue {
		return nil, ErrTooLong
	}
	l, err := v.newLock(ctx, at)
	if err != nil {
		return nil, err
	}
	return sealUnder(v, l, at, plaintext), nil
}

// Unseal returns the plaintext of s, which must have been sealed for the same place. Its
// errors say what is wrong: ErrAltered, ErrSwapped, ErrForeignTenant, ErrTruncated, all of
// them ErrTampered; ErrUnknownSuite, ErrUnknownKey; ErrWrongKey, ErrUnavailable.
func (v *Vault) Unseal(ctx context.Context, at At, s Sealed) ([]byte, error) {
	if err := at.check(); err != nil {
		return nil, err
	}
	x, err := v.opening(ctx, at, s)
	if err != nil {
		return nil, err
	}
	m := v.scratchpad()
	defer m.done(&v.scratch)
	plain, err := v.openUnder(m, lockOf(x, s), at, s)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(plain), nil
}

func (v *Vault) newLock(ctx context.Context, at At) (*lock, error) {
	if at.Patient != "" {
		k, err := v.sealing(ctx, slot{at.Tenant, PurposePatient, at.Patient})
		if err != nil {
			return nil, err
		}
		return newLock(k.seal, k.id, flagPatient), nil
	}
	k, err := v.sealing(ctx, slot{tenant: at.Tenant, purpose: PurposeData})
	if err != nil {
		return nil, err
	}
	return newLock(v.fieldKey(k, at.Field), k.id, 0), nil
}

// opening returns the key that s names, if it is one that may have sealed anything at at.
// Only that key is ever tried.
func (v *Vault) opening(ctx context.Context, at At, s Sealed) (*xaes, error) {
	h, err := parse(s)
	if err != nil {
		return nil, err
	}
	return v.keyAt(ctx, at, h)
}

// keyAt is opening for a header.
func (v *Vault) keyAt(ctx context.Context, at At, h header) (*xaes, error) {
	if h.patient() != (at.Patient != "") {
		return nil, ErrSwapped
	}
	k, err := v.find(ctx, h.kid)
	if err != nil {
		return nil, err
	}
	return v.keyFor(k, at.Tenant, at.Patient, at.Field)
}

func (v *Vault) keyFor(k *key, t audit.Tenant, p audit.Patient, field string) (*xaes, error) {
	if k.slot.tenant != t {
		return nil, ErrForeignTenant
	}
	switch {
	case p != "" && k.slot == slot{t, PurposePatient, p}:
		return k.seal, nil
	case p == "" && k.slot == slot{tenant: t, purpose: PurposeData}:
		return v.fieldKey(k, field), nil
	}
	return nil, ErrSwapped
}

type fieldKey struct {
	root  KeyID
	field string
}

// fieldKey derives the key of a tenant-scope field from the tenant's data root.
func (v *Vault) fieldKey(root *key, field string) *xaes {
	id := fieldKey{root.id, field}
	if x, ok := v.fields.get(id, v.now()); ok {
		return x
	}
	x := newXAES(expand(root.root, "phi/v1/field/"+field, keySize))
	v.fields.put(id, x, root.expires)
	return x
}
