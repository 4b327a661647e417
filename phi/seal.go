package phi

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// lock seals and opens values under one key and one salt, which the fields of a row share. It is
// not changed once it is made.
type lock struct {
	head [nonceAt]byte // suite, flags, kid, salt
	aead cipher.AEAD
}

// fresh makes l a lock with a salt of its own.
func (l *lock) fresh(m *scratch, x *xaes, kid *KeyID, scope byte) {
	l.head[0], l.head[1] = suiteXAES, scope|flagPadded
	copy(l.head[kidAt:], kid[:])
	rand.Read(l.head[saltAt:]) // never fails (crypto/rand)
	l.aead = x.aeadVia(&m.sub, l.head[saltAt:])
}

// lock returns the lock under which s, which parse accepted, was sealed. Whoever reads a row often
// reads it again, so the key keeps one of them as long as it is kept itself.
func (x *xaes) lock(m *scratch, s Sealed) *lock {
	if l := x.last.Load(); l != nil && l.fits(s) {
		return l
	}
	l := new(lock)
	copy(l.head[:], s)
	l.aead = x.aeadVia(&m.sub, l.head[saltAt:])
	x.last.Store(l)
	return l
}

// fits reports whether s was sealed under l.
func (l *lock) fits(s Sealed) bool {
	const half = 16 // which is compared at one stroke
	return [half]byte(s) == [half]byte(l.head[:]) && [half]byte(s[nonceAt-half:]) == [half]byte(l.head[nonceAt-half:])
}

// scratch is memory that every call needs and none keeps.
type scratch struct {
	aad, plain, where []byte
	used              int // how many bytes of plain are to be cleared
	place             place
	sub               [keySize]byte
	anew, sought      []plainField // to be sealed, and to be indexed
}

// done clears the plaintext and gives the memory back, unless it is large.
func (m *scratch) done(pool *sync.Pool) {
	m.wipe()
	if cap(m.plain) <= 4096 {
		pool.Put(m)
	}
}

// wipe clears what m.plain has held since the last time.
func (m *scratch) wipe() {
	clear(m.plain[:m.used])
	m.used = 0
}

// room makes m.plain empty, with room for the n bytes that come next.
func (m *scratch) room(n int) {
	if cap(m.plain) < n {
		m.wipe() // nothing is left behind in what is too small
		m.plain = make([]byte, 0, n)
	}
	m.plain, m.used = m.plain[:0], max(m.used, n)
}

func (v *Vault) scratchpad() *scratch {
	if m, ok := v.scratch.Get().(*scratch); ok {
		return m
	}
	return &scratch{aad: make([]byte, 0, 256), plain: make([]byte, 0, 256), where: make([]byte, 0, 256)}
}

// appendSealed appends plain, encrypted under l for a field of p.
func appendSealed[T string | []byte](dst []byte, m *scratch, l *lock, p *place, field string, plain T) []byte {
	m.room(paddedSize(len(plain)))
	m.plain = appendPadded(m.plain, plain)
	m.aad = p.appendAAD(m.aad[:0], l.head[:], field)
	return l.aead.Seal(append(dst, l.head[:]...), nil, m.plain, m.aad)
}

// open authenticates s, which parse accepted and which l fits, for a field of p and returns
// the plaintext in m.
func (l *lock) open(m *scratch, p *place, field string, s Sealed) ([]byte, error) {
	m.aad = p.appendAAD(m.aad[:0], s, field)
	m.room(len(s) - overhead)
	plain, err := l.aead.Open(m.plain, nil, s[nonceAt:], m.aad)
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
	m := v.scratchpad()
	defer m.done(&v.scratch)
	var l lock
	if err := v.newLock(ctx, m, &l, &at); err != nil {
		return nil, err
	}
	m.place.bind(m.where, v.namespace, &at)
	return appendSealed(make([]byte, 0, sealedSize(len(plaintext))), m, &l, &m.place, at.Field, plaintext), nil
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
	m.place.bind(m.where, v.namespace, &at)
	plain, err := x.lock(m, s).open(m, &m.place, at.Field, s)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(plain), nil
}

// newLock makes l a lock under the key that seals at at now.
func (v *Vault) newLock(ctx context.Context, m *scratch, l *lock, at *At) error {
	if at.Patient != "" {
		k, err := v.sealing(ctx, slot{at.Tenant, PurposePatient, at.Patient})
		if err != nil {
			return err
		}
		l.fresh(m, k.seal, &k.id, flagPatient)
		return nil
	}
	k, err := v.sealing(ctx, slot{tenant: at.Tenant, purpose: PurposeData})
	if err != nil {
		return err
	}
	l.fresh(m, v.fieldKey(k, at.Field), &k.id, 0)
	return nil
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
	if errors.Is(err, ErrUnknownKey) {
		if gone := v.alive(ctx, at.Tenant, at.Patient); gone != nil {
			return nil, gone
		}
	}
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
	if x, ok := v.fields.get(id, v.tick()); ok {
		return x
	}
	x := newXAES(expand(root.root, "phi/v1/field/"+field, keySize))
	v.fields.put(id, x, root.expires)
	return x
}
