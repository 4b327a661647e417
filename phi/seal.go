package phi

import (
	"context"
	"crypto/cipher"
	"crypto/rand"

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

func (l *lock) seal(at At, namespace string, plaintext []byte) Sealed {
	padded := pad(plaintext)
	defer clear(padded)
	out := make([]byte, nonceAt, overhead+len(padded))
	copy(out, l.head[:])
	var buf [256]byte
	return l.aead.Seal(out, nil, padded, at.appendAAD(buf[:0], l.head[:], namespace))
}

// open authenticates s, which parse accepted, against at and returns the plaintext.
func (l *lock) open(at At, namespace string, s Sealed) ([]byte, error) {
	var buf [256]byte
	plain, err := l.aead.Open(nil, nil, s[nonceAt:], at.appendAAD(buf[:0], s, namespace))
	if err != nil {
		return nil, ErrAltered
	}
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
	return l.seal(at, v.namespace, plaintext), nil
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
	return lockOf(x, s).open(at, v.namespace, s)
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
